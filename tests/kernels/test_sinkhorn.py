"""Weights with balanced rows and columns."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.batch import Settings, weigh_batch
from ruattn_fdw.kernels.errors import InvalidOption, NotConverged, NumericOverflow, OutOfDomain
from ruattn_fdw.kernels.nearest import nearest
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.registry import find
from test_golden import load

SINKHORN = find("sinkhorn")


def sample(m=7, n=40, d=24, seed=0):
    random = np.random.RandomState(seed)
    return [random.standard_normal((rows, d)).astype(np.float32) for rows in (m, n)]


def weights_of(queries, keys, heads=1, columns=None, **options):
    settings = Settings(SINKHORN, queries.shape[1], heads, options=options)
    return weigh_batch(settings, queries, keys, columns, lambda: None)


def twin(queries, keys, epsilon):
    """Plain scaling of the kernel."""
    kernel = np.exp(
        queries.astype(np.float64) @ keys.astype(np.float64).T / np.sqrt(queries.shape[1]) / epsilon
    )
    v = np.ones(len(keys))
    for _ in range(5000):
        u = 1 / len(queries) / (kernel @ v)
        v = 1 / len(keys) / (kernel.T @ u)
    return len(queries) * u[:, None] * kernel * v


@pytest.mark.parametrize("epsilon", [1.0, 0.3])
@pytest.mark.parametrize(("m", "n"), [(2, 1), (2, 63), (7, 40), (40, 7)])
def test_it_agrees_with_its_twin(m, n, epsilon):
    queries, keys = sample(m, n)
    weights = weights_of(queries, keys, epsilon=epsilon)
    np.testing.assert_allclose(weights.head_scores[0], twin(queries, keys, epsilon), rtol=1e-5)
    np.testing.assert_allclose(weights.logits, queries @ keys.T / np.sqrt(24), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 4])
def test_rows_sum_to_one_and_columns_are_balanced(heads):
    weights = weights_of(*sample(), heads=heads, epsilon=0.2)
    np.testing.assert_allclose(weights.head_scores.sum(axis=2), 1, rtol=1e-12)
    np.testing.assert_allclose(weights.head_scores.sum(axis=1), 7 / 40, rtol=1e-6)


def test_a_column_says_how_much_each_key_gets():
    queries, keys = sample()
    shares = np.arange(1.0, 41)
    weights = weights_of(queries, keys, column_marginal="c", columns={"column_marginal": shares})
    np.testing.assert_allclose(weights.head_scores[0].sum(axis=0), 7 * shares / shares.sum(), rtol=1e-6)


def test_a_small_epsilon_does_not_overflow():
    weights = weights_of(*sample(4, 4), epsilon=1e-3, max_iter=100_000, tol=0.01)
    np.testing.assert_allclose(weights.head_scores[0].sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(weights.head_scores[0].sum(axis=0), 1, atol=0.05)


def test_one_query_would_weigh_all_keys_alike_and_is_refused():
    queries, keys = sample(1)
    np.testing.assert_allclose(twin(queries, keys, 1.0), 1 / 40, rtol=1e-12)
    with pytest.raises(InvalidOption, match="at least 2 queries, there is 1") as caught:
        weights_of(queries, keys)
    assert "cross_attention" in caught.value.hint


def test_what_does_not_come_to_rest_is_an_error():
    with pytest.raises(NotConverged, match=r"not balanced after 2 iterations: .* tol is 1e-09"):
        weights_of(*sample(), epsilon=0.01, max_iter=2)


@pytest.mark.parametrize(("size", "epsilon"), [(1e25, 1.0), (1.0, 1e-300)])
def test_a_logit_beyond_float32_is_an_error_that_names_the_pair(size, epsilon):
    queries, keys = (np.float32(size) * vectors for vectors in sample())
    with pytest.raises(NumericOverflow, match="the logit of query 0 and row 0 overflows"):
        weights_of(queries, keys, epsilon=epsilon)


def test_huge_marginals_do_not_overflow():
    settings = {"column_marginal": "c", "columns": {"column_marginal": np.full(40, 1e308)}}
    found = weights_of(*sample(), **settings).head_scores
    np.testing.assert_allclose(found, weights_of(*sample()).head_scores, rtol=1e-9)


@pytest.mark.parametrize("share", [0, -1])
def test_a_marginal_of_nothing_is_refused(share):
    shares = np.ones(40)
    shares[3] = share
    with pytest.raises(OutOfDomain, match=f"has the marginal {share}") as caught:
        weights_of(*sample(), column_marginal="c", columns={"column_marginal": shares})
    assert caught.value.row == 3


def test_the_best_of_each_query_and_the_outputs():
    queries, keys = sample()
    table = weights_of(queries, keys).head_scores[0]
    settings = Settings(SINKHORN, 24)
    answers = list(nearest(settings, queries, keys, np.arange(40), 3))
    rows = np.concatenate([a.row for a in answers]).reshape(7, 3)
    np.testing.assert_array_equal(rows, np.argsort(-table, axis=1, kind="stable")[:, :3])
    score = np.concatenate([a.score for a in answers]).reshape(7, 3)
    np.testing.assert_allclose(score, -np.sort(-table, axis=1)[:, :3], rtol=1e-6)
    [block] = outputs(settings, queries, keys, None)
    np.testing.assert_allclose(block.output, table @ keys, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(block.entropy, -(table * np.log(table)).sum(axis=1), rtol=1e-5)


def test_no_normaliser_is_taken():
    with pytest.raises(InvalidOption, match="sinkhorn takes no normaliser"):
        list(nearest(Settings(SINKHORN, 24), *sample(), np.arange(40), 3, normaliser=np.zeros(7)))


def test_it_agrees_with_pot():
    golden = load("sinkhorn")
    weights = weights_of(golden["query"], golden["keys"], epsilon=float(golden["epsilon"]), tol=1e-13)
    np.testing.assert_allclose(weights.head_scores[0], golden["weights"], atol=1e-12)
