"""The bound on rounding, on which the order of rows rests."""

from __future__ import annotations

import numpy as np
import pytest
from plain import PLAIN
from ruattn_fdw.kernels.mechanism import parse_options


def logits(mechanism, query, keys, dtype):
    slices = query.astype(np.float64).reshape(4, -1)
    scorer = mechanism.scorer(slices, mechanism.default_temperature, parse_options(mechanism, {}), dtype)
    out = np.empty((4, len(keys)), dtype)
    with np.errstate(all="ignore"):
        scorer.logits(keys.astype(dtype), out)
    return out, scorer


@pytest.mark.parametrize(
    ("query_size", "key_size"), [(1, 1), (1e4, 1e-4), (1e-4, 1e4), (1e21, 1e-21), (1e28, 1e-26)]
)
@pytest.mark.parametrize("width", [1, 4, 96])
@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
def test_float32_logits_are_off_by_no_more_than_the_bound(mechanism, width, query_size, key_size):
    random = np.random.RandomState(8)
    query = (random.standard_normal(4 * width) * query_size).astype(np.float32)
    keys = (random.standard_normal((1000, 4 * width)) * key_size).astype(np.float32)
    fast, scorer = logits(mechanism, query, keys, np.float32)
    exact, _ = logits(mechanism, query, keys, np.float64)
    held = np.isfinite(fast)  # what float32 cannot hold is refused
    error = np.abs(np.where(held, fast, 0) - np.where(held, exact, 0)).max(axis=0)
    assert (error <= scorer.rounding(keys)).all()
