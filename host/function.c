/*
 * function.c: the one C function behind all SQL functions written in Python:
 * it calls the Python function that is registered under its SQL name.
 */
#include "host.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(ruattn_fdw_call);

static PyObject *
call_arguments(FunctionCallInfo fcinfo)
{
	PyObject   *args = host_checked(PyTuple_New(PG_NARGS()));

	for (int i = 0; i < PG_NARGS(); i++)
	{
		PyObject   *value;

		if (PG_ARGISNULL(i))
			value = Py_NewRef(Py_None);
		else
			value = host_to_python(PG_GETARG_DATUM(i), get_fn_expr_argtype(fcinfo->flinfo, i));
		PyTuple_SET_ITEM(args, i, value);
	}
	return args;
}

static PyObject *
call_python(FunctionCallInfo fcinfo)
{
	const HostBridge *bridge = host_bridge();
	PyObject   *name = host_text_to_python(get_func_name(fcinfo->flinfo->fn_oid));
	PyObject   *args = call_arguments(fcinfo);
	PyObject   *result = PyObject_CallFunctionObjArgs(bridge->call, name, args, NULL);

	Py_DECREF(name);
	Py_DECREF(args);
	return host_checked(result);
}

static void
put_row(Tuplestorestate *store, TupleDesc desc, PyObject *row)
{
	Datum	   *values = palloc0(Max(desc->natts, 1) * sizeof(Datum));
	bool	   *nulls = palloc0(Max(desc->natts, 1) * sizeof(bool));

	if (!PyTuple_Check(row) || PyTuple_GET_SIZE(row) != desc->natts)
		elog(ERROR, "a function gave a row that is no tuple of %d values", desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		values[i] = host_from_python(PyTuple_GET_ITEM(row, i), attribute->atttypid, attribute->atttypmod, &nulls[i]);
	}
	tuplestore_putvalues(store, desc, values, nulls);
}

static void
put_rows(Tuplestorestate *store, TupleDesc desc, PyObject *rows)
{
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "ruattn function row", ALLOCSET_SMALL_SIZES);
	PyObject   *iterator = host_checked(PyObject_GetIter(rows));
	PyObject   *row;

	host_hold(row_context, iterator);
	Py_DECREF(iterator);
	while ((row = PyIter_Next(iterator)) != NULL)
	{
		MemoryContext one_row = AllocSetContextCreate(row_context, "ruattn one row", ALLOCSET_SMALL_SIZES);
		MemoryContext old = MemoryContextSwitchTo(one_row);

		host_hold(one_row, row);
		Py_DECREF(row);
		CHECK_FOR_INTERRUPTS();
		put_row(store, desc, row);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(one_row);
	}
	host_checked_status(PyErr_Occurred() ? -1 : 0);
	MemoryContextDelete(row_context);
}

static void
return_set(FunctionCallInfo fcinfo, PyObject *rows)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;
	TupleDesc	desc;

	if (info == NULL || !IsA(info, ReturnSetInfo) || (info->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a function that returns a set was called where no set can be accepted")));
	old = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		desc = info->expectedDesc;
	info->returnMode = SFRM_Materialize;
	info->setDesc = CreateTupleDescCopy(desc);
	info->setResult = tuplestore_begin_heap((info->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
	MemoryContextSwitchTo(old);
	put_rows(info->setResult, info->setDesc, rows);
}

Datum
ruattn_fdw_call(PG_FUNCTION_ARGS)
{
	PyObject   *result = call_python(fcinfo);
	Datum		value;

	host_hold(CurrentMemoryContext, result);
	Py_DECREF(result);
	if (fcinfo->flinfo->fn_retset)
	{
		return_set(fcinfo, result);
		PG_RETURN_NULL();
	}
	value = host_from_python(result, get_func_rettype(fcinfo->flinfo->fn_oid), -1, &fcinfo->isnull);
	return value;
}
