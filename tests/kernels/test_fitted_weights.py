"""Mechanisms whose weights are more than projections: against formulas, and what a query fits itself."""

import math

import numpy as np
import pytest
from ruattn_fdw.kernels import kmeans
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidOption, InvalidShape, UnknownOption
from ruattn_fdw.kernels.moe.gate import kmeans_gate
from ruattn_fdw.kernels.registry import find
from ruattn_fdw.kernels.trained import trained

RANDOM = np.random.RandomState(5)
KEYS = RANDOM.standard_normal((200, 12)).astype(np.float32)
QUERY = KEYS[7] + np.float32(0.1)


def softmax(logits):
    masses = np.exp(logits - logits.max())
    return masses / masses.sum()


def test_additive_is_the_network_of_its_weights():
    w_q, w_k = (RANDOM.standard_normal((12, 6)).astype(np.float32) for _ in range(2))
    w, b = (RANDOM.standard_normal(6).astype(np.float32) for _ in range(2))
    mechanism = trained(find("additive"), {"W_q": w_q, "W_k": w_k, "w": w, "b_q": b})
    projections = mechanism.projections
    weights = attend(mechanism, projections.query(QUERY[None])[0], projections.key(KEYS))
    logits = np.tanh(QUERY.astype(float) @ w_q + b + KEYS.astype(float) @ w_k) @ w.astype(float)
    np.testing.assert_allclose(weights.score, softmax(logits), rtol=1e-5)
    with pytest.raises(InvalidShape, match=r"w has the shape \(5,\), W_q \(12, 6\)"):
        trained(find("additive"), {"W_q": w_q, "W_k": w_k, "w": w[:5]})
    with pytest.raises(InvalidOption, match="additive needs w, the tensors are W_k, W_q"):
        trained(find("additive"), {"W_q": w_q, "W_k": w_k})


def test_sheaf_maps_what_meets():
    rho_q, rho_k = (RANDOM.standard_normal((12, 5)).astype(np.float32) / 4 for _ in range(2))
    mechanism = trained(find("sheaf"), {"W_q": rho_q, "W_k": rho_k})
    projections = mechanism.projections
    weights = attend(mechanism, projections.query(QUERY[None])[0], projections.key(KEYS))
    energies = ((QUERY.astype(float) @ rho_q - KEYS.astype(float) @ rho_k) ** 2).sum(axis=1)
    np.testing.assert_allclose(weights.score, softmax(-energies / (2 * math.sqrt(5))), rtol=1e-5)


def test_latent_attention_is_multi_head_over_what_comes_up():
    down, up, w_q = (
        RANDOM.standard_normal(shape).astype(np.float32) / 3 for shape in ((12, 5), (5, 8), (12, 8))
    )
    mechanism = trained(find("multi_head_latent"), {"W_DKV": down, "W_UK": up, "W_UV": up, "W_q": w_q})
    projections = mechanism.projections
    query, latents = projections.query(QUERY[None])[0], projections.key(KEYS)
    assert latents.shape == (200, 5)
    found = attend(mechanism, query, latents, num_heads=2)
    wanted = attend(find("multi_head"), query, (latents.astype(float) @ up).astype(np.float32), num_heads=2)
    np.testing.assert_allclose(found.head_scores, wanted.head_scores, rtol=1e-5)
    values = mechanism.own_values(projections.value(KEYS), 8, 2, {}, uninterrupted)
    np.testing.assert_allclose(values, latents.astype(float) @ up, rtol=1e-5, atol=1e-6)
    with pytest.raises(InvalidShape, match=r"W_UK has the shape \(4, 8\), W_DKV \(12, 5\)"):
        trained(find("multi_head_latent"), {"W_DKV": down, "W_UK": up[:4]})


def test_a_fitted_gate_is_the_one_of_the_query():
    gate = kmeans_gate(KEYS, 6, 3).astype(np.float32)
    mechanism = trained(find("moe"), {"gate": gate})
    found = attend(mechanism, QUERY, KEYS, options={"top_k": 2})
    wanted = attend(find("moe"), QUERY, KEYS, options={"num_experts": 6, "seed": 3, "top_k": 2})
    np.testing.assert_allclose(found.score, wanted.score, rtol=1e-5)
    with pytest.raises(UnknownOption, match="moe has no option 'num_experts'"):
        attend(mechanism, QUERY, KEYS, options={"num_experts": 6})
    with pytest.raises(InvalidOption, match="top_k is 7, num_experts is 6"):
        attend(mechanism, QUERY, KEYS, options={"top_k": 7})
    with pytest.raises(InvalidShape, match="vectors have 12 dimensions, the gate of the model takes 5"):
        attend(trained(find("moe"), {"gate": gate[:, :5]}), QUERY, KEYS)


def test_fitted_clusters_are_those_of_the_query():
    centroids = kmeans.fit(KEYS, 9, 4, uninterrupted, spherical=True).astype(np.float32)
    mechanism = trained(find("routing"), {"centroids": 3 * centroids})
    found = attend(mechanism, QUERY, KEYS, options={"nprobe": 2})
    wanted = attend(find("routing"), QUERY, KEYS, options={"n_clusters": 9, "seed": 4, "nprobe": 2})
    np.testing.assert_allclose(found.score, wanted.score, rtol=1e-6)
    assert 0 < (found.score > 0).sum() < 200
    with pytest.raises(InvalidOption, match="nprobe is 10, n_clusters is 9"):
        attend(mechanism, QUERY, KEYS, options={"nprobe": 10})
    with pytest.raises(InvalidShape, match="keys have 12 dimensions, centroids of the model 5"):
        attend(trained(find("routing"), {"centroids": centroids[:, :5]}), QUERY, KEYS)
