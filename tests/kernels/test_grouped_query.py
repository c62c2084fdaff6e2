"""Grouped-query attention."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import InvalidOption, InvalidShape
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.pairs import pair_logit
from ruattn_fdw.kernels.registry import find
from samples import assert_rounding_is_bounded
from test_golden import load
from twins import softmax_over_heads

GQA = find("grouped_query")


def sample(n=63, width=64, key_width=64, seed=0):
    random = np.random.RandomState(seed)
    return random.standard_normal(width).astype(np.float32), random.standard_normal((n, key_width)).astype(
        np.float32
    )


def twin(query, keys, heads, groups, temperature=1.0):
    query, keys = query.astype(np.float64), keys.astype(np.float64)
    d_h, each = len(query) // heads, heads // groups
    logits = []
    for head in range(heads):
        group = head * groups // heads
        if keys.shape[1] == groups * d_h:
            shared = keys[:, group * d_h : (group + 1) * d_h]
        else:
            members = range(group * each, (group + 1) * each)
            shared = np.mean([keys[:, h * d_h : (h + 1) * d_h] for h in members], axis=0)
        logits.append(shared @ query[head * d_h : (head + 1) * d_h] / np.sqrt(d_h) / temperature)
    return softmax_over_heads(logits)


@pytest.mark.parametrize(("n", "heads", "groups"), [(1, 8, 2), (63, 8, 1), (63, 4, 4), (500, 16, 4)])
@pytest.mark.parametrize("narrow", [True, False])
def test_it_agrees_with_its_twin(n, heads, groups, narrow):
    query, keys = sample(n, key_width=64 * groups // heads if narrow else 64)
    options = {"num_kv_heads": groups}
    weights = attend(GQA, query, keys, num_heads=heads, options=options, temperature=0.7)
    expected = twin(query, keys, heads, groups, 0.7)
    np.testing.assert_allclose(weights.head_scores, expected.head_scores, rtol=2e-5)
    np.testing.assert_allclose(weights.logit, expected.logit, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(weights.lse, expected.lse, rtol=1e-7)


def test_as_many_groups_as_heads_are_multi_head():
    query, keys = sample()
    mine = attend(GQA, query, keys, options={"num_kv_heads": 8})
    np.testing.assert_allclose(mine.score, attend(find("multi_head"), query, keys).score, rtol=1e-6)


@pytest.mark.parametrize("alias", ["mqa", "multi_query"])
def test_one_group_is_multi_query(alias):
    query, keys = sample(key_width=8)
    np.testing.assert_allclose(
        attend(find(alias), query, keys).score, twin(query, keys, 8, 1).score, rtol=1e-5
    )


@pytest.mark.parametrize(("heads", "groups"), [(8, 2), (6, 2), (3, 1), (1, 1)])
def test_two_groups_unless_the_heads_are_odd(heads, groups):
    query, keys = sample(width=48, key_width=48)
    weights = attend(GQA, query, keys, num_heads=heads)
    np.testing.assert_allclose(weights.score, twin(query, keys, heads, groups).score, rtol=1e-5)


@pytest.mark.parametrize("narrow", [True, False])
def test_heads_of_a_group_share_their_values(narrow):
    query, keys = sample(key_width=16 if narrow else 64)
    [block] = outputs(Settings(GQA, 64), query[None], keys, None)
    head_scores = attend(GQA, query, keys).head_scores.astype(np.float64)
    wide = keys.astype(np.float64)
    shared = wide.reshape(63, 2, 8) if narrow else wide.reshape(63, 2, 4, 8).mean(axis=2)
    expected = [head_scores[head] @ shared[:, head // 4] for head in range(8)]
    np.testing.assert_allclose(block.output[0], np.concatenate(expected), rtol=1e-5, atol=1e-6)


def test_the_logit_of_a_pair_is_the_mean_over_the_heads():
    query, keys = sample(1, key_width=16)
    assert pair_logit(GQA, query, keys[0]) == pytest.approx(twin(query, keys, 8, 2).logit[0], rel=1e-12)


def test_groups_that_do_not_divide_the_heads_are_refused():
    with pytest.raises(InvalidOption, match="num_kv_heads is 3, which does not divide num_heads, 8"):
        attend(GQA, *sample(), options={"num_kv_heads": 3})


def test_a_width_that_does_not_fit_names_those_that_do():
    with pytest.raises(InvalidShape, match="query has 64 dimensions, keys have 32") as caught:
        attend(GQA, *sample(key_width=32))
    assert caught.value.hint == "grouped_query takes keys of 64 or 16 dimensions here."


@pytest.mark.parametrize("size", [1e-10, 1, 1e10])
def test_the_bound_on_rounding_holds(size):
    query, keys = sample(500)
    query, keys = query / np.float32(size), keys * np.float32(size)
    slices, options = query.astype(np.float64).reshape(8, 8), {"num_kv_heads": 2}
    assert_rounding_is_bounded(lambda dtype: GQA.scorer(slices, 1.0, options, dtype), 8, keys)


def test_it_agrees_with_torch():
    golden = load("grouped_query")
    weights = attend(GQA, golden["query"], golden["keys"])
    np.testing.assert_allclose(weights.head_scores, golden["head_weights"], rtol=1e-5)
    np.testing.assert_allclose(
        twin(golden["query"], golden["keys"], 8, 2).head_scores, golden["head_weights"], atol=1e-15
    )
