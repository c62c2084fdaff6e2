/*
 * attention_vector.c: the type of vector parameters: a real[] under another
 * name, so that its casts and operators stay out of the way of users' arrays.
 */
#include "host.h"

#include <ctype.h>
#include <errno.h>

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

/* ---- text form: [1, 2] or {1, 2} ---- */

#define SHOWN_BYTES 60

/* How many bytes of a text a message shows: whole characters only. */
static int
shown_length(const char *text, Size length)
{
	return pg_mbcliplen(text, (int) Min(length, SHOWN_BYTES + MAX_MULTIBYTE_CHAR_LEN), SHOWN_BYTES);
}

static void HOST_NORETURN
syntax_error(const char *text, const char *detail)
{
	Size		length = strlen(text);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type attention_vector: \"%.*s%s\"",
					shown_length(text, length), text, length > SHOWN_BYTES ? "..." : ""),
			 errdetail("%s", detail),
			 errhint("Write a vector as '[0.1, 0.2]' or '{0.1, 0.2}'.")));
}

static const char *
skip_space(const char *at)
{
	while (isspace((unsigned char) *at))
		at++;
	return at;
}

static float4
parse_number(const char *text, const char **at)
{
	char	   *end;
	float4		number;

	errno = 0;
	number = strtof(*at, &end);
	if (end == *at)
		syntax_error(text, **at == '\0' ? "The closing bracket is missing." : "A number was expected.");
	if (errno == ERANGE && fabsf(number) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("\"%.*s%s\" is out of range for an element of attention_vector",
						shown_length(*at, end - *at), *at, end - *at > SHOWN_BYTES ? "..." : ""),
				 errhint("Elements are single precision: at most 3.4e38 in size.")));
	*at = end;
	return number;
}

static ArrayType *
make_vector(const float4 *items, int count)
{
	ArrayType  *array;
	Size		bytes = ARR_OVERHEAD_NONULLS(1) + (Size) count * sizeof(float4);

	if (count == 0)
		return construct_empty_array(FLOAT4OID);
	array = palloc0(bytes);
	SET_VARSIZE(array, bytes);
	array->ndim = 1;
	array->elemtype = FLOAT4OID;
	ARR_DIMS(array)[0] = count;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), items, count * sizeof(float4));
	return array;
}

/* The next character after an element: true for another element, false at the end. */
static bool
another_element(const char *text, const char **at, char close)
{
	*at = skip_space(*at);
	if (**at == ',')
	{
		*at = skip_space(*at + 1);
		return true;
	}
	if (**at != close)
		syntax_error(text, **at == '\0' ? "The closing bracket is missing." : "A comma or the closing bracket was expected.");
	*at = skip_space(*at + 1);
	if (**at != '\0')
		syntax_error(text, "There is something after the closing bracket.");
	return false;
}

static ArrayType *
parse_vector(const char *text)
{
	const char *at = skip_space(text);
	char		close = *at == '[' ? ']' : '}';
	int			count = 0;
	int			capacity = 64;
	float4	   *items = palloc(capacity * sizeof(float4));

	if (*at != '[' && *at != '{')
		syntax_error(text, "A vector starts with a bracket.");
	at = skip_space(at + 1);
	if (*at == close)
		return another_element(text, &at, close) ? NULL : make_vector(items, 0);
	do
	{
		CHECK_FOR_INTERRUPTS();
		if (count > (int) MaxArraySize / 2)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("a vector has more than %d elements", count),
					 errhint("Is it one vector?")));
		if (count == capacity)
			items = repalloc(items, (capacity *= 2) * sizeof(float4));
		items[count++] = parse_number(text, &at);
	} while (another_element(text, &at, close));
	return make_vector(items, count);
}

PG_FUNCTION_INFO_V1(attention_vector_in);
Datum
attention_vector_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_ARRAYTYPE_P(parse_vector(PG_GETARG_CSTRING(0)));
}

PG_FUNCTION_INFO_V1(attention_vector_out);
Datum
attention_vector_out(PG_FUNCTION_ARGS)
{
	return array_out(fcinfo);
}

PG_FUNCTION_INFO_V1(attention_vector_recv);
Datum
attention_vector_recv(PG_FUNCTION_ARGS)
{
	LOCAL_FCINFO(inner, 3);

	InitFunctionCallInfoData(*inner, fcinfo->flinfo, 3, fcinfo->fncollation, NULL, NULL);
	inner->args[0] = fcinfo->args[0];
	inner->args[1].value = ObjectIdGetDatum(FLOAT4OID);
	inner->args[1].isnull = false;
	inner->args[2].value = Int32GetDatum(-1);
	inner->args[2].isnull = false;
	return array_recv(inner);
}

PG_FUNCTION_INFO_V1(attention_vector_send);
Datum
attention_vector_send(PG_FUNCTION_ARGS)
{
	return array_send(fcinfo);
}

PG_FUNCTION_INFO_V1(attention_vector_from_text);
Datum
attention_vector_from_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_ARRAYTYPE_P(parse_vector(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

PG_FUNCTION_INFO_V1(attention_vector_from_jsonb);
Datum
attention_vector_from_jsonb(PG_FUNCTION_ARGS)
{
	Jsonb	   *json = PG_GETARG_JSONB_P(0);

	PG_RETURN_ARRAYTYPE_P(parse_vector(JsonbToCString(NULL, &json->root, VARSIZE(json))));
}

/* ---- casts from arrays ---- */

static Datum
to_float4(Datum value, Oid type)
{
	switch (type)
	{
		case FLOAT4OID:
			return value;
		case FLOAT8OID:
			return DirectFunctionCall1(dtof, value);
		case NUMERICOID:
			return DirectFunctionCall1(numeric_float4, value);
		case INT8OID:
			return Float4GetDatum((float4) DatumGetInt64(value));
		case INT4OID:
			return Float4GetDatum((float4) DatumGetInt32(value));
		case INT2OID:
			return Float4GetDatum((float4) DatumGetInt16(value));
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("cannot compare %s[] with attention_vector", format_type_be(type)),
			 errhint("Use an array of numbers.")));
}

/* A real[] of the same shape and NULLs. */
static ArrayType *
to_real_array(ArrayType *array)
{
	Oid			type = ARR_ELEMTYPE(array);
	int16		length;
	bool		byval;
	char		align;
	Datum	   *items;
	bool	   *nulls;
	int			count;

	if (type == FLOAT4OID)
		return array;
	get_typlenbyvalalign(type, &length, &byval, &align);
	deconstruct_array(array, type, length, byval, align, &items, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			items[i] = to_float4(items[i], type);
	return construct_md_array(items, nulls, ARR_NDIM(array), ARR_DIMS(array), ARR_LBOUND(array),
							  FLOAT4OID, sizeof(float4), true, TYPALIGN_INT);
}

PG_FUNCTION_INFO_V1(attention_vector_from_real_array);
Datum
attention_vector_from_real_array(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

PG_FUNCTION_INFO_V1(attention_vector_from_array);
Datum
attention_vector_from_array(PG_FUNCTION_ARGS)
{
	PG_RETURN_ARRAYTYPE_P(to_real_array(PG_GETARG_ARRAYTYPE_P(0)));
}

/* ---- equality with arrays ---- */

static bool
same_items(ArrayType *a, ArrayType *b)
{
	Datum	   *left;
	Datum	   *right;
	bool	   *left_null;
	bool	   *right_null;
	int			count;

	deconstruct_array(a, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT, &left, &left_null, &count);
	deconstruct_array(b, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT, &right, &right_null, &count);
	for (int i = 0; i < count; i++)
		if (left_null[i] != right_null[i] ||
			(!left_null[i] && !float4_eq(DatumGetFloat4(left[i]), DatumGetFloat4(right[i]))))
			return false;
	return true;
}

/* As array_eq: same shape, same lower bounds, equal elements, NULLs equal to each other. */
static bool
same_vector(ArrayType *a, ArrayType *b)
{
	size_t		shape = ARR_NDIM(a) * sizeof(int);

	return ARR_NDIM(a) == ARR_NDIM(b) &&
		memcmp(ARR_DIMS(a), ARR_DIMS(b), shape) == 0 &&
		memcmp(ARR_LBOUND(a), ARR_LBOUND(b), shape) == 0 &&
		same_items(a, b);
}

PG_FUNCTION_INFO_V1(attention_vector_eq_array);
Datum
attention_vector_eq_array(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(same_vector(PG_GETARG_ARRAYTYPE_P(0), to_real_array(PG_GETARG_ARRAYTYPE_P(1))));
}

PG_FUNCTION_INFO_V1(attention_vector_array_eq);
Datum
attention_vector_array_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(same_vector(to_real_array(PG_GETARG_ARRAYTYPE_P(0)), PG_GETARG_ARRAYTYPE_P(1)));
}

/* ---- pgvector ---- */

static ArrayType *
from_packed(VectorKind kind, Datum value)
{
	struct varlena *vector = PG_DETOAST_DATUM(value);
	VectorFault fault;
	int			dim = host_vector_dim(kind, vector, &fault);
	float4	   *items = palloc(Max(dim, 1) * sizeof(float4));

	(void) host_vector_copy(kind, vector, items, dim);
	return make_vector(items, dim);
}

PG_FUNCTION_INFO_V1(attention_vector_from_vector);
Datum
attention_vector_from_vector(PG_FUNCTION_ARGS)
{
	PG_RETURN_ARRAYTYPE_P(from_packed(VECTOR_PGVECTOR, PG_GETARG_DATUM(0)));
}

PG_FUNCTION_INFO_V1(attention_vector_from_halfvec);
Datum
attention_vector_from_halfvec(PG_FUNCTION_ARGS)
{
	PG_RETURN_ARRAYTYPE_P(from_packed(VECTOR_HALFVEC, PG_GETARG_DATUM(0)));
}

PG_FUNCTION_INFO_V1(attention_vector_eq_vector);
Datum
attention_vector_eq_vector(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(same_vector(PG_GETARG_ARRAYTYPE_P(0), from_packed(VECTOR_PGVECTOR, PG_GETARG_DATUM(1))));
}

PG_FUNCTION_INFO_V1(attention_vector_eq_halfvec);
Datum
attention_vector_eq_halfvec(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(same_vector(PG_GETARG_ARRAYTYPE_P(0), from_packed(VECTOR_HALFVEC, PG_GETARG_DATUM(1))));
}

PG_FUNCTION_INFO_V1(attention_vector_vector_eq);
Datum
attention_vector_vector_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(same_vector(from_packed(VECTOR_PGVECTOR, PG_GETARG_DATUM(0)), PG_GETARG_ARRAYTYPE_P(1)));
}

PG_FUNCTION_INFO_V1(attention_vector_halfvec_eq);
Datum
attention_vector_halfvec_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(same_vector(from_packed(VECTOR_HALFVEC, PG_GETARG_DATUM(0)), PG_GETARG_ARRAYTYPE_P(1)));
}
