"""One pass over all keys gives the rows that `attend` and `ranked` give."""

from __future__ import annotations

import numpy as np
import pytest
from approximate_cases import KINDS, exact_softmax, hard_keys, whole
from hypothesis import given, settings
from hypothesis import strategies as st
from ruattn_fdw.kernels import best
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.best import best_rows
from ruattn_fdw.kernels.errors import InvalidShape
from ruattn_fdw.kernels.keyset import KeySet
from ruattn_fdw.kernels.ranking import ranked
from ruattn_fdw.kernels.registry import find

D = 60


def query(seed=1, d=D):
    return np.random.RandomState(seed).standard_normal(d).astype(np.float32)


def assert_as_attend(vector, keys, k, ids=None, mechanism="multi_head", normaliser=None, **keywords):
    """Whether one pass was enough; if so its rows are those of `attend`, in order, with their numbers."""
    keys = keys if isinstance(keys, KeySet) else KeySet(keys)
    ids = np.arange(len(keys)) if ids is None else ids
    keywords = {"num_heads": 1, "normaliser": normaliser, **keywords}
    answer = best_rows(find(mechanism), vector, keys, ids, k, **keywords)
    if answer is None:
        return False
    expected = attend(find(mechanism), vector, keys, ids=ids, **keywords)
    rows = whole(ranked(expected, ids, k))
    head_scores, lse = exact_softmax(expected.exact(np.arange(len(keys))))
    if (answer.rows != rows).any():
        # with several heads the order hangs on the normalisers, of which either knows what float32 tells
        assert len(head_scores) > 1
        exact = head_scores.mean(axis=0)
        np.testing.assert_allclose(exact[answer.rows], exact[rows], rtol=1e-6)
        rows = answer.rows
    np.testing.assert_allclose(answer.logit, expected.logit[rows], rtol=1e-6)
    close = 1e-5 + 1e-7 * float(np.abs(lse).max())
    np.testing.assert_allclose(answer.score, expected.score[rows], 2 * close, 1e-37)
    assert (np.diff(answer.score) <= 0).all()
    if normaliser is None:
        np.testing.assert_allclose(answer.lse, lse, rtol=0, atol=close)
        np.testing.assert_allclose(answer.head_scores, head_scores[:, rows], close, 1e-37)
    return True


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("temperature", [0.05, 1.0, 1e3])
@pytest.mark.parametrize("n", [1, 63, 500])
def test_one_pass_is_enough_for_plain_keys(heads, temperature, n):
    for k in (1, 10):
        assert assert_as_attend(
            query(), hard_keys("normal", n, D), k, num_heads=heads, temperature=temperature
        )


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("temperature", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("kind", KINDS)
def test_hard_keys_are_ranked_as_attend_does_or_left_to_it(heads, temperature, kind):
    for k in (1, 10, 500):
        assert_as_attend(query(), hard_keys(kind, 500, D), k, num_heads=heads, temperature=temperature)


@pytest.mark.parametrize("mechanism", ["scaled_dot", "flash_v2", "cross", "multi_head"])
def test_every_softmax_of_dot_products_is_served(mechanism):
    assert assert_as_attend(query(), hard_keys("normal", 500, D), 10, mechanism=mechanism)


@st.composite
def problems(draw):
    n, heads, width = draw(st.integers(1, 900)), draw(st.sampled_from([1, 1, 2, 5])), draw(st.integers(1, 70))
    random = np.random.RandomState(draw(st.integers(0, 2**31)))
    keys = random.standard_normal((n, heads * width)) * 10.0 ** draw(st.integers(-3, 2))
    keys = keys[random.randint(0, n, n)] if draw(st.booleans()) else keys
    present = np.flatnonzero(random.uniform(size=n) < 0.7 + (np.arange(n) == 0))
    keyset = KeySet(keys.astype(np.float32), present if draw(st.booleans()) else None)
    return query(n, heads * width), keyset, draw(st.integers(1, 20)), heads, 10.0 ** draw(st.floats(-3, 3))


@given(problem=problems())
@settings(max_examples=200, deadline=None)
def test_any_answer_is_that_of_attend(problem):
    vector, keys, k, heads, temperature = problem
    ids = np.random.RandomState(k).permutation(len(keys))
    assert_as_attend(vector, keys, k, ids, num_heads=heads, temperature=temperature)


@pytest.mark.parametrize("heads", [1, 4])
def test_rows_that_are_not_present_do_not_count_whatever_they_hold(heads):
    keys = hard_keys("normal", 1000, D)
    present = np.flatnonzero(np.arange(1000) % 3)
    keys[::3] = np.nan
    assert assert_as_attend(query(), KeySet(keys, present), 10, num_heads=heads)


def closer_than_float32_can_tell():
    keys = hard_keys("normal", 1, D).astype(float)
    return (keys * (1 + 1e-7 * np.random.RandomState(0).standard_normal((10000, D)))).astype(np.float32)


def test_rows_closer_than_float32_can_tell_are_all_scored_exactly():
    assert assert_as_attend(query(), closer_than_float32_can_tell(), 10)


def test_without_the_bound_such_rows_are_lost(monkeypatch):
    keys = closer_than_float32_can_tell()
    monkeypatch.setattr(best._Search, "_off", lambda self, squares, rounding: np.zeros(np.shape(squares)))
    with pytest.raises(AssertionError):
        assert_as_attend(query(), keys, 10)


@pytest.mark.parametrize("heads", [1, 4])
def test_a_given_normaliser_makes_scores_those_of_a_larger_whole(heads):
    keys = hard_keys("normal", 500, D)
    assert assert_as_attend(query(), keys, 10, num_heads=heads, normaliser=np.full(heads, 9.0))


@pytest.mark.parametrize(
    ("keys", "keywords"),
    [
        (hard_keys("1e30", 500, D), {"temperature": 1e-12}),
        (hard_keys("normal", 500, D), {"temperature": 1e-6}),
        (hard_keys("normal", 500, D), {"normaliser": np.array([-200.0])}),
        (np.empty((0, D), np.float32), {}),
    ],
)
def test_what_one_pass_cannot_answer_is_left_to_attend(keys, keywords):
    assert best_rows(find("scaled_dot"), query(), KeySet(keys), np.arange(len(keys)), 10, **keywords) is None


def test_scores_that_vanish_are_left_to_attend():
    keys = np.outer(np.arange(500), query()).astype(np.float32)
    assert best_rows(find("scaled_dot"), query(), KeySet(keys), np.arange(len(keys)), 500) is None


def test_widths_must_go_together():
    with pytest.raises(InvalidShape):
        best_rows(find("scaled_dot"), query(), KeySet(np.ones((5, 7), np.float32)), np.arange(5), 10)


def test_it_can_be_stopped_between_parts(monkeypatch):
    monkeypatch.setattr("ruattn_fdw.kernels.sweep.BYTES_PER_CALL", 4 * D * 256)
    steps = []
    assert_as_attend(query(), hard_keys("normal", 1000, D), 10, checkpoint=lambda: steps.append(0))
    assert len(steps) > 4
