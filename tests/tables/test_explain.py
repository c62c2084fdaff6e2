"""What EXPLAIN shows of a search: mechanism, source, parameters in effect, and with ANALYZE what was read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

pytestmark = pytest.mark.bundled

Connection = psycopg.Connection[Any]
Explain = Callable[..., list[dict[str, Any]]]

SEARCH = "SELECT id FROM mha_search s WHERE table_name = 'documents' AND {}"
KNOWN = SEARCH.format("query_id = 1 AND k = 3")
LABELS = ["Mechanism", "Source", "Source Rows", "Dtype", "Cache", "Projections", "Parameters"]
MEASURED = ["Check Time", "Read Time", "Kernel Time", "Emit Time"]


def parameters(nodes: list[dict[str, Any]]) -> str:
    (text,) = [node["Parameters"] for node in nodes if node["Node Type"] == "Foreign Scan"]
    assert isinstance(text, str)
    return text


def test_text_shows_a_line_for_each_figure(plan: Callable[..., str]) -> None:
    lines = [line.strip() for line in plan(KNOWN).splitlines()]
    assert lines[0] == "Foreign Scan on mha_search s"
    assert [line.split(":")[0] for line in lines[1:]] == LABELS
    assert "Mechanism: multi_head" in lines
    assert "Source: public.documents (id, embedding)" in lines
    assert "Source Rows: 12" in lines


def test_json_gives_numbers_as_numbers(explained: Explain) -> None:
    (scan,) = explained(KNOWN)
    assert [label for label in LABELS if label in scan] == LABELS
    assert scan["Source Rows"] == 12


@pytest.mark.parametrize("form", ["XML", "YAML"])
def test_the_other_formats_have_the_same_lines(documents: Connection, form: str) -> None:
    ((text,),) = documents.execute(f"EXPLAIN (FORMAT {form}) {KNOWN}".encode()).fetchall()
    assert "public.documents (id, embedding)" in text
    assert "k = 3" in text


@pytest.mark.parametrize(
    ("clauses", "shown"),
    [
        ("query = '[1,0,0,0,0,0,0,0]'", "query = 8 floats"),
        ("query = array_fill(1::real, '{384}')", "query = 384 floats"),
        ("query_id = 1 AND candidates = '{1,2,3}'", "candidates = 3 integers"),
        (
            "query_id = 1",
            "query_id = 1, id_column = id, vector_column = embedding, num_heads = 8, temperature = 1",
        ),
        ("query_id = 1 AND k = 1 + 2", "k = 3"),
        ("query_id = 1 AND k IN (1, 2)", "k = ANY (...)"),
        ("query_id = 1 AND k = NULL::int", None),
        ("query_id = length(version())", "query_id = length(version())"),
        ("query_id = (1 + random())::int", "query_id = (('1'::double precision + random()))::integer"),
    ],
)
def test_values_are_shown_short_and_expressions_as_they_are(
    explained: Explain, clauses: str, shown: str | None
) -> None:
    nodes = explained(SEARCH.format(clauses))
    if shown is None:
        assert nodes[0]["Node Type"] == "Result"
    else:
        assert shown in parameters(nodes)


def test_a_sub_select_is_shown_as_its_init_plan(explained: Explain) -> None:
    nodes = explained(SEARCH.format("query = (SELECT embedding FROM documents WHERE id = 3)"))
    (name,) = [node["Subplan Name"] for node in nodes if "Subplan Name" in node]
    assert name.startswith("InitPlan 1")
    assert f"query = ({name})" in parameters(nodes)


def test_a_column_of_another_table_is_shown_by_its_name(explained: Explain) -> None:
    clauses = "s.table_name = 'documents' AND s.query = d.embedding AND s.k = d.id{}"
    joined = parameters(
        explained(f"SELECT s.id FROM documents d, mha_search s WHERE {clauses.format(' + 1')}")
    )
    assert "query = d.embedding" in joined
    assert "k = (d.id + 1)" in joined
    search = f"SELECT * FROM mha_search s WHERE {clauses.format('')} LIMIT 2"
    lateral = parameters(explained(f"SELECT s.id FROM documents d, LATERAL ({search}) s"))
    assert "query = d.embedding" in lateral
    assert "k = d.id" in lateral


def test_a_parameter_of_a_generic_plan_is_shown_by_its_number(
    documents: Connection, plan: Callable[..., str]
) -> None:
    documents.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    documents.execute(
        (
            "PREPARE p (real[], int, text) AS " + SEARCH.format("query = $1 AND k = $2 AND id_column = $3")
        ).encode()
    )
    try:
        shown = plan("EXECUTE p('{1}', 2, 'id')")
        assert "query = $1" in shown
        assert "k = $2" in shown
        assert "Source: $3" in shown
    finally:
        documents.execute("DEALLOCATE p")


def test_it_does_not_read_the_table(
    documents: Connection, plan: Callable[..., str], failure: Callable[..., Any]
) -> None:
    documents.execute("CREATE VIEW broken AS SELECT id / (id - id) AS id, embedding FROM documents")
    query = "SELECT * FROM mha_search WHERE table_name = 'broken' AND query = '[1,0,0,0,0,0,0,0]'"
    assert "public.broken (id, embedding)" in plan(query)
    assert failure(query).sqlstate == "22012"


def test_analyze_counts_rows_and_nulls_and_times_each_phase(
    documents: Connection, explained: Explain
) -> None:
    documents.execute("INSERT INTO documents VALUES (100, 'nothing', NULL), (101, 'nothing', NULL)")
    (scan,) = explained(KNOWN, "ANALYZE, COSTS OFF")
    assert (scan["Rows Read"], scan["NULL Vectors Skipped"], scan["Actual Rows"]) == (12, 2, 3)
    assert all(0 <= scan[label] < 10000 for label in MEASURED)
    assert scan["Read Time"] > 0


def test_analyze_of_a_scan_that_never_ran_shows_no_figures(documents: Connection, explained: Explain) -> None:
    documents.execute("CREATE TABLE nobody (id int, embedding real[])")
    nodes = explained(
        "SELECT s.id FROM nobody d, mha_search s WHERE s.table_name = 'documents' AND s.query = d.embedding",
        "ANALYZE, COSTS OFF",
    )
    assert "Rows Read" not in nodes[-1]
    assert "Parameters" in nodes[-1]


def test_the_rescans_of_a_join_read_the_table_once(explained: Explain) -> None:
    nodes = explained(
        "SELECT s.id FROM documents d, mha_search s WHERE s.table_name = 'documents' AND s.query ="
        " d.embedding",
        "ANALYZE, COSTS OFF",
    )
    (scan,) = [node for node in nodes if node["Node Type"] == "Foreign Scan"]
    assert scan["Actual Loops"] == 12
    assert scan["Rows Read"] == 12


def test_tables_without_a_source_explain_too(plan: Callable[..., str]) -> None:
    assert "Foreign Scan on attention_types" in plan("SELECT name FROM attention_types")
    shown = plan("SELECT score FROM attention_score WHERE query = '[1,2]' AND key = '{1,2}'")
    assert "query = 2 floats, key = 2 floats" in shown
