"""A mixture of attention heads whose experts are clusters that scikit-learn found."""

from __future__ import annotations

import math

import torch
from sklearn.cluster import KMeans

from .common import numbers, save, weights_by_sdpa


def make() -> None:
    """Well separated clusters, so that every k-means finds the same."""
    centres = 4 * numbers(11, 5, 16)
    keys = (centres.repeat(20, 1) + numbers(12, 100, 16)).float().double()
    query = numbers(13, 16)
    found = KMeans(5, n_init=10, random_state=0).fit(keys.numpy())
    gate = torch.from_numpy(found.cluster_centers_) @ query / math.sqrt(16)
    best, chosen = torch.topk(gate, 2)
    weights = torch.zeros(100, dtype=torch.float64)
    for share, expert in zip(torch.softmax(best, dim=0), chosen, strict=True):
        own = torch.from_numpy(found.labels_ == int(expert))
        weights[own] = share * weights_by_sdpa(query, keys[own])
    save("moe", query, keys, labels=found.labels_, weights=weights)
