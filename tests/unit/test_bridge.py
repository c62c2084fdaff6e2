"""What the host's C code relies on."""

import numpy as np
import pytest

from ruattn_fdw import bridge
from ruattn_fdw.errors import AttentionError

QUALS = {"table_name": "documents", "query": np.ones(16, np.float32)}


def test_a_table_describes_its_columns(host):
    columns = [("query", "attention_vector"), ("score", "real"), ("table_name", "text"), ("rank", "bigint")]
    roles, groups, order, hint = bridge.describe(bridge.open_table({"operation": "mha_search"}, columns))
    assert roles == [2, 1, 2, 1]
    assert groups == [[2], [0]]
    assert order == [(1, True), (3, False)]
    assert hint.startswith("For example: SELECT")


def test_what_an_option_fixes_need_not_come_from_the_query(host):
    options = {"operation": "mha_search", "table_name": "documents"}
    handler = bridge.open_table(options, [("id", "bigint"), ("query", "attention_vector")])
    assert bridge.describe(handler)[1] == [[1]]


def test_a_required_parameter_needs_a_column_or_an_option(host):
    with pytest.raises(AttentionError, match='needs the parameter "table_name"'):
        bridge.open_table({"operation": "mha_search"}, [("id", "bigint"), ("query", "attention_vector")])


def test_a_column_that_is_neither_result_nor_parameter_is_refused_where_there_is_no_source(host):
    with pytest.raises(AttentionError, match='column "scores" is neither') as caught:
        bridge.open_table({"operation": "attention_score"}, [("scores", "real")])
    assert 'Perhaps you meant "score".' in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "options", "sqlstate", "message"),
    [
        ("foreign table", {}, "HV00J", 'the option "operation" is missing'),
        ("foreign table", {"operation": "mha_serch"}, "HV00D", 'there is no operation "mha_serch"'),
        ("foreign table", {"operation": "mha_search", "kk": "1"}, "HV00D", 'invalid option "kk"'),
        ("foreign table", {"operation": "mha_search", "k": "0"}, "22023", "k must be between"),
        ("foreign table", {"operation": "os.system"}, "HV00D", "there is no operation"),
        (
            "foreign table",
            {"operation": "mha_search", "locked": "2"},
            "22023",
            "locked must be true or false",
        ),
        (
            "foreign table",
            {"operation": "mha_search", "attention_type": "cosinus"},
            "22023",
            "unknown attention mechanism 'cosinus'",
        ),
        (
            "foreign table",
            {"operation": "mha_search", "attention_type": "cosine", "options": '{"scale": 1}'},
            "22023",
            "cosine has no option 'scale'",
        ),
        (
            "foreign table",
            {"operation": "mha_search", "attention_type": "cosine", "temperature": "0.001"},
            "22023",
            "temperature is 0.001",
        ),
        (
            "foreign table",
            {"operation": "mha_search", "query": "{1}", "query_id": "7"},
            "22023",
            "query and query_id are both fixed",
        ),
        ("server", {"host": "x"}, "HV00D", 'invalid option "host"'),
        ("user mapping", {"password": "x"}, "HV00D", 'invalid option "password"'),
    ],
)
def test_options_are_validated(host, kind, options, sqlstate, message):
    with pytest.raises(AttentionError, match=message) as caught:
        bridge.validate(kind, options)
    assert caught.value.sqlstate == sqlstate
    assert caught.value.hint


def test_valid_options_pass():
    bridge.validate("foreign table", {"operation": "mha_search", "k": "3", "locked": "on"})
    bridge.validate(
        "foreign table", {"operation": "mha_search", "query_id": "not a number", "candidates": "{a}"}
    )
    bridge.validate("server", {})


def test_the_estimate_knows_k_and_the_relation(open_table):
    handler = open_table("mha_search")
    rows, startup, total = bridge.estimate(handler, {**QUALS, "k": 10})
    assert rows == 10
    assert 0 < startup < total
    assert bridge.estimate(handler, QUALS)[0] == 300
    assert bridge.estimate(handler, {**QUALS, "candidates": [1, 2]})[0] == 2


def test_the_estimate_grows_with_the_source(open_table, host):
    handler = open_table("mha_search")
    small = bridge.estimate(handler, {**QUALS, "k": 10})
    host.info = (100, "public", "documents", "r", 1e6)
    assert bridge.estimate(handler, {**QUALS, "k": 10})[1] > 100 * small[1]


def test_the_estimate_does_without_values(open_table):
    unknown = {name: bridge.Unknown("$1") for name in ("table_name", "query", "k", "candidates", "options")}
    assert bridge.estimate(open_table("mha_search"), unknown)[0] == 1000
    assert bridge.estimate(open_table("mha_search"), {"table_name": "missing"})[0] == 1000


def test_explain_shows_mechanism_source_and_parameters(open_table):
    lines = dict(bridge.explain(open_table("mha_search"), {**QUALS, "k": bridge.Unknown("$1")}))
    assert lines["Mechanism"] == "multi_head"
    assert lines["Source"] == "public.documents (id, embedding)"
    assert lines["Source Rows"] == 300
    assert (lines["Dtype"], lines["Projections"]) == ("float32", "identity")
    assert lines["Cache"] == "none (a relation of a test)"
    assert "query = 16 floats, " in lines["Parameters"]
    assert "num_heads = 8, k = $1, " in lines["Parameters"]


def test_explain_shows_expressions_where_names_are_not_known(open_table):
    quals = {"table_name": bridge.Unknown("d.tab"), "attention_type": bridge.Unknown("d.kind"), "query_id": 1}
    lines = dict(bridge.explain(open_table("mha_search"), quals))
    assert (lines["Mechanism"], lines["Source"]) == ("d.kind", "d.tab")


def test_explain_raises_what_the_query_would(open_table):
    with pytest.raises(AttentionError, match="bogus"):
        bridge.explain(open_table("mha_search"), {**QUALS, "options": '{"bogus": 1}'})


def test_the_report_adds_up_over_rescans(open_table, host):
    handler, memo = open_table("mha_search"), {}
    for _ in range(3):
        scan = bridge.start(handler, {**QUALS, "k": 1}, ["id"], memo)
        while scan.next():
            pass
    report = {label: (value, unit) for label, value, unit in scan.report()}
    assert report["Rows Read"] == (300, None)
    assert report["NULL Vectors Skipped"] == (0, None)
    assert report["Kernel Time"][0] > 0
    assert {unit for label, (_, unit) in report.items() if label.endswith("Time")} == {"ms"}


def test_preloading_needs_no_host():
    bridge.preload()
