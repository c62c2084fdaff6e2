"""Attention within clusters (Roy et al. 2021, Routing Transformer): probing an inverted file, with a softmax.

Roy's choice of equally many keys for each centroid is left out: a cluster has the keys that are nearest to
it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..arrays import F32, F64, Checkpoint, Rows
from ..core.dot import dot_scorer
from ..errors import InvalidOption
from ..fits import LastFit
from ..kmeans import assign, fit
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Problem
from ..weights import Bools

_COUNT = Interval(1, 65536)


class Clusters(NamedTuple):
    """centroids (C, d) at length 1, owner (n,): the cluster of each key. Every cluster has some key."""

    centroids: F64
    owner: Rows


def in_near_clusters(problem: Problem) -> Bools:
    """Which keys (n,) are in one of the `nprobe` clusters nearest the query; whole vectors are clustered."""
    options, n = problem.options, len(problem.keys)
    wanted = int(options["n_clusters"] or math.ceil(math.sqrt(n)))
    probes = int(options["nprobe"])
    if probes > wanted:
        raise InvalidOption(
            f"nprobe is {probes}, n_clusters is {wanted}",
            "There are no more clusters to look into.",
        )
    seed, rounds = int(options["seed"]), int(options["max_iter"])
    clusters = _CLUSTERS.of(problem.keys, min(wanted, n), seed, rounds, checkpoint=problem.checkpoint)
    near = np.argsort(-(clusters.centroids @ problem.query.reshape(-1)), kind="stable")[:probes]
    return np.isin(clusters.owner, near)


def _clusters(keys: F32, count: int, seed: int, rounds: int, checkpoint: Checkpoint) -> Clusters:
    centroids = fit(keys, count, seed, checkpoint, rounds, spherical=True)
    used, owner = np.unique(assign(keys, centroids, checkpoint), return_inverse=True)
    return Clusters(centroids[used], owner.reshape(-1))


_CLUSTERS = LastFit(_clusters)

MECHANISM = Mechanism(
    name="routing",
    aliases=("kmeans", "cluster", "routing_transformer"),
    family="sparse",
    feature="attention",
    complexity="O(C d + n d / C) once the clusters are fitted",
    memory="O(n)",
    best_for="IVF-like large tables",
    formula="a = softmax_j(<q, k_j> / (sqrt(d) temperature)) over the keys of the clusters nearest q",
    reference="Roy et al. 2021, Efficient Content-Based Sparse Attention with Routing Transformers",
    operations=("mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option("n_clusters", int, None, _COUNT, "Clusters of the keys by angle; ceil(sqrt(n)) if left out."),
        Option("nprobe", int, 1, _COUNT, "Clusters that the query looks into."),
        Option("seed", int, 0, Interval(0, 2**31 - 1), "Seed of the clusters' starts."),
        Option("max_iter", int, 25, Interval(1, 10_000), "Rounds of k-means at most."),
    ),
    weight_kind="D0",
    scope="SET",
    scorer=dot_scorer,
    visible=in_near_clusters,
    weights=lambda options: "kmeans",
)
