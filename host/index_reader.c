/*
 * index_reader.c: attention indexes as a copy of their table's vectors uses them.
 *
 * An index proves its rows without a look at most of them: an entry of the index
 * stands for one HOT chain, all whose versions agree in what the index covers, and
 * on a page that the visibility map calls all-visible everybody sees it. Entries
 * elsewhere are looked up in the heap. In between VACUUM may free an address and
 * somebody use it again; it removes the entries and draws a new epoch first, so
 * whoever finds the epoch unchanged at the end has looked at the rows that its
 * entries stand for.
 */
#include "index.h"
#include "leaves.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/visibilitymap.h"
#include "catalog/pg_index.h"
#include "executor/tuptable.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/smgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* ---- indexes(relation, vector_column, id_column) ---- */

typedef struct IndexFacts
{
	Oid			oid;
	char	   *name;			/* UTF-8, as is attention_type */
	char	   *attention_type; /* NULL where not declared */
	int			num_heads;
	int			head_dim;
	char	   *dtype;
	bool		valid;
	bool		usable;			/* by this snapshot, to prove rows */
	Oid			covering;		/* the index that keeps HOT updates off the id column */
} IndexFacts;

typedef struct IndexSearch
{
	Oid			relid;
	const char *vector_column;
	const char *id_column;		/* or NULL */
	int			count;
	IndexFacts *facts;
} IndexSearch;

/* Copied first: it may lie in the relation cache, and a conversion reads the catalogue. */
static char *
utf8_or_null(const char *text)
{
	char	   *copy = text == NULL ? NULL : pstrdup(text);

	return copy == NULL ? NULL : pg_server_to_any(copy, strlen(copy), PG_UTF8);
}

static AttrNumber
column_number(Oid relid, const char *utf8)
{
	return get_attnum(relid, pg_any_to_server(utf8, strlen(utf8), PG_UTF8));
}

/* Whether who declared the index and who gave it its file had ended for all snapshots of this transaction. */
static bool
is_older(Relation index)
{
	HeapTuple	class = SearchSysCache1(RELOID, ObjectIdGetDatum(RelationGetRelid(index)));
	bool		older = HeapTupleIsValid(class) &&
		TransactionIdPrecedes(HeapTupleHeaderGetXmin(class->t_data), TransactionXmin) &&
		TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data), TransactionXmin);

	if (HeapTupleIsValid(class))
		ReleaseSysCache(class);
	return older;
}

/*
 * As the planner judges, an index over broken HOT chains serves younger snapshots
 * only. So does any index on a standby: the primary builds it without the rows that
 * are dead to its own snapshots, and need not know of those that a standby holds.
 */
static bool
serves_snapshot(Relation index)
{
	if (!index->rd_index->indisvalid || !index->rd_index->indisready)
		return false;
	return (!index->rd_index->indcheckxmin && !GetActiveSnapshot()->takenDuringRecovery) || is_older(index);
}

static bool
has_column(Relation index, AttrNumber attno)
{
	for (int i = 0; i < index->rd_index->indnatts; i++)
		if (index->rd_index->indkey.values[i] == attno)
			return true;
	return false;
}

/* Whether an update of the column is never HOT thanks to this index. */
static bool
blocks_hot(Relation index, AttrNumber attno)
{
#if PG_VERSION_NUM >= 160000
	if (index->rd_indam->amsummarizing)
		return false;
#endif
	return serves_snapshot(index) && has_column(index, attno) &&
		RelationGetIndexPredicate(index) == NIL;
}

static Oid
find_covering(List *oids, AttrNumber attno)
{
	Oid			found = InvalidOid;
	ListCell   *cell;

	foreach(cell, oids)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (!OidIsValid(found) && blocks_hot(index, attno))
			found = RelationGetRelid(index);
		index_close(index, NoLock);
	}
	return found;
}

static void
describe_index(IndexSearch *search, Relation index, List *all)
{
	IndexFacts *facts = &search->facts[search->count++];
	bool		stored = index->rd_rel->relkind == RELKIND_INDEX;

	facts->oid = RelationGetRelid(index);
	facts->name = utf8_or_null(RelationGetRelationName(index));
	facts->attention_type = utf8_or_null(host_index_attention_type(index));
	facts->num_heads = host_index_num_heads(index);
	facts->head_dim = host_index_head_dim(index);
	facts->dtype = utf8_or_null(host_index_dtype(index));
	facts->valid = index->rd_index->indisvalid;
	facts->usable = stored && serves_snapshot(index);
	if (facts->usable && search->id_column != NULL)
	{
		AttrNumber	attno = column_number(search->relid, search->id_column);

		facts->covering = has_column(index, attno) ? facts->oid : find_covering(all, attno);
		facts->usable = OidIsValid(facts->covering);
	}
}

static void
find_indexes(void *arg)
{
	IndexSearch *search = arg;
	Relation	relation = table_open(search->relid, AccessShareLock);
	AttrNumber	vector = column_number(search->relid, search->vector_column);
	List	   *oids = relation->rd_rel->relhasindex ? RelationGetIndexList(relation) : NIL;
	ListCell   *cell;

	search->facts = palloc0((list_length(oids) + 1) * sizeof(IndexFacts));
	foreach(cell, oids)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (host_is_attention_index(index) && index->rd_index->indkey.values[0] == vector)
			describe_index(search, index, oids);
		index_close(index, NoLock);
	}
	table_close(relation, NoLock);
}

PyObject *
host_indexes(PyObject *self, PyObject *args)
{
	IndexSearch search = {0};
	PyObject   *list;

	if (!PyArg_ParseTuple(args, "Isz:indexes", &search.relid, &search.vector_column, &search.id_column) ||
		!host_guard(find_indexes, &search))
		return NULL;
	list = PyList_New(search.count);
	for (int i = 0; list != NULL && i < search.count; i++)
	{
		IndexFacts *f = &search.facts[i];
		PyObject   *item = Py_BuildValue("IsziisOOI", f->oid, f->name, f->attention_type, f->num_heads, f->head_dim,
										 f->dtype, f->valid ? Py_True : Py_False, f->usable ? Py_True : Py_False, f->covering);

		if (item == NULL)
			Py_CLEAR(list);
		else
			PyList_SET_ITEM(list, i, item);
	}
	return list;
}

/* ---- index_version(index) ---- */

typedef struct VersionCall
{
	Oid			oid;
	IndexVersion version;
	FileLocation file;
	bool		found;
} VersionCall;

static void
read_version(void *arg)
{
	VersionCall *call = arg;
	Relation	index = try_relation_open(call->oid, AccessShareLock);

	if (index == NULL)
		return;
	if (!host_lies_on_primary(index))
	{
		host_index_version(index, &call->version);
		call->file = storage_of(index);
		call->found = true;
	}
	relation_close(index, NoLock);
}

PyObject *
host_index_version_of(PyObject *self, PyObject *args)
{
	VersionCall call = {0};

	if (!PyArg_ParseTuple(args, "I:index_version", &call.oid) || !host_guard(read_version, &call))
		return NULL;
	if (!call.found)
		Py_RETURN_NONE;
	return Py_BuildValue("KKKIy#", (unsigned long long) call.version.build, (unsigned long long) call.version.epoch,
						 (unsigned long long) call.version.length, call.version.blocks,
						 (char *) &call.file, (Py_ssize_t) sizeof(call.file));
}

/* ---- index_entries(index, leaf, known) ---- */

typedef struct EntriesCall
{
	Oid			oid;
	int			leaf;
	const int64 *known;
	size_t		nknown;
	HostBuffer *places;
	HostBuffer *tids;
	HostBuffer *nulls;
} EntriesCall;

static void
add_entry(void *arg, uint64 place, ItemPointer tid, bool isnull, bool dead)
{
	EntriesCall *call = arg;

	if (!host_buffer_reserve(call->places, sizeof(int64)) || !host_buffer_reserve(call->tids, sizeof(int64)) ||
		!host_buffer_reserve(call->nulls, 1))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for the entries of an index")));
	*(int64 *) (call->places->data + call->places->used) = ((int64) call->leaf << 48) | (int64) place;
	*(int64 *) (call->tids->data + call->tids->used) = dead ? 0 : host_pack_tid(call->leaf, tid);
	call->nulls->data[call->nulls->used] = isnull;
	call->places->used += sizeof(int64);
	call->tids->used += sizeof(int64);
	call->nulls->used += 1;
}

static void
read_entries(void *arg)
{
	EntriesCall *call = arg;
	Relation	index = index_open(call->oid, AccessShareLock);
	BlockNumber blocks = RelationGetNumberOfBlocks(index);
	uint16	   *counts = host_index_count_places(call->known, call->nknown, call->leaf, blocks);

	host_index_entries(index, counts, blocks, add_entry, call);
	pfree(counts);
	index_close(index, NoLock);
	host_buffer_shape(call->places, call->places->used / sizeof(int64), 0);
	host_buffer_shape(call->tids, call->tids->used / sizeof(int64), 0);
	host_buffer_shape(call->nulls, call->nulls->used, 0);
}

PyObject *
host_index_entries_of(PyObject *self, PyObject *args)
{
	EntriesCall call = {0};
	Py_buffer	known;
	PyObject   *result = NULL;

	if (!PyArg_ParseTuple(args, "Iiy*:index_entries", &call.oid, &call.leaf, &known))
		return NULL;
	call.known = known.buf;
	call.nknown = known.len / sizeof(int64);
	call.places = host_buffer_new('q');
	call.tids = host_buffer_new('q');
	call.nulls = host_buffer_new('B');
	if (call.places != NULL && call.tids != NULL && call.nulls != NULL && host_guard(read_entries, &call))
		result = Py_BuildValue("OOO", call.places, call.tids, call.nulls);
	Py_XDECREF(call.places);
	Py_XDECREF(call.tids);
	Py_XDECREF(call.nulls);
	PyBuffer_Release(&known);
	return result;
}

/* ---- index_seen(leaves, tids, slots) ---- */

typedef struct SeenCall
{
	Leaves		leaves;
	const int64 *tids;
	const int64 *slots;
	Py_ssize_t	count;
	HostBuffer *seen;			/* slots of the entries seen */
	HostBuffer *absent;			/* entries seen whose row nobody has read yet */
	int64		nulls;
	int64		looked_up;		/* in the heap */
} SeenCall;

#define SLOT_NULL (-1)
#define SLOT_ABSENT (-2)

/* The visibility map of one leaf, as it was when the leaf was opened, and the heap behind it. */
typedef struct SeenLeaf
{
	int			number;
	Relation	relation;
	BlockNumber blocks;
	TupleTableSlot *slot;
	IndexFetchTableData *chains;
	uint8	   *map;
	Size		map_bytes;
} SeenLeaf;

static void
close_seen_leaf(SeenLeaf *leaf)
{
	if (leaf->relation == NULL)
		return;
	table_index_fetch_end(leaf->chains);
	ExecDropSingleTupleTableSlot(leaf->slot);
	table_close(leaf->relation, NoLock);
	if (leaf->map != NULL)
		pfree(leaf->map);
	leaf->relation = NULL;
	leaf->map = NULL;
}

/*
 * Nobody locks the map to read it. A bit may be cleared just now, by a deletion
 * that this snapshot does not see; one cleared for an entry that has been read
 * is seen as cleared, since the index page was locked in between.
 */
static void
copy_map(SeenLeaf *leaf)
{
	const Size	page_bytes = BLCKSZ - MAXALIGN(SizeOfPageHeaderData);
	SMgrRelation storage = RelationGetSmgr(leaf->relation);
	BlockNumber pages = smgrexists(storage, VISIBILITYMAP_FORKNUM) ? smgrnblocks(storage, VISIBILITYMAP_FORKNUM) : 0;

	leaf->map_bytes = pages * page_bytes;
	leaf->map = pages == 0 ? NULL : palloc_extended(leaf->map_bytes, MCXT_ALLOC_HUGE);
	for (BlockNumber page = 0; page < pages; page++)
	{
		Buffer		buffer = ReadBufferExtended(leaf->relation, VISIBILITYMAP_FORKNUM, page, RBM_ZERO_ON_ERROR, NULL);

		memcpy(leaf->map + page * page_bytes, PageGetContents(BufferGetPage(buffer)), page_bytes);
		ReleaseBuffer(buffer);
	}
}

static void
open_seen_leaf(SeenCall *call, SeenLeaf *leaf, int number)
{
	close_seen_leaf(leaf);
	if (number >= call->leaves.count)
		elog(ERROR, "there is no table %d of the source", number);
	leaf->number = number;
	leaf->relation = table_open(call->leaves.oids[number], NoLock);
	leaf->blocks = RelationGetNumberOfBlocks(leaf->relation);
	leaf->slot = table_slot_create(leaf->relation, NULL);
	leaf->chains = table_index_fetch_begin(leaf->relation);
	copy_map(leaf);
}

/* A dangling entry, whose row went with a file that a rollback removed, may lie beyond the table's end. */
static inline bool
is_seen(SeenCall *call, SeenLeaf *leaf, int64 packed)
{
	BlockNumber block = (BlockNumber) (packed >> 16);
	Size		byte = block / 4;
	ItemPointerData tid;
	bool		again = false;
	bool		seen;

	if (block >= leaf->blocks)
		return false;
	if (byte < leaf->map_bytes && (leaf->map[byte] >> (2 * (block % 4)) & VISIBILITYMAP_ALL_VISIBLE) != 0)
		return true;
	CHECK_FOR_INTERRUPTS();
	call->looked_up++;
	ItemPointerSet(&tid, block, (OffsetNumber) (packed & 0xFFFF));
	seen = table_index_fetch_tuple(leaf->chains, &tid, GetActiveSnapshot(), leaf->slot, &again, NULL);
	ExecClearTuple(leaf->slot);
	return seen;
}

static void
append_number(HostBuffer *buffer, int32 number)
{
	*(int32 *) (buffer->data + buffer->used) = number;
	buffer->used += sizeof(number);
}

static void
find_seen(void *arg)
{
	SeenCall   *call = arg;
	SeenLeaf	leaf = {.number = -1};

	if (!host_buffer_reserve(call->seen, call->count * sizeof(int32)) ||
		!host_buffer_reserve(call->absent, call->count * sizeof(int32)))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for the rows of an index")));
	for (Py_ssize_t i = 0; i < call->count; i++)
	{
		int64		tid = call->tids[i];

		if (tid == 0)
			continue;
		if (leaf.number != (int) (tid >> 48))
			open_seen_leaf(call, &leaf, (int) (tid >> 48));
		if (!is_seen(call, &leaf, tid))
			continue;
		if (call->slots[i] >= 0)
			append_number(call->seen, (int32) call->slots[i]);
		else if (call->slots[i] == SLOT_ABSENT)
			append_number(call->absent, (int32) i);
		else
			call->nulls++;
	}
	close_seen_leaf(&leaf);
	host_buffer_shape(call->seen, call->seen->used / sizeof(int32), 0);
	host_buffer_shape(call->absent, call->absent->used / sizeof(int32), 0);
}

/* ---- all_visible(leaves, blocks) ---- */

typedef struct VisibleCall
{
	Leaves		leaves;
	const uint32 *blocks;		/* of each leaf */
	bool		all;
} VisibleCall;

static bool
map_is_full(const SeenLeaf *leaf, BlockNumber blocks)
{
	if (leaf->map_bytes < (blocks + 3) / 4)
		return false;
	for (BlockNumber block = 0; block < blocks; block++)
		if ((leaf->map[block / 4] >> (2 * (block % 4)) & VISIBILITYMAP_ALL_VISIBLE) == 0)
			return false;
	return true;
}

static void
look_at_maps(void *arg)
{
	VisibleCall *call = arg;

	call->all = true;
	for (int i = 0; i < call->leaves.count && call->all; i++)
	{
		SeenLeaf	leaf = {.relation = table_open(call->leaves.oids[i], NoLock)};

		copy_map(&leaf);
		call->all = map_is_full(&leaf, call->blocks[i]);
		if (leaf.map != NULL)
			pfree(leaf.map);
		table_close(leaf.relation, NoLock);
	}
}

PyObject *
host_all_visible(PyObject *self, PyObject *args)
{
	VisibleCall call = {0};
	Py_buffer	blocks;
	PyObject   *bytes;
	bool		done;

	if (!PyArg_ParseTuple(args, "Oy*:all_visible", &bytes, &blocks))
		return NULL;
	call.blocks = blocks.buf;
	done = host_leaves_given(bytes, &call.leaves);
	if (done && blocks.len != (Py_ssize_t) (call.leaves.count * sizeof(uint32)))
	{
		PyErr_SetString(PyExc_ValueError, "one number of blocks for each leaf");
		done = false;
	}
	done = done && host_guard(look_at_maps, &call);
	PyBuffer_Release(&blocks);
	return done ? PyBool_FromLong(call.all) : NULL;
}

PyObject *
host_index_seen(PyObject *self, PyObject *args)
{
	SeenCall	call = {0};
	Py_buffer	tids;
	Py_buffer	slots;
	PyObject   *bytes;
	PyObject   *result = NULL;

	if (!PyArg_ParseTuple(args, "Oy*y*:index_seen", &bytes, &tids, &slots))
		return NULL;
	call.tids = tids.buf;
	call.slots = slots.buf;
	call.count = Min(tids.len, slots.len) / sizeof(int64);
	call.seen = host_buffer_new('i');
	call.absent = host_buffer_new('i');
	if (call.seen != NULL && call.absent != NULL && host_leaves_given(bytes, &call.leaves) && host_guard(find_seen, &call))
		result = Py_BuildValue("OOLL", call.seen, call.absent, (long long) call.nulls, (long long) call.looked_up);
	Py_XDECREF(call.seen);
	Py_XDECREF(call.absent);
	PyBuffer_Release(&tids);
	PyBuffer_Release(&slots);
	return result;
}
