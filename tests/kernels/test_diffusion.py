"""Attention by diffusion."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from pieces import seconds_of_pieces
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidOption
from ruattn_fdw.kernels.registry import find
from test_golden import load

DIFFUSION = find("diffusion")
FORMS = ["random_walk", "symmetric", "unnormalized"]


def sample(n=63, d=16, seed=0):
    random = np.random.RandomState(seed)
    return random.standard_normal(d).astype(np.float32), random.standard_normal((n, d)).astype(np.float32)


def laplacian(keys, form, knn=None, bandwidth=None):
    """L as the card has it, element by element."""
    keys = keys.astype(np.float64)
    n = len(keys)
    apart = np.array([[np.sqrt(((a - b) ** 2).sum()) for b in keys] for a in keys])
    h = np.median(apart[np.triu_indices(n, 1)]) if bandwidth is None else bandwidth
    w = np.exp(-(apart**2) / (2 * h * h))
    np.fill_diagonal(w, 0)
    if knn is not None:
        near = np.array([[j in np.argsort(-row, kind="stable")[:knn] for j in range(n)] for row in w])
        w = np.where(near | near.T, w, 0)
    degrees = w.sum(axis=1)
    if form == "unnormalized":
        return np.diag(degrees) - w
    identity = np.diag((degrees > 0).astype(float))
    safe = np.where(degrees > 0, degrees, 1)
    return identity - (w / safe[:, None] if form == "random_walk" else w / np.sqrt(np.outer(safe, safe)))


def twin(query, keys, t, form="random_walk", temperature=1.0, **graph):
    """By many small steps of Euler."""
    x = keys.astype(np.float64) @ query.astype(np.float64) / np.sqrt(len(query))
    step = t / 20_000
    matrix = np.eye(len(keys)) - step * laplacian(keys, form, **graph)
    x = np.linalg.matrix_power(matrix, 20_000) @ x / temperature
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("options", [{}, {"t": 0.3, "bandwidth": 2.0}, {"knn": 5}])
def test_it_agrees_with_small_steps_of_the_flow(form, options):
    query, keys = sample()
    weights = attend(DIFFUSION, query, keys, options={**options, "laplacian": form}, temperature=0.7)
    graph = {name: options[name] for name in ("bandwidth", "knn") if name in options}
    expected = twin(query, keys, options.get("t", 1.0), form, 0.7, **graph)
    np.testing.assert_allclose(weights.score, expected, rtol=2e-3)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("knn", [None, 4])
def test_no_time_is_scaled_dot(form, knn):
    query, keys = sample()
    weights = attend(DIFFUSION, query, keys, num_heads=4, options={"t": 0, "laplacian": form, "knn": knn})
    np.testing.assert_allclose(
        weights.score, attend(find("scaled_dot"), query, keys, num_heads=4).score, rtol=1e-6
    )


@pytest.mark.parametrize("form", ["random_walk", "unnormalized"])
def test_all_time_makes_all_keys_alike(form):
    weights = attend(DIFFUSION, *sample(), options={"t": 1e6, "laplacian": form})
    np.testing.assert_allclose(weights.score, 1 / 63, rtol=1e-6)


def test_a_lone_key_keeps_its_logit():
    query, keys = sample()
    keys[9] += 1000
    weights = attend(DIFFUSION, query, keys, options={"bandwidth": 1.0, "t": 5})
    plain = attend(find("scaled_dot"), query, keys)
    assert weights.logit[9] == pytest.approx(plain.logit[9], rel=1e-6)


@pytest.mark.parametrize("t", [1.0, 500.0])
@pytest.mark.parametrize("options", [{}, {"knn": 5}])
def test_a_key_far_from_all_others_takes_their_logits(options, t):
    query, keys = sample()
    keys[9] = 70
    weights = attend(DIFFUSION, query, keys, options={**options, "t": t, "bandwidth": 8.0})
    flow = scipy.linalg.expm(-t * laplacian(keys, "random_walk", bandwidth=8.0, **options))
    np.testing.assert_allclose(weights.logit, flow @ (keys.astype(np.float64) @ query) / 4, rtol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 40])
def test_equal_keys_are_no_division_by_zero(n):
    query, keys = sample(n)
    keys[:] = keys[0]
    np.testing.assert_allclose(attend(DIFFUSION, query, keys).score, 1 / n, rtol=1e-6)


@pytest.mark.parametrize(("options", "most"), [({}, 1024), ({"knn": 3}, 4096), ({"max_rows": 50}, 50)])
def test_more_rows_than_the_limit_are_refused(options, most):
    with pytest.raises(InvalidOption, match=f"there are {most + 1}, max_rows is {most}"):
        attend(DIFFUSION, *sample(most + 1), options=options)


@pytest.mark.parametrize("form", FORMS)
def test_it_agrees_with_scipy(form):
    golden = load("diffusion")
    options = {"t": float(golden["t"]), "bandwidth": float(golden["bandwidth"]), "laplacian": form}
    weights = attend(DIFFUSION, golden["query"], golden["keys"], options=options)
    np.testing.assert_allclose(weights.score, golden[form], rtol=1e-5)


@pytest.mark.parametrize("mechanism", ["diffusion", "gaussian_kernel"])
def test_a_bandwidth_that_cannot_be_squared_makes_all_keys_alike(mechanism):
    weights = attend(find(mechanism), *sample(), options={"bandwidth": 1e300})
    np.testing.assert_allclose(weights.score.sum(dtype=np.float64), 1, rtol=1e-6)


def test_more_time_than_can_be_followed_step_by_step_is_refused():
    with pytest.raises(InvalidOption, match=r"t is 1e\+06, with knn at most 1000 is allowed"):
        attend(DIFFUSION, *sample(), options={"t": 1e6, "knn": 3})


def test_edges_to_all_keys_are_those_without_knn():
    query, keys = sample(700)
    every = attend(DIFFUSION, query, keys, options={"knn": 700, "t": 2.0}, num_heads=2)
    np.testing.assert_allclose(
        every.score, attend(DIFFUSION, query, keys, options={"t": 2.0}, num_heads=2).score, rtol=1e-6
    )


def test_a_cancel_gets_in_while_the_graph_is_made():
    query, keys = sample(2500)
    pieces = seconds_of_pieces(
        lambda checkpoint: attend(DIFFUSION, query, keys.copy(), options={"knn": 8}, checkpoint=checkpoint)
    )
    assert pieces.max() < 0.1


@pytest.mark.parametrize("t", [30.0, 1000.0])
def test_a_long_flow_over_nearest_keys_is_followed_in_pieces(t):
    query, keys = sample()
    options = {"knn": 5, "t": t, "laplacian": "unnormalized"}
    calls = []
    weights = attend(DIFFUSION, query, keys, options=options, checkpoint=lambda: calls.append(1))
    start = keys.astype(np.float64) @ query.astype(np.float64) / np.sqrt(len(query))
    x = scipy.linalg.expm(-t * laplacian(keys, "unnormalized", knn=5)) @ start
    np.testing.assert_allclose(weights.score, np.exp(x - x.max()) / np.exp(x - x.max()).sum(), rtol=1e-5)
    assert len(calls) > t / 10
