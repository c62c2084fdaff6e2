"""Half of each bound is not enough: on keys made for it the answer is wrong then."""

from __future__ import annotations

import numpy as np
import pytest
from approximate_cases import Approximate, exact_softmax, whole
from ruattn_fdw.kernels.approximate.estimate import Bound, approximate_logits
from ruattn_fdw.kernels.approximate.normaliser import Normaliser
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.keyset import KeySet
from ruattn_fdw.kernels.ranking import ranked
from ruattn_fdw.kernels.registry import find

D, N = 64, 400
ONES = np.ones(D, np.float32)


@pytest.fixture
def halved(monkeypatch):
    """Bounds on what residuals add that are half of what they must be."""
    right = Bound.of_residuals
    return lambda: monkeypatch.setattr(Bound, "of_residuals", lambda self, rows: right(self, rows) / 2)


def steps(rows):
    """Keys (n, 2 D) with an int8 scale of 1: one element, which the query does not see, is 127."""
    keys = np.zeros((len(rows), 2 * D), np.float32)
    keys[:, 0], keys[:, D:] = 127, rows
    return keys


QUERY = np.concatenate([np.zeros(D), np.ones(D)]).astype(np.float32)


def hidden_best():
    """The best row loses nearly half a step in each dimension, the others next to nothing."""
    rows = np.zeros((N, D))
    rows[:, : D // 3] = 1
    rows[123] = 0.49
    return steps(rows)


def best(approximate, **keywords):
    answer = approximate.search(QUERY, 1, temperature=1e4, **keywords)
    return answer.rows[whole(ranked(answer.weights, np.arange(N)[answer.rows], 1))].tolist()


@pytest.mark.parametrize("heads", [1, 2])
def test_the_best_row_is_missed_with_half_of_the_bound(halved, heads):
    approximate = Approximate(hidden_best(), "int8")
    assert best(approximate, num_heads=heads) == [123]
    halved()
    assert best(approximate, num_heads=heads) != [123]


def one_sided():
    """All rows lose the same, which adds up in the normaliser, and all but the best weigh the same."""
    rows = np.full((N, D), 0.45)
    rows[7] += 2
    return steps(rows)


def off(approximate, temperature, **keywords):
    lse = approximate.search(QUERY, 1, temperature=temperature, **keywords).weights.lse
    keys = KeySet(approximate.keys, approximate.present)
    exact = attend(find("multi_head"), QUERY, keys, num_heads=1, temperature=temperature).lse
    return float(np.abs(lse - exact)[0])


def test_a_normaliser_is_off_by_too_much_with_half_of_the_bound(halved):
    approximate = Approximate(one_sided(), "int8")
    temperature = 0.45 * D / np.sqrt(2 * D) / 8e-6
    assert off(approximate, temperature, residuals=None) <= 5.1e-6
    halved()
    assert off(approximate, temperature, residuals=None) > 7e-6


def test_the_sum_of_residuals_makes_up_for_what_adds_up():
    approximate = Approximate(one_sided(), "int8")
    temperature = 0.45 * D / np.sqrt(2 * D) / 1e-3
    assert off(approximate, temperature) <= 1e-6
    assert approximate.read <= 2


def test_absent_rows_count_against_the_sum_of_residuals():
    rows = np.full((N, D), 0.45)
    rows[::100] = -0.45
    present = np.flatnonzero(np.arange(N) % 100)
    approximate = Approximate(steps(rows), "int8", present)
    scaled = QUERY.astype(float)[None] / (0.45 * D) * 1.1e-4
    bound = Bound(scaled, approximate.arrays)
    logits = approximate_logits(scaled, approximate.arrays, present, uninterrupted)
    sums = Normaliser(scaled, logits, bound, present, approximate.residuals, uninterrupted)
    exact = exact_softmax(scaled @ approximate.keys[present].T.astype(float))[1]
    error = np.abs(sums.state().lse - exact)
    assert 1e-6 < error <= sums.uncertainty() < 5e-6


def test_too_many_absent_rows_do_not_stand_in_the_way_of_reading_the_others():
    approximate = Approximate(one_sided(), "int8", np.flatnonzero(np.arange(N) % 10))
    temperature = 0.45 * D / np.sqrt(2 * D) / 1e-3
    assert off(approximate, temperature) <= 5.1e-6


def test_rows_with_exact_codes_are_told_apart_below_the_rounding_of_float32():
    random = np.random.RandomState(0)
    keys = np.repeat([[127.0, -127.0] * (D // 2)], N, axis=0)
    for row in keys:
        random.shuffle(row)
    approximate = Approximate(keys.astype(np.float32), "int8")
    assert not approximate.arrays["residual_largest"].any()
    approximate.assert_as_float32(1 + 1e-7 * random.uniform(size=D), 10, temperature=1e4)


def test_logits_too_small_for_float32_are_told_apart():
    random = np.random.RandomState(0)
    approximate = Approximate((1e-20 * random.uniform(size=(900, D))).astype(np.float32), "int8")
    approximate.assert_as_float32((1e-30 * random.uniform(size=D)).astype(np.float32), 10)
