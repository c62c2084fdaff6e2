"""Scoring: scikit-learn's Gaussian kernel, the authors' entmax, and torch."""

from __future__ import annotations

import math

import torch
from entmax import entmax15, entmax_bisect, sparsemax
from sklearn.metrics.pairwise import rbf_kernel
from torch.nn import functional

from .common import KEYS, WIDTH, numbers, save, weights_by_sdpa

BANDWIDTH, ALPHA, SHARE, BETA, STEPS = 4.0, 1.3, 0.2, 0.3, 3


def make() -> None:
    query, keys = numbers(21, WIDTH), numbers(22, KEYS, WIDTH)
    kernel = torch.from_numpy(rbf_kernel(query[None].numpy(), keys.numpy(), gamma=1 / (2 * BANDWIDTH**2))[0])
    save("gaussian_kernel", query, keys, weights=kernel / kernel.sum(), bandwidth=BANDWIDTH)

    logits = keys @ query / math.sqrt(WIDTH)
    bisected = entmax_bisect(logits, ALPHA, n_iter=100)
    save("entmax", query, keys, entmax15=entmax15(logits, 0), sparsemax=sparsemax(logits, 0), bisect=bisected)

    half = WIDTH // 2
    first = weights_by_sdpa(query[:half], keys[:, :half])
    save("differential", query, keys, weights=first - SHARE * weights_by_sdpa(query[half:], keys[:, half:]))

    state = query
    for _ in range(STEPS):
        weights = weights_by_sdpa(state, keys, BETA)
        state = functional.scaled_dot_product_attention(state[None], keys, keys, scale=BETA)[0]
    save("hopfield", query, keys, weights=weights, state=state)
