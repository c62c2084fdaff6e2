/*
 * index_options.c: what WITH (...) of an attention index declares, and whether the
 * vectors of the table measure up to it.
 */
#include "host.h"
#include "index.h"

#include <limits.h>

#include "access/detoast.h"
#include "access/reloptions.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

typedef enum IndexDtype
{
	DTYPE_FLOAT32,
	DTYPE_FLOAT16,
	DTYPE_INT8
} IndexDtype;

typedef struct IndexOptions
{
	int32		vl_len_;
	int			attention_type; /* offset of the text, 0 where there is none */
	int			num_heads;		/* 0 where it is not declared */
	int			head_dim;
	int			dtype;
} IndexOptions;

static relopt_kind index_options_kind;

/* in the order of IndexDtype */
static relopt_enum_elt_def dtypes[] = {
	{"float32", DTYPE_FLOAT32},
	{"float16", DTYPE_FLOAT16},
	{"int8", DTYPE_INT8},
	{NULL, 0}
};

/*
 * Called for a value that is being written, never for one that the relation cache
 * loads: only then may Python run.
 */
static void
check_attention_type(const char *value)
{
	const HostBridge *bridge;
	PyObject   *result;

	if (value == NULL)
		return;
	/* before the arguments, which C evaluates in any order */
	bridge = host_bridge();
	result = PyObject_CallFunction(bridge->validate, "s{sN}", "index",
								   "attention_type", host_text_to_python(value));
	Py_DECREF(host_checked(result));
}

void
host_index_options_init(void)
{
	index_options_kind = add_reloption_kind();
	add_string_reloption(index_options_kind, "attention_type", "Mechanism of searches that name none",
						 NULL, check_attention_type, ShareUpdateExclusiveLock);
	add_int_reloption(index_options_kind, "num_heads", "Number of slices of the vectors",
					  0, 1, INT_MAX, ShareUpdateExclusiveLock);
	add_int_reloption(index_options_kind, "head_dim", "Dimensions of one slice",
					  0, 1, INT_MAX, ShareUpdateExclusiveLock);
	add_enum_reloption(index_options_kind, "dtype", "Type of number that searches read",
					   dtypes, DTYPE_FLOAT32, "Valid values are \"float32\", \"float16\" and \"int8\".",
					   ShareUpdateExclusiveLock);
}

bytea *
host_index_options(Datum reloptions, bool validate)
{
	static const relopt_parse_elt table[] = {
		{"attention_type", RELOPT_TYPE_STRING, .offset = offsetof(IndexOptions, attention_type)},
		{"num_heads", RELOPT_TYPE_INT, .offset = offsetof(IndexOptions, num_heads)},
		{"head_dim", RELOPT_TYPE_INT, .offset = offsetof(IndexOptions, head_dim)},
		{"dtype", RELOPT_TYPE_ENUM, .offset = offsetof(IndexOptions, dtype)},
	};

	return build_reloptions(reloptions, validate, index_options_kind, sizeof(IndexOptions), table, lengthof(table));
}

/* ---- what an index declares ---- */

static const IndexOptions *
declared(Relation index)
{
	static const IndexOptions nothing = {0};

	return index->rd_options == NULL ? &nothing : (const IndexOptions *) index->rd_options;
}

/* It lies in the relation cache: copy it before anything else of PostgreSQL runs. */
const char *
host_index_attention_type(Relation index)
{
	const IndexOptions *options = declared(index);

	return options->attention_type == 0 ? NULL : (const char *) options + options->attention_type;
}

int
host_index_num_heads(Relation index)
{
	return declared(index)->num_heads;
}

int
host_index_head_dim(Relation index)
{
	return declared(index)->head_dim;
}

const char *
host_index_dtype(Relation index)
{
	return dtypes[declared(index)->dtype].string_val;
}

/* ---- vectors ---- */

IndexShape
host_index_shape(Relation index)
{
	IndexShape	shape;

	shape.num_heads = host_index_num_heads(index);
	shape.head_dim = host_index_head_dim(index);
	shape.kind = host_vector_kind(TupleDescAttr(RelationGetDescr(index), 0)->atttypid);
	return shape;
}

static bool
fits(const IndexShape *shape, int dim)
{
	if (shape->num_heads == 0)
		return dim % shape->head_dim == 0;
	if (shape->head_dim == 0)
		return dim % shape->num_heads == 0;
	return (int64) shape->num_heads * shape->head_dim == dim;
}

static const char *
declaration(const IndexShape *shape)
{
	if (shape->num_heads == 0)
		return psprintf("declares heads of %d dimensions", shape->head_dim);
	if (shape->head_dim == 0)
		return psprintf("declares %d heads", shape->num_heads);
	return psprintf("declares %d heads of %d, which is " INT64_FORMAT, shape->num_heads, shape->head_dim,
					(int64) shape->num_heads * shape->head_dim);
}

static void HOST_NORETURN
misfit(Relation index, const IndexShape *shape, int sqlstate, const char *what, ItemPointer tid)
{
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("%s.%s %s, index \"%s\" %s", get_rel_name(index->rd_index->indrelid),
					NameStr(TupleDescAttr(RelationGetDescr(index), 0)->attname), what,
					RelationGetRelationName(index), declaration(shape)),
			 tid == NULL ? 0 : errdetail("The row's ctid is (%u,%u).", ItemPointerGetBlockNumber(tid),
										 ItemPointerGetOffsetNumber(tid)),
			 errhint("The dimensions must be num_heads times head_dim; of these, one that stands alone must divide them.")));
}

/* Its type, and the dimensions that vector(n) has, before a single row is read. */
void
host_index_check_column(Relation index, const IndexShape *shape)
{
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(index), 0);

	if (shape->kind == VECTOR_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s.%s has type %s, which is no vector", get_rel_name(index->rd_index->indrelid),
						NameStr(column->attname), format_type_be(column->atttypid))));
	if ((shape->kind == VECTOR_PGVECTOR || shape->kind == VECTOR_HALFVEC) && column->atttypmod > 0 &&
		(shape->num_heads != 0 || shape->head_dim != 0) && !fits(shape, column->atttypmod))
		misfit(index, shape, ERRCODE_INVALID_PARAMETER_VALUE,
			   psprintf("has %d dimensions", column->atttypmod), NULL);
}

/* Number of dimensions, from the head of a value that may be toasted; -1 for an array that is not flat. */
static int
vector_dim(int kind, Datum value)
{
	struct varlena *head = PG_DETOAST_DATUM_SLICE(value, 0, ARR_OVERHEAD_NONULLS(1) - VARHDRSZ);
	int			dim;

	if (kind == VECTOR_PGVECTOR || kind == VECTOR_HALFVEC)
		dim = *(int16 *) VARDATA(head);
	else if (ARR_NDIM((ArrayType *) head) > 1)
		dim = -1;
	else
		dim = ARR_NDIM((ArrayType *) head) == 0 ? 0 : ARR_DIMS((ArrayType *) head)[0];
	pfree(head);
	return dim;
}

/*
 * Raises unless the vector's dimensions are those that the index declares, where it
 * declares any. tid: its row, NULL where that is not stored yet.
 */
void
host_index_check_vector(Relation index, const IndexShape *shape, Datum value, ItemPointer tid)
{
	int			dim;

	if (shape->num_heads == 0 && shape->head_dim == 0)
		return;
	dim = vector_dim(shape->kind, value);
	if (dim > 0 && fits(shape, dim))
		return;
	misfit(index, shape, ERRCODE_DATA_EXCEPTION,
		   dim < 0 ? "has more than one array dimension" : psprintf("has %d dimensions", dim), tid);
}
