/*
 * error.c: a Python exception becomes an ereport, a PostgreSQL error a Python
 * exception, and the same PostgreSQL error again on the way out.
 *
 * A PostgreSQL error caught under Python is not followed by a subtransaction
 * abort, so nothing may go on after it: it stays pending, every later call of
 * the module fails, and the host rethrows it even if Python swallowed it.
 */
#include "host.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

static ErrorData *pending_error = NULL;

/* what the last pending error lies in, since a transaction may meet any number of them */
static MemoryContext error_context = NULL;

/* What an exception says, copied out of Python. */
typedef struct Complaint
{
	char	   *message;
	char	   *detail;
	char	   *hint;
	char	   *sqlstate;
	char	   *traceback;
} Complaint;

static void
forget_pending(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		pending_error = NULL;
}

void
host_error_init(void)
{
	error_context = AllocSetContextCreate(TopMemoryContext, "ruattn pending error", ALLOCSET_SMALL_SIZES);
	RegisterXactCallback(forget_pending, NULL);
}

PyObject *
host_error_class(void)
{
	static PyObject *error_class = NULL;

	if (error_class == NULL)
		error_class = PyErr_NewException("_ruattn_host.PostgresError", NULL, NULL);
	return error_class;
}

bool
host_error_pending(void)
{
	return pending_error != NULL;
}

/* In a PG_CATCH block under Python: keep the error, set a Python exception. */
static void
capture(MemoryContext caller)
{
	MemoryContext fresh = AllocSetContextCreate(TopMemoryContext, "ruattn pending error", ALLOCSET_SMALL_SIZES);
	PyObject   *exception;

	MemoryContextSwitchTo(fresh);
	pending_error = CopyErrorData();
	FlushErrorState();
	MemoryContextSwitchTo(caller);
	/* an error thrown again still has the name of its source file in there */
	MemoryContextDelete(error_context);
	error_context = fresh;

	exception = PyObject_CallFunction(host_error_class(), "s",
									  pending_error->message ? pending_error->message : "");
	if (exception != NULL)
	{
		PyObject   *sqlstate = PyUnicode_FromString(unpack_sql_state(pending_error->sqlerrcode));
		const char *text = pending_error->context ? pending_error->context : "";
		PyObject   *context = PyUnicode_DecodeUTF8(text, strlen(text), "replace");

		if (sqlstate != NULL && context != NULL)
		{
			PyObject_SetAttrString(exception, "sqlstate", sqlstate);
			PyObject_SetAttrString(exception, "context", context);
		}
		Py_XDECREF(sqlstate);
		Py_XDECREF(context);
		PyErr_SetObject(host_error_class(), exception);
		Py_DECREF(exception);
	}
}

bool
host_guard(HostBody body, void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile bool ok = true;

	if (pending_error != NULL)
	{
		PyErr_SetString(host_error_class(), "an earlier PostgreSQL error is pending");
		return false;
	}
	PG_TRY();
	{
		body(arg);
	}
	PG_CATCH();
	{
		capture(caller);
		ok = false;
	}
	PG_END_TRY();
	return ok;
}

/* UTF-8 copy of str(object), never failing on its content; NULL for None. */
static char *
copy_text(PyObject *object)
{
	PyObject   *text;
	PyObject   *bytes = NULL;
	char	   *copy = NULL;

	if (object == NULL || object == Py_None)
	{
		PyErr_Clear();
		return NULL;
	}
	text = PyObject_Str(object);
	if (text != NULL)
		bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
	if (bytes != NULL)
		copy = pstrdup(PyBytes_AS_STRING(bytes));
	PyErr_Clear();
	Py_XDECREF(bytes);
	Py_XDECREF(text);
	return copy;
}

static char *
copy_attribute(PyObject *exception, const char *name)
{
	PyObject   *value = PyObject_GetAttrString(exception, name);
	char	   *copy = copy_text(value);

	Py_XDECREF(value);
	return copy;
}

static char *
copy_traceback(PyObject *type, PyObject *value, PyObject *trace)
{
	PyObject   *module = PyImport_ImportModule("traceback");
	PyObject   *lines = NULL;
	PyObject   *empty = PyUnicode_FromString("");
	PyObject   *joined = NULL;
	char	   *copy;

	if (module != NULL)
		lines = PyObject_CallMethod(module, "format_exception", "OOO", type, value, trace ? trace : Py_None);
	if (lines != NULL && empty != NULL)
		joined = PyUnicode_Join(empty, lines);
	copy = copy_text(joined);
	Py_XDECREF(joined);
	Py_XDECREF(empty);
	Py_XDECREF(lines);
	Py_XDECREF(module);
	return copy;
}

/* Take the current exception out of Python and describe it. */
static Complaint
take_exception(void)
{
	PyObject   *type;
	PyObject   *value;
	PyObject   *trace;
	Complaint	complaint = {0};

	PyErr_Fetch(&type, &value, &trace);
	PyErr_NormalizeException(&type, &value, &trace);
	if (value != NULL)
	{
		complaint.message = copy_text(value);
		complaint.sqlstate = copy_attribute(value, "sqlstate");
		complaint.detail = copy_attribute(value, "detail");
		complaint.hint = copy_attribute(value, "hint");
		if (complaint.sqlstate == NULL && PyErr_GivenExceptionMatches(value, PyExc_MemoryError))
		{
			complaint.sqlstate = pstrdup("53200");
			complaint.message = pstrdup("out of memory in an attention kernel");
		}
		if (complaint.sqlstate == NULL)
			complaint.traceback = copy_traceback(type, value, trace);
	}
	if (complaint.sqlstate == NULL && type != NULL)
	{
		const char *name = PyType_Check(type) ? ((PyTypeObject *) type)->tp_name : "exception";

		complaint.message = psprintf("attention handler failed with %s: %s", name,
									 complaint.message ? complaint.message : "");
	}
	Py_XDECREF(type);
	Py_XDECREF(value);
	Py_XDECREF(trace);
	return complaint;
}

static char *
to_server(char *utf8)
{
	return utf8 == NULL ? NULL : pg_any_to_server(utf8, strlen(utf8), PG_UTF8);
}

static int
sqlstate_code(const char *text)
{
	if (text == NULL || strlen(text) != 5)
		return ERRCODE_INTERNAL_ERROR;
	return MAKE_SQLSTATE(text[0], text[1], text[2], text[3], text[4]);
}

/*
 * What Python has put before the message of the PostgreSQL error that it
 * passes on, and then its context as Python has cut it; clears the exception.
 */
static void
take_prefix(ErrorData *error)
{
	PyObject   *type;
	PyObject   *value;
	PyObject   *trace;
	char	   *prefix = NULL;
	char	   *context;

	PyErr_Fetch(&type, &value, &trace);
	PyErr_NormalizeException(&type, &value, &trace);
	if (value != NULL && (prefix = copy_attribute(value, "prefix")) != NULL)
	{
		error->message = psprintf("%s%s", to_server(prefix), error->message);
		context = to_server(copy_attribute(value, "context"));
		error->context = context != NULL && *context != '\0' ? context : NULL;
	}
	Py_XDECREF(type);
	Py_XDECREF(value);
	Py_XDECREF(trace);
}

/* The current Python exception, or the pending PostgreSQL error, as an ERROR. */
void
host_raise(void)
{
	Complaint	complaint;

	if (pending_error != NULL)
	{
		ErrorData  *error = pending_error;

		pending_error = NULL;
		take_prefix(error);
		ReThrowError(error);
	}
	complaint = take_exception();
	complaint.message = to_server(complaint.message);
	complaint.detail = to_server(complaint.detail);
	complaint.hint = to_server(complaint.hint);
	complaint.traceback = to_server(complaint.traceback);
	ereport(ERROR,
			(errcode(sqlstate_code(complaint.sqlstate)),
			 errmsg_internal("%s", complaint.message ? complaint.message : "attention handler failed"),
			 complaint.detail ? errdetail_internal("%s", complaint.detail) : 0,
			 complaint.traceback ? errdetail_log("%s", complaint.traceback) : 0,
			 complaint.hint ? errhint("%s", complaint.hint) : 0));
}

/* The result of a call into Python, or an ERROR. */
PyObject *
host_checked(PyObject *result)
{
	if (result == NULL || pending_error != NULL)
	{
		Py_XDECREF(result);
		host_raise();
	}
	return result;
}

void
host_checked_status(int status)
{
	if (status != 0 || pending_error != NULL)
		host_raise();
}
