"""Twins of the mechanisms over hyperbolic spaces, graphs and experts: float64, as their formulas read."""

from __future__ import annotations

from math import acosh, sqrt

import numpy as np
from twins import Expected, scaled_dot, slices, softmax_over_heads


def hyperbolic(query, keys, num_heads=1, temperature=1.0, curvature=1.0, beta=1.0, bias=0.0) -> Expected:
    c = abs(curvature)
    logits = []
    for q, k in slices(query, keys, num_heads):
        distances = [acosh(max(1, -c * minkowski(on_sheet(q, c), on_sheet(row, c)))) / sqrt(c) for row in k]
        logits.append(-(beta * np.array(distances) + bias) / temperature)
    return softmax_over_heads(logits)


def on_sheet(tangent, c):
    """The hyperboloid point to which a tangent vector at the origin leads."""
    r = np.linalg.norm(tangent)
    space = np.sinh(sqrt(c) * r) / sqrt(c) * tangent / r if r else tangent
    return np.concatenate([[np.cosh(sqrt(c) * r) / sqrt(c)], space])


def minkowski(x, y):
    return -x[0] * y[0] + np.dot(x[1:], y[1:])


def poincare(query, keys, num_heads=1, temperature=1.0, curvature=1.0) -> Expected:
    c = abs(curvature)
    logits = []
    for q, k in slices(query, keys, num_heads):
        logits.append(np.array([-ball_distance(q, row, c) / temperature for row in k]))
    return softmax_over_heads(logits)


def ball_distance(x, y, c):
    apart = np.dot(x - y, x - y)
    return acosh(1 + 2 * c * apart / ((1 - c * np.dot(x, x)) * (1 - c * np.dot(y, y)))) / sqrt(c)


def lorentz(query, keys, num_heads=1, temperature=1.0, curvature=1.0, distance="squared") -> Expected:
    c = abs(curvature)
    logits = []
    for q, k in slices(query, keys, num_heads):
        products = [minkowski(lifted(q, c), lifted(row, c)) for row in k]
        if distance == "geodesic":
            lengths = np.array([acosh(max(1, -c * product)) / sqrt(c) for product in products])
        else:
            lengths = np.array([(-2 / c - 2 * product) / sqrt(len(q)) for product in products])
        logits.append(-lengths / temperature)
    return softmax_over_heads(logits)


def lifted(space, c):
    return np.concatenate([[sqrt(1 / c + np.dot(space, space))], space])


def gatv2(features, edges, num_heads, temperature=1.0):
    """Weights (E, H) of distinct edges (centre, neighbour), by the distance of their ends."""
    features = np.asarray(features, np.float64)
    logits = {}
    for centre, neighbour in edges:
        parts = np.array_split(np.abs(features[centre] - features[neighbour]), num_heads)
        logits[centre, neighbour] = np.array([-part.sum() / temperature for part in parts])
    return edge_softmax(edges, logits)


def gat(features, edges, projection, source, target, slope=0.2, temperature=1.0):
    """Weights (E, H) of distinct edges (centre, neighbour) under projection (d, H, F')."""
    features = np.asarray(features, np.float64)
    logits = {}
    for centre, neighbour in edges:
        of_heads = []
        for head in range(len(source)):
            h_i, h_j = features[centre] @ projection[:, head], features[neighbour] @ projection[:, head]
            e = source[head] @ h_j + target[head] @ h_i
            of_heads.append((e if e > 0 else slope * e) / temperature)
        logits[centre, neighbour] = np.array(of_heads)
    return edge_softmax(edges, logits)


def edge_softmax(edges, logits):
    weights = []
    for centre, neighbour in edges:
        rivals = sum(np.exp(logits[other]) for other in edges if other[0] == centre)
        weights.append(np.exp(logits[centre, neighbour]) / rivals)
    return np.array(weights)


def moe(query, keys, owner, gate, top_k, num_heads=1, temperature=1.0):
    """Scores (n,) where owner (n,) says which expert a key belongs to and gate (E, d) scores experts."""
    shares = np.asarray(gate, np.float64) @ np.asarray(query, np.float64)
    chosen = sorted(range(len(gate)), key=lambda e: -shares[e])[:top_k]
    masses = np.exp(shares[chosen] - shares[chosen].max())
    score = np.zeros(len(keys))
    for expert, share in zip(chosen, masses / masses.sum(), strict=True):
        own = np.flatnonzero(owner == expert)
        score[own] = share * scaled_dot(query, keys[own], num_heads, temperature).score
    return score


TWINS = {
    "hyperbolic": hyperbolic,
    "poincare": poincare,
    "lorentz": lorentz,
    "gat": gat,
    "gatv2": gatv2,
    "moe": moe,
}
