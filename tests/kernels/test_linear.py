"""Linear attention where its features are at the ends of float32, and what it takes."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidOption, NumericOverflow
from ruattn_fdw.kernels.pairs import pair_logit
from ruattn_fdw.kernels.ranking import ranked
from ruattn_fdw.kernels.registry import find
from twins import linear

LINEAR = find("linear")


@pytest.mark.parametrize("shift", [-30, -80, -200, -300])
def test_features_that_float32_cannot_hold_keep_their_weights(shift):
    random = np.random.RandomState(1)
    query = (random.standard_normal(16) + shift).astype(np.float32)
    keys = (random.standard_normal((100, 16)) + shift).astype(np.float32)
    weights, expected = attend(LINEAR, query, keys), linear(query, keys)
    # what float32 rounds of a logit of this size
    np.testing.assert_allclose(weights.score, expected.score, rtol=1e-6 - 2e-7 * shift)
    np.testing.assert_allclose(weights.lse, expected.lse, rtol=1e-7)


def test_rows_rank_as_in_float64():
    random = np.random.RandomState(2)
    query = random.standard_normal(32).astype(np.float32)
    keys = (query + random.standard_normal((2000, 32)) * 1e-4).astype(np.float32)
    weights, expected = attend(LINEAR, query, keys), linear(query, keys)
    rows = next(ranked(weights, np.arange(2000), 100))
    np.testing.assert_array_equal(rows, np.argsort(-expected.logit, kind="stable")[:100])
    np.testing.assert_allclose(weights.shown_logit(rows), expected.logit[rows], rtol=1e-6)


def test_a_kernel_beyond_float32_is_an_error():
    huge = np.full((3, 8), 1e19, np.float32)
    with pytest.raises(NumericOverflow, match=r"query and row 0 overflows"):
        attend(LINEAR, huge[0], huge)
    with pytest.raises(NumericOverflow, match="query and key overflows"):
        pair_logit(LINEAR, huge[0], huge[1])


def test_it_takes_no_temperature():
    keys = np.ones((3, 4), np.float32)
    with pytest.raises(InvalidOption, match=r"temperature is 0.5, linear takes none"):
        attend(LINEAR, keys[0], keys, temperature=0.5)
    attend(LINEAR, keys[0], keys, temperature=1)
