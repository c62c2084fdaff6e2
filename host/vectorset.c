/*
 * vectorset.c: values that hold several vectors of one length: vector[] and
 * halfvec[] of pgvector, and real[] and double precision[] of two dimensions.
 * A value of one vector is a set of one.
 */
#include "host.h"

#include "utils/lsyscache.h"

VectorSetType
host_vector_set_type(Oid type)
{
	VectorSetType set = {.kind = host_vector_kind(type)};

	if (set.kind != VECTOR_NONE)
		return set;
	set.element = get_element_type(getBaseType(type));
	if (!OidIsValid(set.element))
		return set;
	set.kind = host_vector_kind(set.element);
	set.packed = set.kind == VECTOR_PGVECTOR || set.kind == VECTOR_HALFVEC;
	if (!set.packed)
		set.kind = VECTOR_NONE;
	get_typlenbyvalalign(set.element, &set.length, &set.byval, &set.align);
	return set;
}

/* All vectors of the array must have the length of its first. */
static VectorFault
open_packed(const VectorSetType *type, VectorSet *set)
{
	VectorFault fault;

	if (ARR_NDIM(set->array) != 1)
		return VECTOR_NOT_FLAT;
	if (array_contains_nulls(set->array))
		return VECTOR_HAS_NULL;
	deconstruct_array(set->array, type->element, type->length, type->byval, type->align, &set->items, NULL, &set->count);
	for (int i = 0; i < set->count; i++)
	{
		int			dim = host_vector_dim(type->kind, PG_DETOAST_DATUM(set->items[i]), &fault);

		if (i > 0 && dim != set->dim)
			return VECTOR_RAGGED;
		set->dim = dim;
	}
	return VECTOR_OK;
}

/* Count and length of the vectors in a detoasted value. */
VectorFault
host_vector_set_open(const VectorSetType *type, struct varlena *value, VectorSet *set)
{
	VectorFault fault = VECTOR_OK;

	set->array = (ArrayType *) value;
	set->items = NULL;
	set->count = 1;
	if (!type->packed && (type->kind == VECTOR_PGVECTOR || type->kind == VECTOR_HALFVEC))
	{
		set->dim = host_vector_dim(type->kind, value, &fault);
		return fault;
	}
	if (ARR_NDIM(set->array) == 0)
		return VECTOR_EMPTY;
	if (type->packed)
		return open_packed(type, set);
	if (ARR_NDIM(set->array) > 2)
		return VECTOR_NOT_MATRIX;
	if (array_contains_nulls(set->array))
		return VECTOR_HAS_NULL;
	set->dim = ARR_DIMS(set->array)[ARR_NDIM(set->array) - 1];
	if (ARR_NDIM(set->array) == 2)
		set->count = ARR_DIMS(set->array)[0];
	return VECTOR_OK;
}

/* Copy the vectors one after the other: count x dim floats. */
VectorFault
host_vector_set_copy(const VectorSetType *type, const VectorSet *set, float *out)
{
	VectorFault fault = VECTOR_OK;

	if (!type->packed)
		return host_vector_copy(type->kind, (struct varlena *) set->array, out, set->count * set->dim);
	for (int i = 0; i < set->count && fault == VECTOR_OK; i++)
		fault = host_vector_copy(type->kind, PG_DETOAST_DATUM(set->items[i]), out + (size_t) i * set->dim, set->dim);
	return fault;
}
