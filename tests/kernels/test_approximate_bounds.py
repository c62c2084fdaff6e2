"""Half of each bound is not enough: on keys made for it the answer is wrong then."""

from __future__ import annotations

import numpy as np
import pytest
from approximate_cases import Approximate, exact_softmax, written
from ruattn_fdw.kernels.approximate.codes import levels
from ruattn_fdw.kernels.approximate.estimate import Bound
from ruattn_fdw.kernels.approximate.proof import Proof
from ruattn_fdw.kernels.arrays import uninterrupted

D, N, HIDDEN = 64, 2000, 1234
ONES = np.ones(D, np.float32)


@pytest.fixture
def halved(monkeypatch):
    """Bounds that are half of what they must be."""

    def halve(name):
        right = getattr(Bound, name)
        monkeypatch.setattr(Bound, name, lambda self, *given: right(self, *given) / 2)

    right = Bound.__init__

    def init(self, *given):
        right(self, *given)
        self.factors = self.factors / np.float32(2)

    def all_of_them():
        halve("of_residual")
        monkeypatch.setattr(Bound, "__init__", init)

    return all_of_them


def steps(rows):
    """Keys (n, 2 D) with an int8 scale of 1: one element, which the query does not see, is 127."""
    keys = np.zeros((len(rows), 2 * D), np.float32)
    keys[:, 0], keys[:, D:] = 127, rows
    return keys


QUERY = np.concatenate([np.zeros(D), np.ones(D)]).astype(np.float32)


def hidden_best():
    """The best row loses nearly half a step in each dimension, the others nothing; 100 of them are good."""
    rows = np.zeros((N, D))
    rows[:100, : D // 3] = 1
    rows[HIDDEN] = 0.49
    return steps(rows)


def best(approximate, **keywords):
    return approximate.search(QUERY, 1, temperature=1e3, **keywords).rows.tolist()


@pytest.fixture
def finest_only(monkeypatch):
    """Searches that do without a sketch."""
    monkeypatch.setattr("approximate_cases.levels", lambda *given: levels(*given)[-1:])


@pytest.mark.usefixtures("finest_only")
@pytest.mark.parametrize("heads", [1, 2])
def test_the_best_row_is_missed_with_half_of_the_bound(halved, heads):
    approximate = Approximate(hidden_best(), "int8")
    assert best(approximate, num_heads=heads) == [HIDDEN]
    halved()
    assert best(approximate, num_heads=heads) != [HIDDEN]


def hidden_by_the_sketch():
    """The best row loses nearly half a step of the sketch in each dimension, the others nothing there."""
    rows = np.full((N, D), 7.5)
    rows[:100, : D // 3] += 16
    rows[HIDDEN] = 7.5 + 7.9
    keys = steps(rows)
    # what the query does not see is not to make residuals longer
    keys[:, 1:D] = 7.5
    return keys


@pytest.mark.parametrize("heads", [1, 2])
def test_the_best_row_is_missed_with_half_of_the_bound_of_a_sketch(halved, heads):
    approximate = Approximate(hidden_by_the_sketch(), "int8")
    assert best(approximate, num_heads=heads) == [HIDDEN]
    assert approximate.read < 500
    halved()
    assert best(approximate, num_heads=heads) != [HIDDEN]


def one_sided():
    """All rows lose the same, which adds up in the normaliser, and all but the best weigh the same."""
    rows = np.full((N, D), 0.45)
    rows[7] += 2
    return steps(rows)


def off(approximate, divisor, *, residuals=True):
    """How far the normaliser is off for the sum of a key's last elements over a divisor, and its bound."""
    scaled = QUERY.astype(float)[None] / divisor
    finest = levels(approximate.arrays, approximate.residuals if residuals else None)[-1]
    proof = Proof(
        Bound(scaled, finest), None, approximate.present, closely=True, threads=1, checkpoint=uninterrupted
    )
    keys = approximate.keys if approximate.present is None else approximate.keys[approximate.present]
    with np.errstate(all="ignore"):
        softmax = proof.softmax()
    return np.abs(softmax.state.lse - exact_softmax(scaled @ keys.T.astype(float))[1])[0], softmax.off[0]


@pytest.mark.parametrize("divisor", [0.45 * D / 0.3, 0.45 * D / 0.1, 0.45 * D / 1e-3])
def test_a_normaliser_is_within_its_bound_and_beyond_half_of_it(halved, divisor):
    approximate = Approximate(one_sided(), "int8")
    error, bound = off(approximate, divisor, residuals=False)
    assert error <= bound < 2.5 * error
    halved()
    error, bound = off(approximate, divisor, residuals=False)
    assert error > bound


def test_the_sum_of_residuals_makes_up_for_what_adds_up():
    error, bound = off(Approximate(one_sided(), "int8"), 0.45 * D / 1e-3)
    assert error < 1e-6
    assert bound < 5e-5


def test_absent_rows_count_against_the_sum_of_residuals():
    rows = np.full((N, D), 0.45)
    rows[::100] = -0.45
    approximate = Approximate(steps(rows), "int8", np.flatnonzero(np.arange(N) % 100))
    error, bound = off(approximate, 0.45 * D / 1e-2)
    assert 1e-5 < error <= bound < 1e-3


def test_rows_that_are_not_in_the_sum_of_residuals_count_in_full():
    approximate = Approximate(one_sided(), "int8")
    approximate.residuals = written(approximate.keys[: N // 2], "int8")[1]
    error, bound = off(approximate, 0.45 * D / 1e-2)
    assert 1e-3 < error <= bound < 1e-2


def test_rows_with_exact_codes_are_told_apart_below_the_rounding_of_float32():
    random = np.random.RandomState(0)
    keys = np.repeat([[127.0, -127.0] * (D // 2)], N, axis=0)
    keys[500:] = -127
    for row in keys[:500]:
        random.shuffle(row)
    approximate = Approximate(keys.astype(np.float32), "int8")
    assert not approximate.arrays["residual_largest"].any()
    approximate.assert_as_float32(1 + 1e-7 * random.uniform(size=D), 10, temperature=1e4)


def test_logits_too_small_for_float32_are_told_apart():
    random = np.random.RandomState(0)
    approximate = Approximate((1e-20 * random.uniform(size=(900, D))).astype(np.float32), "int8")
    approximate.assert_as_float32((1e-30 * random.uniform(size=D)).astype(np.float32), 10)
