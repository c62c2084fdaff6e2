/*
 * index_ddl.c: ruvector_create_attention_index and ruvector_drop_attention_index:
 * CREATE INDEX and DROP INDEX with the caller's rights. The statement names every
 * object with its schema, so the search_path resolves the table's name only.
 */
#include "host.h"
#include "index.h"

#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/tablecmds.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(ruvector_create_attention_index);
PG_FUNCTION_INFO_V1(ruvector_drop_attention_index);

enum CreateArguments
{
	ARG_TABLE,
	ARG_COLUMN,
	ARG_ATTENTION_TYPE,
	ARG_NUM_HEADS,
	ARG_HEAD_DIM,
	ARG_DTYPE,
	ARG_INCLUDE,
	ARG_INDEX_NAME
};

static void
execute(const char *statement)
{
	if (SPI_connect() != SPI_OK_CONNECT || SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not execute: %s", statement);
	SPI_finish();
}

static char *
required_text(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be NULL", name),
				 errhint("Give its name.")));
	return text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static void
append_include(StringInfo statement, ArrayType *columns)
{
	Datum	   *names;
	bool	   *nulls;
	int			count;

	deconstruct_array(columns, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("include must not hold a NULL"),
					 errhint("Give the names of columns, or leave include out.")));
		appendStringInfo(statement, "%s%s", i == 0 ? " INCLUDE (" : ", ",
						 quote_identifier(TextDatumGetCString(names[i])));
	}
	if (count > 0)
		appendStringInfoChar(statement, ')');
}

static void
append_options(StringInfo statement, FunctionCallInfo fcinfo)
{
	static const struct
	{
		const char *name;
		int			number;
		bool		is_text;
	}			options[] = {
		{"attention_type", ARG_ATTENTION_TYPE, true}, {"num_heads", ARG_NUM_HEADS, false},
		{"head_dim", ARG_HEAD_DIM, false}, {"dtype", ARG_DTYPE, true},
	};
	const char *separator = " WITH (";

	for (int i = 0; i < lengthof(options); i++)
	{
		if (PG_ARGISNULL(options[i].number))
			continue;
		appendStringInfo(statement, "%s%s = ", separator, options[i].name);
		if (options[i].is_text)
			appendStringInfoString(statement, quote_literal_cstr(text_to_cstring(PG_GETARG_TEXT_PP(options[i].number))));
		else
			appendStringInfo(statement, "%d", PG_GETARG_INT32(options[i].number));
		separator = ", ";
	}
	if (separator[0] == ',')
		appendStringInfoChar(statement, ')');
}

/* Locked and checked as CREATE INDEX does it, so that its names stay what they are. */
static Oid
find_own_table(const char *table)
{
	RangeVar   *range = makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(table)));

	return RangeVarGetRelidExtended(range, ShareLock, 0, RangeVarCallbackOwnsRelation, NULL);
}

Datum
ruvector_create_attention_index(PG_FUNCTION_ARGS)
{
	char	   *table = required_text(fcinfo, ARG_TABLE, "table_name");
	char	   *column = required_text(fcinfo, ARG_COLUMN, "vector_column");
	Oid			heap = find_own_table(table);
	Oid			schema = get_rel_namespace(heap);
	char	   *name;
	StringInfoData statement;

	name = PG_ARGISNULL(ARG_INDEX_NAME) ? ChooseRelationName(get_rel_name(heap), column, "idx", schema, false)
		: text_to_cstring(PG_GETARG_TEXT_PP(ARG_INDEX_NAME));
	initStringInfo(&statement);
	appendStringInfo(&statement, "CREATE INDEX %s ON %s USING ruvector_attention (%s)", quote_identifier(name),
					 quote_qualified_identifier(get_namespace_name(schema), get_rel_name(heap)),
					 quote_identifier(column));
	if (!PG_ARGISNULL(ARG_INCLUDE))
		append_include(&statement, PG_GETARG_ARRAYTYPE_P(ARG_INCLUDE));
	append_options(&statement, fcinfo);
	execute(statement.data);
	PG_RETURN_OID(get_relname_relid(name, schema));
}

/* Of a partitioned index too, which has no handler. */
static bool
is_attention_index(Oid oid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(oid));
	bool		result = HeapTupleIsValid(tuple) &&
		((Form_pg_class) GETSTRUCT(tuple))->relam == get_index_am_oid("ruvector_attention", false);

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return result;
}

Datum
ruvector_drop_attention_index(PG_FUNCTION_ARGS)
{
	Oid			oid = PG_GETARG_OID(0);
	char	   *name = get_rel_name(oid);
	char	   *schema = get_namespace_name(get_rel_namespace(oid));

	if (name == NULL || schema == NULL || !is_attention_index(oid))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an index of access method ruvector_attention",
						name ? name : psprintf("%u", oid)),
				 errhint("The table attention_indexes lists those that there are.")));
	execute(psprintf("DROP INDEX %s", quote_qualified_identifier(schema, name)));
	PG_RETURN_VOID();
}
