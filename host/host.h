/*
 * host.h: what the files of the bundled host share.
 *
 * Two rules hold everywhere:
 *  - a C function called from Python runs PostgreSQL only through host_guard,
 *    so that no longjmp ever crosses a Python frame;
 *  - everything else runs with no Python frame below it and may ereport.
 */
#ifndef RUATTN_HOST_H
#define RUATTN_HOST_H

#include "postgres.h"

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "fmgr.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
#include "storage/itemptr.h"
#include "utils/array.h"

#define HOST_NORETURN __attribute__((noreturn))

/* settings (module.c) */
extern int	host_threads;
extern int	host_max_memory_kb;
extern int	host_cache_size_mb;
extern char *host_python_path;
extern char *host_features;
extern char *host_rerank_models;

/* interpreter.c */
typedef struct HostBridge
{
	PyObject   *open_table;
	PyObject   *describe;
	PyObject   *estimate;
	PyObject   *explain;
	PyObject   *start;
	PyObject   *validate;
	PyObject   *import_schema;
	PyObject   *function;
	PyObject   *pool;
	PyObject   *unknown;
} HostBridge;

extern const HostBridge *host_bridge(void);
extern bool host_may_preload(void);

/* error.c */
extern PyObject *host_error_class(void);
extern void host_raise(void) HOST_NORETURN;
extern PyObject *host_checked(PyObject *result);
extern void host_checked_status(int status);
extern bool host_error_pending(void);
extern void host_error_init(void);

/*
 * Runs body(arg), PostgreSQL code, for a function that Python called. False if
 * it failed: the error is kept and a Python exception is set.
 */
typedef void (*HostBody) (void *arg);
extern bool host_guard(HostBody body, void *arg);

/* buffer.c: memory owned by Python, filled by C, seen by numpy without a copy */
typedef struct HostBuffer
{
	PyObject_HEAD
	char	   *data;
	size_t		used;			/* bytes */
	size_t		capacity;		/* bytes */
	int			ndim;
	Py_ssize_t	shape[2];
	Py_ssize_t	strides[2];
	char		format[2];		/* one struct-module code */
	int			itemsize;
} HostBuffer;

extern HostBuffer *host_buffer_new(char format);
extern bool host_buffer_reserve(HostBuffer *buffer, size_t more);
extern void host_buffer_shape(HostBuffer *buffer, Py_ssize_t rows, Py_ssize_t columns);
extern int	host_buffer_init(void);
extern void host_give_back_memory(void);

/* mapping.c: files mapped into memory */
extern int	host_mapping_init(void);
extern PyObject *host_map_file(PyObject *self, PyObject *args);
extern PyObject *host_crc32c(PyObject *self, PyObject *args);

/* vectors.c: the vector-like types */
typedef enum VectorKind
{
	VECTOR_NONE,
	VECTOR_REAL_ARRAY,
	VECTOR_DOUBLE_ARRAY,
	VECTOR_PGVECTOR,
	VECTOR_HALFVEC
} VectorKind;

typedef enum VectorFault
{
	VECTOR_OK,
	VECTOR_HAS_NULL,
	VECTOR_EMPTY,
	VECTOR_NOT_FLAT,
	VECTOR_NOT_MATRIX,
	VECTOR_RAGGED,
	VECTOR_NOT_FINITE,
	VECTOR_OUT_OF_RANGE
} VectorFault;

extern bool host_is_attention_vector(Oid type);
extern VectorKind host_vector_kind(Oid type);
extern int	host_vector_dim(VectorKind kind, struct varlena *value, VectorFault *fault);
extern VectorFault host_vector_copy(VectorKind kind, struct varlena *value, float *out, int dim);
extern const char *host_vector_fault_text(VectorFault fault);

/*
 * vectorset.c: several vectors in one value: an array of pgvector's vectors, or
 * an array of numbers of two dimensions (one dimension: a single vector)
 */
typedef struct VectorSetType
{
	VectorKind	kind;			/* of each vector; VECTOR_NONE where the type holds none */
	bool		packed;			/* an array of pgvector's types */
	Oid			element;		/* where packed */
	int16		length;
	bool		byval;
	char		align;
} VectorSetType;

typedef struct VectorSet
{
	ArrayType  *array;
	Datum	   *items;			/* where packed */
	int			count;
	int			dim;
} VectorSet;

extern VectorSetType host_vector_set_type(Oid type);
extern VectorFault host_vector_set_open(const VectorSetType *type, struct varlena *value, VectorSet *set);
extern VectorFault host_vector_set_copy(const VectorSetType *type, const VectorSet *set, float *out);

/*
 * A row's address in 64 bits: which of the leaves of the source it lies in, block
 * and line pointer.
 */
static inline int64
host_pack_tid(int leaf, ItemPointer tid)
{
	return ((int64) leaf << 48) | ((int64) ItemPointerGetBlockNumberNoCheck(tid) << 16) | ItemPointerGetOffsetNumberNoCheck(tid);
}

/* module `_ruattn_host` (pgmodule.c, select.c) */
extern PyObject *host_module_create(void);
extern PyObject *host_select(PyObject *self, PyObject *args);

/* convert.c */
extern PyObject *host_text_to_python(const char *text);
extern char *host_text_from_python(PyObject *text);
extern char *host_take_text(PyObject *text);
extern PyObject *host_to_python(Datum value, Oid type);
extern Datum host_from_python(PyObject *value, Oid type, int32 typmod, bool *isnull);
extern Datum host_floats_to_array(const char *items, char format, Py_ssize_t width, Oid element);

/* batch.c */
typedef struct HostColumn HostColumn;
extern HostColumn *host_column_open(PyObject *source, Oid type, int32 typmod, Py_ssize_t rows);
extern Datum host_column_cell(HostColumn *column, Py_ssize_t row, bool *isnull);

/* table.c: what the handler of a foreign table says about it */
typedef enum ColumnRole
{
	ROLE_EXTRA = 0,
	ROLE_RESULT = 1,
	ROLE_PARAMETER = 2
} ColumnRole;

typedef struct TableOrder
{
	AttrNumber	attno;
	bool		descending;
} TableOrder;

typedef struct HostTable
{
	Oid			relid;			/* hash key */
	bool		valid;
	MemoryContext context;
	PyObject   *handler;
	int			natts;
	char	   *roles;			/* ColumnRole by attno - 1 */
	List	   *groups;			/* of Bitmapset *: of each, one must be given */
	int			norders;
	TableOrder *orders;
	char	   *hint;
} HostTable;

extern HostTable *host_table(Oid relid);
extern void host_table_init(void);
extern PyObject *host_own(MemoryContext context, PyObject *object);

/* options.c */
extern PyObject *host_options(List *options);

/* import.c */
extern List *hostImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid);

/* quals.c: clauses on parameters */
typedef struct ParameterQual
{
	AttrNumber	attno;
	Expr	   *value;
	bool		any;			/* value is an array, one run for each element */
} ParameterQual;

extern bool host_match_parameter(PlannerInfo *root, const HostTable *table, Index relid, Expr *clause, ParameterQual *qual);
extern bool host_mentions_parameter(const HostTable *table, Index relid, Node *clause, AttrNumber *attno);
extern Node *host_coerce_value(Expr *value, Oid type, bool any, const char *parameter);
extern char *host_value_text(PlannerInfo *root, Node *value);
extern void host_reject_clause(PlannerInfo *root, const HostTable *table, Index relid, Oid reloid, Expr *clause, AttrNumber attno) HOST_NORETURN;
extern void host_missing_parameter(const HostTable *table, Oid reloid, Bitmapset *group) HOST_NORETURN;

/* plan.c */
enum HostPrivate
{
	PRIVATE_COLUMNS,			/* IntList: attnos to fetch */
	PRIVATE_PARAMETERS,			/* IntList: attno of each of fdw_exprs */
	PRIVATE_ANY,				/* IntList: is it an array of values? */
	PRIVATE_TEXTS				/* List of String: how EXPLAIN shows it */
};

extern void hostGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid relid);
extern void hostGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid relid);
extern ForeignScan *hostGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid relid, ForeignPath *path,
									   List *tlist, List *scan_clauses, Plan *outer_plan);

/* scan.c */
typedef struct HostScan HostScan;
extern void hostBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *hostIterateForeignScan(ForeignScanState *node);
extern void hostReScanForeignScan(ForeignScanState *node);
extern void hostEndForeignScan(ForeignScanState *node);
extern PyObject *host_scan_memo(HostScan *scan);
extern PyObject *host_scan_python(HostScan *scan);

/* explain.c */
struct ExplainState;
extern void hostExplainForeignScan(ForeignScanState *node, struct ExplainState *es);

#endif
