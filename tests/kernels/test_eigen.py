"""Eigenvectors in pieces are as good as LAPACK's, and let a cancel in."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels import eigen, tridiagonal
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.eigen import eigh
from ruattn_fdw.kernels.tridiagonal import AT_ONCE

RANDOM = np.random.default_rng(5)
N = 271


@pytest.fixture
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Matrices of 271 rows are divided four times."""
    for module in (eigen, tridiagonal):
        monkeypatch.setattr(module, "AT_ONCE", 20)


def of_values(values: np.ndarray) -> np.ndarray:
    """A symmetric matrix that has them."""
    vectors, _ = np.linalg.qr(RANDOM.standard_normal((N, N)))
    return (vectors * values) @ vectors.T


def products(rows: np.ndarray) -> np.ndarray:
    return rows.T @ rows


MATRICES = {
    "random": products(RANDOM.standard_normal((2 * N, N))),
    "indefinite": of_values(RANDOM.standard_normal(N)),
    "few rows": products(RANDOM.standard_normal((N // 3, N))),
    "fading": products(RANDOM.standard_normal((N, N)) * np.exp(-np.arange(N) / 20)),
    "few values": of_values(np.repeat([0.0, 1.0, 2.0], N // 3 + 1)[:N]),
    "near values": of_values(1 + 1e-13 * np.arange(N)),
    "whole numbers": products(RANDOM.integers(0, 2, (N, N)).astype(float)),
    "equal numbers": np.ones((N, N)),
    "blocks": np.kron(np.eye(7), np.ones((N // 7 + 1, N // 7 + 1)))[:N, :N],
    "diagonal": np.diag(RANDOM.standard_normal(N)),
    "tridiagonal": 2 * np.eye(N) - np.eye(N, k=1) - np.eye(N, k=-1),
    "pairs": np.diag(abs(np.arange(N) - N // 2).astype(float)) + np.eye(N, k=1) + np.eye(N, k=-1),
    "nothing": np.zeros((N, N)),
    "tiny": 1e-88 * products(RANDOM.standard_normal((N, N))),
    "large": 1e78 * products(RANDOM.standard_normal((N, N))),
}


@pytest.mark.usefixtures("in_small_pieces")
@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
def test_values_and_vectors_are_those_of_the_matrix(matrix: np.ndarray) -> None:
    values, vectors = eigh(matrix.copy(), uninterrupted)
    wanted = np.linalg.eigvalsh(matrix)
    size = abs(wanted).max() or 1
    np.testing.assert_allclose(values / size, wanted / size, rtol=0, atol=1e-13)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(N), rtol=0, atol=1e-12)
    np.testing.assert_allclose(matrix @ vectors / size, vectors * (values / size), rtol=0, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, AT_ONCE, AT_ONCE + 1])
def test_of_any_order(n: int) -> None:
    matrix = products(RANDOM.standard_normal((n, n)))
    values, vectors = eigh(matrix.copy(), uninterrupted)
    np.testing.assert_allclose((vectors * values) @ vectors.T, matrix, rtol=0, atol=1e-11 * n)


def test_lapack_is_given_small_matrices_only_and_a_cancel_gets_in_for_each_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orders, calls, solve = [], [], np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", lambda matrix: orders.append(len(matrix)) or solve(matrix))
    matrix = products(RANDOM.standard_normal((2 * AT_ONCE, AT_ONCE + 1)))
    eigh(matrix, lambda: calls.append(1))
    assert max(orders) <= AT_ONCE < len(calls)
