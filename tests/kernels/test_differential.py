"""Differential attention."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import InvalidOption, InvalidShape
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.ranking import ranked
from ruattn_fdw.kernels.registry import find
from samples import sample
from scoring_twins import differential
from test_golden import load

DIFFERENTIAL = find("differential")


@pytest.mark.parametrize(("n", "heads", "share"), [(1, 1, 0.2), (63, 1, 0.9), (63, 5, 0.2), (500, 10, 0.5)])
def test_it_agrees_with_its_twin(n, heads, share):
    query, keys = sample(n)
    weights = attend(DIFFERENTIAL, query, keys, num_heads=heads, options={"lambda": share}, temperature=0.7)
    expected = differential(query, keys, heads, 0.7, share)
    np.testing.assert_allclose(weights.score, expected, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(weights.score.sum(dtype=np.float64), 1 - share, atol=1e-6)


def test_without_a_share_it_is_the_attention_of_the_first_half():
    query, keys = sample()
    weights = attend(DIFFERENTIAL, query, keys, options={"lambda": 0})
    half = attend(find("scaled_dot"), query[:30], np.ascontiguousarray(keys[:, :30]))
    np.testing.assert_allclose(weights.score, half.score, rtol=1e-6)
    np.testing.assert_allclose(weights.logit, half.logit, rtol=1e-5, atol=1e-6)


def test_negative_weights_rank_last():
    query, keys = sample(500)
    weights = attend(DIFFERENTIAL, query, keys, options={"lambda": 0.9})
    assert (weights.score < 0).any()
    assert weights.lse is None
    order = np.concatenate(list(ranked(weights, np.arange(500))))
    assert (np.diff(weights.score[order]) <= 0).all()


def test_signed_weights_have_an_output_and_no_entropy():
    query, keys = sample()
    [block] = outputs(Settings(DIFFERENTIAL, 60), query[None], keys, None)
    np.testing.assert_allclose(block.output[0], differential(query, keys) @ keys, rtol=1e-5, atol=1e-6)
    assert np.isnan(block.entropy).all()
    assert np.isnan(block.lse).all()


def test_a_head_without_halves_is_refused():
    with pytest.raises(InvalidShape, match="a head of 3 dimensions has no halves"):
        attend(DIFFERENTIAL, *sample(d=6), num_heads=2)


def test_a_share_of_1_is_out_of_range():
    with pytest.raises(InvalidOption, match=r"lambda is 1, it must lie in \[0, 1\)"):
        attend(DIFFERENTIAL, *sample(), options={"lambda": 1})


def test_it_agrees_with_torch():
    golden = load("differential")
    weights = attend(DIFFERENTIAL, golden["query"], golden["keys"])
    np.testing.assert_allclose(weights.score, golden["weights"], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(differential(golden["query"], golden["keys"]), golden["weights"], atol=1e-15)
