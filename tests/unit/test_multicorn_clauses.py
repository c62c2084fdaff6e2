"""Clauses as Multicorn2 hands them over."""

import pytest

from ruattn_fdw.contract import Qual
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.multicorn import clauses
from ruattn_fdw.tables.gat_search import GatSearch
from ruattn_fdw.tables.mha_search import SEARCH

GRAPH = GatSearch.declaration
ANY_OF = ("=", True)


def values(runs):
    return [{qual.field_name: qual.value for qual in run} for run in runs]


def test_lists_make_a_run_for_each_combination():
    found = clauses.runs(SEARCH, [Qual("k", ANY_OF, [1, 2, None, 1]), Qual("query_id", ANY_OF, ["3", "4"])])
    assert values(found) == [{"k": k, "query_id": query_id} for k in (1, 2) for query_id in ("3", "4")]


def test_results_are_left_to_the_server_and_of_two_quals_one_is_taken():
    found = clauses.runs(SEARCH, [Qual("score", ">", 1), Qual("k", "=", 3), Qual("k", "=", 4)])
    assert values(found) == [{"k": 3}]


@pytest.mark.parametrize("qual", [Qual("k", "=", None), Qual("k", ANY_OF, None), Qual("k", ANY_OF, [None])])
def test_null_is_equal_to_nothing(qual):
    assert clauses.runs(SEARCH, [qual]) == []


@pytest.mark.parametrize(
    ("operator", "value", "meant"),
    [("=", "t", True), ("=", "f", False), ("<>", "t", False), ("IS", "f", False), ("IS NOT", "t", False)],
)
def test_truth_values_in_every_form(operator, value, meant):
    assert values(clauses.runs(GRAPH, [Qual("self_loops", operator, value)])) == [{"self_loops": meant}]


@pytest.mark.parametrize("qual", [Qual("k", ">", 3), Qual("k", ("<>", False), [1]), Qual("k", ANY_OF, 3)])
def test_other_clauses_are_refused(qual):
    with pytest.raises(AttentionError, match='parameter "k" of mha_search can only be compared with "="'):
        clauses.runs(SEARCH, [qual])


def test_a_test_for_null_is_refused_when_the_query_is_planned():
    with pytest.raises(AttentionError, match='"k"'):
        clauses.constants(SEARCH, [Qual("k", "=", None)])


def test_what_is_not_evaluated_yet_is_unknown_to_explain():
    quals = [Qual("table_name", "=", "?"), Qual("k", "=", 0), Qual("num_heads", "=", 2)]
    [shown] = [values([clauses.shown(SEARCH, quals)])[0]]
    assert [getattr(shown[name], "text", shown[name]) for name in shown] == ["?", "?", 2]
