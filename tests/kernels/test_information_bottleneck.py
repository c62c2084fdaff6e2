"""Attention with a budget of information."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidOption, NumericOverflow, OutOfDomain
from ruattn_fdw.kernels.registry import find
from samples import sample
from scoring_twins import bottleneck, divergence, dots
from test_golden import load

BOTTLENECK = find("information_bottleneck")


def uniform(n):
    return np.full(n, 1 / n)


@pytest.mark.parametrize("rate", [0.01, 0.5, 2.0, 3.5])
@pytest.mark.parametrize("heads", [1, 5])
def test_it_agrees_with_its_twin(rate, heads):
    query, keys = sample()
    weights = attend(BOTTLENECK, query, keys, num_heads=heads, options={"rate": rate})
    expected = [bottleneck(logits, rate, uniform(63)) for logits in dots(query, keys, heads)]
    np.testing.assert_allclose(weights.head_scores, expected, rtol=1e-5, atol=1e-12)
    for head in weights.head_scores.astype(np.float64):
        assert divergence(head / head.sum(), uniform(63)) == pytest.approx(rate, abs=1e-6)


def test_the_default_rate_gives_a_perplexity_of_the_root_of_n():
    query, keys = sample(400)
    score = attend(BOTTLENECK, query, keys).score.astype(np.float64)
    entropy = -(score * np.log(np.maximum(score, 1e-300))).sum()
    assert exp(entropy) == pytest.approx(20, rel=1e-5)


@given(factor=st.floats(1e-3, 1e3), seed=st.integers(0, 2**31))
def test_the_scale_of_the_logits_makes_no_difference(factor, seed):
    query, keys = sample(seed=seed)
    before = attend(BOTTLENECK, query, keys)
    after = attend(BOTTLENECK, query * np.float32(factor), keys)
    np.testing.assert_allclose(after.score, before.score, rtol=1e-4, atol=1e-7)


def test_without_a_rate_it_is_the_prior():
    query, keys = sample()
    prior = np.arange(1.0, 64)
    weights = attend(BOTTLENECK, query, keys, options={"rate": 0, "prior": "p"}, columns={"prior": prior})
    np.testing.assert_allclose(weights.score, prior / prior.sum(), rtol=1e-5)


def test_a_rate_beyond_all_puts_all_weight_on_the_best():
    query, keys = sample()
    weights = attend(BOTTLENECK, query, keys, options={"rate": 100})
    assert weights.score.max() == 1
    assert weights.score.argmax() == (keys @ query).argmax()
    assert weights.notes["KL"] == pytest.approx(log(63), rel=1e-12)


def test_near_ties_of_large_logits_keep_the_rate():
    query = np.array([1, 1e-9], np.float32)
    keys = np.array([[1e6, place] for place in range(40)], np.float32)
    weights = attend(BOTTLENECK, query, keys, options={"rate": 1.5})
    assert divergence(weights.score.astype(np.float64), uniform(40)) == pytest.approx(1.5, abs=1e-5)


def test_huge_priors_do_not_overflow():
    settings = {"options": {"prior": "p"}, "columns": {"prior": np.full(63, 1e308)}}
    weights = attend(BOTTLENECK, *sample(), **settings)
    np.testing.assert_allclose(weights.score, attend(BOTTLENECK, *sample()).score, rtol=1e-6)


def test_equal_best_rows_share_and_cap_the_rate():
    query, keys = sample()
    best = (keys @ query).argmax()
    keys[(best + 5) % 63] = keys[best]
    weights = attend(BOTTLENECK, query, keys, options={"rate": 100})
    np.testing.assert_array_equal(np.sort(weights.score)[-3:], np.array([0, 0.5, 0.5], np.float32))
    assert weights.notes["KL"] == pytest.approx(log(63 / 2), rel=1e-12)


def test_beta_1_is_the_softmax():
    query, keys = sample()
    soft = attend(find("scaled_dot"), query, keys)
    np.testing.assert_allclose(
        attend(BOTTLENECK, query, keys, options={"beta": 1}).score, soft.score, rtol=1e-6
    )


def test_logit_and_lse_make_the_score():
    query, keys = sample()
    weights = attend(BOTTLENECK, query, keys)
    np.testing.assert_allclose(np.exp(weights.logit - weights.lse[0]), weights.score, rtol=1e-5)


def test_rows_without_prior_are_masked_out():
    query, keys = sample()
    prior = np.ones(63)
    prior[10:] = 0
    weights = attend(BOTTLENECK, query, keys, options={"prior": "p"}, columns={"prior": prior})
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(weights.logit)), np.arange(10))
    np.testing.assert_allclose(weights.score[:10], attend(BOTTLENECK, query, keys[:10]).score, rtol=1e-6)


def test_bad_priors_are_refused():
    query, keys = sample()
    prior = np.ones(63)
    prior[4] = -2
    with pytest.raises(OutOfDomain, match="has the prior -2") as caught:
        attend(BOTTLENECK, query, keys, options={"prior": "p"}, columns={"prior": prior})
    assert caught.value.row == 4
    with pytest.raises(InvalidOption, match="prior is 0 for every row"):
        attend(BOTTLENECK, query, keys, options={"prior": "p"}, columns={"prior": np.zeros(63)})
    with pytest.raises(InvalidOption, match="prior is 'p', but keys that are no table's have no columns"):
        attend(BOTTLENECK, query, keys, options={"prior": "p"})


def test_rate_and_beta_exclude_each_other():
    with pytest.raises(InvalidOption, match="rate is 1 and beta is 2"):
        attend(BOTTLENECK, *sample(), options={"rate": 1, "beta": 2})


def test_it_agrees_with_an_optimiser_and_with_the_perplexity_of_t_sne():
    golden = load("information_bottleneck")
    query, keys = golden["query"], golden["keys"]
    weights = attend(BOTTLENECK, query, keys, options={"beta": float(golden["beta"])})
    np.testing.assert_allclose(weights.score, golden["optimum"], atol=1e-6)
    perplexity = attend(BOTTLENECK, query, keys, options={"rate": log(63 / float(golden["perplexity"]))})
    np.testing.assert_allclose(perplexity.score, golden["weights"], atol=2e-6)


def test_a_beta_that_takes_logits_beyond_float32_is_an_error():
    query, keys = sample()
    with pytest.raises(NumericOverflow, match="the logit of query and row 0"):
        attend(BOTTLENECK, query, keys, options={"beta": 1e308})
