/*
 * columns.c: rows of a source straight into numpy's memory.
 */
#include "columns.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* ---- one row ---- */

/* How a message names the row: by its id where one is read before the vector. */
static char *
row_name(RowColumns *state)
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
check_memory(size_t bytes, RowColumns *state)
{
	if (bytes > (Size) host_max_memory_kb * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("the rows of %s need more than ruattn_fdw.max_memory = %d MB", state->label, host_max_memory_kb / 1024),
				 errdetail("Row %lld did not fit.", (long long) state->rows + 1),
				 errhint("Raise ruattn_fdw.max_memory, or restrict the rows with candidates or a view.")));
}

static void
make_room(HostBuffer *buffer, size_t bytes, RowColumns *state)
{
	check_memory(buffer->used + bytes, state);
	if (!host_buffer_reserve(buffer, bytes))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory for the rows of %s", state->label)));
}

static void
check_id(RowColumns *state, bool isnull)
{
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the id of row %lld of %s is NULL", (long long) state->rows + 1, state->label),
				 errhint("Leave such rows out with a view, or name another id_column.")));
}

static int64
integer_of(Datum value, Oid type)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case OIDOID:
			return DatumGetObjectId(value);
		case XIDOID:
			return DatumGetTransactionId(value);
		case TIDOID:
			return host_pack_tid(0, (ItemPointer) DatumGetPointer(value));
		default:
			return DatumGetInt64(value);
	}
}

static void
append_id(RowColumns *state, RowColumn *column, Datum value, bool isnull)
{
	HostBuffer *buffer = (HostBuffer *) column->target;
	int64		id;

	check_id(state, isnull);
	id = integer_of(value, column->type);
	make_room(buffer, sizeof(int64), state);
	*(int64 *) (buffer->data + buffer->used) = id;
	buffer->used += sizeof(int64);
}

static void
vector_fault(RowColumns *state, VectorFault fault)
{
	ereport(ERROR,
			(errcode(fault == VECTOR_HAS_NULL ? ERRCODE_NULL_VALUE_NOT_ALLOWED :
					 fault == VECTOR_OUT_OF_RANGE ? ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE : ERRCODE_DATA_EXCEPTION),
			 errmsg("%s of %s %s", state->label, row_name(state), host_vector_fault_text(fault)),
			 errhint("Correct the row, or leave it out with a view.")));
}

static void
check_dim(RowColumns *state, RowColumn *column, int dim)
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
append_vector(RowColumns *state, RowColumn *column, Datum value)
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
append_vectors(RowColumns *state, RowColumn *column, Datum value)
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

/* A value's text form, with all digits of floating point numbers whatever the session shows of them. */
static char *
text_form(RowColumn *column, Datum value)
{
	int			digits = extra_float_digits;
	char	   *text = NULL;

	if (digits > 0)
		return OutputFunctionCall(&column->output, value);
	extra_float_digits = 1;
	PG_TRY();
	{
		text = OutputFunctionCall(&column->output, value);
	}
	PG_FINALLY();
	{
		extra_float_digits = digits;
	}
	PG_END_TRY();
	return text;
}

static void
append_float(RowColumns *state, RowColumn *column, Datum value, bool isnull)
{
	HostBuffer *buffer = (HostBuffer *) column->target;
	double		number;

	if (isnull)
		number = get_float8_nan();
	else if (column->type == FLOAT8OID)
		number = DatumGetFloat8(value);
	else
		number = DatumGetFloat8(DirectFunctionCall1(float8in, CStringGetDatum(text_form(column, value))));
	make_room(buffer, sizeof(double), state);
	*(double *) (buffer->data + buffer->used) = number;
	buffer->used += sizeof(double);
}

static void
append_text(RowColumns *state, RowColumn *column, Datum value, bool isnull)
{
	PyObject   *item = Py_None;
	int			status;

	if (isnull)
		Py_INCREF(item);
	else
	{
		char	   *text = text_form(column, value);

		text = pg_server_to_any(text, strlen(text), PG_UTF8);
		state->text_bytes += strlen(text);
		check_memory(state->text_bytes, state);
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

/* Whether a row has no vector, as its own column or one beside it says. */
static bool
lacks_vector(RowColumns *state, Datum *values, bool *isnull)
{
	for (int i = 0; i < state->ncolumns; i++)
	{
		ColumnKind	kind = state->columns[i].kind;

		if ((kind == KIND_VECTOR || kind == KIND_VECTORS) && isnull[i])
			return true;
		if (kind == KIND_PRESENT && !DatumGetBool(values[i]))
			return true;
	}
	return false;
}

static void
append_value(RowColumns *state, RowColumn *column, Datum value, bool isnull)
{
	switch (column->kind)
	{
		case KIND_ID:
			append_id(state, column, value, isnull);
			break;
		case KIND_TEXT_ID:
			check_id(state, isnull);
			append_text(state, column, value, isnull);
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
			append_text(state, column, value, isnull);
			break;
		case KIND_PRESENT:
			break;
	}
}

/* False for a row that is skipped, since its vector is NULL. */
bool
host_columns_add(RowColumns *state, Datum *values, bool *isnull)
{
	MemoryContext old = MemoryContextSwitchTo(state->row_context);
	bool		skip = lacks_vector(state, values, isnull);

	if (skip)
		state->skipped++;
	else
	{
		for (int i = 0; i < state->ncolumns; i++)
			append_value(state, &state->columns[i], values[i], isnull[i]);
		state->rows++;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->row_context);
	return !skip;
}

/* ---- start and end ---- */

static bool
holds_ids(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID || type == OIDOID || type == XIDOID || type == TIDOID;
}

void
host_columns_start(RowColumns *state, int index, Oid type)
{
	RowColumn  *column = &state->columns[index];
	Oid			function;
	bool		varlena;

	if (state->row_context == NULL)
		state->row_context = AllocSetContextCreate(CurrentMemoryContext, "ruattn source row", ALLOCSET_DEFAULT_SIZES);
	column->type = getBaseType(type);
	column->vector = host_vector_kind(type);
	column->set = host_vector_set_type(type);
	getTypeOutputInfo(type, &function, &varlena);
	fmgr_info_cxt(function, &column->output, CurrentMemoryContext);
	if (column->kind == KIND_ID && !holds_ids(column->type))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("id column has type %s, not an integer type", format_type_be(type))));
	if ((column->kind == KIND_VECTOR && column->vector == VECTOR_NONE) ||
		(column->kind == KIND_VECTORS && column->set.kind == VECTOR_NONE))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("vector column has type %s, which is no vector", format_type_be(type))));
}

/* False, with a Python exception set, for a name that is none of ours. */
static bool
open_column(RowColumn *column, PyObject *kind)
{
	const char *name = PyUnicode_AsUTF8(kind);
	static const struct
	{
		const char *name;
		char		format;		/* of its buffer; 0 for a list */
	}			kinds[] = {
		[KIND_ID] = {"id", 'q'}, [KIND_TEXT_ID] = {"text id", 0}, [KIND_VECTOR] = {"vector", 'f'},
		[KIND_VECTORS] = {"vectors", 'f'}, [KIND_FLOAT] = {"float", 'd'}, [KIND_TEXT] = {"text", 0},
		[KIND_PRESENT] = {"present", 'B'},
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

bool
host_columns_open(RowColumns *state, PyObject *kinds)
{
	state->ncolumns = (int) PyTuple_GET_SIZE(kinds);
	state->columns = PyMem_Calloc(Max(state->ncolumns, 1), sizeof(RowColumn));
	if (state->columns == NULL)
	{
		PyErr_NoMemory();
		return false;
	}
	for (int i = 0; i < state->ncolumns; i++)
		if (!open_column(&state->columns[i], PyTuple_GET_ITEM(kinds, i)))
			return false;
	return true;
}

/* The column as Python gets it: a list, a buffer, or for sets of vectors (buffer, counts). */
static PyObject *
column_result(RowColumn *column, int64 rows)
{
	HostBuffer *buffer = (HostBuffer *) column->target;

	if (column->kind == KIND_PRESENT)
		Py_RETURN_NONE;
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

/* A list, one item for each column. */
PyObject *
host_columns_result(RowColumns *state)
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
	return list;
}

void
host_columns_close(RowColumns *state)
{
	for (int i = 0; state->columns != NULL && i < state->ncolumns; i++)
	{
		Py_XDECREF(state->columns[i].target);
		Py_XDECREF(state->columns[i].counts);
	}
	PyMem_Free(state->columns);
}
