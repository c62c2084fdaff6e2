/*
 * import.c: IMPORT FOREIGN SCHEMA: the handler writes a foreign table for each
 * table that has a vector column.
 */
#include "host.h"

#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "nodes/parsenodes.h"

static const char *
list_type_name(ImportForeignSchemaType type)
{
	switch (type)
	{
		case FDW_IMPORT_SCHEMA_LIMIT_TO:
			return "limit to";
		case FDW_IMPORT_SCHEMA_EXCEPT:
			return "except";
		case FDW_IMPORT_SCHEMA_ALL:
			break;
	}
	return "all";
}

static PyObject *
named_tables(List *ranges)
{
	PyObject   *list = host_checked(PyList_New(0));
	ListCell   *cell;

	foreach(cell, ranges)
	{
		PyObject   *name = host_text_to_python(((RangeVar *) lfirst(cell))->relname);
		int			status = PyList_Append(list, name);

		Py_DECREF(name);
		host_checked_status(status);
	}
	return list;
}

static List *
statements(PyObject *texts)
{
	List	   *commands = NIL;

	for (Py_ssize_t i = 0; i < PyList_Size(texts); i++)
		commands = lappend(commands, host_text_from_python(PyList_GetItem(texts, i)));
	host_checked_status(PyErr_Occurred() ? -1 : 0);
	return commands;
}

List *
hostImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid)
{
	const HostBridge *bridge = host_bridge();
	PyObject   *args = host_checked(Py_BuildValue("(NNsNN)",
												  host_text_to_python(stmt->server_name),
												  host_text_to_python(stmt->remote_schema),
												  list_type_name(stmt->list_type),
												  named_tables(stmt->table_list),
												  host_options(stmt->options)));
	PyObject   *texts = PyObject_CallObject(bridge->import_schema, args);

	Py_DECREF(args);
	return statements(host_own(CurrentMemoryContext, texts));
}
