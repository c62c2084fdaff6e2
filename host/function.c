/*
 * function.c: the one C function behind all SQL functions written in Python:
 * it calls the Python function that is registered under its SQL name.
 */
#include "host.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(ruattn_fdw_call);

/* What a call site needs on every call, found once a query. */
typedef struct CallSite
{
	PyObject   *function;
	Oid			result_type;
	Oid			types[FUNC_MAX_ARGS];
} CallSite;

static CallSite *
find_call_site(FunctionCallInfo fcinfo)
{
	FmgrInfo   *info = fcinfo->flinfo;
	const HostBridge *bridge;
	CallSite   *site;
	PyObject   *function;
	PyObject   *name;
	char	   *sql_name;

	if (info->fn_extra != NULL)
		return info->fn_extra;
	bridge = host_bridge();
	sql_name = get_func_name(info->fn_oid);
	if (sql_name == NULL)		/* nothing is locked: dropped since the query was planned */
		elog(ERROR, "cache lookup failed for function %u", info->fn_oid);
	name = host_text_to_python(sql_name);
	site = MemoryContextAllocZero(info->fn_mcxt, sizeof(CallSite));
	function = PyObject_CallFunctionObjArgs(bridge->function, name, NULL);
	Py_DECREF(name);
	site->function = host_own(info->fn_mcxt, function);
	for (int i = 0; i < PG_NARGS(); i++)
		site->types[i] = get_fn_expr_argtype(info, i);
	site->result_type = get_func_rettype(info->fn_oid);
	info->fn_extra = site;
	return site;
}

static PyObject *
call_python(FunctionCallInfo fcinfo, CallSite *site)
{
	PyObject   *args = host_own(CurrentMemoryContext, PyTuple_New(PG_NARGS()));

	for (int i = 0; i < PG_NARGS(); i++)
	{
		PyObject   *value = PG_ARGISNULL(i) ? Py_NewRef(Py_None) : host_to_python(PG_GETARG_DATUM(i), site->types[i]);

		PyTuple_SET_ITEM(args, i, value);
	}
	return host_own(CurrentMemoryContext, PyObject_CallObject(site->function, args));
}

/* One batch, (rows, [column, ...]) as a table's scan gives them. */
static void
put_batch(Tuplestorestate *store, TupleDesc desc, PyObject *batch)
{
	Py_ssize_t	rows;
	PyObject   *list;
	HostColumn **columns = palloc0(Max(desc->natts, 1) * sizeof(HostColumn *));
	Datum	   *values = palloc0(Max(desc->natts, 1) * sizeof(Datum));
	bool	   *nulls = palloc0(Max(desc->natts, 1) * sizeof(bool));
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "ruattn function row", ALLOCSET_SMALL_SIZES);

	if (!PyArg_ParseTuple(batch, "nO!", &rows, &PyList_Type, &list))
		host_raise();
	if (PyList_GET_SIZE(list) != desc->natts)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the function returns %zd columns, the call names %d", PyList_GET_SIZE(list), desc->natts),
				 errhint("Name as many columns after AS as it returns.")));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		columns[i] = host_column_open(PyList_GET_ITEM(list, i), attribute->atttypid, attribute->atttypmod, rows);
	}
	for (Py_ssize_t row = 0; row < rows; row++)
	{
		MemoryContext old = MemoryContextSwitchTo(row_context);

		for (int i = 0; i < desc->natts; i++)
			values[i] = host_column_cell(columns[i], row, &nulls[i]);
		MemoryContextSwitchTo(old);
		tuplestore_putvalues(store, desc, values, nulls);
		MemoryContextReset(row_context);
	}
}

static void
put_batches(Tuplestorestate *store, TupleDesc desc, PyObject *batches)
{
	PyObject   *iterator = host_own(CurrentMemoryContext, PyObject_GetIter(batches));
	PyObject   *batch;

	while ((batch = PyIter_Next(iterator)) != NULL)
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ruattn function batch", ALLOCSET_SMALL_SIZES);
		MemoryContext old = MemoryContextSwitchTo(context);

		host_own(context, batch);
		CHECK_FOR_INTERRUPTS();
		put_batch(store, desc, batch);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
	}
	host_checked_status(PyErr_Occurred() ? -1 : 0);
}

/* Of a function that returns records: the columns that the call names, which a call in SELECT cannot. */
static TupleDesc
named_columns(ReturnSetInfo *info)
{
	if (info->expectedDesc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a function that returns records was called where no columns are named"),
				 errhint("Call it in FROM, and name its columns after AS.")));
	return info->expectedDesc;
}

static void
return_set(FunctionCallInfo fcinfo, PyObject *batches)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;
	TupleDesc	desc;

	if (info == NULL || !IsA(info, ReturnSetInfo) || (info->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a function that returns a set was called where no set can be accepted"),
				 errhint("Call it in FROM.")));
	old = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		desc = named_columns(info);
	info->returnMode = SFRM_Materialize;
	info->setDesc = CreateTupleDescCopy(desc);
	info->setResult = tuplestore_begin_heap((info->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
	MemoryContextSwitchTo(old);
	put_batches(info->setResult, info->setDesc, batches);
}

Datum
ruattn_fdw_call(PG_FUNCTION_ARGS)
{
	CallSite   *site = find_call_site(fcinfo);
	PyObject   *result = call_python(fcinfo, site);

	if (fcinfo->flinfo->fn_retset)
	{
		return_set(fcinfo, result);
		PG_RETURN_NULL();
	}
	return host_from_python(result, site->result_type, -1, &fcinfo->isnull);
}
