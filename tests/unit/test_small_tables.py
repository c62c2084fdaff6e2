"""attention_score and attention_types, and the SQL functions over them."""

import math

import numpy as np
import pytest
from ruattn_fdw.kernels import registry

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


def test_every_mechanism_runs_in_every_table_that_it_names(open_table, fetch):
    quals = {"mha_search": {"table_name": "documents", "query_id": 1, "k": 1}, "attention_score": PAIR}
    for mechanism in registry.MECHANISMS:
        for operation in set(mechanism.operations) & set(quals):
            wanted = quals[operation] | {"attention_type": mechanism.name, "num_heads": 1}
            assert len(fetch(open_table(operation), wanted, ["score"])["score"]) == 1


def test_every_mechanism_that_pools_gives_output_and_normaliser(host):
    keys = np.random.RandomState(0).rand(5, 4).astype(np.float32)
    for mechanism in registry.MECHANISMS:
        if "attention_pool" in mechanism.operations:
            lse, output = bridge.pool(mechanism.name, keys[0], keys, keys)
            assert math.isfinite(lse)
            assert output.shape == (4,)


def test_the_scalar_function_agrees_with_the_table(host):
    score = bridge.function("ruvector_attention_score")("{1,2}", "[3,-1]", "scaled_dot")
    assert score == pytest.approx(1 / math.sqrt(2))


def test_the_functions_rows_are_those_of_attention_types(host):
    [(rows, columns)] = bridge.function("ruvector_attention_types")()
    assert columns[0] == [mechanism.name for mechanism in registry.MECHANISMS]
    assert (rows, len(columns)) == (len(registry.MECHANISMS), len(TYPES.results))


def test_the_diagnosis_reports_a_version_that_does_not_match(host):
    host.names = ["0.0.9"]
    [(_, columns)] = bridge.function("ruattn_diag")()
    items = {item: (value, ok, advice) for item, value, ok, advice in zip(*columns, strict=True)}
    assert items["extension"] == ("0.0.9", False, "Run: ALTER EXTENSION ruattn_fdw UPDATE")
    assert items["max_memory"] == ("1024 MB", True, None)
