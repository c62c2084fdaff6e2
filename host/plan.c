/*
 * plan.c: from the clauses on a foreign table to its paths and its plan.
 *
 * A parameter that a clause can supply must be supplied: a plan that left it out
 * would run with the default and filter the shown value instead, which is another
 * question. So each parameterised path takes all parameters that join clauses
 * offer, and the unparameterised fallback only carries the error.
 */
#include "host.h"

#include "access/stratnum.h"
#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define FALLBACK_COST 1e30
#define MAX_OUTER_SETS 32

typedef struct HostPlan
{
	HostTable  *table;
	Bitmapset  *fixed;			/* attnos given by restriction clauses */
	bool		any;			/* one of them by = ANY */
	List	   *filters;		/* restriction clauses that PostgreSQL evaluates */
	double		rows;
	Cost		startup_cost;
	Cost		total_cost;
} HostPlan;

/* The column of `baserel` that an equivalence class must have, for the planner's callback. */
typedef struct MemberSearch
{
	Index		relid;
	AttrNumber	attno;
} MemberSearch;

/* ---- sizes ---- */

/* The value of a constant; Unknown for any other expression, or none. */
static PyObject *
planning_value(Node *value)
{
	Const	   *constant = (Const *) value;

	if (value != NULL && IsA(value, Const) && !constant->constisnull)
		return host_to_python(constant->constvalue, constant->consttype);
	return host_checked(PyObject_CallFunction(host_bridge()->unknown, "s", ""));
}

static void
set_planning_value(MemoryContext owner, PyObject *quals, Oid reloid, const ParameterQual *qual)
{
	char	   *parameter = get_attname(reloid, qual->attno, false);
	Node	   *coerced = host_coerce_value(qual->value, get_atttype(reloid, qual->attno), qual->any, parameter);
	PyObject   *name = host_own(owner, host_text_to_python(parameter));
	PyObject   *value = host_own(owner, planning_value(qual->any ? NULL : coerced));

	host_checked_status(PyDict_SetItem(quals, name, value));
}

static void
ask_estimate(MemoryContext owner, HostPlan *plan, PyObject *quals)
{
	PyObject   *answer = PyObject_CallFunctionObjArgs(host_bridge()->estimate, plan->table->handler, quals, NULL);

	host_own(owner, answer);
	if (!PyArg_ParseTuple(answer, "ddd", &plan->rows, &plan->startup_cost, &plan->total_cost))
		host_raise();
}

/* Split the restriction clauses: one for each parameter is its value, the rest are filters. */
static void
split_restrictions(PlannerInfo *root, RelOptInfo *baserel, Oid reloid, HostPlan *plan)
{
	MemoryContext owner = AllocSetContextCreate(CurrentMemoryContext, "ruattn estimate", ALLOCSET_SMALL_SIZES);
	PyObject   *quals = host_own(owner, PyDict_New());

	for (int any = 0; any <= 1; any++)
	{
		ListCell   *cell;

		foreach(cell, baserel->baserestrictinfo)
		{
			RestrictInfo *info = lfirst(cell);
			ParameterQual qual;

			if (!host_match_parameter(root, plan->table, baserel->relid, info->clause, &qual) ||
				qual.any != (any == 1))
				continue;
			if (bms_is_member(qual.attno, plan->fixed))
				plan->filters = lappend(plan->filters, info);
			else
			{
				plan->fixed = bms_add_member(plan->fixed, qual.attno);
				plan->any |= qual.any;
				set_planning_value(owner, quals, reloid, &qual);
			}
		}
	}
	ask_estimate(owner, plan, quals);
	MemoryContextDelete(owner);
}

static void
collect_filters(PlannerInfo *root, RelOptInfo *baserel, HostPlan *plan)
{
	ListCell   *cell;

	foreach(cell, baserel->baserestrictinfo)
	{
		RestrictInfo *info = lfirst(cell);
		ParameterQual qual;

		if (!host_match_parameter(root, plan->table, baserel->relid, info->clause, &qual))
			plan->filters = lappend(plan->filters, info);
	}
}

void
hostGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	HostPlan   *plan = palloc0(sizeof(HostPlan));

	plan->table = host_table(relid);
	split_restrictions(root, baserel, relid, plan);
	collect_filters(root, baserel, plan);
	set_baserel_size_estimates(root, baserel);
	baserel->tuples = plan->rows;
	baserel->rows = clamp_row_est(plan->rows * clauselist_selectivity(root, plan->filters, baserel->relid, JOIN_INNER, NULL));
	baserel->fdw_private = plan;
}

/* ---- clauses that no plan may carry ---- */

static void
reject_restrictions(PlannerInfo *root, RelOptInfo *baserel, Oid reloid, HostPlan *plan)
{
	ListCell   *cell;

	foreach(cell, baserel->baserestrictinfo)
	{
		RestrictInfo *info = lfirst(cell);
		ParameterQual qual;
		AttrNumber	attno;

		if (!host_match_parameter(root, plan->table, baserel->relid, info->clause, &qual) &&
			host_mentions_parameter(plan->table, baserel->relid, (Node *) info->clause, &attno))
			host_reject_clause(root, plan->table, baserel->relid, reloid, info->clause, attno);
	}
}

/* A member such as `k::numeric`, which the planner would only compare with the shown value. */
static bool
is_hidden_member(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *class, EquivalenceMember *member, void *arg)
{
	HostPlan   *plan = rel->fdw_private;
	AttrNumber *attno = arg;
	Node	   *node = (Node *) member->em_expr;

	if (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return !IsA(node, Var) && bms_equal(member->em_relids, rel->relids) &&
		host_mentions_parameter(plan->table, rel->relid, node, attno) && !bms_is_member(*attno, plan->fixed);
}

static void
reject_join_clauses(PlannerInfo *root, RelOptInfo *baserel, Oid reloid, HostPlan *plan)
{
	ListCell   *cell;
	List	   *hidden = NIL;
	AttrNumber	hidden_attno = 0;

	foreach(cell, baserel->joininfo)
	{
		RestrictInfo *info = lfirst(cell);
		ParameterQual qual;
		AttrNumber	attno;

		if (join_clause_is_movable_to(info, baserel) &&
			!host_match_parameter(root, plan->table, baserel->relid, info->clause, &qual) &&
			host_mentions_parameter(plan->table, baserel->relid, (Node *) info->clause, &attno) &&
			!bms_is_member(attno, plan->fixed))
			host_reject_clause(root, plan->table, baserel->relid, reloid, info->clause, attno);
	}
	if (baserel->has_eclass_joins)
		hidden = generate_implied_equalities_for_column(root, baserel, is_hidden_member, &hidden_attno,
														baserel->lateral_referencers);
	foreach(cell, hidden)
		host_reject_clause(root, plan->table, baserel->relid, reloid, lfirst_node(RestrictInfo, cell)->clause, hidden_attno);
}

/* ---- parameters from other relations ---- */

static bool
is_searched_member(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *class, EquivalenceMember *member, void *arg)
{
	MemberSearch *search = arg;
	Node	   *node = (Node *) member->em_expr;

	if (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return IsA(node, Var) && ((Var *) node)->varno == search->relid && ((Var *) node)->varattno == search->attno;
}

static List *
add_outer(List *alternatives, RelOptInfo *baserel, RestrictInfo *info)
{
	Relids		outer = bms_difference(info->clause_relids, baserel->relids);
	ListCell   *cell;

	if (bms_is_empty(outer))
		return alternatives;
	foreach(cell, alternatives)
		if (bms_equal(lfirst(cell), outer))
			return alternatives;
	return lappend(alternatives, outer);
}

/* The sets of relations, each of which can supply parameter `attno`. */
static List *
suppliers(PlannerInfo *root, RelOptInfo *baserel, HostPlan *plan, AttrNumber attno)
{
	List	   *alternatives = NIL;
	ListCell   *cell;
	MemberSearch search = {baserel->relid, attno};

	foreach(cell, baserel->joininfo)
	{
		RestrictInfo *info = lfirst(cell);
		ParameterQual qual;

		if (join_clause_is_movable_to(info, baserel) &&
			host_match_parameter(root, plan->table, baserel->relid, info->clause, &qual) && qual.attno == attno)
			alternatives = add_outer(alternatives, baserel, info);
	}
	if (baserel->has_eclass_joins)
		foreach(cell, generate_implied_equalities_for_column(root, baserel, is_searched_member, &search,
															 baserel->lateral_referencers))
			alternatives = add_outer(alternatives, baserel, lfirst(cell));
	return alternatives;
}

/* Each set of `sets` joined with each of `alternatives`, without repeats. */
static List *
combine(List *sets, List *alternatives)
{
	List	   *combined = NIL;
	ListCell   *set;
	ListCell   *alternative;

	foreach(set, sets)
		foreach(alternative, alternatives)
	{
		Relids		both = bms_union(lfirst(set), lfirst(alternative));
		ListCell   *known;
		bool		repeated = false;

		foreach(known, combined)
			repeated |= bms_equal(lfirst(known), both);
		if (!repeated && list_length(combined) < MAX_OUTER_SETS)
			combined = lappend(combined, both);
	}
	return combined;
}

/* ---- paths ---- */

static ForeignPath *
make_path(PlannerInfo *root, RelOptInfo *baserel, HostPlan *plan, Relids outer, List *pathkeys, bool fallback)
{
	Cost		startup = fallback ? FALLBACK_COST : plan->startup_cost;
	Cost		total = fallback ? FALLBACK_COST : plan->total_cost;

	return create_foreignscan_path(root, baserel, NULL, baserel->rows,
#if PG_VERSION_NUM >= 180000
								   fallback ? 1000000 : 0,
#endif
								   startup, total, pathkeys, outer, NULL,
#if PG_VERSION_NUM >= 170000
								   NIL,
#endif
								   NIL);
}

static bool
is_descending(PathKey *key)
{
#if PG_VERSION_NUM >= 180000
	return key->pk_cmptype == COMPARE_GT;
#else
	return key->pk_strategy == BTGreaterStrategyNumber;
#endif
}

/* True if `key` sorts by the column that `order` names, in its direction. */
static bool
is_sorted_by(PathKey *key, Index relid, const TableOrder *order)
{
	ListCell   *cell;

	if (is_descending(key) != order->descending || key->pk_eclass->ec_has_volatile)
		return false;
	foreach(cell, key->pk_eclass->ec_members)
	{
		EquivalenceMember *member = lfirst(cell);
		Var		   *var = (Var *) member->em_expr;

		if (IsA(var, Var) && var->varno == relid && var->varattno == order->attno)
			return true;
	}
	return false;
}

/* The query's first sort key, where rows come in that order by themselves. */
static List *
natural_pathkeys(PlannerInfo *root, RelOptInfo *baserel, HostPlan *plan)
{
	PathKey    *first;

	if (root->query_pathkeys == NIL || plan->any)
		return NIL;
	first = linitial(root->query_pathkeys);
	for (int i = 0; i < plan->table->norders; i++)
		if (is_sorted_by(first, baserel->relid, &plan->table->orders[i]))
			return list_make1(first);
	return NIL;
}

void
hostGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	HostPlan   *plan = baserel->fdw_private;
	Bitmapset  *given = bms_copy(plan->fixed);
	List	   *sets = list_make1(baserel->lateral_relids);
	bool		complete = true;
	bool		joined = false;
	ListCell   *cell;

	reject_restrictions(root, baserel, relid, plan);
	reject_join_clauses(root, baserel, relid, plan);
	for (AttrNumber attno = 1; attno <= plan->table->natts; attno++)
	{
		List	   *alternatives = NIL;

		if (plan->table->roles[attno - 1] == ROLE_PARAMETER && !bms_is_member(attno, plan->fixed))
			alternatives = suppliers(root, baserel, plan, attno);
		if (alternatives == NIL)
			continue;
		joined = true;
		given = bms_add_member(given, attno);
		sets = combine(sets, alternatives);
	}
	foreach(cell, plan->table->groups)
		complete &= bms_overlap(lfirst(cell), given);

	if (!complete || joined)
		add_path(baserel, (Path *) make_path(root, baserel, plan, baserel->lateral_relids, NIL, true));
	if (!complete)
		return;
	foreach(cell, sets)
		add_path(baserel, (Path *) make_path(root, baserel, plan, lfirst(cell),
											 joined ? NIL : natural_pathkeys(root, baserel, plan), false));
}

/* ---- plan ---- */

typedef struct PlanParts
{
	Bitmapset  *given;
	List	   *values;
	List	   *recheck;
	List	   *filters;
	List	   *attnos;
	List	   *any;
	List	   *texts;
} PlanParts;

static void
take_parameter(PlannerInfo *root, Oid reloid, PlanParts *parts, ParameterQual *qual, Expr *clause)
{
	Oid			type;
	int32		typmod;
	Oid			collation;
	Node	   *value;

	get_atttypetypmodcoll(reloid, qual->attno, &type, &typmod, &collation);
	value = host_coerce_value(qual->value, type, qual->any, get_attname(reloid, qual->attno, false));
	parts->given = bms_add_member(parts->given, qual->attno);
	parts->values = lappend(parts->values, value);
	parts->recheck = lappend(parts->recheck, clause);
	parts->attnos = lappend_int(parts->attnos, qual->attno);
	parts->any = lappend_int(parts->any, qual->any);
	parts->texts = lappend(parts->texts, makeString(IsA(value, Const) ? pstrdup("") : host_value_text(root, (Node *) qual->value)));
}

/* Equalities first, = ANY only for a parameter that has none. */
static void
split_clauses(PlannerInfo *root, RelOptInfo *baserel, Oid reloid, HostPlan *plan, List *clauses, PlanParts *parts)
{
	List	   *rest = NIL;

	for (int any = 0; any <= 1; any++)
	{
		ListCell   *cell;

		foreach(cell, clauses)
		{
			RestrictInfo *info = lfirst_node(RestrictInfo, cell);
			ParameterQual qual;
			bool		match;

			if (info->pseudoconstant)
				continue;
			match = host_match_parameter(root, plan->table, baserel->relid, info->clause, &qual);
			if (match && qual.any == (any == 1) && !bms_is_member(qual.attno, parts->given))
				take_parameter(root, reloid, parts, &qual, info->clause);
			else if ((match && qual.any == (any == 1)) || (!match && any == 1))
				rest = lappend(rest, info->clause);
		}
	}
	parts->filters = rest;
}

/* The parameters that a join clause could have supplied, had the path been another. */
static void
check_complete(PlannerInfo *root, RelOptInfo *baserel, Oid reloid, HostPlan *plan, PlanParts *parts)
{
	ListCell   *cell;

	foreach(cell, plan->table->groups)
		if (!bms_overlap(lfirst(cell), parts->given))
			host_missing_parameter(plan->table, reloid, lfirst(cell));
	for (AttrNumber attno = 1; attno <= plan->table->natts; attno++)
		if (plan->table->roles[attno - 1] == ROLE_PARAMETER && !bms_is_member(attno, parts->given) &&
			suppliers(root, baserel, plan, attno) != NIL)
			host_missing_parameter(plan->table, reloid, bms_make_singleton(attno));
}

static List *
wanted_columns(RelOptInfo *baserel, HostPlan *plan, PlanParts *parts)
{
	Bitmapset  *columns = NULL;
	List	   *attnos = NIL;
	bool		all;

	pull_varattnos((Node *) baserel->reltarget->exprs, baserel->relid, &columns);
	pull_varattnos((Node *) parts->filters, baserel->relid, &columns);
	pull_varattnos((Node *) parts->recheck, baserel->relid, &columns);
	all = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, columns);
	for (AttrNumber attno = 1; attno <= plan->table->natts; attno++)
		if (all || bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, columns))
			attnos = lappend_int(attnos, attno);
	return attnos;
}

ForeignScan *
hostGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid relid, ForeignPath *path,
				   List *tlist, List *scan_clauses, Plan *outer_plan)
{
	HostPlan   *plan = baserel->fdw_private;
	PlanParts	parts = {0};

	split_clauses(root, baserel, relid, plan, scan_clauses, &parts);
	check_complete(root, baserel, relid, plan, &parts);
	return make_foreignscan(tlist, parts.filters, baserel->relid, parts.values,
							list_make4(wanted_columns(baserel, plan, &parts), parts.attnos, parts.any, parts.texts),
							NIL, parts.recheck, outer_plan);
}
