/*
 * index_am.c: the access method ruvector_attention: what PostgreSQL calls to build
 * an index, to insert and to vacuum. No query is ever planned to scan one.
 */
#include "host.h"
#include "index.h"

#include "access/tableam.h"
#include "catalog/index.h"
#include "catalog/pg_opclass.h"
#include "commands/progress.h"
#include "commands/vacuum.h"
#include "nodes/pathnodes.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(ruvector_attention_handler);

#if PG_VERSION_NUM >= 180000
#define sweep_delay() vacuum_delay_point(false)
#else
#define sweep_delay() vacuum_delay_point()
#endif

/* ---- build ---- */

typedef struct BuildState
{
	IndexBuild	pages;
	IndexShape	shape;
	int64		entries;
} BuildState;

static void
build_callback(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	BuildState *state = arg;

	if (!isnull[0])
		host_index_check_vector(index, &state->shape, values[0], tid);
	host_index_build_add(&state->pages, tid, isnull[0]);
	if (++state->entries % host_index_capacity() == 0)
		pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, state->entries);
}

static void
check_definition(Relation heap, Relation index, IndexInfo *info)
{
	const char *form = NULL;

	if (info->ii_Predicate != NIL)
		form = "be partial";
	else if (info->ii_Expressions != NIL)
		form = "be on an expression";
	if (form != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("an index of access method ruvector_attention cannot %s", form),
				 errhint("Index the vector column of the whole table.")));
	if (heap->rd_tableam != GetHeapamTableAmRoutine())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" is not stored by the access method heap", RelationGetRelationName(heap)),
				 errdetail("An attention index lists addresses of rows as heap gives them.")));
}

static IndexBuildResult *
attention_build(Relation heap, Relation index, IndexInfo *info)
{
	IndexBuildResult *result = palloc0(sizeof(IndexBuildResult));
	BuildState *state = palloc0(sizeof(BuildState));

	check_definition(heap, index, info);
	state->shape = host_index_shape(index);
	host_index_check_column(index, &state->shape);
	host_index_build_begin(&state->pages, index);
	result->heap_tuples = table_index_build_scan(heap, index, info, false, true, build_callback, state, NULL);
	result->index_tuples = host_index_build_end(&state->pages);
	return result;
}

/* ---- insertion ---- */

static bool
attention_insert(Relation index, Datum *values, bool *isnull, ItemPointer tid, Relation heap,
				 IndexUniqueCheck unique, bool unchanged, IndexInfo *info)
{
	if (info->ii_AmCache == NULL)
	{
		info->ii_AmCache = MemoryContextAlloc(info->ii_Context, sizeof(IndexShape));
		*(IndexShape *) info->ii_AmCache = host_index_shape(index);
	}
	if (!isnull[0])
		host_index_check_vector(index, info->ii_AmCache, values[0], NULL);
	host_index_append(index, tid, isnull[0]);
	return false;
}

/* ---- vacuum ---- */

typedef struct Sweep
{
	IndexVacuumInfo *info;
	IndexBulkDeleteCallback callback;	/* NULL: nothing is removed */
	void	   *callback_state;
	IndexBulkDeleteResult *stats;
	IndexPage	page;
	uint16		dead[BLCKSZ / sizeof(IndexEntry)];
} Sweep;

/* Entries only ever become dead, and only here, so the copy of a page stays right. */
static int
find_dead(Sweep *sweep)
{
	int			found = 0;

	for (uint16 slot = 0; slot < sweep->page.count; slot++)
	{
		IndexEntry *entry = &sweep->page.entries[slot];
		ItemPointerData tid = host_entry_tid(entry);

		if (ENTRY_IS_DEAD(entry))
			continue;
		if (sweep->callback != NULL && sweep->callback(&tid, sweep->callback_state))
			sweep->dead[found++] = slot;
		else
			sweep->stats->num_index_tuples++;
	}
	return found;
}

static void
sweep_pages(Sweep *sweep)
{
	Relation	index = sweep->info->index;
	BlockNumber blocks = RelationGetNumberOfBlocks(index);

	for (BlockNumber block = 1; block < blocks; block++)
	{
		int			found;

		sweep_delay();
		host_index_page(index, block, sweep->info->strategy, &sweep->page);
		found = find_dead(sweep);
		if (found == 0)
			continue;
		host_index_tombstone(index, block, sweep->info->strategy, sweep->dead, found);
		sweep->stats->tuples_removed += found;
	}
	/* found or not: a sweep that was broken off may have left nothing to find */
	if (sweep->callback != NULL)
		host_index_redraw_epoch(index);
	sweep->stats->num_pages = blocks;
	sweep->stats->estimated_count = false;
}

static IndexBulkDeleteResult *
run_sweep(IndexVacuumInfo *info, IndexBulkDeleteResult *stats, IndexBulkDeleteCallback callback, void *callback_state)
{
	Sweep	   *sweep = palloc0(sizeof(Sweep));

	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));
	stats->num_index_tuples = 0;
	sweep->info = info;
	sweep->callback = callback;
	sweep->callback_state = callback_state;
	sweep->stats = stats;
	sweep_pages(sweep);
	pfree(sweep);
	return stats;
}

static IndexBulkDeleteResult *
attention_bulk_delete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
					  IndexBulkDeleteCallback callback, void *callback_state)
{
	return run_sweep(info, stats, callback, callback_state);
}

static IndexBulkDeleteResult *
attention_vacuum_cleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	if (info->analyze_only || stats != NULL)
		return stats;
	return run_sweep(info, NULL, NULL, NULL);
}

/* ---- planning, scans, operator classes ---- */

static void
attention_cost_estimate(PlannerInfo *root, IndexPath *path, double loop_count, Cost *startup, Cost *total,
						Selectivity *selectivity, double *correlation, double *pages)
{
	*startup = *total = get_float8_infinity();
	*selectivity = 1;
	*correlation = 0;
	*pages = path->indexinfo->pages;
}

static void HOST_NORETURN
refuse_scan(Relation index)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("index \"%s\" cannot be scanned", RelationGetRelationName(index)),
			 errhint("Searches through the attention tables use it.")));
}

static IndexScanDesc
attention_begin_scan(Relation index, int nkeys, int norderbys)
{
	refuse_scan(index);
}

static void
attention_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys)
{
	refuse_scan(scan->indexRelation);
}

static void
attention_end_scan(IndexScanDesc scan)
{
	refuse_scan(scan->indexRelation);
}

static bool
attention_validate(Oid opclass)
{
	HeapTuple	tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	Form_pg_opclass form;
	bool		valid;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator class %u", opclass);
	form = (Form_pg_opclass) GETSTRUCT(tuple);
	valid = host_vector_kind(form->opcintype) != VECTOR_NONE;
	if (!valid)
		ereport(INFO,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("operator class \"%s\" of access method ruvector_attention is for type %s, which is no vector",
						NameStr(form->opcname), format_type_be(form->opcintype))));
	ReleaseSysCache(tuple);
	return valid;
}

bool
host_is_attention_index(Relation index)
{
	return index->rd_indam != NULL && index->rd_indam->ambuild == attention_build;
}

Datum
ruvector_attention_handler(PG_FUNCTION_ARGS)
{
	IndexAmRoutine *routine = makeNode(IndexAmRoutine);

	routine->amcaninclude = true;
	routine->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL | VACUUM_OPTION_PARALLEL_CLEANUP;
	routine->amkeytype = InvalidOid;
	routine->ambuild = attention_build;
	routine->ambuildempty = host_index_create_empty;
	routine->aminsert = attention_insert;
	routine->ambulkdelete = attention_bulk_delete;
	routine->amvacuumcleanup = attention_vacuum_cleanup;
	routine->amcostestimate = attention_cost_estimate;
	routine->amoptions = host_index_options;
	routine->amvalidate = attention_validate;
	routine->ambeginscan = attention_begin_scan;
	routine->amrescan = attention_rescan;
	routine->amendscan = attention_end_scan;
	PG_RETURN_POINTER(routine);
}
