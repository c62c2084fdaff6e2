"""Twins of the mechanisms over graphs: float64, as their formulas read."""

from __future__ import annotations

from collections import defaultdict, deque
from itertools import pairwise

import numpy as np
from twins import Expected, softmax_over_heads


def gat_over_keys(query, keys, weights, slope=0.2, temperature=1.0) -> Expected:
    """Every key a neighbour of the query, under projection (d, H, F'), source and target (H, F')."""
    query, keys = np.asarray(query, np.float64), np.asarray(keys, np.float64)
    logits = []
    for head in range(len(weights.source)):
        projection = weights.projection[:, head]
        h_i = query @ projection
        scores = []
        for key in keys:
            e = weights.source[head] @ (key @ projection) + weights.target[head] @ h_i
            scores.append((e if e > 0 else slope * e) / temperature)
        logits.append(np.array(scores))
    return softmax_over_heads(logits)


def edge_featured_gat(features, edges, attributes, num_heads, temperature=1.0):
    """Logits (E, H) of version 2 without a model: edges are (centre, neighbour), each with its weight."""
    features = np.asarray(features, np.float64)
    logits = []
    for (centre, neighbour), weight in zip(edges, attributes, strict=True):
        parts = np.array_split(np.abs(features[centre] - features[neighbour]), num_heads)
        logits.append([(-part.sum() + np.log(weight)) / temperature for part in parts])
    return np.array(logits)


def ppr_diffusion(n, weights, start, alpha=0.15):
    """a (n,) from weights {(i, j): w_ij} of the edges, by the inverse."""
    steps = np.zeros((n, n))
    for (i, j), weight in weights.items():
        steps[i, j] = weight / sum(other for (k, _), other in weights.items() if k == i)
    restart = np.eye(n)[start]
    for i in range(n):
        if not steps[i].any():
            steps[i] = restart
    return alpha * np.linalg.inv(np.eye(n) - (1 - alpha) * steps.T) @ restart


def minimum_cut(capacities, source, sink):
    """(value, nodes on the source's side, the fewest) of edges {(i, j): capacity}, one way each.

    As long as there is a way to the sink that can take more, the shortest one is filled.
    """
    left = defaultdict(dict)
    for (i, j), capacity in capacities.items():
        left[i][j] = left[i].get(j, 0) + capacity
        left[j].setdefault(i, 0)
    value = 0
    while True:
        came_from = reached(left, source)
        if sink not in came_from:
            return value, set(came_from)
        way = [sink]
        while way[-1] != source:
            way.append(came_from[way[-1]])
        steps = list(pairwise(reversed(way)))
        amount = min(left[i][j] for i, j in steps)
        for i, j in steps:
            left[i][j] -= amount
            left[j][i] += amount
        value += amount


def reached(left, source):
    """{node: the node before it} of all that can be reached, nearest first."""
    came_from, queue = {source: None}, deque([source])
    while queue:
        i = queue.popleft()
        for j, capacity in left[i].items():
            if capacity > 0 and j not in came_from:
                came_from[j] = i
                queue.append(j)
    return came_from
