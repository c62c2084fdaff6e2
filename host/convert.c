/*
 * convert.c: one Datum to one Python object and back. Called with no Python
 * frame below, so both directions may ereport.
 */
#include "host.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PyObject *
host_text_to_python(const char *text)
{
	char	   *utf8 = pg_server_to_any(text, strlen(text), PG_UTF8);

	return host_checked(PyUnicode_FromString(utf8));
}

/* palloc'd, in the server's encoding; takes the caller's reference. An ERROR where there is no text. */
char *
host_take_text(PyObject *text)
{
	Py_ssize_t	length;
	const char *utf8 = PyUnicode_AsUTF8AndSize(host_checked(text), &length);
	char	   *copy = utf8 == NULL ? NULL : pstrdup(utf8);

	Py_DECREF(text);
	if (copy == NULL)
		host_raise();
	if (strlen(copy) != (size_t) length)
		elog(ERROR, "a text from Python holds a zero byte");
	return pg_any_to_server(copy, length, PG_UTF8);
}

char *
host_text_from_python(PyObject *text)
{
	return host_take_text(Py_XNewRef(text));
}

/* ---- Datum to Python ---- */

static void
reserve(HostBuffer *buffer, int count)
{
	if (host_buffer_reserve(buffer, (size_t) count * buffer->itemsize))
		return;
	Py_DECREF(buffer);
	ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for an array of %d elements", count)));
}

static void
check_array(ArrayType *array)
{
	if (ARR_NDIM(array) > 2)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("array has %d dimensions, at most 2 are supported", ARR_NDIM(array)),
				 errhint("Give a vector, or an array of vectors.")));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("array of %d elements has a NULL element", ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array))),
				 errhint("Give an array without NULL elements.")));
}

/* 'f' items from real, 'd' from double precision, 'q' from an integer of any width. */
static void
fill_buffer(HostBuffer *buffer, ArrayType *array, int count)
{
	const char *items = ARR_DATA_PTR(array);
	int64	   *wide = (int64 *) buffer->data;

	if (ARR_ELEMTYPE(array) == INT2OID)
		for (int i = 0; i < count; i++)
			wide[i] = ((const int16 *) items)[i];
	else if (ARR_ELEMTYPE(array) == INT4OID)
		for (int i = 0; i < count; i++)
			wide[i] = ((const int32 *) items)[i];
	else
		memcpy(buffer->data, items, (size_t) count * buffer->itemsize);
}

/* An array of numbers as a buffer; one of two dimensions keeps its shape. */
static PyObject *
array_to_python(ArrayType *array, char format)
{
	int			count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	HostBuffer *buffer;

	check_array(array);
	buffer = (HostBuffer *) host_checked((PyObject *) host_buffer_new(format));
	reserve(buffer, count);
	if (count > 0)				/* an empty buffer has no memory */
		fill_buffer(buffer, array, count);
	buffer->used = (size_t) count * buffer->itemsize;
	if (ARR_NDIM(array) == 2)
		host_buffer_shape(buffer, ARR_DIMS(array)[0], ARR_DIMS(array)[1]);
	else
		host_buffer_shape(buffer, count, 0);
	return (PyObject *) buffer;
}

static PyObject *
output_to_python(Datum value, Oid type)
{
	Oid			function;
	bool		varlena;

	getTypeOutputInfo(type, &function, &varlena);
	return host_text_to_python(OidOutputFunctionCall(function, value));
}

/* A non-NULL value; types without a mapping of their own come as their text form. */
PyObject *
host_to_python(Datum value, Oid type)
{
	type = getBaseType(type);
	switch (type)
	{
		case INT2OID:
			return host_checked(PyLong_FromLong(DatumGetInt16(value)));
		case INT4OID:
			return host_checked(PyLong_FromLong(DatumGetInt32(value)));
		case INT8OID:
			return host_checked(PyLong_FromLongLong(DatumGetInt64(value)));
		case FLOAT4OID:
			return host_checked(PyFloat_FromDouble(DatumGetFloat4(value)));
		case FLOAT8OID:
			return host_checked(PyFloat_FromDouble(DatumGetFloat8(value)));
		case BOOLOID:
			return PyBool_FromLong(DatumGetBool(value));
		case TEXTOID:
			return host_text_to_python(TextDatumGetCString(value));
		case FLOAT4ARRAYOID:
			return array_to_python(DatumGetArrayTypeP(value), 'f');
		case FLOAT8ARRAYOID:
			return array_to_python(DatumGetArrayTypeP(value), 'd');
		case INT2ARRAYOID:
		case INT4ARRAYOID:
		case INT8ARRAYOID:
			return array_to_python(DatumGetArrayTypeP(value), 'q');
		default:
			if (host_is_attention_vector(type))
				return array_to_python(DatumGetArrayTypeP(value), 'f');
			return output_to_python(value, type);
	}
}

/* ---- Python to Datum ---- */

static int64
integer_from_python(PyObject *value, int64 low, int64 high, const char *type)
{
	int64		number = PyLong_AsLongLong(value);

	if (number == -1 && PyErr_Occurred())
		host_raise();
	if (number < low || number > high)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value %lld is out of range for type %s", (long long) number, type),
				 errhint("Give the column, or the parameter, a wider type.")));
	return number;
}

static double
float_from_python(PyObject *value)
{
	double		number = PyFloat_AsDouble(value);

	if (number == -1.0 && PyErr_Occurred())
		host_raise();
	return number;
}

static bool
boolean_from_python(PyObject *value)
{
	int			truth = PyObject_IsTrue(value);

	if (truth < 0)
		host_raise();
	return truth == 1;
}

/* A contiguous float32 or float64 array, of one or two dimensions, as real[] or double precision[]. */
static Datum
array_from_buffer(const char *data, char format, int ndim, const Py_ssize_t *shape, Oid element)
{
	int			dims[2];
	int			lower[2] = {1, 1};
	Py_ssize_t	count = 1;
	int			width = element == FLOAT8OID ? 8 : 4;
	ArrayType  *array;
	size_t		bytes;

	for (int i = 0; i < ndim; i++)
	{
		dims[i] = (int) shape[i];
		count *= shape[i];
	}
	if (count == 0)
		return PointerGetDatum(construct_empty_array(element));
	(void) ArrayGetNItems(ndim, dims);
	bytes = ARR_OVERHEAD_NONULLS(ndim) + count * width;
	array = palloc0(bytes);
	SET_VARSIZE(array, bytes);
	array->ndim = ndim;
	array->elemtype = element;
	memcpy(ARR_DIMS(array), dims, ndim * sizeof(int));
	memcpy(ARR_LBOUND(array), lower, ndim * sizeof(int));
	if ((format == 'f') == (width == 4))
		memcpy(ARR_DATA_PTR(array), data, count * width);
	else if (format == 'f')
		for (Py_ssize_t i = 0; i < count; i++)
			((double *) ARR_DATA_PTR(array))[i] = ((const float *) data)[i];
	else
		for (Py_ssize_t i = 0; i < count; i++)
			((float *) ARR_DATA_PTR(array))[i] = (float) ((const double *) data)[i];
	return PointerGetDatum(array);
}

/* One row of a two-dimensional float array as real[] or double precision[]. */
Datum
host_floats_to_array(const char *items, char format, Py_ssize_t width, Oid element)
{
	if (format != 'f' && format != 'd')
		elog(ERROR, "a handler gave an array of format '%c' for a float array", format);
	return array_from_buffer(items, format, 1, &width, element);
}

static Datum
array_from_python(PyObject *value, Oid element)
{
	Py_buffer	view;
	Datum		result;

	if (PyObject_GetBuffer(value, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0)
		host_raise();
	if ((view.format[0] != 'f' && view.format[0] != 'd') || view.ndim < 1 || view.ndim > 2)
	{
		char		format = view.format[0];

		PyBuffer_Release(&view);
		elog(ERROR, "a handler gave an array of format '%c' for a float array", format);
	}
	PG_TRY();
	{
		result = array_from_buffer(view.buf, view.format[0], view.ndim, view.shape, element);
	}
	PG_FINALLY();
	{
		PyBuffer_Release(&view);
	}
	PG_END_TRY();
	return result;
}

/* An int64 array as an SQL array of integers of any width. */
static Datum
integer_array_from_python(PyObject *value, Oid element)
{
	Py_buffer	view;
	Datum	   *items;
	int			count;
	int16		length;
	bool		byval;
	char		align;
	int64		limit = element == INT8OID ? PG_INT64_MAX : element == INT4OID ? PG_INT32_MAX : PG_INT16_MAX;
	int64		misfit = 0;

	if (PyObject_GetBuffer(value, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0)
		host_raise();
	if (view.itemsize != sizeof(int64) || strchr("lq", view.format[0]) == NULL)
	{
		char		format = view.format[0];

		PyBuffer_Release(&view);
		elog(ERROR, "a handler gave an array of format '%c' for bigint[]", format);
	}
	count = (int) (view.len / sizeof(int64));
	items = palloc(Max(count, 1) * sizeof(Datum));
	for (int i = 0; i < count; i++)
	{
		int64		number = ((int64 *) view.buf)[i];

		if (number > limit || number < -limit - 1)
			misfit = number;
		items[i] = element == INT8OID ? Int64GetDatum(number) :
			element == INT4OID ? Int32GetDatum((int32) number) : Int16GetDatum((int16) number);
	}
	PyBuffer_Release(&view);
	if (misfit != 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value %lld is out of range for type %s", (long long) misfit, format_type_be(element)),
				 errhint("Give the column, or the parameter, a wider type.")));
	get_typlenbyvalalign(element, &length, &byval, &align);
	return PointerGetDatum(construct_array(items, count, element, length, byval, align));
}

static Datum
text_array_from_python(PyObject *value)
{
	Py_ssize_t	count = PySequence_Size(value);
	Datum	   *items;

	if (count < 0)
		host_raise();
	items = palloc(Max(count, 1) * sizeof(Datum));
	for (Py_ssize_t i = 0; i < count; i++)
		items[i] = CStringGetTextDatum(host_take_text(PySequence_GetItem(value, i)));
	return PointerGetDatum(construct_array(items, (int) count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* JSON text of a dict or list. */
static char *
json_from_python(PyObject *value)
{
	PyObject   *json = host_checked(PyImport_ImportModule("json"));
	PyObject   *text = PyObject_CallMethod(json, "dumps", "O", value);

	Py_DECREF(json);
	return host_take_text(text);
}

/* A text, or a value of any other type: through the type's input function. */
static Datum
input_from_python(PyObject *value, Oid type, int32 typmod)
{
	Oid			function;
	Oid			ioparam;
	char	   *text;

	if (PyDict_Check(value) || PyList_Check(value))
		text = json_from_python(value);
	else
		text = host_take_text(PyObject_Str(value));
	getTypeInputInfo(type, &function, &ioparam);
	return OidInputFunctionCall(function, text, ioparam, typmod);
}

static bool
is_number(PyObject *value)
{
	return PyLong_Check(value) || PyFloat_Check(value);
}

static bool
holds_array(Oid type)
{
	return OidIsValid(get_element_type(type)) || host_is_attention_vector(type);
}

/* What has another form than values of the type is given as text. */
Datum
host_from_python(PyObject *value, Oid type, int32 typmod, bool *isnull)
{
	*isnull = (value == Py_None);
	if (*isnull)
		return (Datum) 0;
	if (PyUnicode_Check(value) || PyDict_Check(value) || (is_number(value) && holds_array(type)))
		return input_from_python(value, type, typmod);
	switch (type)
	{
		case INT2OID:
			return Int16GetDatum((int16) integer_from_python(value, PG_INT16_MIN, PG_INT16_MAX, "smallint"));
		case INT4OID:
			return Int32GetDatum((int32) integer_from_python(value, PG_INT32_MIN, PG_INT32_MAX, "integer"));
		case INT8OID:
			return Int64GetDatum(integer_from_python(value, PG_INT64_MIN, PG_INT64_MAX, "bigint"));
		case FLOAT4OID:
			return Float4GetDatum((float4) float_from_python(value));
		case FLOAT8OID:
			return Float8GetDatum(float_from_python(value));
		case BOOLOID:
			return BoolGetDatum(boolean_from_python(value));
		case FLOAT4ARRAYOID:
			return array_from_python(value, FLOAT4OID);
		case FLOAT8ARRAYOID:
			return array_from_python(value, FLOAT8OID);
		case INT8ARRAYOID:
			return integer_array_from_python(value, INT8OID);
		case INT4ARRAYOID:
			return integer_array_from_python(value, INT4OID);
		case INT2ARRAYOID:
			return integer_array_from_python(value, INT2OID);
		case TEXTARRAYOID:
			return text_array_from_python(value);
		default:
			if (host_is_attention_vector(type))
				return array_from_python(value, FLOAT4OID);
			return input_from_python(value, type, typmod);
	}
}
