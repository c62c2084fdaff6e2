/*
 * options.c: the FDW's validator: OPTIONS are checked when they are written,
 * by the declarations in Python.
 */
#include "host.h"

#include "access/reloptions.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"

PG_FUNCTION_INFO_V1(ruattn_fdw_validator);

static const char *
catalog_kind(Oid catalog)
{
	switch (catalog)
	{
		case ForeignDataWrapperRelationId:
			return "wrapper";
		case ForeignServerRelationId:
			return "server";
		case UserMappingRelationId:
			return "user mapping";
		case ForeignTableRelationId:
			return "foreign table";
		default:
			return "column";
	}
}

/* A dict of DefElems; of two with one name the later counts. */
PyObject *
host_options(List *options)
{
	PyObject   *dict = host_checked(PyDict_New());
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst(cell);
		PyObject   *value = host_text_to_python(defGetString(option));
		int			status = PyDict_SetItemString(dict, option->defname, value);

		Py_DECREF(value);
		host_checked_status(status);
	}
	return dict;
}

Datum
ruattn_fdw_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	const char *kind = catalog_kind(PG_GETARG_OID(1));
	const HostBridge *bridge;
	PyObject   *dict;
	PyObject   *kind_text;
	PyObject   *result;

	/* What the extension's own script creates needs no interpreter. */
	if (options == NIL && PG_GETARG_OID(1) != ForeignTableRelationId)
		PG_RETURN_VOID();
	bridge = host_bridge();
	dict = host_options(options);
	kind_text = host_text_to_python(kind);
	result = PyObject_CallFunctionObjArgs(bridge->validate, kind_text, dict, NULL);
	Py_DECREF(dict);
	Py_DECREF(kind_text);
	Py_DECREF(host_checked(result));
	PG_RETURN_VOID();
}
