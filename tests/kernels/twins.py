"""Every mechanism once more, in float64, as its formula reads: what the kernels are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np


@dataclass
class Expected:
    score: np.ndarray
    logit: np.ndarray
    head_scores: np.ndarray
    lse: np.ndarray


def softmax_over_heads(logits_of_each_head: list[np.ndarray]) -> Expected:
    head_scores, lse = [], []
    for logits in logits_of_each_head:
        exponentials = np.exp(logits - logits.max())
        head_scores.append(exponentials / exponentials.sum())
        lse.append(logits.max() + np.log(exponentials.sum()))
    return Expected(
        np.mean(head_scores, axis=0),
        np.mean(logits_of_each_head, axis=0),
        np.array(head_scores),
        np.array(lse),
    )


def slices(query, keys, num_heads):
    query, keys = np.asarray(query, np.float64), np.asarray(keys, np.float64)
    width = len(query) // num_heads
    for head in range(num_heads):
        part = slice(head * width, (head + 1) * width)
        yield query[part], keys[:, part]


def scaled_dot(query, keys, num_heads=1, temperature=1.0, scale=None) -> Expected:
    logits = []
    for q, k in slices(query, keys, num_heads):
        factor = 1 / sqrt(len(q)) if scale is None else scale
        logits.append(np.array([factor * np.dot(q, row) / temperature for row in k]))
    return softmax_over_heads(logits)


def multi_head(query, keys, num_heads=8, temperature=1.0) -> Expected:
    return scaled_dot(query, keys, num_heads, temperature)


def flash_v2(query, keys, num_heads=1, temperature=1.0, block_size_q=64, block_size_kv=64) -> Expected:
    return scaled_dot(query, keys, num_heads, temperature)


def cosine(query, keys, num_heads=1, temperature=0.1) -> Expected:
    logits = []
    for q, k in slices(query, keys, num_heads):
        logits.append(np.array([cosine_of(q, row) / temperature for row in k]))
    return softmax_over_heads(logits)


def cosine_of(a: np.ndarray, b: np.ndarray) -> float:
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return np.dot(a, b) / norms if norms else 0.0


def order(expected: Expected, ids: np.ndarray) -> np.ndarray:
    """Row indexes by score descending, logit descending, id ascending."""
    rows = range(len(ids))
    return np.array(sorted(rows, key=lambda j: (-expected.score[j], -expected.logit[j], ids[j])), np.intp)


def cross(query, keys, num_heads=1, temperature=1.0) -> Expected:
    return scaled_dot(query, keys, num_heads, temperature)


def gatv2(query, keys, num_heads=1, temperature=1.0) -> Expected:
    logits = []
    for q, k in slices(query, keys, num_heads):
        logits.append(np.array([-np.abs(q - row).sum() / temperature for row in k]))
    return softmax_over_heads(logits)


def linear(query, keys, num_heads=1) -> Expected:
    kernels = []
    for q, k in slices(query, keys, num_heads):
        kernels.append(np.array([np.dot(elu_plus_1(q), elu_plus_1(row)) for row in k]))
    head_scores = [kernel / kernel.sum() for kernel in kernels]
    lse = [np.log(kernel.sum()) for kernel in kernels]
    return Expected(
        np.mean(head_scores, axis=0), np.mean(kernels, axis=0), np.array(head_scores), np.array(lse)
    )


def elu_plus_1(x: np.ndarray) -> np.ndarray:
    return np.array([value + 1 if value > 0 else np.exp(value) for value in x])


TWINS = {
    "scaled_dot": scaled_dot,
    "multi_head": multi_head,
    "flash_v2": flash_v2,
    "cross": cross,
    "cosine": cosine,
    "linear": linear,
    "gatv2": gatv2,
}
