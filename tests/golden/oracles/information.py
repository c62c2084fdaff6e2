"""Information: an optimiser for the bottleneck, the perplexity search of t-SNE, and angles by torch."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.optimize import minimize
from sklearn.manifold._utils import _binary_search_perplexity

from .common import KEYS, WIDTH, numbers, save

BETA, PERPLEXITY = 1.7, 9.0


def optimum(logits: np.ndarray) -> np.ndarray:
    """The distribution of the largest mean logit less its divergence from the uniform one over beta."""

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        a = np.exp(x - x.max())
        a /= a.sum()
        gain = logits - (np.log(a) + math.log(len(a))) / BETA
        mean = a @ gain
        return -mean, -(a * (gain - mean))

    found = minimize(loss, np.zeros(len(logits)), jac=True, method="BFGS", options={"gtol": 1e-12}).x
    weights = np.exp(found - found.max())
    return weights / weights.sum()


def by_perplexity(logits: np.ndarray) -> np.ndarray:
    """t-SNE's search takes squared distances, and leaves out the row's own, which comes first here."""
    distances = np.concatenate([[0], logits.max() - logits]).astype(np.float32)[None]
    square = np.repeat(distances, len(logits) + 1, axis=0)
    return _binary_search_perplexity(square, PERPLEXITY, 0)[0, 1:]


def make() -> None:
    query, keys = numbers(31, WIDTH), numbers(32, KEYS, WIDTH)
    logits = (keys @ query).numpy() / math.sqrt(WIDTH)
    save(
        "information_bottleneck",
        query,
        keys,
        optimum=optimum(logits),
        beta=BETA,
        weights=by_perplexity(logits),
        perplexity=PERPLEXITY,
    )
    roots, root = torch.softmax(keys, dim=1).sqrt(), torch.softmax(query, dim=0).sqrt()
    # the angle of two unit vectors, whose arc cosine would lose digits (Kahan)
    angle = 2 * torch.atan2((roots - root).norm(dim=1), (roots + root).norm(dim=1))
    save("fisher_rao", query, keys, distance=2 * angle)
