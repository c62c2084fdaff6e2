"""Attention within hash buckets (Kitaev et al. 2020, Reformer; Andoni et al. 2015, cross-polytope hashing).

Keys that share a bucket with the query in any round are seen, each once. Reformer's tied queries and keys,
and its chunks, are left out.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..arrays import F32, F64, Checkpoint, Rows, spans
from ..core.dot import dot_scorer
from ..errors import InvalidOption
from ..fits import LastFit
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Problem
from ..weights import Bools

_MOST = 65536
"""Buckets of all rounds at most: half as many directions are held, and each key is compared with them all."""


def share_a_bucket(problem: Problem) -> Bools:
    """Which keys (n,) have the query's hash in at least one round; whole vectors are hashed."""
    options = problem.options
    rounds, buckets, seed = (int(options[name]) for name in ("n_hashes", "n_buckets", "seed"))
    if buckets % 2:
        raise InvalidOption(f"n_buckets is {buckets}, it must be even", "Each direction has two sides.")
    if rounds * buckets > _MOST:
        raise InvalidOption(
            f"n_hashes is {rounds} and n_buckets {buckets}, {rounds * buckets} in all, at most {_MOST} are "
            "allowed",
            "Take fewer rounds or buckets.",
        )
    own = _hashes(problem.query.reshape(1, -1), rounds, buckets, seed, problem.checkpoint)
    of_keys = _OF_KEYS.of(problem.keyset, rounds, buckets, seed, checkpoint=problem.checkpoint)
    return np.asarray((of_keys == own).any(axis=1))


def _hashes(vectors: F32 | F64, rounds: int, buckets: int, seed: int, checkpoint: Checkpoint) -> Rows:
    """The bucket (n, rounds) of vectors (n, d): the direction, or its opposite, that lies nearest."""
    directions = _directions(vectors.shape[1], rounds, buckets // 2, seed)
    found = np.empty((len(vectors), rounds), np.intp)
    for span in spans(len(vectors), 8 * max(directions.shape)):
        along = (vectors[span].astype(np.float64) @ directions).reshape(-1, rounds, buckets // 2)
        found[span] = np.concatenate([along, -along], axis=2).argmax(axis=2)
        checkpoint()
    return found


@lru_cache(maxsize=4)
def _directions(dimensions: int, rounds: int, directions: int, seed: int) -> F64:
    """Random directions (d, rounds * directions)."""
    return np.random.RandomState(seed).standard_normal((dimensions, rounds * directions))


_OF_KEYS = LastFit(_hashes)

MECHANISM = Mechanism(
    name="lsh",
    aliases=("reformer",),
    family="sparse",
    feature="attention",
    complexity="O(n d b h) for the hashes, O(v d) for the v keys seen",
    memory="O(n h)",
    best_for="approximate neighbours",
    formula="a = softmax_j(<q, k_j> / (sqrt(d) temperature)) over keys that share a hash with q",
    reference="Kitaev et al. 2020, Reformer; Andoni et al. 2015, cross-polytope LSH",
    operations=("mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option("n_hashes", int, 4, Interval(1, 1024), "Rounds of hashing."),
        Option("n_buckets", int, 16, Interval(2, 65536), "Buckets in a round, an even number."),
        Option("seed", int, 0, Interval(0, 2**31 - 1), "Seed of the random directions."),
    ),
    weight_kind="D0",
    scope="SET",
    scorer=dot_scorer,
    visible=share_a_bucket,
)
