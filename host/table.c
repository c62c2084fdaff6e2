/*
 * table.c: the handler of each foreign table, and what it says of the columns.
 * Kept for the session, built anew when the table's or server's definition changes.
 */
#include "host.h"

#include "access/relation.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "nodes/bitmapset.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

static HTAB *tables = NULL;
static uint64 invalidations = 0;

static void
forget_all(Datum arg, int cache, uint32 hash)
{
	HASH_SEQ_STATUS status;
	HostTable  *table;

	invalidations++;
	hash_seq_init(&status, tables);
	while ((table = hash_seq_search(&status)) != NULL)
		table->valid = false;
}

static void
forget_one(Datum arg, Oid relid)
{
	HostTable  *table;

	invalidations++;
	if (!OidIsValid(relid))
		forget_all(arg, 0, 0);
	else if ((table = hash_search(tables, &relid, HASH_FIND, NULL)) != NULL)
		table->valid = false;
}

void
host_table_init(void)
{
	HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(HostTable)};

	tables = hash_create("ruattn foreign tables", 32, &control, HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(forget_one, (Datum) 0);
	CacheRegisterSyscacheCallback(FOREIGNTABLEREL, forget_all, (Datum) 0);
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, forget_all, (Datum) 0);
}

static void
release_object(void *object)
{
	Py_DECREF((PyObject *) object);
}

/*
 * Hands the caller's reference of `object` over to `context`, which gives it back
 * when it ends, by an error too; an ERROR where there is no object.
 */
PyObject *
host_own(MemoryContext context, PyObject *object)
{
	MemoryContextCallback *callback;

	host_checked(object);
	callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));
	callback->func = release_object;
	callback->arg = object;
	MemoryContextRegisterResetCallback(context, callback);
	return object;
}

/* ---- options and columns for Python ---- */

static PyObject *
table_options(Oid relid)
{
	ForeignTable *table = GetForeignTable(relid);
	ForeignServer *server = GetForeignServer(table->serverid);

	return host_options(list_concat_copy(server->options, table->options));
}

/* (name, type) of each column, and its attno. */
static PyObject *
table_columns(MemoryContext owner, TupleDesc desc, AttrNumber *attnos)
{
	PyObject   *list = host_own(owner, PyList_New(0));
	int			count = 0;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		PyObject   *pair;

		if (attribute->attisdropped)
			continue;
		attnos[count++] = attribute->attnum;
		pair = host_checked(Py_BuildValue("NN", host_text_to_python(NameStr(attribute->attname)),
										  host_text_to_python(format_type_be(attribute->atttypid))));
		host_checked_status(PyList_Append(list, pair));
		Py_DECREF(pair);
	}
	return list;
}

/* ---- what describe() returned ---- */

/* The attno of the column at the index that `number` holds. */
static AttrNumber
described_column(PyObject *number, const AttrNumber *attnos, int count)
{
	long		index = PyLong_AsLong(number);

	if (index < 0 || index >= count)
		elog(ERROR, "a handler described column %ld of %d", index, count);
	return attnos[index];
}

static void
read_roles(HostTable *table, PyObject *roles, const AttrNumber *attnos, int count)
{
	if (PyList_Size(roles) != count)
		elog(ERROR, "a handler described %zd columns of %d", PyList_Size(roles), count);
	for (int i = 0; i < count; i++)
		table->roles[attnos[i] - 1] = (char) PyLong_AsLong(PyList_GetItem(roles, i));
}

static void
read_groups(HostTable *table, PyObject *groups, const AttrNumber *attnos, int count)
{
	for (Py_ssize_t i = 0; i < PyList_Size(groups); i++)
	{
		PyObject   *group = PyList_GetItem(groups, i);
		Bitmapset  *set = NULL;

		for (Py_ssize_t j = 0; j < PyList_Size(group); j++)
			set = bms_add_member(set, described_column(PyList_GetItem(group, j), attnos, count));
		table->groups = lappend(table->groups, set);
	}
}

static void
read_orders(HostTable *table, PyObject *orders, const AttrNumber *attnos, int count)
{
	table->norders = (int) PyList_Size(orders);
	table->orders = palloc0(Max(table->norders, 1) * sizeof(TableOrder));
	for (int i = 0; i < table->norders; i++)
	{
		PyObject   *order = PyList_GetItem(orders, i);

		table->orders[i].attno = described_column(PyTuple_GetItem(order, 0), attnos, count);
		table->orders[i].descending = PyObject_IsTrue(PyTuple_GetItem(order, 1)) == 1;
	}
}

static void
read_description(HostTable *table, PyObject *description, const AttrNumber *attnos, int count)
{
	PyObject   *roles;
	PyObject   *groups;
	PyObject   *orders;
	PyObject   *hint;

	if (!PyArg_ParseTuple(description, "O!O!O!U", &PyList_Type, &roles, &PyList_Type, &groups,
						  &PyList_Type, &orders, &hint))
		host_raise();
	read_roles(table, roles, attnos, count);
	read_groups(table, groups, attnos, count);
	read_orders(table, orders, attnos, count);
	table->hint = host_text_from_python(hint);
	host_checked_status(PyErr_Occurred() ? -1 : 0);
}

static void
build_table(HostTable *table, Relation relation)
{
	const HostBridge *bridge = host_bridge();
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "ruattn description", ALLOCSET_SMALL_SIZES);
	TupleDesc	desc = RelationGetDescr(relation);
	AttrNumber *attnos = palloc(Max(desc->natts, 1) * sizeof(AttrNumber));
	PyObject   *options = host_own(scratch, table_options(RelationGetRelid(relation)));
	PyObject   *columns = table_columns(scratch, desc, attnos);
	PyObject   *description;

	table->handler = host_own(table->context, PyObject_CallFunctionObjArgs(bridge->open_table, options, columns, NULL));
	description = host_own(scratch, PyObject_CallFunctionObjArgs(bridge->describe, table->handler, NULL));
	table->natts = desc->natts;
	table->roles = palloc0(Max(desc->natts, 1));
	read_description(table, description, attnos, (int) PyList_GET_SIZE(columns));
	MemoryContextDelete(scratch);
}

/*
 * A copy in the current context: the caller's stays as it is while the cached
 * entry is built anew under it.
 */
static HostTable *
copy_table(const HostTable *table)
{
	HostTable  *copy = palloc(sizeof(HostTable));
	ListCell   *cell;

	*copy = *table;
	copy->context = CurrentMemoryContext;
	host_own(copy->context, Py_NewRef(copy->handler));
	copy->roles = memcpy(palloc(Max(table->natts, 1)), table->roles, table->natts);
	copy->orders = memcpy(palloc(Max(table->norders, 1) * sizeof(TableOrder)), table->orders,
						  table->norders * sizeof(TableOrder));
	copy->groups = NIL;
	foreach(cell, table->groups)
		copy->groups = lappend(copy->groups, bms_copy(lfirst(cell)));
	copy->hint = pstrdup(table->hint);
	return copy;
}

/* Of tables that were altered or dropped since they were described. */
static void
drop_invalid(void)
{
	HASH_SEQ_STATUS status;
	HostTable  *table;

	hash_seq_init(&status, tables);
	while ((table = hash_seq_search(&status)) != NULL)
	{
		if (table->valid)
			continue;
		MemoryContextDelete(table->context);
		hash_search(tables, &table->relid, HASH_REMOVE, NULL);
	}
}

static HostTable *
describe_table(Oid relid)
{
	Relation	relation = relation_open(relid, AccessShareLock);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ruattn foreign table", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	HostTable	fresh = {.relid = relid, .context = context};
	uint64		before = invalidations;
	HostTable  *table;
	bool		found;

	build_table(&fresh, relation);
	MemoryContextSwitchTo(old);
	relation_close(relation, NoLock);
	fresh.valid = invalidations == before;
	drop_invalid();
	table = hash_search(tables, &relid, HASH_ENTER, &found);
	if (found)					/* described while this was done */
		MemoryContextDelete(table->context);
	MemoryContextSetParent(context, TopMemoryContext);
	*table = fresh;
	return table;
}

/* Described by its handler; palloc'd in the current context. */
HostTable *
host_table(Oid relid)
{
	HostTable  *table;

	(void) host_bridge();
	table = hash_search(tables, &relid, HASH_FIND, NULL);
	if (table == NULL || !table->valid)
		table = describe_table(relid);
	return copy_table(table);
}
