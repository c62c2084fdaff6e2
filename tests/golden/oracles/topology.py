"""Cuts by networkx, the flow of heat by scipy's matrix exponential, and Mahalanobis' distance."""

from __future__ import annotations

import math

import networkx
import numpy as np
import torch
from scipy.linalg import expm
from scipy.sparse.csgraph import laplacian
from scipy.spatial.distance import cdist

from .common import KEYS, WIDTH, numbers, save

KNN, ALPHAS = 8, (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
TIME, BANDWIDTH = 0.8, 9.0


def cuts() -> None:
    """Keys in loose clusters; each node is joined to the eight most alike."""
    centres = numbers(71, 4, 16).numpy()
    keys = (np.repeat(centres, 16, axis=0)[:KEYS] + 0.8 * numbers(72, KEYS, 16).numpy()).astype(np.float32)
    query = (centres[0] + 0.8 * numbers(73, 16).numpy()).astype(np.float32)
    nodes = np.vstack([keys, query[None]]).astype(np.float64)
    nodes /= np.linalg.norm(nodes, axis=1, keepdims=True)
    cosines = nodes @ nodes.T
    np.fill_diagonal(cosines, -2)
    values = []
    for alpha in ALPHAS:
        graph = networkx.DiGraph()
        for i in range(KEYS + 1):
            for j in np.argsort(-cosines[i])[:KNN]:
                if cosines[i, j] > 0:
                    graph.add_edge(i, int(j), capacity=cosines[i, j])
                    graph.add_edge(int(j), i, capacity=cosines[i, j])
        for i in range(KEYS):
            graph.add_edge(i, "sink", capacity=alpha)
        values.append(networkx.minimum_cut(graph, KEYS, "sink")[0])
    save("mincut_gated", torch.from_numpy(query), torch.from_numpy(keys), alphas=ALPHAS, values=values)


def heat() -> None:
    query, keys = numbers(74, WIDTH), numbers(75, KEYS, WIDTH)
    start = (keys @ query).numpy() / math.sqrt(WIDTH)
    affinities = np.exp(-cdist(keys, keys, "sqeuclidean") / (2 * BANDWIDTH**2))
    np.fill_diagonal(affinities, 0)
    plain, symmetric = laplacian(affinities), laplacian(affinities, normed=True)
    walk = plain / affinities.sum(axis=1)[:, None]
    weights = {}
    for name, matrix in (("random_walk", walk), ("symmetric", symmetric), ("unnormalized", plain)):
        flowed = np.exp(expm(-TIME * matrix) @ start)
        weights[name] = flowed / flowed.sum()
    save("diffusion", query, keys, t=TIME, bandwidth=BANDWIDTH, **weights)


def energies() -> None:
    query, keys = numbers(76, 12), numbers(77, KEYS, 12) @ numbers(78, 12, 12)
    keys = keys.float().double()
    precision = np.linalg.inv(np.cov(keys.numpy().T, ddof=0) + 1e-6 * np.eye(12))
    distances = cdist(query[None].numpy(), keys.numpy(), "mahalanobis", VI=precision)[0]
    save("sheaf", query, keys, energies=distances**2)


def make() -> None:
    cuts()
    heat()
    energies()
