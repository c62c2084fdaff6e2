"""The Multicorn contract: our module, and handlers driven as Multicorn drives them."""

import sys
from types import ModuleType

import pytest

from ruattn_fdw import contract
from ruattn_fdw.contract import ALL, ANY, ColumnDefinition, Qual, SortKey
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.tables.mha_search import SEARCH, MhaSearch


@pytest.fixture
def handler(host):
    definitions = {column.name: ColumnDefinition(column.name) for column in SEARCH.columns()}
    return MhaSearch({"operation": "mha_search"}, definitions)


def quals(**values):
    return [Qual(name, "=", value) for name, value in values.items()]


def test_where_multicorn_is_missing_ours_takes_its_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "multicorn", None)
    assert contract.resolve() is contract
    assert sys.modules["multicorn"] is contract


def test_an_unrelated_package_of_that_name_is_not_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "multicorn", ModuleType("multicorn"))
    assert contract.resolve() is contract


def test_the_servers_own_multicorn_is_used(monkeypatch):
    theirs = ModuleType("multicorn")
    theirs.ForeignDataWrapper = object
    monkeypatch.setitem(sys.modules, "multicorn", theirs)
    assert contract.resolve() is theirs


def test_rows_are_plain_values_that_echo_parameters_exactly(handler):
    given = quals(table_name="documents", query_id="42", k="2")
    rows = list(handler.execute(given, ["id", "score", "rank", "head_scores", "query_id", "k", "table_name"]))
    assert [row["id"] for row in rows] == [42, rows[1]["id"]]
    assert [type(rows[0][name]) for name in ("id", "score", "head_scores")] == [int, float, list]
    assert (rows[0]["query_id"], rows[0]["k"], rows[0]["table_name"]) == ("42", "2", "documents")


def test_the_size_is_that_of_the_answer_and_its_cost(handler):
    rows, width = handler.get_rel_size(quals(table_name="documents", query_id="1", k="7"), ["id"])
    assert rows == 7
    assert rows * width >= handler.cost(handler.arguments({"table_name": "documents", "k": 7})).total
    assert handler.get_rel_size(quals(table_name="documents"), ["id"])[0] == 300


def test_only_the_order_of_arrival_is_offered(handler):
    best_first = [SortKey("score", 2, True, True, None)]
    assert handler.can_sort(best_first) == best_first
    assert handler.can_sort([SortKey("score", 2, False, False, None)]) == []
    assert handler.can_sort([*best_first, SortKey("id", 1, False, False, None)]) == []


@pytest.mark.parametrize("qual", [Qual("k", ">", 3), Qual("k", ("=", True), [1, 2])])
def test_other_conditions_on_a_parameter_are_errors(handler, qual):
    with pytest.raises(AttentionError, match='parameter "k" takes = and a value only') as caught:
        list(handler.execute([*quals(table_name="documents", query_id=1), qual], ["id"]))
    assert caught.value.sqlstate == "0A000"


def test_conditions_on_results_are_left_to_the_server(handler):
    wanted = [*quals(table_name="documents", query_id=1, k=3), Qual("score", ">", 2)]
    assert len(list(handler.execute(wanted, ["id"]))) == 3


def test_explain_gives_text(handler):
    lines = handler.explain(quals(table_name="documents", query_id=1), ["id"])
    assert "Mechanism: multi_head" in lines


def test_list_quals_know_their_quantifier():
    assert Qual("a", ("=", True), [1]).list_any_or_all is ANY
    assert Qual("a", ("<>", False), [1]).list_any_or_all is ALL
    assert not Qual("a", "=", 1).is_list_operator
    assert repr(Qual("a", ("=", True), [1])) == "a = ANY [1]"
