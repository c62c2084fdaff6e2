"""gat where every key is a neighbour of the query; gatv2 is among the mechanisms of test_twins."""

from __future__ import annotations

import numpy as np
import pytest
from graph_twins import gat_over_keys
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import InvalidOption
from ruattn_fdw.kernels.graph.gat import KeyScorer, glorot
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.pairs import pair_logit
from ruattn_fdw.kernels.registry import find

GAT = find("gat")
SEEDED = {"init": "seeded", "seed": 3}


def sample(n, d=60, size=1.0):
    random = np.random.RandomState(n)
    query = random.standard_normal(d).astype(np.float32)
    return query, (size * random.standard_normal((n, d))).astype(np.float32)


@pytest.mark.parametrize("n", [1, 63, 500])
@pytest.mark.parametrize("heads", [1, 4, 60])
@pytest.mark.parametrize(("slope", "temperature"), [(0.2, 1.0), (0.0, 0.3), (1.0, 2.0)])
def test_the_weights_are_those_of_the_formula(n, heads, slope, temperature):
    query, keys = sample(n)
    expected = gat_over_keys(query, keys, glorot(60, heads, 3), slope, temperature)
    options = {**SEEDED, "negative_slope": slope}
    weights = attend(GAT, query, keys, num_heads=heads, temperature=temperature, options=options)
    np.testing.assert_allclose(weights.head_scores, expected.head_scores, rtol=2e-5)
    np.testing.assert_allclose(weights.logit, expected.logit, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(weights.lse, expected.lse, rtol=1e-7, atol=1e-7)


def test_the_logit_of_a_pair_is_that_of_a_search():
    query, keys = sample(1)
    expected = gat_over_keys(query, keys, glorot(60, 4, 3)).logit[0]
    assert pair_logit(GAT, query, keys[0], num_heads=4, options=SEEDED) == pytest.approx(expected, rel=1e-12)


def test_uniform_weights_make_the_mean_of_the_keys():
    query, keys = sample(63)
    [block] = outputs(Settings(GAT, 60, 4, options={"init": "uniform"}), query[None], keys, None)
    np.testing.assert_allclose(block.output[0], keys.mean(axis=0, dtype=np.float64), rtol=1e-4, atol=1e-6)


def test_seeded_outputs_are_made_of_projected_keys():
    query, keys = sample(63)
    weights = glorot(60, 4, 3)
    shares = gat_over_keys(query, keys, weights).head_scores
    expected = [shares[h] @ (keys.astype(np.float64) @ weights.projection[:, h]) for h in range(4)]
    [block] = outputs(Settings(GAT, 60, 4, options=SEEDED), query[None], keys, None)
    np.testing.assert_allclose(block.output[0], np.concatenate(expected), rtol=1e-5, atol=1e-6)


def test_a_search_without_weights_is_an_error():
    with pytest.raises(InvalidOption, match="gat needs trained weights, and none are given"):
        attend(GAT, *sample(3))


@pytest.mark.parametrize(("query_size", "key_size"), [(1, 1), (1e4, 1e-4), (1e-4, 1e4), (1e-21, 1e18)])
def test_float32_logits_are_off_by_no_more_than_the_bound(query_size, key_size):
    query, keys = sample(1000, size=key_size)
    slices = (query.astype(np.float64) * query_size).reshape(4, -1)
    logits = {}
    for dtype in (np.float32, np.float64):
        scorer = KeyScorer(slices, glorot(60, 4, 0), 0.2, 0.7, dtype)
        logits[dtype] = np.empty((4, 1000), dtype)
        scorer.logits(keys.astype(dtype), logits[dtype])
    error = np.abs(logits[np.float32] - logits[np.float64]).max(axis=0)
    assert (error <= scorer.rounding(keys)).all()


def test_all_queries_rank_the_keys_alike_where_slope_bends_nothing():
    _, keys = sample(63)
    queries = np.random.RandomState(1).standard_normal((20, 60)).astype(np.float32)
    logits = [attend(GAT, query, keys, options={**SEEDED, "negative_slope": 1.0}).logit for query in queries]
    assert len(np.unique(np.argsort(logits, axis=1), axis=0)) == 1


def test_values_are_projected_with_checkpoints():
    calls = []
    GAT.own_values(sample(5000)[1], 60, 4, {"init": "seeded", "seed": 0}, lambda: calls.append(1))
    assert len(calls) > 3
    assert GAT.own_values(sample(5)[1], 60, 4, {"init": "uniform", "seed": 0}, uninterrupted).shape == (5, 60)
