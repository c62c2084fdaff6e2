"""Scores of a part of the keys as part of a larger whole."""

from __future__ import annotations

import numpy as np
import pytest
from plain import PLAIN
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidOption
from ruattn_fdw.kernels.ranking import ranked
from ruattn_fdw.kernels.registry import find


def sample(n=500, d=24):
    random = np.random.RandomState(2)
    return random.standard_normal(d).astype(np.float32), random.standard_normal((n, d)).astype(np.float32)


@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
def test_parts_under_the_common_lse_score_as_the_whole_does(mechanism):
    query, keys = sample()
    whole = attend(mechanism, query, keys, num_heads=4)
    parts = [keys[:100], keys[100:]]
    common = np.logaddexp(*(attend(mechanism, query, part, num_heads=4).lse for part in parts))
    np.testing.assert_allclose(common, whole.lse, rtol=0, atol=1e-7)
    scored = [attend(mechanism, query, part, num_heads=4, normaliser=common) for part in parts]
    # logits of float32 as large as these are off by up to 6e-7, on either side
    np.testing.assert_allclose(np.concatenate([w.score for w in scored]), whole.score, rtol=1.2e-6)
    for weights in scored:
        np.testing.assert_array_equal(weights.lse, common)


def test_ranked_rows_keep_to_the_normaliser():
    query, keys = sample()
    weights = attend(find("scaled_dot"), query, keys, normaliser=np.array([10.0]))
    rows = next(ranked(weights, np.arange(500)))
    logits = keys[rows].astype(np.float64) @ query / np.sqrt(24)
    np.testing.assert_allclose(weights.score[rows], np.exp(logits - 10), rtol=1e-6)


@pytest.mark.parametrize(
    ("normaliser", "message"),
    [
        ([1.0, 2.0], "normaliser has 2 values, num_heads is 1"),
        ([np.nan], "normaliser holds a value that is not finite"),
        ([-1e6], r"normaliser of head 0 is -1e\+06, the largest logit is"),
    ],
)
def test_a_normaliser_that_cannot_be_one_is_an_error(normaliser, message):
    query, keys = sample()
    with pytest.raises(InvalidOption, match=message):
        attend(find("scaled_dot"), query, keys, normaliser=np.array(normaliser))
