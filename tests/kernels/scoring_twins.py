"""Mechanisms of scoring and information once more, in float64, as their formulas read."""

from __future__ import annotations

from math import asin, log, pi, sqrt

import numpy as np
from twins import Expected, slices, softmax_over_heads


def gaussian_kernel(query, keys, num_heads=1, temperature=1.0, bandwidth=None) -> Expected:
    logits = []
    for q, k in slices(query, keys, num_heads):
        square = sqrt(len(q)) if bandwidth is None else bandwidth**2
        logits.append(np.array([-((q - row) ** 2).sum() / (2 * square) / temperature for row in k]))
    return softmax_over_heads(logits)


def fisher_rao(query, keys, num_heads=1, temperature=1.0, T=1.0) -> Expected:  # noqa: N803
    logits = []
    for q, k in slices(query, keys, num_heads):
        p = distribution(q / T)
        logits.append(np.array([-rao(p, distribution(row / T)) / temperature for row in k]))
    return softmax_over_heads(logits)


def distribution(logits: np.ndarray) -> np.ndarray:
    masses = np.exp(logits - logits.max())
    return masses / masses.sum()


def rao(p: np.ndarray, r: np.ndarray) -> float:
    chord = sqrt(sum((sqrt(a) - sqrt(b)) ** 2 for a, b in zip(p, r, strict=True)))
    return 4 * asin(min(1.0, chord / 2)) if chord < 2 else pi


def dots(query, keys, num_heads=1, temperature=1.0) -> list[np.ndarray]:
    return [k @ q / sqrt(len(q)) / temperature for q, k in slices(query, keys, num_heads)]


def entmax(logits: np.ndarray, alpha: float) -> np.ndarray:
    """By bisection of the sum of the weights, for every alpha above 1."""
    z = (alpha - 1) * logits
    low, high = z.max() - 1, z.max()
    for _ in range(200):
        middle = (low + high) / 2
        total = sum(max(value - middle, 0) ** (1 / (alpha - 1)) for value in z)
        low, high = (middle, high) if total >= 1 else (low, middle)
    weights = np.array([max(value - low, 0) ** (1 / (alpha - 1)) for value in z])
    return weights / weights.sum()


def differential(query, keys, num_heads=1, temperature=1.0, share=0.2) -> np.ndarray:
    heads = []
    for q, k in slices(query, keys, num_heads):
        half = len(q) // 2
        first = distribution(k[:, :half] @ q[:half] / sqrt(half) / temperature)
        second = distribution(k[:, half:] @ q[half:] / sqrt(half) / temperature)
        heads.append(first - share * second)
    return np.mean(heads, axis=0)


def hopfield(query, keys, beta=None, tol=1e-6, max_steps=32, temperature=1.0):
    """The weights that made the last state, that state, and the steps."""
    query, keys = np.asarray(query, np.float64), np.asarray(keys, np.float64)
    beta = 20 / np.mean([row @ row for row in keys]) if beta is None else beta
    state = query
    for step in range(1, max_steps + 1):  # noqa: B007
        weights = distribution(beta * (keys @ state) / temperature)
        following = keys.T @ weights
        if np.linalg.norm(following - state) < tol:
            break
        state = following
    return weights, following, step


def energy(state: np.ndarray, keys: np.ndarray, beta: float) -> float:
    logits = beta * (keys @ state)
    lse = logits.max() + log(np.exp(logits - logits.max()).sum())
    return -lse / beta + state @ state / 2


def bottleneck(logits: np.ndarray, rate: float, prior: np.ndarray) -> np.ndarray:
    """The tilted prior whose divergence is the rate, by halving the logarithm of beta."""
    prior = prior / prior.sum()
    low, high = -60.0, 60.0
    for _ in range(200):
        middle = (low + high) / 2
        weights = tilted(logits, np.exp(middle), prior)
        low, high = (middle, high) if divergence(weights, prior) < rate else (low, middle)
    return tilted(logits, np.exp(low), prior)


def tilted(logits: np.ndarray, beta: float, prior: np.ndarray) -> np.ndarray:
    masses = prior * np.exp(beta * (logits - logits.max()))
    return masses / masses.sum()


def divergence(weights: np.ndarray, prior: np.ndarray) -> float:
    return sum(a * log(a / p) for a, p in zip(weights, prior, strict=True) if a > 0)


TWINS = {"gaussian_kernel": gaussian_kernel, "fisher_rao": fisher_rao}
