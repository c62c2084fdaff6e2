/*
 * pool.c: the aggregate attention_pool(query, key [, value] [, attention_type]):
 * the attention output over the rows of a group.
 *
 * Rows are gathered into blocks; a kernel gives each block's output and the log of
 * its normaliser, and these merge by online softmax (Milakov & Gimelshein 2018),
 * so that partial states of parallel workers merge the same way.
 */
#include "host.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define BLOCK_ROWS 512

typedef struct Pool
{
	char	   *attention_type;
	int			dim;			/* of query and keys */
	int			width;			/* of values */
	float	   *query;
	HostBuffer *keys;			/* rows not merged yet */
	HostBuffer *values;			/* NULL where the keys are the values */
	int			rows;			/* in these */
	double		lse;			/* of the rows merged; -inf for none */
	double	   *output;			/* their attention output */
} Pool;

/* ---- vectors ---- */

typedef struct PoolVector
{
	float	   *items;
	int			dim;
} PoolVector;

static PoolVector
read_vector(FunctionCallInfo fcinfo, int number, const char *name)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, number);
	VectorKind	kind = host_vector_kind(type);
	PoolVector	vector;
	VectorFault fault;
	struct varlena *value;

	if (kind == VECTOR_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s of attention_pool has type %s, which is no vector", name, format_type_be(type)),
				 errhint("Cast it to real[].")));
	value = PG_DETOAST_DATUM(PG_GETARG_DATUM(number));
	vector.dim = host_vector_dim(kind, value, &fault);
	vector.items = palloc(Max(vector.dim, 1) * sizeof(float));
	if (fault == VECTOR_OK)
		fault = host_vector_copy(kind, value, vector.items, vector.dim);
	if (fault != VECTOR_OK)
		ereport(ERROR,
				(errcode(fault == VECTOR_HAS_NULL ? ERRCODE_NULL_VALUE_NOT_ALLOWED : ERRCODE_DATA_EXCEPTION),
				 errmsg("%s of attention_pool %s", name, host_vector_fault_text(fault)),
				 errhint("Leave such rows out with FILTER.")));
	return vector;
}

static void
check_dim(const char *name, int dim, int wanted, const char *of)
{
	if (dim != wanted)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s of attention_pool has %d dimensions, %s has %d", name, dim, of, wanted),
				 errhint("All vectors of one group must have the same number of dimensions.")));
}

/* ---- state ---- */

static HostBuffer *
new_block(MemoryContext context)
{
	return (HostBuffer *) host_own(context, (PyObject *) host_buffer_new('f'));
}

static Pool *
start_pool(MemoryContext context, PoolVector query, int width, bool has_values, const char *attention_type)
{
	Pool	   *pool = MemoryContextAllocZero(context, sizeof(Pool));

	(void) host_bridge();
	pool->lse = -INFINITY;
	pool->attention_type = MemoryContextStrdup(context, attention_type);
	pool->dim = query.dim;
	pool->width = width;
	pool->query = MemoryContextAlloc(context, query.dim * sizeof(float));
	memcpy(pool->query, query.items, query.dim * sizeof(float));
	pool->output = MemoryContextAllocZero(context, width * sizeof(double));
	pool->keys = new_block(context);
	pool->values = has_values ? new_block(context) : NULL;
	return pool;
}

static void
append_block(HostBuffer *buffer, PoolVector vector)
{
	size_t		bytes = vector.dim * sizeof(float);

	if (!host_buffer_reserve(buffer, bytes))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory in attention_pool")));
	memcpy(buffer->data + buffer->used, vector.items, bytes);
	buffer->used += bytes;
}

/* Merge `output`, the attention over rows whose log-normaliser is `lse`, into the pool. */
static void
merge(Pool *pool, double lse, const double *output)
{
	double		maximum = fmax(pool->lse, lse);
	double		ours;
	double		theirs;

	if (isinf(maximum))
		return;
	ours = exp(pool->lse - maximum);
	theirs = exp(lse - maximum);
	for (int i = 0; i < pool->width; i++)
		pool->output[i] = (ours * pool->output[i] + theirs * output[i]) / (ours + theirs);
	pool->lse = maximum + log(ours + theirs);
}

static PyObject *
query_buffer(Pool *pool)
{
	HostBuffer *buffer = (HostBuffer *) host_checked((PyObject *) host_buffer_new('f'));
	PoolVector	query = {pool->query, pool->dim};

	append_block(buffer, query);
	host_buffer_shape(buffer, pool->dim, 0);
	return (PyObject *) buffer;
}

static void
merge_answer(Pool *pool, PyObject *answer)
{
	double		lse;
	PyObject   *array;
	Py_buffer	view;

	if (!PyArg_ParseTuple(answer, "dO", &lse, &array) ||
		PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0)
		host_raise();
	if (view.format[0] == 'd' && view.len == pool->width * (Py_ssize_t) sizeof(double))
		merge(pool, lse, view.buf);
	else
		lse = NAN;
	PyBuffer_Release(&view);
	if (isnan(lse))
		elog(ERROR, "a kernel gave attention_pool no output of %d float64", pool->width);
}

/* The rows gathered so far, through the kernel, into the pool. */
static void
flush(Pool *pool)
{
	HostBuffer *values = pool->values ? pool->values : pool->keys;
	PyObject   *answer;

	if (pool->rows == 0)
		return;
	host_buffer_shape(pool->keys, pool->rows, pool->dim);
	host_buffer_shape(values, pool->rows, pool->width);
	answer = PyObject_CallFunction(host_bridge()->pool, "NNOO", host_text_to_python(pool->attention_type),
								   query_buffer(pool), pool->keys, values);
	merge_answer(pool, host_own(CurrentMemoryContext, answer));
	pool->keys->used = values->used = 0;
	pool->rows = 0;
}

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "attention_pool's functions work inside the aggregate only");
	return context;
}

/* ---- transition: (internal, query, key [, value] [, attention_type text]) ---- */

static char *
type_argument(FunctionCallInfo fcinfo, int number)
{
	if (number >= PG_NARGS())
		return pstrdup("scaled_dot");
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("attention_type of attention_pool is NULL"),
				 errhint("Leave it out for scaled_dot.")));
	return text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static void
check_group(Pool *pool, PoolVector query)
{
	check_dim("query", query.dim, pool->dim, "the group's first one");
	if (memcmp(query.items, pool->query, query.dim * sizeof(float)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("attention_pool got two different queries in one group"),
				 errhint("Add the query's column, or its key, to GROUP BY.")));
}

static Datum
step(FunctionCallInfo fcinfo, bool has_values)
{
	MemoryContext context = aggregate_context(fcinfo);
	Pool	   *pool = PG_ARGISNULL(0) ? NULL : (Pool *) PG_GETARG_POINTER(0);
	PoolVector	query;
	PoolVector	key;
	PoolVector	value;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || (has_values && PG_ARGISNULL(3)))
	{
		if (pool == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(pool);
	}
	query = read_vector(fcinfo, 1, "query");
	key = read_vector(fcinfo, 2, "key");
	value = has_values ? read_vector(fcinfo, 3, "value") : key;
	check_dim("key", key.dim, query.dim, "query");
	if (pool == NULL)
		pool = start_pool(context, query, value.dim, has_values, type_argument(fcinfo, has_values ? 4 : 3));
	check_group(pool, query);
	check_dim("value", value.dim, pool->width, "the group's first one");
	append_block(pool->keys, key);
	if (has_values)
		append_block(pool->values, value);
	if (++pool->rows == BLOCK_ROWS)
		flush(pool);
	PG_RETURN_POINTER(pool);
}

PG_FUNCTION_INFO_V1(attention_pool_step);
Datum
attention_pool_step(PG_FUNCTION_ARGS)
{
	return step(fcinfo, false);
}

PG_FUNCTION_INFO_V1(attention_pool_step_value);
Datum
attention_pool_step_value(PG_FUNCTION_ARGS)
{
	return step(fcinfo, true);
}

PG_FUNCTION_INFO_V1(attention_pool_final);
Datum
attention_pool_final(PG_FUNCTION_ARGS)
{
	Pool	   *pool;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	pool = (Pool *) PG_GETARG_POINTER(0);
	flush(pool);
	return host_floats_to_array((const char *) pool->output, 'd', pool->width, FLOAT4OID);
}

/* ---- partial aggregation ---- */

static Pool *
copy_merged(MemoryContext context, Pool *pool)
{
	PoolVector	query = {pool->query, pool->dim};
	Pool	   *copy = start_pool(context, query, pool->width, pool->values != NULL, pool->attention_type);

	merge(copy, pool->lse, pool->output);
	return copy;
}

PG_FUNCTION_INFO_V1(attention_pool_combine);
Datum
attention_pool_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	Pool	   *ours = PG_ARGISNULL(0) ? NULL : (Pool *) PG_GETARG_POINTER(0);
	Pool	   *theirs = PG_ARGISNULL(1) ? NULL : (Pool *) PG_GETARG_POINTER(1);

	if (theirs == NULL)
	{
		if (ours == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(ours);
	}
	flush(theirs);
	if (ours == NULL)
		PG_RETURN_POINTER(copy_merged(context, theirs));
	check_group(ours, (PoolVector) {theirs->query, theirs->dim});
	check_dim("value", theirs->width, ours->width, "the group's first one");
	merge(ours, theirs->lse, theirs->output);
	PG_RETURN_POINTER(ours);
}

PG_FUNCTION_INFO_V1(attention_pool_serialize);
Datum
attention_pool_serialize(PG_FUNCTION_ARGS)
{
	Pool	   *pool = (Pool *) PG_GETARG_POINTER(0);
	StringInfoData buffer;

	(void) aggregate_context(fcinfo);
	flush(pool);
	pq_begintypsend(&buffer);
	pq_sendstring(&buffer, pool->attention_type);
	pq_sendint32(&buffer, pool->dim);
	pq_sendint32(&buffer, pool->width);
	pq_sendbyte(&buffer, pool->values != NULL);
	for (int i = 0; i < pool->dim; i++)
		pq_sendfloat4(&buffer, pool->query[i]);
	pq_sendfloat8(&buffer, pool->lse);
	for (int i = 0; i < pool->width; i++)
		pq_sendfloat8(&buffer, pool->output[i]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

PG_FUNCTION_INFO_V1(attention_pool_deserialize);
Datum
attention_pool_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	StringInfoData buffer;
	PoolVector	query;
	int			width;
	bool		has_values;
	const char *attention_type;
	Pool	   *pool;

	(void) aggregate_context(fcinfo);
	initStringInfo(&buffer);
	appendBinaryStringInfo(&buffer, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	attention_type = pq_getmsgstring(&buffer);
	query.dim = pq_getmsgint(&buffer, 4);
	width = pq_getmsgint(&buffer, 4);
	has_values = pq_getmsgbyte(&buffer) != 0;
	query.items = palloc(Max(query.dim, 1) * sizeof(float));
	for (int i = 0; i < query.dim; i++)
		query.items[i] = pq_getmsgfloat4(&buffer);
	pool = start_pool(CurrentMemoryContext, query, width, has_values, attention_type);
	pool->lse = pq_getmsgfloat8(&buffer);
	for (int i = 0; i < width; i++)
		pool->output[i] = pq_getmsgfloat8(&buffer);
	pq_getmsgend(&buffer);
	PG_RETURN_POINTER(pool);
}
