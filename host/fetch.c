/*
 * fetch.c: chosen rows by their addresses, under the caller's snapshot.
 *
 * Privileges are not looked at: host_source has done that for the whole source.
 */
#include "columns.h"
#include "leaves.h"

#include "access/tableam.h"
#include "access/table.h"
#include "executor/tuptable.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

typedef struct Fetch
{
	Leaves		leaves;
	const int64 *tids;
	Py_ssize_t	count;
	PyObject   *names;			/* tuple of column names */
	bool		follow;			/* the addresses are those of HOT chains */
	HostBuffer *found;			/* of each address a FetchResult */
	RowColumns	rows;
} Fetch;

typedef enum FetchResult
{
	FETCH_UNSEEN,
	FETCH_ROW,
	FETCH_NULL
} FetchResult;

/* One leaf while its rows are read. */
typedef struct OpenLeaf
{
	int			number;
	Relation	relation;
	TupleTableSlot *slot;
	IndexFetchTableData *chains;
	AttrNumber *attnos;
} OpenLeaf;

static void
close_leaf(OpenLeaf *leaf)
{
	if (leaf->relation == NULL)
		return;
	table_index_fetch_end(leaf->chains);
	ExecDropSingleTupleTableSlot(leaf->slot);
	table_close(leaf->relation, NoLock);
	leaf->relation = NULL;
}

static void
open_leaf(Fetch *fetch, OpenLeaf *leaf, int number)
{
	Oid			oid;

	close_leaf(leaf);
	if (number >= fetch->leaves.count)
		elog(ERROR, "there is no table %d of the source", number);
	oid = fetch->leaves.oids[number];
	leaf->number = number;
	leaf->relation = table_open(oid, NoLock);
	leaf->slot = table_slot_create(leaf->relation, NULL);
	leaf->chains = table_index_fetch_begin(leaf->relation);
	for (int i = 0; i < fetch->rows.ncolumns; i++)
	{
		const char *name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(fetch->names, i));

		leaf->attnos[i] = get_attnum(oid, pg_any_to_server(name, strlen(name), PG_UTF8));
		host_columns_start(&fetch->rows, i, get_atttype(oid, leaf->attnos[i]));
	}
}

static bool
fetch_version(OpenLeaf *leaf, ItemPointer tid, bool follow)
{
	Snapshot	snapshot = GetActiveSnapshot();
	bool		again = false;

	if (follow)
		return table_index_fetch_tuple(leaf->chains, tid, snapshot, leaf->slot, &again, NULL);
	return table_tuple_fetch_row_version(leaf->relation, tid, snapshot, leaf->slot);
}

static FetchResult
fetch_row(Fetch *fetch, OpenLeaf *leaf, int64 packed, Datum *values, bool *isnull)
{
	ItemPointerData tid;
	bool		added;

	ItemPointerSet(&tid, (BlockNumber) (packed >> 16), (OffsetNumber) (packed & 0xFFFF));
	if (!fetch_version(leaf, &tid, fetch->follow))
		return FETCH_UNSEEN;
	for (int i = 0; i < fetch->rows.ncolumns; i++)
		values[i] = slot_getattr(leaf->slot, leaf->attnos[i], &isnull[i]);
	added = host_columns_add(&fetch->rows, values, isnull);
	ExecClearTuple(leaf->slot);
	return added ? FETCH_ROW : FETCH_NULL;
}

static void
fetch_in_context(Fetch *fetch)
{
	int			ncolumns = Max(fetch->rows.ncolumns, 1);
	Datum	   *values = palloc(ncolumns * sizeof(Datum));
	bool	   *isnull = palloc(ncolumns * sizeof(bool));
	OpenLeaf	leaf = {.attnos = palloc(ncolumns * sizeof(AttrNumber))};

	if (!host_buffer_reserve(fetch->found, fetch->count))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for the rows of %s", fetch->rows.label)));
	for (Py_ssize_t i = 0; i < fetch->count; i++)
	{
		int			number = (int) (fetch->tids[i] >> 48);

		CHECK_FOR_INTERRUPTS();
		if (leaf.relation == NULL || leaf.number != number)
			open_leaf(fetch, &leaf, number);
		fetch->found->data[i] = (char) fetch_row(fetch, &leaf, fetch->tids[i], values, isnull);
	}
	close_leaf(&leaf);
	fetch->found->used = fetch->count;
	host_buffer_shape(fetch->found, fetch->count, 0);
}

static void
fetch_rows(void *arg)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ruattn fetch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	fetch_in_context(arg);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* ---- fetch(leaves, tids, names, kinds, label, follow) ---- */

PyObject *
host_fetch(PyObject *self, PyObject *args)
{
	Fetch		fetch = {0};
	Py_buffer	tids;
	PyObject   *bytes;
	PyObject   *kinds;
	PyObject   *list;
	PyObject   *result = NULL;
	int			follow;

	if (!PyArg_ParseTuple(args, "Oy*O!O!sp:fetch", &bytes, &tids, &PyTuple_Type, &fetch.names,
						  &PyTuple_Type, &kinds, &fetch.rows.label, &follow))
		return NULL;
	fetch.tids = tids.buf;
	fetch.count = tids.len / sizeof(int64);
	fetch.follow = follow;
	fetch.found = host_buffer_new('B');
	if (fetch.found != NULL && host_leaves_given(bytes, &fetch.leaves) && host_columns_open(&fetch.rows, kinds) &&
		host_guard(fetch_rows, &fetch) && (list = host_columns_result(&fetch.rows)) != NULL)
		result = Py_BuildValue("ON", fetch.found, list);
	host_columns_close(&fetch.rows);
	Py_XDECREF(fetch.found);
	PyBuffer_Release(&tids);
	return result;
}
