/*
 * pgmodule.c: the module `_ruattn_host`, what Python may ask of the server.
 * Every function is called from Python: PostgreSQL runs under host_guard.
 */
#include "host.h"
#include "leaves.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/sysattr.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#if PG_VERSION_NUM >= 160000
#include "utils/regproc.h"
#define qualified_name_list(text) stringToQualifiedNameList(text, NULL)
#else
#include "utils/regproc.h"
#define qualified_name_list(text) stringToQualifiedNameList(text)
#endif

/* ---- relation(name) ---- */

typedef struct RelationFacts
{
	const char *asked;			/* UTF-8, as is the rest */
	Oid			oid;
	char	   *schema;
	char	   *name;
	char		kind;
	double		rows;
} RelationFacts;

/* Who may read no column of a relation is told nothing more about it. */
static void
check_readable(Oid oid, Form_pg_class form)
{
	if (strchr("rpmvf", form->relkind) != NULL &&
		pg_class_aclcheck(oid, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(oid, GetUserId(), ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(form->relkind), NameStr(form->relname));
}

static void
find_relation(void *arg)
{
	RelationFacts *facts = arg;
	char	   *name = pg_any_to_server(facts->asked, strlen(facts->asked), PG_UTF8);
	RangeVar   *range = makeRangeVarFromNameList(qualified_name_list(name));
	HeapTuple	tuple;
	Form_pg_class form;

	facts->oid = RangeVarGetRelid(range, NoLock, true);
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(facts->oid));
	if (!HeapTupleIsValid(tuple))
	{
		facts->oid = InvalidOid;
		return;
	}
	form = (Form_pg_class) GETSTRUCT(tuple);
	/* PostgreSQL 18 reads such a table as if it were empty */
	if (isOtherTempNamespace(form->relnamespace))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot access temporary tables of other sessions"),
				 errhint("Name a table that this session can read.")));
	check_readable(facts->oid, form);
	facts->schema = get_namespace_name(form->relnamespace);
	if (facts->schema == NULL)	/* nothing is locked: both were dropped meanwhile */
	{
		ReleaseSysCache(tuple);
		facts->oid = InvalidOid;
		return;
	}
	facts->name = pstrdup(NameStr(form->relname));
	facts->kind = form->relkind;
	facts->rows = form->reltuples;
	facts->schema = pg_server_to_any(facts->schema, strlen(facts->schema), PG_UTF8);
	facts->name = pg_server_to_any(facts->name, strlen(facts->name), PG_UTF8);
	ReleaseSysCache(tuple);
}

static PyObject *
module_relation(PyObject *self, PyObject *args)
{
	RelationFacts facts = {0};

	if (!PyArg_ParseTuple(args, "s:relation", &facts.asked) || !host_guard(find_relation, &facts))
		return NULL;
	if (!OidIsValid(facts.oid))
		Py_RETURN_NONE;
	return Py_BuildValue("IssCd", facts.oid, facts.schema, facts.name, facts.kind, facts.rows);
}

/* ---- columns(oid) ---- */

typedef struct ColumnFacts
{
	char	   *name;
	char	   *type;
	const char *kind;
	bool		readable;		/* by the caller */
} ColumnFacts;

typedef struct ColumnList
{
	Oid			relid;
	int			count;
	ColumnFacts *facts;
} ColumnList;

/* What a column may serve as. */
static const char *
column_kind(Oid type)
{
	static const char *const vectors[] = {
		[VECTOR_REAL_ARRAY] = "real[]", [VECTOR_DOUBLE_ARRAY] = "double precision[]",
		[VECTOR_PGVECTOR] = "vector", [VECTOR_HALFVEC] = "halfvec",
	};
	VectorKind	vector = host_vector_kind(type);
	VectorSetType set = host_vector_set_type(type);

	if (vector != VECTOR_NONE)
		return vectors[vector];
	if (set.kind != VECTOR_NONE)
		return set.kind == VECTOR_PGVECTOR ? "vector[]" : "halfvec[]";
	type = getBaseType(type);
	if (type == INT2OID || type == INT4OID || type == INT8OID)
		return "integer";
	if (type == TEXTOID || type == VARCHAROID || type == BPCHAROID || type == NAMEOID)
		return "text";
	return "other";
}

static void
find_columns(void *arg)
{
	ColumnList *list = arg;
	Relation	relation = relation_open(list->relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(relation);
	bool		readable = pg_class_aclcheck(list->relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;

	list->facts = palloc(Max(desc->natts, 1) * sizeof(ColumnFacts));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		ColumnFacts *fact = &list->facts[list->count];

		if (attribute->attisdropped)
			continue;
		fact->name = pstrdup(NameStr(attribute->attname));
		fact->name = pg_server_to_any(fact->name, strlen(fact->name), PG_UTF8);
		fact->type = format_type_with_typemod(attribute->atttypid, attribute->atttypmod);
		fact->kind = column_kind(attribute->atttypid);
		fact->readable = readable ||
			pg_attribute_aclcheck(list->relid, attribute->attnum, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
		list->count++;
	}
	relation_close(relation, NoLock);
}

static PyObject *
module_columns(PyObject *self, PyObject *args)
{
	ColumnList	columns = {0};
	PyObject   *list;

	if (!PyArg_ParseTuple(args, "I:columns", &columns.relid) || !host_guard(find_columns, &columns))
		return NULL;
	list = PyList_New(columns.count);
	for (int i = 0; list != NULL && i < columns.count; i++)
	{
		ColumnFacts *fact = &columns.facts[i];
		PyObject   *item = Py_BuildValue("sssO", fact->name, fact->type, fact->kind, fact->readable ? Py_True : Py_False);

		if (item == NULL)
			Py_CLEAR(list);
		else
			PyList_SET_ITEM(list, i, item);
	}
	return list;
}

/* ---- primary_key(oid) ---- */

typedef struct KeyFacts
{
	Oid			relid;
	char	   *name;			/* of the key's only column, or NULL */
} KeyFacts;

static void
find_primary_key(void *arg)
{
	KeyFacts   *key = arg;
	Relation	relation = relation_open(key->relid, AccessShareLock);
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(relation))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		if (index->indisprimary && index->indnkeyatts == 1)
		{
			key->name = get_attname(key->relid, index->indkey.values[0], false);
			key->name = pg_server_to_any(key->name, strlen(key->name), PG_UTF8);
		}
		ReleaseSysCache(tuple);
	}
	relation_close(relation, AccessShareLock);
}

static PyObject *
module_primary_key(PyObject *self, PyObject *args)
{
	KeyFacts	key = {0};

	if (!PyArg_ParseTuple(args, "I:primary_key", &key.relid) || !host_guard(find_primary_key, &key))
		return NULL;
	if (key.name == NULL)
		Py_RETURN_NONE;
	return PyUnicode_FromString(key.name);
}

/* ---- caller(), check_interrupts(), interrupted(), notice(), setting() ---- */

static PyObject *
module_caller(PyObject *self, PyObject *unused)
{
	return Py_BuildValue("II", MyDatabaseId, GetUserId());
}

static void
process_interrupts(void *unused)
{
	CHECK_FOR_INTERRUPTS();
}

static PyObject *
module_check_interrupts(PyObject *self, PyObject *unused)
{
	if ((INTERRUPTS_PENDING_CONDITION() || host_error_pending()) && !host_guard(process_interrupts, NULL))
		return NULL;
	Py_RETURN_NONE;
}

/* What ends a query, told without acting upon it, which could end the process. */
static PyObject *
module_interrupted(PyObject *self, PyObject *unused)
{
	bool		pending = QueryCancelPending || ProcDiePending;

#if PG_VERSION_NUM >= 170000
	pending = pending || TransactionTimeoutPending;
#endif
	return PyBool_FromLong(InterruptPending && pending && INTERRUPTS_CAN_BE_PROCESSED());
}

typedef struct Notice
{
	const char *message;		/* UTF-8, as are the others; these may be NULL */
	const char *detail;
	const char *hint;
	int			warning;
} Notice;

static const char *
optional_text(const char *utf8)
{
	return utf8 == NULL ? NULL : pg_any_to_server(utf8, strlen(utf8), PG_UTF8);
}

static void
send_notice(void *arg)
{
	Notice	   *notice = arg;
	const char *detail = optional_text(notice->detail);
	const char *hint = optional_text(notice->hint);

	ereport(notice->warning ? WARNING : NOTICE,
			(errmsg_internal("%s", optional_text(notice->message)),
			 detail ? errdetail_internal("%s", detail) : 0,
			 hint ? errhint("%s", hint) : 0));
}

static PyObject *
module_notice(PyObject *self, PyObject *args)
{
	Notice		notice = {0};

	if (!PyArg_ParseTuple(args, "s|zzp:notice", &notice.message, &notice.detail, &notice.hint, &notice.warning) ||
		!host_guard(send_notice, &notice))
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
module_setting(PyObject *self, PyObject *args)
{
	const char *name;

	if (!PyArg_ParseTuple(args, "s:setting", &name))
		return NULL;
	if (strcmp(name, "threads") == 0)
		return PyLong_FromLong(host_threads);
	if (strcmp(name, "max_memory") == 0)
		return PyLong_FromLongLong((long long) host_max_memory_kb * 1024);
	if (strcmp(name, "cache_size") == 0)
		return PyLong_FromLongLong((long long) host_cache_size_mb * 1024 * 1024);
	if (strcmp(name, "python") == 0)
		return PyUnicode_DecodeFSDefault(host_python_path);
	if (strcmp(name, "features") == 0)
		return PyUnicode_FromString(host_features);
	if (strcmp(name, "rerank_models") == 0)
		return PyUnicode_DecodeFSDefault(host_rerank_models);
	PyErr_Format(PyExc_KeyError, "no setting ruattn_fdw.%s", name);
	return NULL;
}

static PyObject *
module_give_back_memory(PyObject *self, PyObject *unused)
{
	host_give_back_memory();
	return Py_NewRef(Py_None);
}

/* ---- the module ---- */

static PyMethodDef methods[] = {
	{"relation", module_relation, METH_VARARGS,
	"relation(name) -> None | (oid, schema, name, relkind, reltuples), in the caller's search_path; checks privileges"},
	{"columns", module_columns, METH_VARARGS, "columns(oid) -> [(name, type_name, kind, whether the caller may read it)]"},
	{"primary_key", module_primary_key, METH_VARARGS, "primary_key(oid) -> name of its only column | None"},
	{"select", host_select, METH_VARARGS,
	"select(sql, kinds, label, args=(), explain=False) -> (columns, rows, skipped), under the caller's snapshot and privileges"},
	{"caller", module_caller, METH_NOARGS, "caller() -> (oid of the database, oid of the role in effect)"},
	{"source", host_source, METH_VARARGS,
	"source(oid, columns) -> (why no copy may be kept | None, only a SELECT tells which rows, identity, leaves, "
	"(oid, columns) of the table that a view shows | None, whether all columns may be read); checks privileges"},
	{"view_keys", host_view_keys, METH_VARARGS,
	"view_keys(view, vector_column) -> (tables, addresses, inserting transactions, provable, NULL vectors) of the rows shown"},
	{"snapshot", host_snapshot, METH_NOARGS, "snapshot() -> bytes: equal ones see the same rows; empty ones prove nothing"},
	{"heap_keys", host_heap_keys, METH_VARARGS,
	"heap_keys(leaves) -> (addresses, inserting transactions, provable) of the row versions that the snapshot sees"},
	{"fetch", host_fetch, METH_VARARGS,
	"fetch(leaves, addresses, names, kinds, label, follow) -> (0 unseen, 1 row, 2 NULL vector for each; columns)"},
	{"indexes", host_indexes, METH_VARARGS,
	"indexes(oid, vector_column, id_column) -> [(oid, name, attention_type, num_heads, head_dim, dtype, valid, usable, covering)]"},
	{"index_version", host_index_version_of, METH_VARARGS, "index_version(oid) -> (build, epoch, length, blocks, file)"},
	{"index_entries", host_index_entries_of, METH_VARARGS, "index_entries(oid, leaf, known) -> (places, addresses, nulls)"},
	{"index_seen", host_index_seen, METH_VARARGS,
	"index_seen(leaves, addresses, slots) -> (slots seen, entries seen without one, NULL vectors seen, entries looked up in the heap)"},
	{"all_visible", host_all_visible, METH_VARARGS,
	"all_visible(leaves, blocks) -> whether so many first blocks of each leaf are marked so in its visibility map"},
	{"lock", host_lock, METH_VARARGS, "lock(key, wait) -> taken; until unlock(key) or the end of the transaction"},
	{"unlock", host_unlock, METH_VARARGS, "unlock(key)"},
	{"check_interrupts", module_check_interrupts, METH_NOARGS, "raise PostgresError where a cancel is pending"},
	{"interrupted", module_interrupted, METH_NOARGS, "interrupted() -> whether check_interrupts() would end the query"},
	{"notice", module_notice, METH_VARARGS, "notice(message, detail=None, hint=None, warning=False)"},
	{"setting", module_setting, METH_VARARGS, "setting(name) -> value of ruattn_fdw.<name>; max_memory in bytes"},
	{"map_file", host_map_file, METH_VARARGS, "map_file(fd, size, writable) -> Mapping, shared with all who map the file"},
	{"crc32c", host_crc32c, METH_VARARGS, "crc32c(*buffers) -> int, of their bytes one after the other"},
	{"give_back_memory", module_give_back_memory, METH_NOARGS, "give back to the system what malloc keeps of freed memory"},
	{NULL, NULL, 0, NULL},
};

static PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "_ruattn_host",
	.m_doc = "The bundled host's side of ruattn_fdw, inside a PostgreSQL backend.",
	.m_size = -1,
	.m_methods = methods,
};

PyObject *
host_module_create(void)
{
	PyObject   *module = PyModule_Create(&definition);

	if (module == NULL || host_error_class() == NULL ||
		PyModule_AddStringConstant(module, "VERSION", RUATTN_VERSION) != 0 ||
		PyModule_AddStringConstant(module, "LIBRARIES", pkglib_path) != 0 ||
		PyModule_AddObjectRef(module, "PostgresError", host_error_class()) != 0)
	{
		Py_XDECREF(module);
		return NULL;
	}
	return module;
}
