"""Sparse patterns: torch's topk and masks, and the clusters of scikit-learn."""

from __future__ import annotations

import math

import torch
from sklearn.cluster import KMeans
from torch.nn import functional

from .common import KEYS, WIDTH, numbers, save, weights_by_sdpa
from .core import weights_by_mask

BEST, WINDOW, SHARED = 8, 9, 2


def make() -> None:
    query, keys = numbers(41, WIDTH), numbers(42, KEYS, WIDTH)
    best = torch.topk(keys @ query / math.sqrt(WIDTH), BEST).indices
    weights = torch.zeros(KEYS, dtype=torch.float64)
    weights[best] = weights_by_sdpa(query, keys[best])
    save("top_k", query, keys, weights=weights)

    longformer = weights_by_mask(
        keys, lambda b, h, i, j: ((i - j).abs() <= WINDOW // 2) | (j < SHARED) | (i < SHARED)
    )
    save("local_global", query, keys, weights=longformer)

    # well separated directions, so that every k-means finds the same
    centres = functional.normalize(numbers(43, 5, 16), dim=1)
    keys = (centres.repeat(20, 1) + 0.1 * numbers(44, 100, 16)).float().double()
    query = numbers(45, 16)
    unit = functional.normalize(keys, dim=1)
    found = KMeans(5, n_init=10, random_state=0).fit(unit.numpy())
    own = torch.from_numpy(
        found.labels_ == found.predict(functional.normalize(query, dim=0)[None].numpy())[0]
    )
    weights = torch.zeros(100, dtype=torch.float64)
    weights[own] = weights_by_sdpa(query, keys[own])
    save("routing", query, keys, weights=weights)
