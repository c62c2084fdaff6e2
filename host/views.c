/*
 * views.c: which rows of a table a view shows its reader.
 *
 * A view that shows rows of one table as they are, whatever it joins or filters
 * them by, is asked for their addresses: its own query is run, with the rights
 * that it runs with, for the system columns of that table instead of its own.
 */
#include "leaves.h"

#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/tcopprot.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Whether further columns would leave the rows as they are, and no row is locked by reading it. */
static bool
takes_columns(Query *query)
{
	return query->commandType == CMD_SELECT && query->setOperations == NULL && query->groupClause == NIL &&
		query->groupingSets == NIL && query->distinctClause == NIL && query->rowMarks == NIL &&
		query->havingQual == NULL && !query->hasAggs && !query->hasTargetSRFs;
}

/* The column of a relation in FROM that an output column is, as it stands there; NULL for anything else. */
static Var *
plain_column(Query *query, AttrNumber output)
{
	TargetEntry *entry = get_tle_by_resno(query->targetList, output);
	Var		   *var = entry == NULL ? NULL : (Var *) entry->expr;

	return var != NULL && IsA(var, Var) && var->varlevelsup == 0 && var->varattno > 0 ? var : NULL;
}

/*
 * The table whose rows a view shows in these columns: attnos, those of the view,
 * become the table's, and `vector`, where wanted, the first of them in the view's
 * query. InvalidOid where there is no such table.
 */
static Oid
base_of(Query *query, int ncolumns, AttrNumber *attnos, Var **vector)
{
	Var		   *first = plain_column(query, attnos[0]);
	RangeTblEntry *rte;

	if (first == NULL || !takes_columns(query))
		return InvalidOid;
	rte = rt_fetch(first->varno, query->rtable);
	if (rte->rtekind != RTE_RELATION || (rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_PARTITIONED_TABLE &&
										 rte->relkind != RELKIND_MATVIEW))
		return InvalidOid;
	for (int i = 0; i < ncolumns; i++)
	{
		Var		   *var = plain_column(query, attnos[i]);

		if (var == NULL || var->varno != first->varno)
			return InvalidOid;
		attnos[i] = var->varattno;
	}
	*vector = first;
	return rte->relid;
}

Oid
host_view_base(Relation view, int ncolumns, AttrNumber *attnos)
{
	Var		   *vector;

	return base_of(get_view_query(view), ncolumns, attnos, &vector);
}

/* ---- view_keys(view, vector_column) ---- */

typedef struct ViewKeys
{
	DestReceiver receiver;
	Oid			relid;
	const char *column;			/* UTF-8 */
	TransactionId next;
	HostBuffer *oids;
	HostBuffer *tids;
	HostBuffer *xmins;
	int64		nulls;
	bool		provable;
} ViewKeys;

static void
start_keys(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
end_keys(DestReceiver *self)
{
}

static void
append_number(HostBuffer *buffer, int64 number)
{
	if (!host_buffer_reserve(buffer, sizeof(number)))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for the rows of a view")));
	*(int64 *) (buffer->data + buffer->used) = number;
	buffer->used += sizeof(number);
}

/* Where a join found no row of the table its vector is NULL, too. */
static bool
receive_key(TupleTableSlot *slot, DestReceiver *self)
{
	ViewKeys   *keys = (ViewKeys *) self;
	TransactionId xmin;

	slot_getallattrs(slot);
	if (!DatumGetBool(slot->tts_values[3]))
	{
		keys->nulls++;
		return true;
	}
	xmin = DatumGetTransactionId(slot->tts_values[2]);
	append_number(keys->oids, DatumGetObjectId(slot->tts_values[0]));
	append_number(keys->tids, host_pack_tid(0, (ItemPointer) DatumGetPointer(slot->tts_values[1])));
	append_number(keys->xmins, xmin);
	if (TransactionIdIsNormal(xmin) && !TransactionIdPrecedes(xmin, keys->next))
		keys->provable = false;
	return true;
}

/* A system column of the row that a column is of. */
static TargetEntry *
system_column(Var *of, AttrNumber attno, Oid type, AttrNumber resno)
{
	Var		   *var = copyObject(of);

	var->varattno = attno;
	var->varattnosyn = attno;
	var->vartype = type;
	var->vartypmod = -1;
	var->varcollid = InvalidOid;
	return makeTargetEntry((Expr *) var, resno, pstrdup("key"), false);
}

static TargetEntry *
has_value(Var *var, AttrNumber resno)
{
	NullTest   *test = makeNode(NullTest);

	test->arg = (Expr *) copyObject(var);
	test->nulltesttype = IS_NOT_NULL;
	test->location = -1;
	return makeTargetEntry((Expr *) test, resno, pstrdup("present"), false);
}

/* The view's query, for addresses. What it sorts by, or limits by an order, stays in the list as junk. */
static Query *
query_for_keys(Relation view, AttrNumber column)
{
	Query	   *query = copyObject(get_view_query(view));
	List	   *keys;
	Var		   *vector;
	ListCell   *cell;

	if (!OidIsValid(base_of(query, 1, &column, &vector)))
		elog(ERROR, "view \"%s\" shows no table's rows", RelationGetRelationName(view));
	keys = list_make4(system_column(vector, TableOidAttributeNumber, OIDOID, 1),
					  system_column(vector, SelfItemPointerAttributeNumber, TIDOID, 2),
					  system_column(vector, MinTransactionIdAttributeNumber, XIDOID, 3), has_value(vector, 4));
	foreach(cell, query->targetList)
	{
		TargetEntry *entry = lfirst(cell);

		entry->resjunk = true;
		entry->resno = list_length(keys) + 1;
		if (entry->ressortgroupref != 0)
			keys = lappend(keys, entry);
	}
	query->targetList = keys;
	return query;
}

static void
run(PlannedStmt *plan, DestReceiver *receiver)
{
	QueryDesc  *desc = CreateQueryDesc(plan, "", GetActiveSnapshot(), InvalidSnapshot, receiver, NULL, NULL, 0);

	ExecutorStart(desc, 0);
#if PG_VERSION_NUM >= 180000
	ExecutorRun(desc, ForwardScanDirection, 0);
#else
	ExecutorRun(desc, ForwardScanDirection, 0, true);
#endif
	ExecutorFinish(desc);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
}

static void
find_keys(void *arg)
{
	ViewKeys   *keys = arg;
	Relation	view = table_open(keys->relid, AccessShareLock);
	Query	   *query = query_for_keys(view, get_attnum(keys->relid, pg_any_to_server(keys->column, strlen(keys->column), PG_UTF8)));

	AcquireRewriteLocks(query, true, false);
	query = linitial_node(Query, QueryRewrite(query));
	keys->next = XidFromFullTransactionId(ReadNextFullTransactionId());
	run(pg_plan_query(query, "", CURSOR_OPT_PARALLEL_OK, NULL), &keys->receiver);
	table_close(view, NoLock);
	host_buffer_shape(keys->oids, keys->oids->used / sizeof(int64), 0);
	host_buffer_shape(keys->tids, keys->tids->used / sizeof(int64), 0);
	host_buffer_shape(keys->xmins, keys->xmins->used / sizeof(int64), 0);
}

PyObject *
host_view_keys(PyObject *self, PyObject *args)
{
	PyObject   *result = NULL;
	ViewKeys	keys = {
		.receiver = {.receiveSlot = receive_key, .rStartup = start_keys,
		.rShutdown = end_keys, .rDestroy = end_keys, .mydest = DestNone},
		.provable = true,
	};

	if (!PyArg_ParseTuple(args, "Is:view_keys", &keys.relid, &keys.column))
		return NULL;
	keys.oids = host_buffer_new('q');
	keys.tids = host_buffer_new('q');
	keys.xmins = host_buffer_new('q');
	if (keys.oids != NULL && keys.tids != NULL && keys.xmins != NULL && host_guard(find_keys, &keys))
		result = Py_BuildValue("OOOOL", keys.oids, keys.tids, keys.xmins, keys.provable ? Py_True : Py_False,
							   (long long) keys.nulls);
	Py_XDECREF(keys.oids);
	Py_XDECREF(keys.tids);
	Py_XDECREF(keys.xmins);
	return result;
}
