"""Mixture of experts: the gate, the clusters, and attention within them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from geometry_twins import TWINS
from ruattn_fdw.kernels import kmeans
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidOption, NumericOverflow
from ruattn_fdw.kernels.fits import LastFit
from ruattn_fdw.kernels.moe.gate import kmeans_gate, route, seeded_gate
from ruattn_fdw.kernels.moe.moe import _fit
from ruattn_fdw.kernels.registry import find

MOE = find("moe")
with np.load(Path(__file__).parents[1] / "golden" / "moe.npz") as FILE:
    GOLDEN = {key: FILE[key] for key in FILE.files}


def sample(n=400, d=24, seed=0):
    random = np.random.RandomState(seed)
    return random.standard_normal(d).astype(np.float32), random.standard_normal((n, d)).astype(np.float32)


def test_clusters_are_those_of_scikit_learn():
    centroids = kmeans.fit(GOLDEN["keys"], 5, 0, uninterrupted)
    owner = kmeans.assign(GOLDEN["keys"], centroids, uninterrupted)
    pairs = set(zip(owner.tolist(), GOLDEN["labels"].tolist(), strict=True))
    assert len(pairs) == 5
    for cluster in range(5):
        mean = GOLDEN["keys"][owner == cluster].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(centroids[cluster], mean, rtol=1e-6)


def test_weights_are_attention_within_the_gates_best_clusters():
    weights = attend(MOE, GOLDEN["query"], GOLDEN["keys"], options={"num_experts": 5})
    np.testing.assert_allclose(weights.score, GOLDEN["weights"], rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize(("num_experts", "top_k"), [(8, 2), (3, 3), (6, 1)])
def test_kernel_agrees_with_its_twin(num_experts, top_k, heads):
    query, keys = sample()
    gate = kmeans_gate(keys, num_experts, 0)
    owner = kmeans.assign(keys, gate * np.sqrt(24), uninterrupted)
    options = {"num_experts": num_experts, "top_k": top_k}
    weights = attend(MOE, query, keys, num_heads=heads, temperature=0.5, options=options)
    expected = TWINS["moe"](query, keys, owner, gate, top_k, heads, 0.5)
    np.testing.assert_allclose(weights.score, expected, rtol=1e-5)
    masked = ~np.isin(owner, np.argsort(-(gate @ query))[:top_k])
    np.testing.assert_array_equal(np.isnan(weights.logit), masked)
    assert weights.lse is None


def test_the_logit_is_the_scaled_product_and_one_expert_is_scaled_dot():
    query, keys = sample()
    weights = attend(MOE, query, keys, options={"num_experts": 1, "top_k": 1})
    plain = attend(find("scaled_dot"), query, keys)
    np.testing.assert_allclose(weights.logit, plain.logit, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(weights.score, plain.score, rtol=1e-5)


@pytest.mark.parametrize("n", [50, 400, 20_000])
def test_the_order_in_which_rows_are_stored_makes_no_difference(n):
    query, keys = sample(n, 6)
    order = np.random.RandomState(9).permutation(n)
    before, after = attend(MOE, query, keys), attend(MOE, query, keys[order])
    np.testing.assert_allclose(after.score, before.score[order], rtol=1e-6)


def test_fewer_different_rows_than_experts():
    query, keys = sample(3, 4)
    weights = attend(MOE, query, np.repeat(keys, 5, axis=0))
    assert weights.score.sum() == pytest.approx(1, rel=1e-6)
    assert np.count_nonzero(weights.score) == 10
    same = attend(MOE, query, np.repeat(keys[:1], 5, axis=0))
    np.testing.assert_allclose(same.score, 0.2, rtol=1e-6)


@pytest.mark.parametrize("top_k", [4, 4096])
def test_more_choices_than_experts_are_an_error(top_k):
    with pytest.raises(InvalidOption, match=f"top_k is {top_k}, num_experts is 3"):
        attend(MOE, *sample(), options={"num_experts": 3, "top_k": top_k})


def test_a_normaliser_is_refused():
    with pytest.raises(InvalidOption, match="moe takes no normaliser"):
        attend(MOE, *sample(), normaliser=np.array([3.0]))


def test_a_logit_beyond_float32_is_an_error_that_names_its_row():
    keys = np.full((3, 4), 1e30, np.float32)
    with pytest.raises(NumericOverflow, match="query and row 0 overflows") as caught:
        attend(MOE, np.full(4, 1e30, np.float32), keys)
    assert caught.value.row == 0


def test_experts_are_fitted_once_for_one_array():
    fits, (_, keys) = LastFit(_fit), sample()
    first = fits.of(keys, 4, 0, checkpoint=uninterrupted)
    assert fits.of(keys, 4, 0, checkpoint=uninterrupted) is first
    assert fits.of(keys, 5, 0, checkpoint=uninterrupted) is not first
    again = fits.of(keys.copy(), 5, 0, checkpoint=uninterrupted)
    assert fits.of(keys, 5, 0, checkpoint=uninterrupted) is not again


def test_routing_is_a_softmax_over_the_best_experts():
    vectors, gate = sample(50)[1], seeded_gate(24, 8, 3)
    experts, weights = route(vectors, gate, 3)
    logits = vectors.astype(np.float64) @ gate.T
    np.testing.assert_array_equal(experts, np.argsort(-logits, axis=1)[:, :3])
    full = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    best = np.take_along_axis(full, experts, axis=1)
    np.testing.assert_allclose(weights, best / best.sum(axis=1, keepdims=True), rtol=1e-12)


def test_the_seeded_gate_sends_near_vectors_alike():
    vectors = sample(200)[1]
    near = vectors + np.float32(1e-4)
    gate = seeded_gate(24, 8, 0)
    assert (route(vectors, gate, 1)[0] == route(near, gate, 1)[0]).mean() > 0.98
    assert (seeded_gate(24, 8, 0) != seeded_gate(24, 8, 1)).all()


def test_checkpoint_is_called_while_clusters_are_fitted():
    calls = []
    kmeans.fit(sample(20_000)[1], 8, 0, lambda: calls.append(1))
    assert len(calls) > 20
