/*
 * select.c: source rows through SPI, in the caller's transaction, snapshot and
 * privileges, straight from each tuple into numpy's memory.
 */
#include "columns.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "tcop/dest.h"

typedef struct SelectReceiver
{
	DestReceiver receiver;
	const char *sql;			/* UTF-8 */
	PyObject   *arguments;		/* tuple */
	bool		explain;		/* EXPLAIN is a utility, which is never read-only to SPI */
	RowColumns	rows;
} SelectReceiver;

/* ---- rows ---- */

static void
start_rows(DestReceiver *self, int operation, TupleDesc desc)
{
	SelectReceiver *state = (SelectReceiver *) self;

	if (desc->natts != state->rows.ncolumns)
		elog(ERROR, "query returns %d columns, %d are expected", desc->natts, state->rows.ncolumns);
	for (int i = 0; i < desc->natts; i++)
		host_columns_start(&state->rows, i, TupleDescAttr(desc, i)->atttypid);
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	slot_getallattrs(slot);
	host_columns_add(&((SelectReceiver *) self)->rows, slot->tts_values, slot->tts_isnull);
	return true;
}

static void
ignore_receiver(DestReceiver *self)
{
}

/* ---- arguments ---- */

/* Whether a value is a buffer of single precision numbers. */
static bool
holds_singles(PyObject *value)
{
	Py_buffer	buffer;
	bool		found;

	if (PyObject_GetBuffer(value, &buffer, PyBUF_FORMAT) < 0)
	{
		PyErr_Clear();
		return false;
	}
	found = buffer.format != NULL && strcmp(buffer.format, "f") == 0;
	PyBuffer_Release(&buffer);
	return found;
}

/*
 * str -> text, int -> bigint, float -> double precision, list -> text[], None -> text NULL, buffers of single
 * precision -> real[], others -> bigint[].
 */
static Oid
argument_type(PyObject *value)
{
	if (value == Py_None || PyUnicode_Check(value))
		return TEXTOID;
	if (PyLong_Check(value))
		return INT8OID;
	if (PyFloat_Check(value))
		return FLOAT8OID;
	if (PyList_Check(value))
		return TEXTARRAYOID;
	return holds_singles(value) ? FLOAT4ARRAYOID : INT8ARRAYOID;
}

static ParamListInfo
bind_arguments(PyObject *args, Oid *types)
{
	int			count = (int) PyTuple_GET_SIZE(args);
	ParamListInfo params = makeParamList(count);

	for (int i = 0; i < count; i++)
	{
		ParamExternData *param = &params->params[i];

		param->ptype = types[i];
		param->pflags = PARAM_FLAG_CONST;
		param->value = host_from_python(PyTuple_GET_ITEM(args, i), types[i], -1, &param->isnull);
	}
	return params;
}

/* ---- select(sql, kinds, label, args=(), explain=False) ---- */

static void
run_select(void *arg)
{
	SelectReceiver *state = arg;
	int			nargs = (int) PyTuple_GET_SIZE(state->arguments);
	Oid		   *types = palloc(Max(nargs, 1) * sizeof(Oid));
	SPIExecuteOptions options = {0};
	SPIPlanPtr	plan;
	int			status;

	for (int i = 0; i < nargs; i++)
		types[i] = argument_type(PyTuple_GET_ITEM(state->arguments, i));
	options.params = bind_arguments(state->arguments, types);
	options.read_only = !state->explain;
	options.dest = &state->receiver;

	SPI_connect();
	plan = SPI_prepare(pg_any_to_server(state->sql, strlen(state->sql), PG_UTF8), nargs, types);
	if (plan == NULL)
		elog(ERROR, "could not prepare the query on the source rows: %s", SPI_result_code_string(SPI_result));
	status = SPI_execute_plan_extended(plan, &options);
	/* so SPI calls a SELECT whose rows go to a receiver of the caller's */
	if (status != SPI_OK_UTILITY)
		elog(ERROR, "the query on the source rows is no SELECT: %s", SPI_result_code_string(status));
	SPI_finish();
}

PyObject *
host_select(PyObject *self, PyObject *args)
{
	PyObject   *kinds;
	PyObject   *list;
	PyObject   *result = NULL;
	int			explain = false;
	SelectReceiver state = {
		.receiver = {.receiveSlot = receive_row, .rStartup = start_rows,
		.rShutdown = ignore_receiver, .rDestroy = ignore_receiver, .mydest = DestNone},
	};

	if (!PyArg_ParseTuple(args, "sO!s|O!p:select", &state.sql, &PyTuple_Type, &kinds, &state.rows.label,
						  &PyTuple_Type, &state.arguments, &explain))
		return NULL;
	state.explain = explain;
	state.arguments = state.arguments ? Py_NewRef(state.arguments) : PyTuple_New(0);
	if (state.arguments != NULL && host_columns_open(&state.rows, kinds) && host_guard(run_select, &state) &&
		(list = host_columns_result(&state.rows)) != NULL)
		result = Py_BuildValue("NLL", list, (long long) state.rows.rows, (long long) state.rows.skipped);
	host_columns_close(&state.rows);
	Py_XDECREF(state.arguments);
	return result;
}
