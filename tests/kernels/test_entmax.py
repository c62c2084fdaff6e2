"""Entmax."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.ranking import ranked
from ruattn_fdw.kernels.registry import find
from ruattn_fdw.kernels.scoring.entmax import entmax
from samples import sample
from scoring_twins import dots
from scoring_twins import entmax as twin
from test_golden import load


@pytest.mark.parametrize("alpha", [1.01, 1.5, 1.7, 2.0, 3.3, 4.0])
@pytest.mark.parametrize(("n", "heads"), [(1, 1), (63, 1), (63, 5), (500, 12)])
def test_it_agrees_with_its_twin(alpha, n, heads):
    query, keys = sample(n)
    weights = attend(find("entmax"), query, keys, num_heads=heads, options={"alpha": alpha})
    expected = [twin(logits, alpha) for logits in dots(query, keys, heads)]
    np.testing.assert_allclose(weights.head_scores, expected, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(weights.score, np.mean(expected, axis=0), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(weights.logit, np.mean(dots(query, keys, heads), axis=0), rtol=1e-5, atol=1e-6)


@given(seed=st.integers(0, 2**31), alpha=st.sampled_from([1.5, 2.0]), spread=st.floats(1e-3, 100))
def test_sorting_and_halving_find_the_same_threshold(seed, alpha, spread):
    logits = spread * np.random.RandomState(seed).standard_normal(200)
    exact = entmax(logits, alpha)
    np.testing.assert_allclose(exact.sum(), 1, rtol=1e-12)
    np.testing.assert_allclose(entmax(logits, alpha + 1e-12), exact, atol=1e-7)


@given(seed=st.integers(0, 2**31), alpha=st.floats(1, 4), shift=st.floats(-100, 100))
def test_a_constant_added_to_all_logits_changes_nothing(seed, alpha, shift):
    logits = np.random.RandomState(seed).standard_normal(50)
    np.testing.assert_allclose(entmax(logits + shift, alpha), entmax(logits, alpha), atol=1e-10)


def test_alpha_1_is_the_softmax():
    query, keys = sample()
    soft = attend(find("scaled_dot"), query, keys)
    weights = attend(find("entmax"), query, keys, options={"alpha": 1})
    np.testing.assert_allclose(weights.score, soft.score, rtol=1e-6)


@pytest.mark.parametrize("more", [1e-8, 1e-12, 2.0**-52])
def test_an_alpha_near_1_is_nearly_the_softmax(more):
    logits = 3 * np.random.RandomState(1).standard_normal(500)
    np.testing.assert_allclose(entmax(logits, 1 + more), entmax(logits, 1), rtol=1e-4)


def test_the_halvings_can_be_cancelled():
    calls = []
    attend(find("entmax"), *sample(), options={"alpha": 1.3}, checkpoint=lambda: calls.append(1))
    assert len(calls) > 50


def test_larger_alphas_leave_fewer_rows():
    query, keys = sample(500)
    counts = [
        int((attend(find("entmax"), query, keys, options={"alpha": alpha}).score > 0).sum())
        for alpha in (1.2, 1.5, 2.0, 4.0)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < counts[0] < 500


def test_rows_left_out_keep_their_logit_and_rank_by_it():
    query, keys = sample(500)
    weights = attend(find("sparsemax"), query, keys)
    assert not np.isnan(weights.logit).any()
    order = np.concatenate(list(ranked(weights, np.arange(500))))
    np.testing.assert_array_equal(order, np.argsort(-weights.logit, kind="stable"))


@pytest.mark.parametrize(("name", "alpha"), [("entmax15", 1.5), ("sparsemax", 2.0), ("bisect", 1.3)])
def test_it_agrees_with_the_authors_package(name, alpha):
    golden = load("entmax")
    weights = attend(find("entmax"), golden["query"], golden["keys"], options={"alpha": alpha})
    np.testing.assert_allclose(weights.score, golden[name], rtol=1e-5, atol=1e-8)
    [logits] = dots(golden["query"], golden["keys"])
    np.testing.assert_allclose(
        entmax(logits, alpha), golden[name], rtol=0, atol=1e-8 if name == "bisect" else 1e-15
    )
