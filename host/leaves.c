/*
 * leaves.c: may the caller read a source, and may a copy of it be kept?
 *
 * A copy is a function of what `identity` holds: which files the rows lie in,
 * and which columns of them are read. Whatever changes rows in place, without
 * another file and without a new row version, must be refused here.
 */
#include "leaves.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#if PG_VERSION_NUM >= 160000
#define changed_here(relation) \
	((relation)->rd_createSubid != InvalidSubTransactionId || \
	 (relation)->rd_firstRelfilelocatorSubid != InvalidSubTransactionId)
#else
#define changed_here(relation) \
	((relation)->rd_createSubid != InvalidSubTransactionId || \
	 (relation)->rd_firstRelfilenodeSubid != InvalidSubTransactionId)
#endif

#define MAX_COLUMNS 4

typedef struct SourceFacts
{
	Oid			relid;
	int			ncolumns;
	const char **columns;		/* UTF-8 */
	Oid			base;			/* of a view: the table that its rows are in */
	const char *reason;			/* why no copy may be kept, or NULL */
	bool		by_query;		/* only the caller's own SELECT tells which rows */
	bool		whole;			/* may the caller read all columns, those of the system too? */
	StringInfoData leaves;		/* Oids */
	StringInfoData identity;
} SourceFacts;

/* ---- privileges ---- */

/* What the executor checks for a SELECT of these columns. */
static void
check_privileges(Relation relation, Bitmapset *columns)
{
	RangeTblEntry *rte = makeNode(RangeTblEntry);

	rte->rtekind = RTE_RELATION;
	rte->relid = RelationGetRelid(relation);
	rte->relkind = relation->rd_rel->relkind;
	rte->rellockmode = AccessShareLock;
	{
#if PG_VERSION_NUM >= 160000
		RTEPermissionInfo *permission = makeNode(RTEPermissionInfo);

		permission->relid = rte->relid;
		permission->inh = true;
		permission->requiredPerms = ACL_SELECT;
		permission->selectedCols = columns;
		rte->perminfoindex = 1;
		ExecCheckPermissions(list_make1(rte), list_make1(permission), true);
#else
		rte->requiredPerms = ACL_SELECT;
		rte->selectedCols = columns;
		ExecCheckRTPerms(list_make1(rte), true);
#endif
	}
}

static Bitmapset *
column_set(SourceFacts *facts)
{
	Bitmapset  *set = NULL;

	for (int i = 0; i < facts->ncolumns; i++)
	{
		AttrNumber	attno = get_attnum(facts->relid, pg_any_to_server(facts->columns[i], strlen(facts->columns[i]), PG_UTF8));

		if (attno == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of relation \"%s\" does not exist",
							pg_any_to_server(facts->columns[i], strlen(facts->columns[i]), PG_UTF8), get_rel_name(facts->relid))));
		set = bms_add_member(set, attno - FirstLowInvalidHeapAttributeNumber);
	}
	return set;
}

/* ---- leaves ---- */

/* Whether a standby has nothing of it but its name. */
bool
host_lies_on_primary(Relation relation)
{
	return relation->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED && RecoveryInProgress();
}

/*
 * Why the rows of this table may change without a new row version under the same
 * file, or NULL. A table made or truncated by this transaction may be truncated in
 * place; so may temporary tables.
 */
static const char *
reason_against(Relation leaf)
{
	if (leaf->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		return "a foreign table";
	if (leaf->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		return "a temporary table";
	if (host_lies_on_primary(leaf))
		return "an unlogged table on a standby";
	if (leaf->rd_rel->relam != HEAP_TABLE_AM_OID)
		return "not a heap table";
	if (changed_here(leaf))
		return "made or truncated by this transaction";
	return NULL;
}

/*
 * A column of a leaf, by its number and type; a virtual one has no value in the
 * file. If this transaction fails, the number of a column that it added goes to
 * another one, of which the same row versions have another default.
 */
static const char *
add_column(SourceFacts *facts, Relation leaf, const char *name)
{
	char	   *attname = pg_any_to_server(name, strlen(name), PG_UTF8);
	HeapTuple	tuple = SearchSysCacheAttName(RelationGetRelid(leaf), attname);
	Form_pg_attribute attribute;
	const char *reason = NULL;

	if (!HeapTupleIsValid(tuple))
		return "a partition without the column";
	attribute = (Form_pg_attribute) GETSTRUCT(tuple);
	appendBinaryStringInfo(&facts->identity, (char *) &attribute->attnum, sizeof(attribute->attnum));
	appendBinaryStringInfo(&facts->identity, (char *) &attribute->atttypid, sizeof(Oid));
	if (attribute->attgenerated != '\0' && attribute->attgenerated != ATTRIBUTE_GENERATED_STORED)
		reason = "a virtual generated column";
	else if (TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)))
		reason = "a column altered by this transaction";
	ReleaseSysCache(tuple);
	return reason;
}

static const char *
add_leaf(SourceFacts *facts, Relation leaf)
{
	Oid			oid = RelationGetRelid(leaf);
	const char *reason = reason_against(leaf);

	appendBinaryStringInfo(&facts->leaves, (char *) &oid, sizeof(oid));
	appendBinaryStringInfo(&facts->identity, (char *) &oid, sizeof(oid));
	appendBinaryStringInfo(&facts->identity, (char *) &storage_of(leaf), sizeof(storage_of(leaf)));
	for (int i = 0; reason == NULL && i < facts->ncolumns; i++)
		reason = add_column(facts, leaf, facts->columns[i]);
	return reason;
}

/* Every table that the rows come from, locked as SELECT locks it until the transaction ends. */
static void
add_leaves(SourceFacts *facts)
{
	List	   *oids = find_all_inheritors(facts->relid, AccessShareLock, NULL);
	ListCell   *cell;

	foreach(cell, oids)
	{
		Relation	leaf = table_open(lfirst_oid(cell), NoLock);

		if (leaf->rd_rel->relkind != RELKIND_PARTITIONED_TABLE && facts->reason == NULL)
			facts->reason = add_leaf(facts, leaf);
		table_close(leaf, NoLock);
		CHECK_FOR_INTERRUPTS();
	}
	if (facts->reason == NULL && facts->leaves.len / sizeof(Oid) >= PG_INT16_MAX)
		facts->reason = "more partitions than a copy can number";
}

/* The rows of a view are in the leaves of the table that it shows, under the table's names of the columns. */
static void
add_leaves_of_view(SourceFacts *facts, Relation view)
{
	AttrNumber	attnos[MAX_COLUMNS];
	Relation	base;

	for (int i = 0; i < facts->ncolumns; i++)
		attnos[i] = get_attnum(facts->relid, pg_any_to_server(facts->columns[i], strlen(facts->columns[i]), PG_UTF8));
	facts->base = host_view_base(view, facts->ncolumns, attnos);
	if (!OidIsValid(facts->base))
	{
		facts->reason = "a view";
		return;
	}
	base = table_open(facts->base, AccessShareLock);
	facts->by_query = true;
	facts->relid = facts->base;
	for (int i = 0; i < facts->ncolumns; i++)
	{
		char	   *name = get_attname(facts->base, attnos[i], false);

		facts->columns[i] = pg_server_to_any(name, strlen(name), PG_UTF8);
	}
	add_leaves(facts);
	table_close(base, NoLock);
}

/* Files are swept when a server starts, and after a crash only if it is told so. */
static const char *
reason_against_files(void)
{
	if (!IsUnderPostmaster)
		return "a server in single-user mode";
	if (strcmp(GetConfigOption("remove_temp_files_after_crash", false, false), "on") != 0)
		return "remove_temp_files_after_crash is off";
	return NULL;
}

static void
find_source(void *arg)
{
	SourceFacts *facts = arg;
	Relation	relation = table_open(facts->relid, AccessShareLock);
	char		kind = relation->rd_rel->relkind;
	/* a copy of row versions must not outlive two billion transactions */
	uint64		era = U64FromFullTransactionId(ReadNextFullTransactionId()) >> 31;

	initStringInfo(&facts->leaves);
	initStringInfo(&facts->identity);
	check_privileges(relation, column_set(facts));
	facts->whole = pg_class_aclcheck(facts->relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
	facts->by_query = check_enable_rls(facts->relid, InvalidOid, false) == RLS_ENABLED || IsolationIsSerializable();
	appendBinaryStringInfo(&facts->identity, (char *) &MyDatabaseId, sizeof(Oid));
	appendBinaryStringInfo(&facts->identity, (char *) &PgStartTime, sizeof(PgStartTime));
	appendBinaryStringInfo(&facts->identity, (char *) &era, sizeof(era));
	facts->reason = reason_against_files();
	if (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE || kind == RELKIND_MATVIEW)
		add_leaves(facts);
	else if (kind == RELKIND_VIEW)
		add_leaves_of_view(facts, relation);
	else
		facts->reason = "a foreign table";
	table_close(relation, NoLock);
}

/* ---- source(oid, columns) ---- */

/* (oid, columns) of the table that a view shows, None for a source that is no such view. */
static PyObject *
base_of_source(SourceFacts *facts)
{
	PyObject   *names;

	if (!OidIsValid(facts->base))
		Py_RETURN_NONE;
	names = PyTuple_New(facts->ncolumns);
	for (int i = 0; names != NULL && i < facts->ncolumns; i++)
	{
		PyObject   *name = PyUnicode_FromString(facts->columns[i]);

		if (name == NULL)
			Py_CLEAR(names);
		else
			PyTuple_SET_ITEM(names, i, name);
	}
	return names == NULL ? NULL : Py_BuildValue("IN", facts->base, names);
}

PyObject *
host_source(PyObject *self, PyObject *args)
{
	SourceFacts facts = {0};
	PyObject   *names;
	const char *columns[MAX_COLUMNS];

	if (!PyArg_ParseTuple(args, "IO!:source", &facts.relid, &PyTuple_Type, &names))
		return NULL;
	facts.columns = columns;
	facts.ncolumns = (int) Min(PyTuple_GET_SIZE(names), (Py_ssize_t) lengthof(columns));
	for (int i = 0; i < facts.ncolumns; i++)
		if ((columns[i] = PyUnicode_AsUTF8(PyTuple_GET_ITEM(names, i))) == NULL)
			return NULL;
	if (!host_guard(find_source, &facts))
		return NULL;
	return Py_BuildValue("zOy#y#NO", facts.reason, facts.by_query ? Py_True : Py_False,
						 facts.identity.data, (Py_ssize_t) facts.identity.len,
						 facts.leaves.data, (Py_ssize_t) facts.leaves.len, base_of_source(&facts),
						 facts.whole ? Py_True : Py_False);
}

/* The leaves out of an argument; false with an exception set. */
bool
host_leaves_given(PyObject *bytes, Leaves *leaves)
{
	if (!PyBytes_Check(bytes) || PyBytes_GET_SIZE(bytes) % sizeof(Oid) != 0)
	{
		PyErr_SetString(PyExc_TypeError, "leaves are the bytes that source() gave");
		return false;
	}
	leaves->count = (int) (PyBytes_GET_SIZE(bytes) / sizeof(Oid));
	leaves->oids = (const Oid *) PyBytes_AS_STRING(bytes);
	return true;
}
