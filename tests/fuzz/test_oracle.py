"""What the oracle finds wrong, and what is left of a query that fails."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from ruattn_fdw.kernels.registry import find

from ruattn_fdw.tables.mha_search import SEARCH
from tests.fuzz import forms, sharded
from tests.fuzz.grammar import Grammar
from tests.fuzz.oracle import Outcome, judge, judge_prefix, judge_shards
from tests.fuzz.pieces import NULL, Piece
from tests.fuzz.query import Clause, Query
from tests.fuzz.shrink import shrunk, smaller
from tests.fuzz.world import Relation

TESTS = Path(__file__).parents[1]


def clause(column: str, sql: str, form: forms.Form = forms.EQUALS) -> Clause:
    return Clause(column, "text", form, Piece(sql), Piece(""))


CLAUSES = (
    clause("table_name", "'documents'"),
    clause("query", "'{1}'"),
    clause("attention_type", "'cosine'"),
)
QUERY = Query(SEARCH, find("cosine"), CLAUSES)
NAMES = ("id", "score", "rank")
GOOD = [(1, 0.75, 1), (2, 0.25, 2)]


def test_a_good_answer_is_good() -> None:
    assert judge(QUERY, Outcome(NAMES, GOOD)) is None


def test_ranks_as_text_are_good() -> None:
    assert judge(QUERY, Outcome(NAMES, [(1, 0.75, "1"), (2, 0.25, "2")])) is None


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([], "empty"),
        ([(1, float("nan"), 1)], "check_numbers"),
        ([(1, 0.25, 1), (2, 0.75, 2)], "check_order"),
        ([(1, 0.75, 2), (2, 0.25, 3)], "check_ranks"),
        ([(1, 0.75, 1, "documents"), (2, 0.25, 2, "shown")], "check_shown"),
        ([(1, 0.75, 1), (2, 0.2, 2)], "check_sums"),
    ],
)
def test_what_is_wrong_is_found(rows: list[tuple[Any, ...]], kind: str) -> None:
    names = (*NAMES, "table_name")[: len(rows[0]) if rows else None]
    found = judge(QUERY, Outcome(names, rows))
    assert found is not None
    assert found.kind == kind


def test_k_limits_the_rows_to_the_first_ones() -> None:
    limited = replace(QUERY, clauses=(*CLAUSES, clause("k", "1")))
    assert judge(limited, Outcome(NAMES, GOOD)) is not None
    assert judge_prefix(limited, Outcome(NAMES, GOOD[:1]), Outcome(NAMES, GOOD)) is None
    assert judge_prefix(limited, Outcome(NAMES, GOOD[:1]), Outcome(NAMES, GOOD[1:])) is not None


def test_an_empty_answer_may_be_right() -> None:
    nothing = replace(QUERY, clauses=(*CLAUSES, replace(clause("k", ""), value=NULL)))
    assert judge(nothing, Outcome(NAMES, [])) is None


def test_a_clause_that_gives_no_parameter_must_be_refused() -> None:
    refused = replace(QUERY, clauses=(*CLAUSES, clause("k", "1", forms.BAD[0])))
    found = judge(refused, Outcome(NAMES, GOOD))
    assert found is not None
    assert found.kind == "accepted"


def test_the_smallest_query_that_fails_is_found() -> None:
    grammar = Grammar([Relation("documents")])
    queries = (grammar.query(Random(f"7:{number}")) for number in range(1000))
    failing = next(query for query in queries if len(query.clauses) > 4 and query.order and query.settings)
    last = failing.clauses[-1].column
    smallest = shrunk(failing, smaller, lambda query: last in {clause.column for clause in query.clauses})
    assert [clause.column for clause in smallest.clauses] == [last]
    assert (smallest.order, smallest.settings) == ("", ())


SHARDED = sharded.with_option(QUERY, "shards", ["s3", "s1", "s2"], empties=False)
WITH_LOGITS = ("id", "score", "logit")
THREE = [(1, 0.5, -1.0), (2, 0.25, -2.0), (3, 0.25, -2.0)]


def test_shards_are_compared_with_one_table() -> None:
    one = sharded.whole(SHARDED)
    assert one is not None
    assert one.core == f"{QUERY.core} AND t.\"options\" = '{{}}'"
    assert sharded.whole(sharded.with_option(QUERY, "shards", ["s1", "s2"], empties=True)) is None


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        (THREE, False),
        ([THREE[0], THREE[2], THREE[1]], False),
        ([(1, 0.5000001, -1.0), *THREE[1:]], False),
        ([(1, 0.50001, -1.0), *THREE[1:]], True),
        ([(9, 0.5, -1.0), *THREE[1:]], True),
        ([(1, 0.5, -1.1), *THREE[1:]], True),
        (THREE[:2], True),
        ([], True),
    ],
)
def test_an_answer_of_shards_is_that_of_one_table_but_for_ties(
    rows: list[tuple[Any, ...]], wrong: bool
) -> None:
    found = judge_shards(SHARDED, Outcome(WITH_LOGITS, rows), Outcome(WITH_LOGITS, THREE))
    assert (found is not None) == wrong


def test_an_answer_without_a_shard_that_is_gone_is_wrong() -> None:
    asked = sharded.with_option(QUERY, "shards", ["s1", "gone"], empties=True)
    found = judge(asked, Outcome(NAMES, GOOD))
    assert found is not None
    assert found.kind == "answered"


def test_the_smallest_query_of_shards_still_asks_them() -> None:
    grammar = Grammar([Relation("documents")], shards=True)
    queries = (grammar.query(Random(f"8:{number}")) for number in range(1000))
    failing = next(
        query
        for query in queries
        if sharded.whole(query) and query.options is None and len(query.clauses) > 4 and query.settings
    )
    smallest = shrunk(failing, smaller, lambda query: sharded.whole(query) is not None)
    assert [clause.column for clause in smallest.clauses] == ["options"]
    assert sharded.read(sharded.texts_of_options(smallest)[0]) == {"shards": sharded.asked_shards(failing)[0]}
    assert smallest.settings == ()


MADE = """
from random import Random
from tests.fuzz.grammar import Grammar
from tests.fuzz.world import ODD_NAMES, SOUND_NAMES, Relation
grammar = Grammar([Relation(name) for name in SOUND_NAMES + ODD_NAMES], shards=True)
print([grammar.query(Random(f"9:{number}")).statements() for number in range(600)])
"""


def test_a_seed_gives_the_same_queries_in_every_process() -> None:
    made = {
        subprocess.check_output(
            [sys.executable, "-c", f"import sys; sys.path.append({str(TESTS.parent)!r})\n{MADE}"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=TESTS,
        )
        for seed in ("1", "2")
    }
    assert len(made) == 1
