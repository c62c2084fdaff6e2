"""k-means (Lloyd 1957) with seeded k-means++ starts (Arthur and Vassilvitskii 2007), spherical if wanted.

The order in which rows are stored makes no difference: they are put in an order of their own first.
"""

from __future__ import annotations

import math

import numpy as np

from .arrays import F32, F64, Checkpoint, Rows, spans

_SAMPLE = 16_384
"""Rows that centroids are fitted to; of more, evenly many in the order of `_canonical`."""

_SAMPLE_EACH = 40
"""Rows for each cluster, where that is more."""

_STARTS, _STARTS_EACH = 4096, 8
"""Rows of the sample that starts are chosen from, and rows for each cluster, where that is more."""


def fit(
    keys: F32,
    clusters: int,
    seed: int,
    checkpoint: Checkpoint,
    max_iter: int = 25,
    spherical: bool = False,
) -> F64:
    """Centroids (c, d) of keys (n, d), n >= 1; c is `clusters`, or less where fewer rows differ.

    spherical: keys and centroids are made unit vectors, so that clusters go by the angle alone.
    """
    sample = _sample(keys, max(_SAMPLE, _SAMPLE_EACH * clusters), seed, checkpoint)
    sample = units(sample) if spherical else sample
    few = sample[:: max(1, len(sample) // max(_STARTS, _STARTS_EACH * clusters))]
    centroids = _starts(few, clusters, np.random.RandomState(seed), checkpoint)
    nearest = np.full(len(sample), -1)
    for _ in range(max_iter):
        before, nearest = nearest, assign(sample, centroids, checkpoint)
        checkpoint()
        if np.array_equal(before, nearest):
            break
        centroids = _means(sample, nearest, centroids)
        centroids = units(centroids) if spherical else centroids
    return centroids


def assign(points: F32 | F64, centroids: F64, checkpoint: Checkpoint) -> Rows:
    """The nearest centroid (n,) of each of points (n, d), the first of several."""
    # ||x - c||^2 less what all centroids have in common
    halves = np.einsum("cd,cd->c", centroids, centroids) / 2
    nearest = np.empty(len(points), np.intp)
    for span in spans(len(points), 8 * (points.shape[1] + len(centroids))):
        block = points[span].astype(np.float64, copy=False)
        nearest[span] = np.argmax(block @ centroids.T - halves, axis=1)
        checkpoint()
    return nearest


def _sample(keys: F32, size: int, seed: int, checkpoint: Checkpoint) -> F64:
    """At most `size` rows (m, d) by ascending random projection, which orders equal rows alike."""
    direction = np.random.RandomState(seed).standard_normal(keys.shape[1])
    projections = np.empty(len(keys))
    for span in spans(len(keys), 8 * keys.shape[1]):
        projections[span] = np.add.reduce(keys[span] * direction, axis=1)
        checkpoint()
    order = np.argsort(projections, kind="stable")
    chosen = order if len(order) <= size else order[np.arange(size) * len(order) // size]
    return keys[chosen].astype(np.float64)


def _starts(sample: F64, clusters: int, random: np.random.RandomState, checkpoint: Checkpoint) -> F64:
    """Rows far from each other: each is the best of a few drawn by their squared distance to those before."""
    squares = np.einsum("nd,nd->n", sample, sample)
    chosen = [int(random.randint(len(sample)))]
    distance = _squared_distances(sample, squares, chosen)[:, 0]
    tries = 2 + int(math.log(clusters))
    while len(chosen) < clusters and distance.any():
        mass = np.cumsum(distance)
        drawn = np.searchsorted(mass, random.random_sample(tries) * mass[-1], side="right")
        left = np.minimum(distance[:, None], _squared_distances(sample, squares, drawn))
        best = int(left.sum(axis=0).argmin())
        chosen.append(int(drawn[best]))
        distance = left[:, best]
        checkpoint()
    return sample[chosen]


def _squared_distances(sample: F64, squares: F64, rows: Rows | list[int]) -> F64:
    """Squared distances (n, m) to some of the rows themselves; 0 where only rounding is left of them."""
    sums = squares[:, None] + squares[rows]
    distances = sums - 2 * sample @ sample[rows].T
    result: F64 = np.where(distances > 1e-12 * sums, distances, 0)
    return result


def _means(sample: F64, nearest: Rows, before: F64) -> F64:
    """The mean of each cluster; one that lost all its rows stays where it was."""
    order = np.argsort(nearest, kind="stable")
    used, starts, counts = np.unique(nearest[order], return_index=True, return_counts=True)
    centroids: F64 = np.array(before)
    centroids[used] = np.add.reduceat(sample[order], starts) / counts[:, None]
    return centroids


def units(vectors: F64) -> F64:
    """The vectors (n, d) at length 1; the zero vector stays what it is."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    result: F64 = vectors / np.where(lengths > 0, lengths, 1)[:, None]
    return result
