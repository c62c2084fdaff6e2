"""Mechanisms that know an order once more, in float64, as their papers' loops read."""

from __future__ import annotations

from math import cos, exp, log1p, sin, sqrt

import numpy as np


def rotated(x: np.ndarray, position: float, base: float, layout: str) -> np.ndarray:
    """x with each of its pairs turned by its own angle."""
    width, result = len(x), np.array(x, np.float64)
    for i in range(width // 2):
        a, b = (2 * i, 2 * i + 1) if layout == "interleaved" else (i, i + width // 2)
        angle = position * base ** (-2 * i / width)
        result[a] = x[a] * cos(angle) - x[b] * sin(angle)
        result[b] = x[a] * sin(angle) + x[b] * cos(angle)
    return result


def rope_logits(query, keys, positions, position, base=10000.0, layout="interleaved"):
    turned = rotated(query, position, base, layout)
    rows = [rotated(key, p, base, layout) for key, p in zip(keys, positions, strict=True)]
    return np.array([turned @ row for row in rows]) / sqrt(len(query))


def alibi_logits(query, keys, positions, position, slope):
    dots = keys @ query / sqrt(len(query))
    return np.array([dot - slope * abs(position - p) for dot, p in zip(dots, positions, strict=True)])


def retention_output(queries, keys, values, gamma):
    """What comes out at each step of the recurrence S = gamma S + k v^T, o = S^T q / sqrt(d)."""
    state, outputs = np.zeros((keys.shape[1], values.shape[1])), []
    for q, k, v in zip(queries, keys, values, strict=True):
        state = gamma * state + np.outer(k, v)
        outputs.append(state.T @ q / sqrt(len(q)))
    return np.array(outputs)


def ssm_output(queries, keys, values, steps):
    """What comes out at each step of S = exp(-softplus(dt)) S + k v^T, o = S^T q."""
    state, outputs = np.zeros((keys.shape[1], values.shape[1])), []
    for q, k, v, dt in zip(queries, keys, values, steps, strict=True):
        state = exp(-log1p(exp(dt))) * state + np.outer(k, v)
        outputs.append(state.T @ q)
    return np.array(outputs)
