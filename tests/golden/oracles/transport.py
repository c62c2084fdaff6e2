"""Optimal transport by POT and scipy; the factors of a product of spaces by geoopt."""

from __future__ import annotations

import math

import geoopt
import numpy as np
import ot
import torch
from scipy.stats import wasserstein_distance

from .common import KEYS, WIDTH, numbers, save

TOKENS, TOKEN_DIM, LINES, SEED, EPSILON, CURVATURE = 4, 6, 40, 3, 0.5, 0.6


def sliced() -> None:
    query, keys = numbers(81, TOKENS * TOKEN_DIM), numbers(82, KEYS, TOKENS * TOKEN_DIM)
    drawn = np.random.RandomState(SEED).standard_normal((TOKEN_DIM, LINES))
    lines = drawn / np.linalg.norm(drawn, axis=0)
    sets, own = keys.numpy().reshape(KEYS, TOKENS, TOKEN_DIM), query.numpy().reshape(TOKENS, TOKEN_DIM)
    distance = [ot.sliced_wasserstein_distance(own, other, projections=lines) for other in sets]
    scalar = [wasserstein_distance(query.numpy(), key) for key in keys.numpy()]
    save("sliced_wasserstein", query, keys, lines=lines, distance=distance, scalar=scalar)


def sinkhorn() -> None:
    queries, keys = numbers(83, 9, WIDTH), numbers(84, KEYS, WIDTH)
    cost = -(queries @ keys.T).numpy() / math.sqrt(WIDTH)
    plan = ot.sinkhorn(
        np.full(9, 1 / 9), np.full(KEYS, 1 / KEYS), cost, EPSILON, numItermax=100_000, stopThr=1e-15
    )
    save("sinkhorn", queries, keys, weights=9 * plan, epsilon=EPSILON)


def product_of_spaces() -> None:
    ball = geoopt.PoincareBall(c=torch.tensor(CURVATURE, dtype=torch.float64))
    sphere = geoopt.Sphere()
    vectors = (0.3 * numbers(85, KEYS + 1, 13)).float().double()
    flat, curved, round_ = vectors.split([6, 4, 3], dim=1)
    units = torch.nn.functional.normalize(round_, dim=1)
    squared = ((flat[:1] - flat[1:]) ** 2).sum(dim=1)
    squared += ball.dist(curved[:1], curved[1:]) ** 2 + sphere.dist(units[:1], units[1:]) ** 2
    save("mixed_curvature", vectors[0], vectors[1:], squared=squared, curvature=CURVATURE)


def make() -> None:
    sliced()
    sinkhorn()
    product_of_spaces()
