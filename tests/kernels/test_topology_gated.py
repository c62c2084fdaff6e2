"""Attention gated by the coherence of the keys."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidOption
from ruattn_fdw.kernels.registry import find

GATED = find("topology_gated")


def sample(spread, n=120, d=16, seed=0):
    """Keys around one direction, the nearer the smaller the spread."""
    random = np.random.RandomState(seed)
    keys = np.ones(d) + spread * random.standard_normal((n, d))
    return random.standard_normal(d).astype(np.float32), keys.astype(np.float32)


def coherence(keys, knn=8):
    units = keys.astype(np.float64) / np.linalg.norm(keys.astype(np.float64), axis=1, keepdims=True)
    nearest = []
    for row, unit in enumerate(units):
        cosines = [float(unit @ other) for place, other in enumerate(units) if place != row]
        nearest += sorted(cosines, reverse=True)[:knn]
    return min(1, max(0, np.mean(nearest) * (1 - np.std(nearest))))


@pytest.mark.parametrize(("spread", "mode"), [(0.1, "stable"), (1.8, "cautious"), (10, "cautious")])
def test_the_mode_follows_the_coherence(spread, mode):
    query, keys = sample(spread)
    weights = attend(GATED, query, keys)
    assert weights.notes["Mode"] == mode
    assert weights.notes["Coherence"] == pytest.approx(coherence(keys), rel=1e-12)


def test_a_stable_set_is_scaled_dot():
    query, keys = sample(0.1)
    np.testing.assert_array_equal(
        attend(GATED, query, keys).score, attend(find("scaled_dot"), query, keys).score
    )


@pytest.mark.parametrize("width", [1, 20, 64])
def test_a_cautious_set_is_top_k_of_half_the_width(width):
    query, keys = sample(1.8)
    mine = attend(GATED, query, keys, options={"width": width})
    best = attend(find("top_k"), query, keys, options={"k": max(1, width // 2)})
    np.testing.assert_array_equal(mine.score, best.score)


def test_a_frozen_set_is_the_nearest_alone():
    query, keys = sample(5)
    weights = attend(GATED, query, keys, options={"freeze": 0.9, "stable": 0.95})
    assert weights.notes["Mode"] == "freeze"
    np.testing.assert_array_equal(np.flatnonzero(weights.score), [(keys @ query).argmax()])


def test_the_order_of_the_rows_makes_no_difference_to_the_coherence():
    query, keys = sample(1.8)
    before, after = (attend(GATED, query, k).notes["Coherence"] for k in (keys, keys[::-1]))
    assert before == pytest.approx(after, rel=1e-12)


def test_a_key_alone_is_seen():
    query, keys = sample(1, n=1)
    assert attend(GATED, query, keys).score == [1]


def test_more_rows_than_the_limit_are_refused():
    with pytest.raises(InvalidOption, match=r"topology_gated .* there are 120, max_rows is 100"):
        attend(GATED, *sample(1), options={"max_rows": 100})


def test_thresholds_in_the_wrong_order_are_refused():
    with pytest.raises(InvalidOption, match=r"freeze is 0.8, stable is 0.7"):
        attend(GATED, *sample(1), options={"freeze": 0.8})
