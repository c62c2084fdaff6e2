"""Multi-head latent attention."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import InvalidOption, NumericOverflow
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.registry import find
from test_golden import load
from twins import multi_head

MLA = find("multi_head_latent")


def sample(n=200, d=48, seed=0):
    random = np.random.RandomState(seed)
    mixing = random.standard_normal((d, d)) * np.linspace(3, 0.1, d)
    return random.standard_normal(d).astype(np.float32), (random.standard_normal((n, d)) @ mixing.T).astype(
        np.float32
    )


def truncated(keys, rank):
    """The keys (n, d) with their first singular values only."""
    left, values, right = np.linalg.svd(keys.astype(np.float64), full_matrices=False)
    return (left[:, :rank] * values[:rank]) @ right[:rank]


@pytest.mark.parametrize(("latent_dim", "heads"), [(1, 1), (5, 1), (12, 8), (20, 4)])
def test_it_is_multi_head_over_keys_cut_to_their_components(latent_dim, heads):
    query, keys = sample()
    weights = attend(MLA, query, keys, num_heads=heads, options={"latent_dim": latent_dim}, temperature=5)
    expected = multi_head(query, truncated(keys, latent_dim), heads, 5)
    np.testing.assert_allclose(weights.head_scores, expected.head_scores, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(weights.lse, expected.lse, rtol=1e-7)
    assert weights.notes["Latent Dimensions"] == latent_dim


def test_all_dimensions_are_multi_head():
    query, keys = sample()
    mine = attend(MLA, query, keys, options={"latent_dim": 48}, temperature=5)
    plain = attend(find("multi_head"), query, keys, temperature=5)
    np.testing.assert_allclose(mine.score, plain.score, rtol=1e-5)
    assert mine.notes["Latent Share"] == pytest.approx(1)


@pytest.mark.parametrize(("n", "expected"), [(200, 12), (5, 5), (1, 1)])
def test_a_quarter_of_the_dimensions_unless_the_rank_is_less(n, expected):
    query, keys = sample(n)
    weights = attend(MLA, query, keys)
    assert weights.notes["Latent Dimensions"] == expected
    values = np.linalg.svd(keys.astype(np.float64), compute_uv=False) ** 2
    assert weights.notes["Latent Share"] == pytest.approx(values[:expected].sum() / values.sum(), rel=1e-9)


def test_values_come_out_of_the_latent_vectors():
    query, keys = sample()
    [block] = outputs(Settings(MLA, 48, 4, 5.0), query[None], keys, None)
    head_scores = attend(MLA, query, keys, num_heads=4, temperature=5).head_scores.astype(np.float64)
    values = truncated(keys, 12)
    expected = [head_scores[head] @ values[:, 12 * head : 12 * head + 12] for head in range(4)]
    np.testing.assert_allclose(block.output[0], np.concatenate(expected), rtol=1e-4, atol=1e-5)


def test_more_latent_dimensions_than_there_are_are_refused():
    with pytest.raises(InvalidOption, match="latent_dim is 49, the keys have 48 dimensions"):
        attend(MLA, *sample(), options={"latent_dim": 49})


def test_a_logit_beyond_float32_is_an_error():
    query, keys = sample()
    keys[3] = 1e30
    with pytest.raises(NumericOverflow):
        attend(MLA, query * np.float32(1e20), keys)


def test_it_agrees_with_torch():
    golden = load("multi_head_latent")
    weights = attend(MLA, golden["query"], golden["keys"], options={"latent_dim": 16})
    np.testing.assert_allclose(weights.head_scores, golden["head_weights"], rtol=1e-5, atol=1e-12)
