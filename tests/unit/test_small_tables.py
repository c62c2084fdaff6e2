"""attention_score and attention_types, and the SQL functions over them."""

import json
import math

import numpy as np
import pytest
from ruattn_fdw.kernels import registry
from ruattn_fdw.kernels.mechanism import parse_options

from ruattn_fdw import bridge
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.tables.attention_types import TYPES

PAIR = {"query": "[1, 2]", "key": np.array([3.0, -1.0])}


def test_the_score_of_a_pair_is_its_logit(open_table, fetch):
    rows = fetch(open_table("attention_score"), PAIR, ["score", "logit", "num_heads", "query"])
    assert rows["score"] == rows["logit"] == [pytest.approx(1 / math.sqrt(2))]
    assert rows["num_heads"] == [1]
    assert rows["query"] == ["[1, 2]"]


def test_temperature_divides_the_logit_of_a_pair(open_table, fetch):
    rows = fetch(open_table("attention_score"), {**PAIR, "temperature": 0.5}, ["score"])
    assert rows["score"] == [pytest.approx(math.sqrt(2))]


def test_a_pair_of_unequal_length_is_refused(open_table, fetch):
    with pytest.raises(AttentionError, match="query has 2 dimensions, key has 3"):
        fetch(open_table("attention_score"), {"query": "[1,2]", "key": "[1,2,3]"}, ["score"])


def test_attention_types_is_the_registry(open_table, fetch):
    rows = fetch(open_table("attention_types"), {}, [column.name for column in TYPES.results])
    assert rows["name"] == [mechanism.name for mechanism in registry.MECHANISMS]
    assert all(rows["available"])
    for column in ("formula", "reference", "complexity", "best_for"):
        assert all(rows[column])


SOURCE = {"table_name": "documents"}
TABLE_QUALS = {
    "attention_score": {"query": "[0.1, 0.2]", "key": np.array([0.3, -0.1])},
    "mha_search": {**SOURCE, "query_id": 1, "k": 1},
    "attention": {**SOURCE, "query": np.full(16, 0.1)},
    "cross_attention": {"query_table": "documents", "document_table": "documents", "k": 1},
    "sliding_attention": {**SOURCE, "order_column": "id", "window_size": 50, "stride": 50},
}
OPTIONS = {
    "additive": {"init": "identity"},
    "gat": {"init": "uniform"},
    "sliced_wasserstein": {"token_dim": 1},
    "diffusion": {"max_rows": 1024},
}
QUERY_TABLE = {**SOURCE, "query_table": "documents"}
RESULTS = {"attention": "entropy", "sliding_attention": "position"}
ROWS = 50


@pytest.mark.parametrize("operation", TABLE_QUALS)
def test_every_mechanism_runs_in_every_table_that_it_names(host, open_table, fetch, operation):
    host.ids = host.ids[:ROWS]
    host.keys = host.keys[:ROWS] / 10  # points of the unit ball, for mechanisms that want these
    for mechanism in registry.MECHANISMS:
        if operation not in mechanism.operations:
            continue
        quals = TABLE_QUALS[operation] | {"attention_type": mechanism.name, "num_heads": 1}
        quals["options"] = json.dumps(OPTIONS.get(mechanism.name, {}))
        if mechanism.needs_order(parse_options(mechanism, OPTIONS.get(mechanism.name, {}))):
            quals["order_column"] = "id"
        expected = ROWS if operation in ("cross_attention", "sliding_attention") else 1
        if operation == "attention" and mechanism.weigh_batch is not None:
            quals = {name: value for name, value in quals.items() if name != "query"} | QUERY_TABLE
            expected = ROWS
        counted = RESULTS.get(operation, "score")
        rows = fetch(open_table(operation), quals, [counted])[counted]
        assert len(rows) == expected, mechanism.name


def test_the_scalar_function_agrees_with_the_table(host):
    score = bridge.function("ruvector_attention_score")("{1,2}", "[3,-1]", "scaled_dot")
    assert score == pytest.approx(1 / math.sqrt(2))


def test_a_mechanism_outside_of_the_features_is_refused_when_a_query_is_ready(host):
    score = bridge.function("ruvector_attention_score")
    pair = np.array([0.1, 0.2], np.float32), np.array([0.3, 0.4], np.float32)
    assert score(*pair, "poincare") == score(*pair, "poincare")
    host.settings["features"] = "attention, flash"
    with pytest.raises(AttentionError, match="switched off") as refused:
        score(*pair, "poincare")
    assert (refused.value.sqlstate, refused.value.detail) == (
        "0A000",
        "It belongs to the feature hyperbolic; ruattn_fdw.features is 'attention, flash'.",
    )


def test_the_functions_rows_are_those_of_attention_types(host):
    [(rows, columns)] = bridge.function("ruvector_attention_types")()
    assert columns[0] == [mechanism.name for mechanism in registry.MECHANISMS]
    assert (rows, len(columns)) == (len(registry.MECHANISMS), len(TYPES.results))
