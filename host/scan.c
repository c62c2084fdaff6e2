/*
 * scan.c: the executor's side of a foreign table: parameters evaluated once a
 * scan, the handler's batches turned into tuples one by one.
 */
#include "host.h"

#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "portability/instr_time.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Milliseconds of a search beside which it does not matter what memory costs that is asked for anew. */
#define LONG_MS 20

/* One parameter that a clause gives, and the values it takes in this scan. */
typedef struct ScanParameter
{
	AttrNumber	attno;
	bool		any;
	ExprState  *expression;
	Oid			type;			/* of the expression */
	PyObject   *name;
	PyObject   *values;			/* list: one value, or those of = ANY */
	Py_ssize_t	next;			/* position in the product */
} ScanParameter;

struct HostScan
{
	HostTable  *table;
	Oid			reader;			/* the role that began the scan */
	MemoryContext batch_context;
	int			nparameters;
	ScanParameter *parameters;
	List	   *columns;		/* attnos to fetch */
	PyObject   *column_names;	/* list of str */
	PyObject   *memo;			/* dict, shared by the rescans of this node */
	PyObject   *python;			/* the handler's scan that runs now */
	instr_time	spent;			/* in Python, which holds memory meanwhile */
	bool		started;
	bool		finished;
	PyObject   *batch;			/* tuple (n, columns) that `open` reads from */
	HostColumn **open;
	Py_ssize_t	rows;
	Py_ssize_t	row;
};

PyObject *
host_scan_memo(HostScan *scan)
{
	return scan->memo;
}

PyObject *
host_scan_python(HostScan *scan)
{
	return scan->python;
}

/* ---- begin and end ---- */

static void
close_batch(HostScan *scan)
{
	MemoryContextReset(scan->batch_context);
	scan->open = NULL;
	Py_CLEAR(scan->batch);
	scan->rows = scan->row = 0;
}

/* Drops what Python holds; also the reset callback of the query's memory context. */
static void
release_scan(void *arg)
{
	HostScan   *scan = arg;

	Py_CLEAR(scan->batch);
	for (int i = 0; i < scan->nparameters; i++)
	{
		Py_CLEAR(scan->parameters[i].name);
		Py_CLEAR(scan->parameters[i].values);
	}
	Py_CLEAR(scan->python);
	Py_CLEAR(scan->memo);
	Py_CLEAR(scan->column_names);
	if (INSTR_TIME_GET_MILLISEC(scan->spent) >= LONG_MS)
		host_give_back_memory();
	INSTR_TIME_SET_ZERO(scan->spent);
}

static void
release_with(MemoryContext context, HostScan *scan)
{
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));

	callback->func = release_scan;
	callback->arg = scan;
	MemoryContextRegisterResetCallback(context, callback);
}

static void
begin_parameters(HostScan *scan, ForeignScanState *node)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	List	   *attnos = list_nth(plan->fdw_private, PRIVATE_PARAMETERS);
	List	   *any = list_nth(plan->fdw_private, PRIVATE_ANY);
	List	   *states = ExecInitExprList(plan->fdw_exprs, (PlanState *) node);

	scan->parameters = palloc0(Max(list_length(states), 1) * sizeof(ScanParameter));
	scan->nparameters = list_length(states);
	for (int i = 0; i < scan->nparameters; i++)
	{
		ScanParameter *parameter = &scan->parameters[i];

		parameter->attno = list_nth_int(attnos, i);
		parameter->any = list_nth_int(any, i) != 0;
		parameter->expression = list_nth(states, i);
		parameter->type = exprType(list_nth(plan->fdw_exprs, i));
		parameter->name = host_text_to_python(get_attname(scan->table->relid, parameter->attno, false));
	}
}

static void
begin_columns(HostScan *scan, ForeignScanState *node)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	ListCell   *cell;

	scan->columns = list_nth(plan->fdw_private, PRIVATE_COLUMNS);
	scan->column_names = host_checked(PyList_New(0));
	foreach(cell, scan->columns)
	{
		PyObject   *name = host_text_to_python(get_attname(scan->table->relid, lfirst_int(cell), false));
		int			status = PyList_Append(scan->column_names, name);

		Py_DECREF(name);
		host_checked_status(status);
	}
}

void
hostBeginForeignScan(ForeignScanState *node, int eflags)
{
	HostScan   *scan = palloc0(sizeof(HostScan));
	MemoryContext query_context = node->ss.ps.state->es_query_cxt;

	check_stack_depth();
	release_with(query_context, scan);
	node->fdw_state = scan;
	scan->table = host_table(RelationGetRelid(node->ss.ss_currentRelation));
	scan->reader = GetUserId();
	scan->memo = host_checked(PyDict_New());
	scan->batch_context = AllocSetContextCreate(query_context, "ruattn batch", ALLOCSET_DEFAULT_SIZES);
	begin_parameters(scan, node);
	begin_columns(scan, node);
}

void
hostEndForeignScan(ForeignScanState *node)
{
	HostScan   *scan = node->fdw_state;

	if (scan != NULL)
	{
		close_batch(scan);
		release_scan(scan);
	}
}

void
hostReScanForeignScan(ForeignScanState *node)
{
	HostScan   *scan = node->fdw_state;

	close_batch(scan);
	Py_CLEAR(scan->python);
	scan->started = scan->finished = false;
}

/* ---- who reads ---- */

typedef struct Caller
{
	Oid			role;
	int			context;
	instr_time	since;			/* when the reader took over */
} Caller;

/*
 * As PostgreSQL does for tables, rows are read with the rights of whoever began
 * the query: a cursor may reach a function that has other rights and fetches from
 * it. No error passes by here, since Python's are thrown after its return.
 */
static Caller
become_reader(const HostScan *scan)
{
	Caller		caller;

	GetUserIdAndSecContext(&caller.role, &caller.context);
	if (caller.role != scan->reader)
		SetUserIdAndSecContext(scan->reader, caller.context | SECURITY_LOCAL_USERID_CHANGE);
	INSTR_TIME_SET_CURRENT(caller.since);
	return caller;
}

static void
become_caller(HostScan *scan, Caller caller)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_ACCUM_DIFF(scan->spent, now, caller.since);
	SetUserIdAndSecContext(caller.role, caller.context);
}

/* ---- parameters ---- */

/* The distinct elements of an array that are not NULL. */
static void
append_elements(PyObject *values, ArrayType *array)
{
	Oid			type = ARR_ELEMTYPE(array);
	int16		length;
	bool		byval;
	char		align;
	Datum	   *items;
	bool	   *nulls;
	int			count;

	get_typlenbyvalalign(type, &length, &byval, &align);
	deconstruct_array(array, type, length, byval, align, &items, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		bool		repeated = nulls[i];

		CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < i && !repeated; j++)
			repeated = !nulls[j] && datum_image_eq(items[i], items[j], byval, length);
		if (!repeated)
		{
			PyObject   *value = host_to_python(items[i], type);
			int			status = PyList_Append(values, value);

			Py_DECREF(value);
			host_checked_status(status);
		}
	}
}

/* False where the parameter is NULL, so that no row can match. */
static bool
evaluate_parameter(ScanParameter *parameter, ExprContext *context)
{
	bool		isnull;
	Datum		value = ExecEvalExprSwitchContext(parameter->expression, context, &isnull);

	Py_XSETREF(parameter->values, host_checked(PyList_New(0)));
	parameter->next = 0;
	if (isnull)
		return false;
	if (parameter->any)
		append_elements(parameter->values, DatumGetArrayTypeP(value));
	else
	{
		PyObject   *item = host_to_python(value, parameter->type);
		int			status = PyList_Append(parameter->values, item);

		Py_DECREF(item);
		host_checked_status(status);
	}
	return PyList_GET_SIZE(parameter->values) > 0;
}

static bool
evaluate_parameters(HostScan *scan, ExprContext *context)
{
	for (int i = 0; i < scan->nparameters; i++)
		if (!evaluate_parameter(&scan->parameters[i], context))
			return false;
	return true;
}

/* On to the next member of the product of the values; false behind the last. */
static bool
next_combination(HostScan *scan)
{
	for (int i = 0; i < scan->nparameters; i++)
	{
		ScanParameter *parameter = &scan->parameters[i];

		if (++parameter->next < PyList_GET_SIZE(parameter->values))
			return true;
		parameter->next = 0;
	}
	return false;
}

/* Ask the handler for a scan under the current combination of values. */
static void
start_python_scan(HostScan *scan)
{
	PyObject   *quals = host_checked(PyDict_New());
	PyObject   *start;
	PyObject   *python;
	Caller		caller;

	for (int i = 0; i < scan->nparameters; i++)
	{
		ScanParameter *parameter = &scan->parameters[i];

		host_checked_status(PyDict_SetItem(quals, parameter->name, PyList_GET_ITEM(parameter->values, parameter->next)));
	}
	start = host_bridge()->start;
	caller = become_reader(scan);
	python = PyObject_CallFunctionObjArgs(start, scan->table->handler, quals, scan->column_names, scan->memo, NULL);
	become_caller(scan, caller);
	Py_DECREF(quals);
	Py_XSETREF(scan->python, host_checked(python));
}

/* ---- batches ---- */

static void
open_batch(HostScan *scan, PyObject *batch, TupleDesc desc)
{
	PyObject   *columns;
	int			count = list_length(scan->columns);
	MemoryContext old;

	scan->batch = batch;
	if (!PyArg_ParseTuple(batch, "nO!", &scan->rows, &PyList_Type, &columns))
		host_raise();
	if (PyList_GET_SIZE(columns) != count)
		elog(ERROR, "a handler gave %zd columns, %d were asked for", PyList_GET_SIZE(columns), count);
	old = MemoryContextSwitchTo(scan->batch_context);
	scan->open = palloc0(Max(count, 1) * sizeof(HostColumn *));
	for (int i = 0; i < count; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, list_nth_int(scan->columns, i) - 1);

		scan->open[i] = host_column_open(PyList_GET_ITEM(columns, i), attribute->atttypid, attribute->atttypmod, scan->rows);
	}
	MemoryContextSwitchTo(old);
}

/* False where the scan under the current combination has no more rows. */
static bool
fetch_batch(HostScan *scan, TupleDesc desc)
{
	PyObject   *batch;
	Caller		caller;

	close_batch(scan);
	CHECK_FOR_INTERRUPTS();
	caller = become_reader(scan);
	batch = PyObject_CallMethod(scan->python, "next", NULL);
	become_caller(scan, caller);
	host_checked(batch);
	if (batch == Py_None)
	{
		Py_DECREF(batch);
		return false;
	}
	open_batch(scan, batch, desc);
	return true;
}

/* Make row `scan->row` valid; false at the end of all rows. */
static bool
advance(HostScan *scan, ExprContext *context, TupleDesc desc)
{
	if (!scan->started)
	{
		scan->started = true;
		scan->finished = !evaluate_parameters(scan, context);
		if (!scan->finished)
			start_python_scan(scan);
	}
	else
		scan->row++;
	while (!scan->finished && scan->row >= scan->rows)
	{
		if (fetch_batch(scan, desc))
			continue;
		scan->finished = !next_combination(scan);
		if (!scan->finished)
			start_python_scan(scan);
	}
	return !scan->finished;
}

static void
fill_slot(HostScan *scan, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(scan->batch_context);
	int			i = 0;
	ListCell   *cell;

	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts);
	foreach(cell, scan->columns)
	{
		int			index = lfirst_int(cell) - 1;

		slot->tts_values[index] = host_column_cell(scan->open[i++], scan->row, &slot->tts_isnull[index]);
	}
	MemoryContextSwitchTo(old);
	ExecStoreVirtualTuple(slot);
}

TupleTableSlot *
hostIterateForeignScan(ForeignScanState *node)
{
	HostScan   *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	ExecClearTuple(slot);
	if (advance(scan, node->ss.ps.ps_ExprContext, slot->tts_tupleDescriptor))
		fill_slot(scan, slot);
	return slot;
}
