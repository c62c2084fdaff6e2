/*
 * quals.c: which clauses give a parameter its value, and what to say of those
 * that mention a parameter in another form.
 */
#include "host.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/explain.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteManip.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

/* Equalities on attention_vector that were found to be the extension's: pg_depend has no cache. */
static List *own_equalities = NIL;

static void
forget_equalities(Datum arg, int cache, uint32 hash)
{
	list_free(own_equalities);
	own_equalities = NIL;
}

static bool
is_own_equality(Oid operator, Oid function)
{
	static bool watching = false;
	MemoryContext before;
	char	   *name;

	if (list_member_oid(own_equalities, operator))
		return true;
	name = get_func_name(function); /* NULL: dropped meanwhile, with the operator */
	if (name == NULL || strncmp(name, "attention_vector_", strlen("attention_vector_")) != 0 ||
		!OidIsValid(getExtensionOfObject(OperatorRelationId, operator)))
		return false;
	if (!watching)
		CacheRegisterSyscacheCallback(OPEROID, forget_equalities, (Datum) 0);
	watching = true;
	before = MemoryContextSwitchTo(TopMemoryContext);
	own_equalities = lappend_oid(own_equalities, operator);
	MemoryContextSwitchTo(before);
	return true;
}

/* An equality of PostgreSQL's own, or one of ours on attention_vector; nobody else's "=". */
static bool
is_equality(Oid operator)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	bool		equality;
	Oid			function;
	Oid			namespace;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_operator) GETSTRUCT(tuple);
	equality = strcmp(NameStr(form->oprname), "=") == 0;
	namespace = form->oprnamespace;
	function = form->oprcode;
	ReleaseSysCache(tuple);
	return equality && (namespace == PG_CATALOG_NAMESPACE || is_own_equality(operator, function));
}

/* The parameter's column that `node` is, or 0. */
static AttrNumber
parameter_column(const HostTable *table, Index relid, Node *node)
{
	Var		   *var;

	if (IsA(node, RelabelType) && ((RelabelType *) node)->relabelformat == COERCE_IMPLICIT_CAST)
		node = (Node *) ((RelabelType *) node)->arg;
	if (!IsA(node, Var))
		return 0;
	var = (Var *) node;
	if (var->varno != relid || var->varlevelsup != 0 || var->varattno <= 0)
		return 0;
	return table->roles[var->varattno - 1] == ROLE_PARAMETER ? var->varattno : 0;
}

static bool
match_sides(PlannerInfo *root, const HostTable *table, Index relid, Node *column, Node *value, ParameterQual *qual)
{
	qual->attno = parameter_column(table, relid, column);
	qual->value = (Expr *) value;
	return qual->attno != 0 && !bms_is_member(relid, pull_varnos(root, value));
}

static bool
match_boolean(const HostTable *table, Index relid, Node *column, bool value, ParameterQual *qual)
{
	qual->attno = parameter_column(table, relid, column);
	qual->value = (Expr *) makeBoolConst(value, false);
	return qual->attno != 0;
}

/* parameter = value, value = parameter, parameter = ANY (array), or a boolean parameter by itself. */
bool
host_match_parameter(PlannerInfo *root, const HostTable *table, Index relid, Expr *clause, ParameterQual *qual)
{
	qual->any = false;
	if (IsA(clause, OpExpr))
	{
		OpExpr	   *op = (OpExpr *) clause;

		return list_length(op->args) == 2 && is_equality(op->opno) &&
			(match_sides(root, table, relid, linitial(op->args), lsecond(op->args), qual) ||
			 match_sides(root, table, relid, lsecond(op->args), linitial(op->args), qual));
	}
	if (IsA(clause, ScalarArrayOpExpr))
	{
		ScalarArrayOpExpr *op = (ScalarArrayOpExpr *) clause;

		qual->any = true;
		return op->useOr && is_equality(op->opno) &&
			match_sides(root, table, relid, linitial(op->args), lsecond(op->args), qual);
	}
	if (IsA(clause, Var))
		return match_boolean(table, relid, (Node *) clause, true, qual);
	if (IsA(clause, BoolExpr) && ((BoolExpr *) clause)->boolop == NOT_EXPR)
		return match_boolean(table, relid, linitial(((BoolExpr *) clause)->args), false, qual);
	return false;
}

/* True, with the first of them, if `clause` has a parameter's column in it. */
bool
host_mentions_parameter(const HostTable *table, Index relid, Node *clause, AttrNumber *attno)
{
	Bitmapset  *columns = NULL;
	int			member = -1;

	pull_varattnos(clause, relid, &columns);
	while ((member = bms_next_member(columns, member)) >= 0)
	{
		int			number = member + FirstLowInvalidHeapAttributeNumber;

		if (number > 0 && table->roles[number - 1] == ROLE_PARAMETER)
		{
			*attno = (AttrNumber) number;
			return true;
		}
	}
	return false;
}

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

/*
 * The value as the parameter's type wants it. Integers of any width go as they
 * are: Python checks the range and names both values.
 */
Node *
host_coerce_value(Expr *value, Oid type, bool any, const char *parameter)
{
	Oid			given = exprType((Node *) value);
	Oid			wanted = any ? get_array_type(type) : type;
	Oid			item = any ? get_element_type(given) : given;
	Node	   *coerced;

	if (!OidIsValid(wanted))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("parameter \"%s\" has type %s, of which there are no arrays", parameter, format_type_be(type)),
				 errhint("Give one value, or take the values from a join.")));
	if (getBaseType(given) == getBaseType(wanted) || (is_integer(type) && is_integer(item)))
		return (Node *) value;
	coerced = coerce_to_target_type(NULL, (Node *) value, given, wanted, -1,
									COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (coerced == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("parameter \"%s\" has type %s, the value has type %s", parameter,
						format_type_be(wanted), format_type_be(given)),
				 errhint("Cast the value to %s.", format_type_be(wanted))));
	return eval_const_expressions(NULL, coerced);
}

/* ---- texts ---- */

/* `InitPlan 1`, for a sub-select that this query level evaluates once. */
static char *
subselect_name(PlannerInfo *root, Node *value)
{
	ListCell   *cell;

	if (!IsA(value, Param) || ((Param *) value)->paramkind != PARAM_EXEC)
		return NULL;
	foreach(cell, root->init_plans)
	{
		SubPlan    *plan = lfirst(cell);

		if (list_member_int(plan->setParam, ((Param *) value)->paramid))
			return psprintf("(%s)", plan->plan_name);
	}
	return NULL;
}

static Node *
find_parameter_item(List *items, int id)
{
	ListCell   *cell;

	foreach(cell, items)
	{
		PlannerParamItem *item = lfirst(cell);

		if (item->paramId == id)
			return item->item;
	}
	return NULL;
}

/* The outer query's column behind a parameter of a LATERAL sub-query that stayed one. */
static Node *
outer_expression(PlannerInfo **root, Node *value)
{
	if (!IsA(value, Param) || ((Param *) value)->paramkind != PARAM_EXEC)
		return value;
	for (PlannerInfo *level = (*root)->parent_root; level != NULL; level = level->parent_root)
		for (int i = 1; i < level->simple_rel_array_size; i++)
		{
			RelOptInfo *rel = level->simple_rel_array[i];
			Node	   *item = rel ? find_parameter_item(rel->subplan_params, ((Param *) value)->paramid) : NULL;

			if (item != NULL)
			{
				*root = level;
				return item;
			}
		}
	return value;
}

/*
 * Executor parameters can only be resolved in a finished plan, which there is
 * none of yet (ruleutils.c would look for one): they print as $n.
 */
static Node *
printable(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, PlaceHolderVar))
		return printable((Node *) ((PlaceHolderVar *) node)->phexpr, context);
	if (IsA(node, Param))
	{
		Param	   *param = copyObject((Param *) node);

		param->paramkind = PARAM_EXTERN;
		return (Node *) param;
	}
	if (IsA(node, SubPlan) || IsA(node, AlternativeSubPlan))
		return (Node *) makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1, CStringGetTextDatum("(SubPlan)"), false, false);
	return expression_tree_mutator(node, printable, context);
}

/* How EXPLAIN shows a value that is not known before execution. */
char *
host_value_text(PlannerInfo *root, Node *value)
{
	char	   *name = subselect_name(root, value);
	PlannedStmt *statement;
	List	   *names;

	if (name != NULL)
		return name;
	value = outer_expression(&root, value);
	if (IsA(value, SubPlan) || IsA(value, AlternativeSubPlan))
		return pstrdup("(SubPlan)");
	value = printable(value, NULL);
	statement = makeNode(PlannedStmt);
	statement->rtable = root->parse->rtable;
	names = select_rtable_names_for_explain(statement->rtable, pull_varnos(root, value));
	return deparse_expression(value, deparse_context_for_plan_tree(statement, names), true, false);
}

/* The clause as SQL; only this table's columns may be in it. */
static char *
clause_text(Index relid, Oid reloid, Expr *clause)
{
	Node	   *copy = copyObject((Node *) clause);

	ChangeVarNodes(copy, relid, 1, 0);
	return deparse_expression(printable(copy, NULL), deparse_context_for(get_rel_name(reloid), reloid), false, false);
}

void
host_reject_clause(PlannerInfo *root, const HostTable *table, Index relid, Oid reloid, Expr *clause, AttrNumber attno)
{
	char	   *text = bms_membership(pull_varnos(root, (Node *) clause)) == BMS_SINGLETON ?
		clause_text(relid, reloid, clause) : NULL;

	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("parameter \"%s\" of %s can only be compared with \"=\"",
					get_attname(reloid, attno, false), get_rel_name(reloid)),
			 text ? errdetail("The clause is: %s", text) :
			 errdetail("A join clause compares it in another way."),
			 errhint("%s", table->hint)));
}

/* The names of a group of parameters: "query or query_id". */
static char *
group_names(Oid reloid, Bitmapset *group)
{
	StringInfoData names;
	int			member = -1;

	initStringInfo(&names);
	while ((member = bms_next_member(group, member)) >= 0)
		appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? " or " : "", get_attname(reloid, member, false));
	return names.data;
}

void
host_missing_parameter(const HostTable *table, Oid reloid, Bitmapset *group)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("%s needs a value for its parameter %s", get_rel_name(reloid), group_names(reloid, group)),
			 errdetail("A parameter is a column compared with \"=\" in WHERE, or in a join that allows it to be known first."),
			 errhint("%s Where the value comes from another table, write CROSS JOIN LATERAL.", table->hint)));
}
