/*
 * index_check.c: ruvector_attention_index_stats, what an attention index holds, and
 * ruvector_attention_index_check, whether that is what its table holds. Both take
 * no more than AccessShareLock: nobody is kept from reading or writing.
 */
#include "host.h"
#include "index.h"
#include "leaves.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(ruvector_attention_index_stats);
PG_FUNCTION_INFO_V1(ruvector_attention_index_check);

/* ---- the index and its table ---- */

static void
check_privilege(Oid heap)
{
	AclResult	result = pg_class_aclcheck(heap, GetUserId(), ACL_SELECT);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, get_relkind_objtype(get_rel_relkind(heap)), get_rel_name(heap));
	if (check_enable_rls(heap, InvalidOid, false) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row security may hide rows of table \"%s\"", get_rel_name(heap)),
				 errhint("An attention index tells of all rows: ask as a role that sees them.")));
}

static void
check_index(Relation index)
{
	const char *name = RelationGetRelationName(index);

	if (index->rd_rel->relkind == RELKIND_PARTITIONED_INDEX)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("index \"%s\" is partitioned", name),
				 errhint("The indexes of its partitions hold the entries: name one of them.")));
	if (!host_is_attention_index(index))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("index \"%s\" is not of access method ruvector_attention", name),
				 errhint("The table attention_indexes lists those that are.")));
	if (RELATION_IS_OTHER_TEMP(index))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("index \"%s\" is on a temporary table of another session", name),
				 errhint("Ask in the session that the table is of.")));
	if (host_lies_on_primary(index))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("index \"%s\" is unlogged, so a standby has no entries of it", name),
				 errhint("Ask on the primary.")));
}

static void HOST_NORETURN
no_such_index(Oid oid)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("there is no index with OID %u", oid),
			 errhint("The table attention_indexes lists those that there are.")));
}

/* The table is locked before its index, as DDL does. */
static Relation
open_index(Oid oid, Relation *heap)
{
	Oid			heap_oid = IndexGetRelation(oid, true);
	Relation	index;

	*heap = OidIsValid(heap_oid) ? table_open(heap_oid, AccessShareLock) : NULL;
	index = try_relation_open(oid, AccessShareLock);
	if (index == NULL)
		no_such_index(oid);
	check_index(index);
	if (*heap == NULL)			/* who made it has committed only now, and was waited for */
		no_such_index(oid);
	check_privilege(RelationGetRelid(*heap));
	return index;
}

static void
close_index(Relation index, Relation heap)
{
	index_close(index, AccessShareLock);
	table_close(heap, AccessShareLock);
}

/* ---- ruvector_attention_index_stats ---- */

typedef struct Census
{
	int64		entries;
	int64		nulls;			/* live ones */
	int64		dead;
} Census;

static void
count_entry(void *arg, uint64 place, ItemPointer tid, bool isnull, bool dead)
{
	Census	   *census = arg;

	census->entries++;
	if (dead)
		census->dead++;
	else if (isnull)
		census->nulls++;
}

Datum
ruvector_attention_index_stats(PG_FUNCTION_ARGS)
{
	Relation	heap;
	Relation	index = open_index(PG_GETARG_OID(0), &heap);
	Census		census = {0};
	IndexVersion version;
	TupleDesc	desc;
	Datum		values[6];
	bool		nulls[6] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != lengthof(values))
		elog(ERROR, "ruvector_attention_index_stats must return a row of %zu columns", lengthof(values));
	host_index_version(index, &version);
	host_index_entries(index, NULL, 0, count_entry, &census);
	values[0] = Int64GetDatum(census.entries);
	values[1] = Int64GetDatum(census.nulls);
	values[2] = Int64GetDatum(census.dead);
	values[3] = Int64GetDatum((int64) version.blocks + 1);
	values[4] = Int64GetDatum((int64) version.build);
	values[5] = Int64GetDatum((int64) version.epoch);
	nulls[4] = nulls[5] = version.build == 0;
	close_index(index, heap);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* ---- ruvector_attention_index_check ---- */

typedef struct CheckEntry
{
	ItemPointerData tid;
	bool		isnull;
	bool		found;			/* a visible row has this address */
	uint64		place;
} CheckEntry;

typedef struct Check
{
	Relation	index;
	Relation	heap;
	CheckEntry *entries;		/* live ones, sorted by address once all are read */
	size_t		count;
	size_t		room;
	uint64		read;			/* dead ones too */
	Tuplestorestate *store;
	TupleDesc	desc;
} Check;

#define NO_PLACE PG_UINT64_MAX

static void
report_problem(Check *check, uint64 place, const char *problem)
{
	Datum		values[2];
	bool		nulls[2] = {place == NO_PLACE, false};

	values[0] = Int64GetDatum((int64) place);
	values[1] = CStringGetTextDatum(problem);
	tuplestore_putvalues(check->store, check->desc, values, nulls);
}

static void
report_row(Check *check, uint64 place, ItemPointer tid, const char *problem)
{
	report_problem(check, place, psprintf("row (%u,%u) %s", ItemPointerGetBlockNumberNoCheck(tid),
										  ItemPointerGetOffsetNumberNoCheck(tid), problem));
}

/*
 * An entry read a while ago may have been removed since, and its address given to
 * another row: vacuum does it in this order, so that a look now tells.
 */
static bool
still_live(Check *check, uint64 place)
{
	IndexPage  *page = palloc(sizeof(IndexPage));
	uint16		slot = place % host_index_capacity();
	bool		live;

	host_index_page(check->index, place / host_index_capacity() + 1, NULL, page);
	live = slot < page->count && !ENTRY_IS_DEAD(&page->entries[slot]);
	pfree(page);
	return live;
}

static void
report_entry(Check *check, const CheckEntry *entry, const char *problem)
{
	ItemPointerData tid = entry->tid;

	if (still_live(check, entry->place))
		report_row(check, entry->place, &tid, problem);
}

/* -- the entries -- */

static void
keep_entry(Check *check, uint64 place, const IndexEntry *entry)
{
	CheckEntry *kept;

	if (check->count == check->room)
	{
		check->room *= 2;
		check->entries = repalloc_huge(check->entries, check->room * sizeof(CheckEntry));
	}
	kept = &check->entries[check->count++];
	kept->tid = host_entry_tid(entry);
	kept->isnull = ENTRY_IS_NULL(entry);
	kept->found = false;
	kept->place = place;
}

static void
read_block(Check *check, BlockNumber block, IndexPage *page)
{
	uint64		first = (uint64) (block - 1) * host_index_capacity();
	const char *fault = host_index_inspect(check->index, block, NULL, page);

	if (fault != NULL)
		report_problem(check, first, psprintf("block %u %s", block, fault));
	for (uint16 slot = 0; slot < page->count; slot++)
		if (!ENTRY_IS_DEAD(&page->entries[slot]))
			keep_entry(check, first + slot, &page->entries[slot]);
	check->read += page->count;
}

/* Those who insert meanwhile make the length grow, from one that is surely too small to one that is surely not. */
static void
read_entries(Check *check)
{
	IndexPage  *page = palloc(sizeof(IndexPage));
	IndexVersion before;
	IndexVersion after;
	BlockNumber blocks;

	host_index_version(check->index, &before);
	blocks = RelationGetNumberOfBlocks(check->index);
	for (BlockNumber block = 1; block < blocks; block++)
	{
		CHECK_FOR_INTERRUPTS();
		read_block(check, block, page);
	}
	host_index_version(check->index, &after);
	if (check->read < before.length || check->read > after.length)
		report_problem(check, NO_PLACE,
					   psprintf("the pages hold " UINT64_FORMAT " entries, the metapage counts " UINT64_FORMAT,
								check->read, after.length));
	pfree(page);
}

static int
compare_entries(const void *left, const void *right)
{
	return ItemPointerCompare((ItemPointer) &((const CheckEntry *) left)->tid,
							  (ItemPointer) &((const CheckEntry *) right)->tid);
}

static void
report_duplicates(Check *check)
{
	for (size_t i = 1; i < check->count; i++)
	{
		CheckEntry *entry = &check->entries[i];

		CHECK_FOR_INTERRUPTS();
		if (compare_entries(entry - 1, entry) == 0 && still_live(check, entry[-1].place))
			report_entry(check, entry, psprintf("has another entry, at place " UINT64_FORMAT, entry[-1].place));
	}
}

/* -- the rows -- */

/* The address under which an index knows the row: the first of its HOT chain. */
static ItemPointerData
root_of(TupleTableSlot *slot, BlockNumber *block, OffsetNumber *roots)
{
	ItemPointerData root = slot->tts_tid;
	Buffer		buffer = ((BufferHeapTupleTableSlot *) slot)->buffer;

	if (*block != ItemPointerGetBlockNumber(&root))
	{
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		heap_get_root_tuples(BufferGetPage(buffer), roots);
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		*block = ItemPointerGetBlockNumber(&root);
	}
	ItemPointerSetOffsetNumber(&root, roots[ItemPointerGetOffsetNumber(&slot->tts_tid) - 1]);
	return root;
}

static void
check_row(Check *check, ItemPointerData root, bool isnull)
{
	CheckEntry	wanted = {.tid = root};
	CheckEntry *entry = bsearch(&wanted, check->entries, check->count, sizeof(CheckEntry), compare_entries);

	if (entry == NULL)
		report_row(check, NO_PLACE, &root, "has no entry");
	else if (entry->isnull != isnull)
		report_row(check, entry->place, &root,
				   isnull ? "has a NULL vector, its entry says it has one" : "has a vector, its entry says NULL");
	if (entry != NULL)
		entry->found = true;
}

static void
check_rows(Check *check, Snapshot snapshot)
{
	TupleTableSlot *slot = table_slot_create(check->heap, NULL);
	TableScanDesc scan = table_beginscan(check->heap, snapshot, 0, NULL);
	AttrNumber	column = check->index->rd_index->indkey.values[0];
	BlockNumber block = InvalidBlockNumber;
	OffsetNumber roots[MaxHeapTuplesPerPage];

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		(void) slot_getattr(slot, column, &isnull);
		check_row(check, root_of(slot, &block, roots), isnull);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

/* What is wrong with an address that no visible row has; NULL where there may be one that is not visible. */
static const char *
address_fault(Check *check, const CheckEntry *entry)
{
	OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(&entry->tid);
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(&entry->tid);
	const char *fault = NULL;
	Buffer		buffer;
	Page		page;

	if (block >= RelationGetNumberOfBlocks(check->heap))
		return "lies beyond the end of the table";
	buffer = ReadBuffer(check->heap, block);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	if (offset < FirstOffsetNumber || offset > PageGetMaxOffsetNumber(page) ||
		!ItemIdIsUsed(PageGetItemId(page, offset)))
		fault = "does not exist";
	else if (ItemIdIsNormal(PageGetItemId(page, offset)) &&
			 HeapTupleHeaderIsHeapOnly((HeapTupleHeader) PageGetItem(page, PageGetItemId(page, offset))))
		fault = "is no row of its own, but a later version of one";
	UnlockReleaseBuffer(buffer);
	return fault;
}

static void
report_strays(Check *check)
{
	for (size_t i = 0; i < check->count; i++)
	{
		const char *fault;

		CHECK_FOR_INTERRUPTS();
		if (check->entries[i].found)
			continue;
		fault = address_fault(check, &check->entries[i]);
		if (fault != NULL)
			report_entry(check, &check->entries[i], fault);
	}
}

/*
 * The snapshot is taken before the entries are read: whoever inserted a row that
 * it sees had made the entry by then, and vacuum cannot have removed it.
 */
static void
run_check(Check *check)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	check->room = 1024;
	check->entries = palloc(check->room * sizeof(CheckEntry));
	read_entries(check);
	qsort(check->entries, check->count, sizeof(CheckEntry), compare_entries);
	report_duplicates(check);
	check_rows(check, snapshot);
	report_strays(check);
	UnregisterSnapshot(snapshot);
}

static void
begin_result(FunctionCallInfo fcinfo, Check *check)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;

	if (info == NULL || !IsA(info, ReturnSetInfo) || (info->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a function that returns a set was called where no set can be accepted"),
				 errhint("Call it in FROM.")));
	old = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &check->desc) != TYPEFUNC_COMPOSITE || check->desc->natts != 2)
		elog(ERROR, "ruvector_attention_index_check must return rows of 2 columns");
	check->store = tuplestore_begin_heap((info->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
	info->returnMode = SFRM_Materialize;
	info->setDesc = check->desc;
	info->setResult = check->store;
	MemoryContextSwitchTo(old);
}

Datum
ruvector_attention_index_check(PG_FUNCTION_ARGS)
{
	Check		check = {0};

	check.index = open_index(PG_GETARG_OID(0), &check.heap);
	if (!check.index->rd_index->indisvalid)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" is not valid", RelationGetRelationName(check.index)),
				 errhint("Its CREATE INDEX CONCURRENTLY failed or has not ended: drop it, or REINDEX it.")));
	begin_result(fcinfo, &check);
	run_check(&check);
	close_index(check.index, check.heap);
	PG_RETURN_NULL();
}
