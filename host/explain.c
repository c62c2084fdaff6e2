/*
 * explain.c: what EXPLAIN shows of a search, in every format.
 */
#include "host.h"

#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "foreign/fdwapi.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* The value of a parameter where the plan has it as a constant, else its expression. */
static PyObject *
shown_value(Node *value, bool any, const char *text)
{
	if (IsA(value, Const) && !any && !((Const *) value)->constisnull)
		return host_to_python(((Const *) value)->constvalue, ((Const *) value)->consttype);
	if (IsA(value, Const))
		text = ((Const *) value)->constisnull ? "NULL" : "ANY (...)";
	return host_checked(PyObject_CallFunction(host_bridge()->unknown, "N", host_text_to_python(text)));
}

static PyObject *
shown_quals(MemoryContext owner, ForeignScanState *node)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Oid			relid = RelationGetRelid(node->ss.ss_currentRelation);
	List	   *attnos = list_nth(plan->fdw_private, PRIVATE_PARAMETERS);
	List	   *any = list_nth(plan->fdw_private, PRIVATE_ANY);
	List	   *texts = list_nth(plan->fdw_private, PRIVATE_TEXTS);
	PyObject   *quals = host_own(owner, PyDict_New());

	for (int i = 0; i < list_length(attnos); i++)
	{
		PyObject   *name = host_own(owner, host_text_to_python(get_attname(relid, list_nth_int(attnos, i), false)));
		PyObject   *value = host_own(owner, shown_value(list_nth(plan->fdw_exprs, i), list_nth_int(any, i) != 0,
														strVal(list_nth(texts, i))));

		host_checked_status(PyDict_SetItem(quals, name, value));
	}
	return quals;
}

static void
show_line(PyObject *label, PyObject *value, PyObject *unit, ExplainState *es)
{
	char	   *name = host_text_from_python(label);
	char	   *unit_text = unit == NULL || unit == Py_None ? NULL : host_text_from_python(unit);

	if (PyLong_Check(value))
		ExplainPropertyInteger(name, unit_text, PyLong_AsLongLong(value), es);
	else if (PyFloat_Check(value))
		ExplainPropertyFloat(name, unit_text, PyFloat_AsDouble(value), 3, es);
	else
		ExplainPropertyText(name, host_take_text(PyObject_Str(value)), es);
}

static void
show_lines(MemoryContext owner, PyObject *lines, ExplainState *es)
{
	host_own(owner, lines);
	for (Py_ssize_t i = 0; i < PyList_Size(lines); i++)
	{
		PyObject   *label;
		PyObject   *value;
		PyObject   *unit = NULL;

		if (!PyArg_ParseTuple(PyList_GetItem(lines, i), "UO|O", &label, &value, &unit))
			host_raise();
		show_line(label, value, unit, es);
	}
	host_checked_status(PyErr_Occurred() ? -1 : 0);
}

void
hostExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	HostScan   *scan = node->fdw_state;
	HostTable  *table = host_table(RelationGetRelid(node->ss.ss_currentRelation));
	MemoryContext owner = AllocSetContextCreate(CurrentMemoryContext, "ruattn explain", ALLOCSET_SMALL_SIZES);
	PyObject   *quals = shown_quals(owner, node);
	PyObject   *verbose = es->verbose ? Py_True : Py_False;

	show_lines(owner, PyObject_CallFunctionObjArgs(host_bridge()->explain, table->handler, quals, verbose, NULL), es);
	if (es->analyze && host_scan_python(scan) != NULL)
		show_lines(owner, PyObject_CallMethod(host_scan_python(scan), "report", NULL), es);
	MemoryContextDelete(owner);
}
