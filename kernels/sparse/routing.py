"""Attention within clusters (Roy et al. 2021, Routing Transformer): probing an inverted file, with a softmax.

Roy's choice of equally many keys for each centroid is left out: a cluster has the keys that are nearest to
it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from ..arrays import F32, F64, Checkpoint, Rows
from ..core.dot import dot_scorer
from ..errors import InvalidOption, InvalidShape
from ..fits import LastFit
from ..kmeans import assign, fit, units
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options, Problem
from ..trained import Tensors, Training, check_axes, without
from ..weights import Bools

_COUNT = Interval(1, 65536)


class Clusters(NamedTuple):
    """centroids (C, d) at length 1, owner (n,): the cluster of each key. Every cluster has some key."""

    centroids: F64
    owner: Rows


def fitted_clusters(problem: Problem) -> Clusters:
    """The clusters of the keys themselves."""
    options, n = problem.options, len(problem.keys)
    wanted = int(options["n_clusters"] or math.ceil(math.sqrt(n)))
    _check_probes(options, wanted)
    seed, rounds = int(options["seed"]), int(options["max_iter"])
    return _CLUSTERS.of(problem.keyset, min(wanted, n), seed, rounds, checkpoint=problem.checkpoint)


def in_near_clusters(problem: Problem, clusters_of: Callable[[Problem], Clusters] = fitted_clusters) -> Bools:
    """Which keys (n,) are in one of the `nprobe` clusters nearest the query; whole vectors are clustered."""
    clusters, probes = clusters_of(problem), int(problem.options["nprobe"])
    near = np.argsort(-(clusters.centroids @ problem.query.reshape(-1)), kind="stable")[:probes]
    return np.isin(clusters.owner, near)


def _check_probes(options: Options, clusters: int) -> None:
    if options["nprobe"] > clusters:
        raise InvalidOption(
            f"nprobe is {options['nprobe']}, n_clusters is {clusters}",
            "There are no more clusters to look into.",
        )


def _clusters(keys: F32, count: int, seed: int, rounds: int, checkpoint: Checkpoint) -> Clusters:
    return _shared_out(keys, fit(keys, count, seed, checkpoint, rounds, spherical=True), checkpoint)


def _share_out(keys: F32, centroids: bytes, checkpoint: Checkpoint) -> Clusters:
    return _shared_out(keys, np.frombuffer(centroids).reshape(-1, keys.shape[1]), checkpoint)


def _shared_out(keys: F32, centroids: F64, checkpoint: Checkpoint) -> Clusters:
    used, owner = np.unique(assign(keys, centroids, checkpoint), return_inverse=True)
    return Clusters(centroids[used], owner.reshape(-1))


_CLUSTERS, _SHARES = LastFit(_clusters), LastFit(_share_out)


def _bind(mechanism: Mechanism, tensors: Tensors) -> Mechanism:
    """routing with the centroids of a set."""
    check_axes(tensors, "centroids", "clusters, in")
    centroids = units(tensors["centroids"].astype(np.float64))

    def given(problem: Problem) -> Clusters:
        if problem.keys.shape[1] != centroids.shape[1]:
            raise InvalidShape(
                f"keys have {problem.keys.shape[1]} dimensions, centroids of the model {centroids.shape[1]}",
                "Name a model that was fitted to such vectors, or other vectors.",
            )
        _check_probes(problem.options, len(centroids))
        return _SHARES.of(problem.keyset, centroids.tobytes(), checkpoint=problem.checkpoint)

    parameters = without(mechanism, "n_clusters", "seed", "max_iter")
    return replace(mechanism, parameters=parameters, visible=partial(in_near_clusters, clusters_of=given))


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
    training=Training(("centroids",), (), _bind),
)
