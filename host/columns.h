/*
 * columns.h: rows of a source as columns in Python's memory, whoever reads them.
 */
#ifndef RUATTN_COLUMNS_H
#define RUATTN_COLUMNS_H

#include "host.h"

typedef enum ColumnKind
{
	KIND_ID,					/* integers, oid, xid; a tid packed as host_pack_tid does */
	KIND_TEXT_ID,				/* ids of any other type, by their text form */
	KIND_VECTOR,
	KIND_VECTORS,				/* a set of vectors in each row */
	KIND_FLOAT,
	KIND_TEXT,
	KIND_PRESENT				/* truth values: rows where it is false are skipped */
} ColumnKind;

typedef struct RowColumn
{
	ColumnKind	kind;
	PyObject   *target;			/* HostBuffer, or list for texts */
	PyObject   *counts;			/* KIND_VECTORS: HostBuffer, vectors in each row */
	Oid			type;
	VectorKind	vector;
	VectorSetType set;
	int			dim;			/* of the first vector; 0 before it */
	FmgrInfo	output;
} RowColumn;

typedef struct RowColumns
{
	const char *label;			/* how messages name the column of the vectors, UTF-8 */
	int			ncolumns;
	RowColumn  *columns;
	MemoryContext row_context;
	int64		rows;
	int64		skipped;		/* for a NULL vector */
	size_t		text_bytes;		/* of all texts */
} RowColumns;

/* called from Python: false or NULL with an exception set */
extern bool host_columns_open(RowColumns *state, PyObject *kinds);
extern PyObject *host_columns_result(RowColumns *state);
extern void host_columns_close(RowColumns *state);

/* under host_guard */
extern void host_columns_start(RowColumns *state, int column, Oid type);
extern bool host_columns_add(RowColumns *state, Datum *values, bool *isnull);

#endif
