/*
 * vectors.c: the types that hold a vector: real[], double precision[], and
 * pgvector's vector and halfvec, whose layouts are read directly.
 */
#include "host.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* pgvector's vector and halfvec share this head. */
typedef struct PackedVector
{
	int32		vl_len_;
	int16		dim;
	int16		unused;
	char		items[FLEXIBLE_ARRAY_MEMBER];
} PackedVector;

/* True for our own type: a real[] under another name. */
bool
host_is_attention_vector(Oid type)
{
	Oid			output;
	bool		varlena;
	static Oid	known = InvalidOid;
	char	   *name;

	if (type == known)
		return true;
	if (type < FirstNormalObjectId)
		return false;
	getTypeOutputInfo(type, &output, &varlena);
	name = get_func_name(output);
	if (name == NULL || strcmp(name, "attention_vector_out") != 0)
		return false;
	known = type;
	return true;
}

static VectorKind
extension_vector_kind(Oid type)
{
	VectorKind	kind = VECTOR_NONE;
	Oid			extension = get_extension_oid("vector", true);
	HeapTuple	tuple;

	if (!OidIsValid(extension) || getExtensionOfObject(TypeRelationId, type) != extension)
		return VECTOR_NONE;
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		return VECTOR_NONE;
	if (strcmp(NameStr(((Form_pg_type) GETSTRUCT(tuple))->typname), "vector") == 0)
		kind = VECTOR_PGVECTOR;
	else if (strcmp(NameStr(((Form_pg_type) GETSTRUCT(tuple))->typname), "halfvec") == 0)
		kind = VECTOR_HALFVEC;
	ReleaseSysCache(tuple);
	return kind;
}

VectorKind
host_vector_kind(Oid type)
{
	type = getBaseType(type);
	if (type == FLOAT4ARRAYOID)
		return VECTOR_REAL_ARRAY;
	if (type == FLOAT8ARRAYOID)
		return VECTOR_DOUBLE_ARRAY;
	if (type < FirstNormalObjectId)
		return VECTOR_NONE;
	return host_is_attention_vector(type) ? VECTOR_REAL_ARRAY : extension_vector_kind(type);
}

static int
array_dim(ArrayType *array, VectorFault *fault)
{
	if (ARR_NDIM(array) == 0)
		*fault = VECTOR_EMPTY;
	else if (ARR_NDIM(array) != 1)
		*fault = VECTOR_NOT_FLAT;
	else if (array_contains_nulls(array))
		*fault = VECTOR_HAS_NULL;
	else
		return ARR_DIMS(array)[0];
	return 0;
}

/* Dimensions of a detoasted value; 0 with *fault set where it is no vector. */
int
host_vector_dim(VectorKind kind, struct varlena *value, VectorFault *fault)
{
	*fault = VECTOR_OK;
	if (kind == VECTOR_PGVECTOR || kind == VECTOR_HALFVEC)
		return ((PackedVector *) value)->dim;
	return array_dim((ArrayType *) value, fault);
}

/* True if no float of `x` is NaN or infinite: no exponent has all its bits set. */
__attribute__((optimize("O3")))
static bool
all_finite(const float *x, int dim)
{
	const uint32 *bits = (const uint32 *) x;
	uint32		bad = 0;

	for (int i = 0; i < dim; i++)
		bad |= (bits[i] & 0x7f800000) == 0x7f800000;
	return bad == 0;
}

static float
half_to_float(uint16 half)
{
	uint32		sign = (uint32) (half & 0x8000) << 16;
	int			exponent = (half >> 10) & 0x1f;
	uint32		mantissa = half & 0x3ff;
	uint32		bits;
	float		value;

	if (exponent == 0)
	{
		value = ldexpf((float) mantissa, -24);
		return sign ? -value : value;
	}
	if (exponent == 31)
		bits = sign | 0x7f800000 | (mantissa << 13);
	else
		bits = sign | ((uint32) (exponent + 112) << 23) | (mantissa << 13);
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static VectorFault
copy_doubles(const double *in, float *out, int dim)
{
	for (int i = 0; i < dim; i++)
	{
		out[i] = (float) in[i];
		if (!isfinite(in[i]))
			return VECTOR_NOT_FINITE;
		if (!isfinite(out[i]))
			return VECTOR_OUT_OF_RANGE;
	}
	return VECTOR_OK;
}

/* Copy `dim` items, as found by host_vector_dim, to float32. */
VectorFault
host_vector_copy(VectorKind kind, struct varlena *value, float *out, int dim)
{
	if (kind == VECTOR_DOUBLE_ARRAY)
		return copy_doubles((const double *) ARR_DATA_PTR((ArrayType *) value), out, dim);
	if (kind == VECTOR_HALFVEC)
	{
		const uint16 *half = (const uint16 *) ((PackedVector *) value)->items;

		for (int i = 0; i < dim; i++)
			out[i] = half_to_float(half[i]);
	}
	else if (kind == VECTOR_PGVECTOR)
		memcpy(out, ((PackedVector *) value)->items, dim * sizeof(float));
	else
		memcpy(out, ARR_DATA_PTR((ArrayType *) value), dim * sizeof(float));
	return all_finite(out, dim) ? VECTOR_OK : VECTOR_NOT_FINITE;
}

const char *
host_vector_fault_text(VectorFault fault)
{
	switch (fault)
	{
		case VECTOR_HAS_NULL:
			return "has a NULL element";
		case VECTOR_EMPTY:
			return "is empty";
		case VECTOR_NOT_FLAT:
			return "has more than one dimension";
		case VECTOR_NOT_MATRIX:
			return "has more than two dimensions";
		case VECTOR_RAGGED:
			return "has vectors of different lengths";
		case VECTOR_NOT_FINITE:
			return "has an element that is NaN or infinite";
		case VECTOR_OUT_OF_RANGE:
			return "has an element out of the range of real";
		case VECTOR_OK:
			break;
	}
	return "is no vector";
}
