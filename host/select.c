/*
 * select.c: source rows through SPI, in the caller's transaction, snapshot and
 * privileges, straight from each tuple into numpy's memory.
 */
#include "host.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

typedef enum ColumnKind
{
	KIND_ID,					/* integers */
	KIND_TEXT_ID,				/* ids of any other type, by their text form */
	KIND_VECTOR,
	KIND_VECTORS,				/* a set of vectors in each row */
	KIND_FLOAT,
	KIND_TEXT
} ColumnKind;

typedef struct SelectColumn
{
	ColumnKind	kind;
	PyObject   *target;			/* HostBuffer, or list for texts */
	PyObject   *counts;			/* KIND_VECTORS: HostBuffer, vectors in each row */
	Oid			type;
	VectorKind	vector;
	VectorSetType set;
	int			dim;			/* of the first vector; 0 before it */
	FmgrInfo	output;
} SelectColumn;

typedef struct SelectReceiver
{
	DestReceiver receiver;
	const char *sql;			/* UTF-8 */
	PyObject   *arguments;		/* tuple */
	const char *label;
	int			ncolumns;
	SelectColumn *columns;
	MemoryContext row_context;
	int64		rows;
	int64		skipped;
} SelectReceiver;

/* ---- one row ---- */

/* How a message names the row: by its id where one is read before the vector. */
static char *
row_name(SelectReceiver *state)
{
	for (int i = 0; i < state->ncolumns; i++)
	{
		PyObject   *target = state->columns[i].target;
		HostBuffer *buffer = (HostBuffer *) target;

		if (state->columns[i].kind == KIND_ID && buffer->used > (size_t) state->rows * sizeof(int64))
			return psprintf("the row with id %lld", (long long) ((int64 *) buffer->data)[state->rows]);
		if (state->columns[i].kind == KIND_TEXT_ID && PyList_GET_SIZE(target) > state->rows)
			return psprintf("the row with id %s", host_text_from_python(PyList_GET_ITEM(target, state->rows)));
	}
	return psprintf("row %lld", (long long) state->rows + 1);
}

static void
make_room(HostBuffer *buffer, size_t bytes, SelectReceiver *state)
{
	Size		limit = (Size) host_max_memory_kb * 1024;

	if (buffer->used + bytes > limit)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("the rows of %s need more than ruattn_fdw.max_memory = %d MB", state->label, host_max_memory_kb / 1024),
				 errdetail("Row %lld did not fit.", (long long) state->rows + 1),
				 errhint("Raise ruattn_fdw.max_memory, or restrict the rows with candidates or a view.")));
	if (!host_buffer_reserve(buffer, bytes))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory for the rows of %s", state->label)));
}

static void
check_id(SelectReceiver *state, bool isnull)
{
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the id of row %lld of %s is NULL", (long long) state->rows + 1, state->label),
				 errhint("Leave such rows out with a view, or name another id_column.")));
}

static void
append_id(SelectReceiver *state, SelectColumn *column, Datum value, bool isnull)
{
	HostBuffer *buffer = (HostBuffer *) column->target;
	int64		id;

	check_id(state, isnull);
	id = column->type == INT8OID ? DatumGetInt64(value) :
		column->type == INT4OID ? DatumGetInt32(value) : DatumGetInt16(value);
	make_room(buffer, sizeof(int64), state);
	*(int64 *) (buffer->data + buffer->used) = id;
	buffer->used += sizeof(int64);
}

static void
vector_fault(SelectReceiver *state, VectorFault fault)
{
	ereport(ERROR,
			(errcode(fault == VECTOR_HAS_NULL ? ERRCODE_NULL_VALUE_NOT_ALLOWED :
					 fault == VECTOR_OUT_OF_RANGE ? ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE : ERRCODE_DATA_EXCEPTION),
			 errmsg("%s of %s %s", state->label, row_name(state), host_vector_fault_text(fault)),
			 errhint("Correct the row, or leave it out with a view.")));
}

static void
check_dim(SelectReceiver *state, SelectColumn *column, int dim)
{
	if (column->dim == 0)
		column->dim = dim;
	if (dim != column->dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s of %s has %d dimensions, the rows before it have %d", state->label, row_name(state), dim, column->dim),
				 errhint("All vectors of one column must have the same number of dimensions.")));
}

static void
append_vector(SelectReceiver *state, SelectColumn *column, Datum value)
{
	HostBuffer *buffer = (HostBuffer *) column->target;
	struct varlena *vector = PG_DETOAST_DATUM(value);
	VectorFault fault;
	int			dim = host_vector_dim(column->vector, vector, &fault);

	if (fault != VECTOR_OK)
		vector_fault(state, fault);
	check_dim(state, column, dim);
	make_room(buffer, (size_t) dim * sizeof(float), state);
	fault = host_vector_copy(column->vector, vector, (float *) (buffer->data + buffer->used), dim);
	if (fault != VECTOR_OK)
		vector_fault(state, fault);
	buffer->used += (size_t) dim * sizeof(float);
}

static void
append_vectors(SelectReceiver *state, SelectColumn *column, Datum value)
{
	HostBuffer *buffer = (HostBuffer *) column->target;
	HostBuffer *counts = (HostBuffer *) column->counts;
	VectorSet	set;
	VectorFault fault = host_vector_set_open(&column->set, PG_DETOAST_DATUM(value), &set);
	size_t		bytes;

	if (fault != VECTOR_OK)
		vector_fault(state, fault);
	check_dim(state, column, set.dim);
	bytes = (size_t) set.count * set.dim * sizeof(float);
	make_room(buffer, bytes, state);
	fault = host_vector_set_copy(&column->set, &set, (float *) (buffer->data + buffer->used));
	if (fault != VECTOR_OK)
		vector_fault(state, fault);
	buffer->used += bytes;
	make_room(counts, sizeof(int64), state);
	*(int64 *) (counts->data + counts->used) = set.count;
	counts->used += sizeof(int64);
}

static void
append_float(SelectReceiver *state, SelectColumn *column, Datum value, bool isnull)
{
	HostBuffer *buffer = (HostBuffer *) column->target;
	double		number;

	if (isnull)
		number = get_float8_nan();
	else if (column->type == FLOAT8OID)
		number = DatumGetFloat8(value);
	else
		number = DatumGetFloat8(DirectFunctionCall1(float8in,
													CStringGetDatum(OutputFunctionCall(&column->output, value))));
	make_room(buffer, sizeof(double), state);
	*(double *) (buffer->data + buffer->used) = number;
	buffer->used += sizeof(double);
}

static void
append_text(SelectColumn *column, Datum value, bool isnull)
{
	PyObject   *item = Py_None;
	int			status;

	if (isnull)
		Py_INCREF(item);
	else
	{
		char	   *text = OutputFunctionCall(&column->output, value);

		text = pg_server_to_any(text, strlen(text), PG_UTF8);
		item = PyUnicode_FromString(text);
	}
	status = item == NULL ? -1 : PyList_Append(column->target, item);
	Py_XDECREF(item);
	if (status != 0)
	{
		PyErr_Clear();
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for a text column")));
	}
}

static bool
has_null_vector(SelectReceiver *state, TupleTableSlot *slot)
{
	for (int i = 0; i < state->ncolumns; i++)
		if ((state->columns[i].kind == KIND_VECTOR || state->columns[i].kind == KIND_VECTORS) && slot->tts_isnull[i])
			return true;
	return false;
}

static void
append_value(SelectReceiver *state, SelectColumn *column, Datum value, bool isnull)
{
	switch (column->kind)
	{
		case KIND_ID:
			append_id(state, column, value, isnull);
			break;
		case KIND_TEXT_ID:
			check_id(state, isnull);
			append_text(column, value, isnull);
			break;
		case KIND_VECTOR:
			append_vector(state, column, value);
			break;
		case KIND_VECTORS:
			append_vectors(state, column, value);
			break;
		case KIND_FLOAT:
			append_float(state, column, value, isnull);
			break;
		case KIND_TEXT:
			append_text(column, value, isnull);
			break;
	}
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	SelectReceiver *state = (SelectReceiver *) self;
	MemoryContext old = MemoryContextSwitchTo(state->row_context);

	slot_getallattrs(slot);
	if (has_null_vector(state, slot))
		state->skipped++;
	else
	{
		for (int i = 0; i < state->ncolumns; i++)
			append_value(state, &state->columns[i], slot->tts_values[i], slot->tts_isnull[i]);
		state->rows++;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->row_context);
	return true;
}

/* ---- start and end ---- */

static void
start_column(SelectColumn *column, Oid type)
{
	Oid			function;
	bool		varlena;

	column->type = getBaseType(type);
	column->vector = host_vector_kind(type);
	column->set = host_vector_set_type(type);
	getTypeOutputInfo(type, &function, &varlena);
	fmgr_info_cxt(function, &column->output, CurrentMemoryContext);
	if (column->kind == KIND_ID && column->type != INT2OID && column->type != INT4OID && column->type != INT8OID)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("id column has type %s, not an integer type", format_type_be(type))));
	if ((column->kind == KIND_VECTOR && column->vector == VECTOR_NONE) ||
		(column->kind == KIND_VECTORS && column->set.kind == VECTOR_NONE))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("vector column has type %s, which is no vector", format_type_be(type))));
}

static void
start_rows(DestReceiver *self, int operation, TupleDesc desc)
{
	SelectReceiver *state = (SelectReceiver *) self;

	if (desc->natts != state->ncolumns)
		elog(ERROR, "query returns %d columns, %d are expected", desc->natts, state->ncolumns);
	for (int i = 0; i < state->ncolumns; i++)
		start_column(&state->columns[i], TupleDescAttr(desc, i)->atttypid);
}

static void
ignore_receiver(DestReceiver *self)
{
}

/* ---- arguments ---- */

/* str -> text, int -> bigint, float -> double precision, list -> text[], None -> text NULL, else bigint[]. */
static Oid
argument_type(PyObject *value)
{
	if (value == Py_None || PyUnicode_Check(value))
		return TEXTOID;
	if (PyLong_Check(value))
		return INT8OID;
	if (PyFloat_Check(value))
		return FLOAT8OID;
	return PyList_Check(value) ? TEXTARRAYOID : INT8ARRAYOID;
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

/* ---- select(sql, kinds, label, args=()) ---- */

static void
run_select(void *arg)
{
	SelectReceiver *state = arg;
	int			nargs = (int) PyTuple_GET_SIZE(state->arguments);
	Oid		   *types = palloc(Max(nargs, 1) * sizeof(Oid));
	SPIExecuteOptions options = {0};
	SPIPlanPtr	plan;
	int			status;

	state->row_context = AllocSetContextCreate(CurrentMemoryContext, "ruattn source row", ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < nargs; i++)
		types[i] = argument_type(PyTuple_GET_ITEM(state->arguments, i));
	options.params = bind_arguments(state->arguments, types);
	options.read_only = true;
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
	MemoryContextDelete(state->row_context);
}

/* False, with a Python exception set, for a name that is none of ours. */
static bool
open_column(SelectColumn *column, PyObject *kind)
{
	const char *name = PyUnicode_AsUTF8(kind);
	static const struct
	{
		const char *name;
		char		format;		/* of its buffer; 0 for a list */
	}			kinds[] = {
		[KIND_ID] = {"id", 'q'}, [KIND_TEXT_ID] = {"text id", 0}, [KIND_VECTOR] = {"vector", 'f'},
		[KIND_VECTORS] = {"vectors", 'f'}, [KIND_FLOAT] = {"float", 'd'}, [KIND_TEXT] = {"text", 0},
	};

	if (name == NULL)
		return false;
	while (column->kind < lengthof(kinds) && strcmp(name, kinds[column->kind].name) != 0)
		column->kind++;
	if (column->kind == lengthof(kinds))
	{
		PyErr_Format(PyExc_ValueError, "unknown kind of column '%s'", name);
		return false;
	}
	column->target = kinds[column->kind].format == 0 ? PyList_New(0) : (PyObject *) host_buffer_new(kinds[column->kind].format);
	if (column->kind == KIND_VECTORS)
		column->counts = (PyObject *) host_buffer_new('q');
	return column->target != NULL && (column->counts != NULL || column->kind != KIND_VECTORS);
}

static bool
open_columns(SelectReceiver *state, PyObject *kinds)
{
	for (int i = 0; i < state->ncolumns; i++)
		if (!open_column(&state->columns[i], PyTuple_GET_ITEM(kinds, i)))
			return false;
	return true;
}

/* The column as Python gets it: a list, a buffer, or for sets of vectors (buffer, counts). */
static PyObject *
column_result(SelectColumn *column, int64 rows)
{
	HostBuffer *buffer = (HostBuffer *) column->target;

	if (column->kind == KIND_TEXT || column->kind == KIND_TEXT_ID)
		return Py_NewRef(column->target);
	if (column->kind != KIND_VECTORS)
	{
		host_buffer_shape(buffer, rows, column->kind == KIND_VECTOR ? column->dim : 0);
		return Py_NewRef(column->target);
	}
	host_buffer_shape(buffer, buffer->used / (sizeof(float) * Max(column->dim, 1)), column->dim);
	host_buffer_shape((HostBuffer *) column->counts, rows, 0);
	return PyTuple_Pack(2, column->target, column->counts);
}

static PyObject *
select_result(SelectReceiver *state)
{
	PyObject   *list = PyList_New(state->ncolumns);

	for (int i = 0; list != NULL && i < state->ncolumns; i++)
	{
		PyObject   *item = column_result(&state->columns[i], state->rows);

		if (item == NULL)
			Py_CLEAR(list);
		else
			PyList_SET_ITEM(list, i, item);
	}
	return list == NULL ? NULL : Py_BuildValue("NLL", list, (long long) state->rows, (long long) state->skipped);
}

PyObject *
host_select(PyObject *self, PyObject *args)
{
	PyObject   *kinds;
	PyObject   *result = NULL;
	SelectReceiver state = {
		.receiver = {.receiveSlot = receive_row, .rStartup = start_rows,
		.rShutdown = ignore_receiver, .rDestroy = ignore_receiver, .mydest = DestNone},
	};

	if (!PyArg_ParseTuple(args, "sO!s|O!:select", &state.sql, &PyTuple_Type, &kinds, &state.label,
						  &PyTuple_Type, &state.arguments))
		return NULL;
	state.arguments = state.arguments ? Py_NewRef(state.arguments) : PyTuple_New(0);
	state.ncolumns = (int) PyTuple_GET_SIZE(kinds);
	state.columns = PyMem_Calloc(Max(state.ncolumns, 1), sizeof(SelectColumn));
	if (state.arguments != NULL && state.columns != NULL && open_columns(&state, kinds) &&
		host_guard(run_select, &state))
		result = select_result(&state);
	for (int i = 0; state.columns != NULL && i < state.ncolumns; i++)
	{
		Py_XDECREF(state.columns[i].target);
		Py_XDECREF(state.columns[i].counts);
	}
	PyMem_Free(state.columns);
	Py_XDECREF(state.arguments);
	return result;
}
