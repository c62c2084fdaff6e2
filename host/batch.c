/*
 * batch.c: one column of a handler's batch, read cell by cell. Numbers go from
 * the array's memory to the Datum without a Python object in between.
 */
#include "host.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

typedef enum ColumnForm
{
	FORM_CONSTANT,				/* the same Datum in every row */
	FORM_ARRAY,					/* one number, or one SQL array, per row */
	FORM_LIST					/* one Python object per row */
} ColumnForm;

struct HostColumn
{
	ColumnForm	form;
	Oid			type;
	int32		typmod;
	PyObject   *list;
	Py_buffer	view;
	Py_buffer	valid;
	bool		has_view;
	bool		has_valid;
	char		format;
	Datum		constant;
	bool		constant_null;
};

static void
check_rows(Py_ssize_t found, Py_ssize_t rows)
{
	if (found != rows)
		elog(ERROR, "a handler gave a column of %zd rows in a batch of %zd", found, rows);
}

static void
open_view(PyObject *source, Py_buffer *view, bool *open, Py_ssize_t rows)
{
	if (PyObject_GetBuffer(source, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0)
		host_raise();
	*open = true;
	if (view->ndim < 1 || view->ndim > 2)
		elog(ERROR, "a handler gave an array of %d dimensions", view->ndim);
	check_rows(view->shape[0], rows);
}

static void
open_pair(HostColumn *column, PyObject *pair, Py_ssize_t rows)
{
	open_view(PyTuple_GET_ITEM(pair, 0), &column->view, &column->has_view, rows);
	open_view(PyTuple_GET_ITEM(pair, 1), &column->valid, &column->has_valid, rows);
	if (column->valid.format[0] != '?')
		elog(ERROR, "a handler gave a validity mask of format '%s'", column->valid.format);
}

static void
release_views(void *arg)
{
	HostColumn *column = arg;

	if (column->has_view)
		PyBuffer_Release(&column->view);
	if (column->has_valid)
		PyBuffer_Release(&column->valid);
}

static bool
holds_floats(Oid type)
{
	return type == FLOAT4ARRAYOID || type == FLOAT8ARRAYOID || host_is_attention_vector(type);
}

/* Lives, and holds its arrays, as long as the current memory context; `source` must outlive it. */
HostColumn *
host_column_open(PyObject *source, Oid type, int32 typmod, Py_ssize_t rows)
{
	HostColumn *column = palloc0(sizeof(HostColumn));
	MemoryContextCallback *callback = palloc(sizeof(MemoryContextCallback));

	callback->func = release_views;
	callback->arg = column;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	column->type = type;
	column->typmod = typmod;
	if (PyTuple_Check(source) && PyTuple_GET_SIZE(source) == 1)
	{
		column->form = FORM_CONSTANT;
		column->constant = host_from_python(PyTuple_GET_ITEM(source, 0), type, typmod, &column->constant_null);
		return column;
	}
	if (PyList_Check(source))
	{
		column->form = FORM_LIST;
		column->list = source;
		check_rows(PyList_GET_SIZE(source), rows);
		return column;
	}
	column->form = FORM_ARRAY;
	if (PyTuple_Check(source) && PyTuple_GET_SIZE(source) == 2)
		open_pair(column, source, rows);
	else
		open_view(source, &column->view, &column->has_view, rows);
	column->format = column->view.format[0];
	if (column->view.ndim == 2 && !holds_floats(type))
		elog(ERROR, "a handler gave a two-dimensional array for a column of type %s", format_type_be(type));
	return column;
}

/* The number at `item`, by way of Python: for rare pairs of format and type. */
static Datum
convert_number(HostColumn *column, const char *item, bool *isnull)
{
	PyObject   *number;
	volatile Datum result = 0;

	switch (column->format)
	{
		case 'l':
		case 'q':
			number = PyLong_FromLongLong(*(const int64 *) item);
			break;
		case 'i':
			number = PyLong_FromLong(*(const int32 *) item);
			break;
		case 'f':
			number = PyFloat_FromDouble(*(const float *) item);
			break;
		case 'd':
			number = PyFloat_FromDouble(*(const double *) item);
			break;
		case '?':
			number = PyBool_FromLong(*item);
			break;
		default:
			elog(ERROR, "a handler gave an array of format '%c'", column->format);
	}
	host_checked(number);
	PG_TRY();
	{
		result = host_from_python(number, column->type, column->typmod, isnull);
	}
	PG_FINALLY();
	{
		Py_DECREF(number);
	}
	PG_END_TRY();
	return result;
}

static Datum
number_cell(HostColumn *column, Py_ssize_t row, bool *isnull)
{
	const char *item = (const char *) column->view.buf + row * column->view.itemsize;

	if (column->type == FLOAT4OID && column->format == 'f')
		return Float4GetDatum(*(const float *) item);
	if (column->type == INT8OID && (column->format == 'l' || column->format == 'q'))
		return Int64GetDatum(*(const int64 *) item);
	if (column->type == FLOAT8OID && column->format == 'd')
		return Float8GetDatum(*(const double *) item);
	return convert_number(column, item, isnull);
}

static Datum
vector_cell(HostColumn *column, Py_ssize_t row)
{
	Py_ssize_t	width = column->view.shape[1];
	const char *items = (const char *) column->view.buf + row * width * column->view.itemsize;

	return host_floats_to_array(items, column->format, width, column->type == FLOAT8ARRAYOID ? FLOAT8OID : FLOAT4OID);
}

/* Allocated, where it must be, in the current memory context. */
Datum
host_column_cell(HostColumn *column, Py_ssize_t row, bool *isnull)
{
	*isnull = false;
	switch (column->form)
	{
		case FORM_CONSTANT:
			*isnull = column->constant_null;
			return column->constant;
		case FORM_LIST:
			return host_from_python(PyList_GET_ITEM(column->list, row), column->type, column->typmod, isnull);
		case FORM_ARRAY:
			break;
	}
	if (column->has_valid && !((const bool *) column->valid.buf)[row])
	{
		*isnull = true;
		return (Datum) 0;
	}
	return column->view.ndim == 2 ? vector_cell(column, row) : number_cell(column, row, isnull);
}
