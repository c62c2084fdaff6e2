"""Attention by diffusion (Kondor and Lafferty 2002; GRAND, Chamberlain et al. 2021): logits flow between
near keys.

x(t) = exp(-t L) x(0), with the logits of scaled_dot for x(0) and the Laplacian L of the graph of the keys,
whose edges weigh exp(-||k_i - k_j||^2 / (2 h^2)). Of a random walk's Laplacian the exponential is a mean over
walks, which is summed as it is: the symmetric form would divide by the root of each key's degree, and leave
nothing but rounding of a key far from all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..arrays import F32, F64, Checkpoint, spans
from ..core.dot import dot_scorer
from ..eigen import eigh
from ..errors import InvalidOption
from ..fits import LastFit
from ..limits import check_rows
from ..logits import exact_logits
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Problem
from ..softmax import plain_softmax
from ..sorting import median
from ..topology.neighbours import largest
from ..weights import Weights, settled
from .walks import LONGEST_WALK, SparseMatrix, Step, walked

Flow = Callable[[F64, float, Checkpoint], F64]
"""Logits (H, n) and a time t >= 0 -> logits (H, n) after it."""

_DENSE_ROWS, _SPARSE_ROWS = 1024, 4096
"""Rows at most where none are given, which take seconds."""

_LONGEST = 1000.0
"""Time at most where the flow is followed step by step, which takes the longer the more time passes."""


def weigh(problem: Problem) -> Weights:
    """The softmax of the logits after the time t; the temperature divides them then, not before."""
    options = problem.options
    knn = options["knn"]
    most = options["max_rows"] or (_DENSE_ROWS if knn is None else _SPARSE_ROWS)
    check_rows(MECHANISM.name, problem.keys, int(most))
    if knn is not None and float(options["t"]) > _LONGEST:
        raise InvalidOption(
            f"t is {options['t']:g}, with knn at most {_LONGEST:g} is allowed",
            "By then what is connected is level; without knn any time will do.",
        )
    start = exact_logits(MECHANISM, replace(problem, temperature=1.0))
    form, t = str(options["laplacian"]), float(options["t"])
    spectral = knn is None and (form != "random_walk" or t > LONGEST_WALK)
    fit = _SPARSE if knn is not None else _SPECTRAL if spectral else _WALK
    flow = fit.of(problem.keyset, options["bandwidth"], form, knn, checkpoint=problem.checkpoint)
    logits = flow(start, t, problem.checkpoint) / problem.temperature
    problem.checkpoint()
    weights, lse = plain_softmax(logits)
    return settled(weights, logits, lse)


def _walk(keys: F32, bandwidth: float | None, form: str, knn: None, checkpoint: Checkpoint) -> Flow:
    """Along walks over all keys."""
    step = _step(_affinities(keys, bandwidth, checkpoint))
    return lambda logits, t, checkpoint: walked(logits, step, t, checkpoint)


def _spectral(keys: F32, bandwidth: float | None, form: str, knn: None, checkpoint: Checkpoint) -> Flow:
    """By the eigenvectors of the symmetric form; of a random walk the last of the time along walks.

    By then what rounding has left of far keys is gone.
    """
    affinities = _affinities(keys, bandwidth, checkpoint)
    matrix, scale = _laplacian(affinities, form)
    checkpoint()
    values, vectors = eigh(matrix, checkpoint)
    step = _step(affinities) if form == "random_walk" else None

    def flow(logits: F64, t: float, checkpoint: Checkpoint) -> F64:
        first = t if step is None else t - LONGEST_WALK
        result: F64 = ((logits * scale) @ vectors * np.exp(-first * values)) @ vectors.T / scale
        return result if step is None else walked(result, step, LONGEST_WALK, checkpoint)

    return flow


def _sparse(keys: F32, bandwidth: float | None, form: str, knn: int, checkpoint: Checkpoint) -> Flow:
    """Along walks over nearest keys: each form is a rate times I - P, where P has no negative element."""
    graph = _near(_affinities(keys, bandwidth, checkpoint), knn, checkpoint)
    degrees, ones = graph.times(np.ones((len(keys), 1)), checkpoint)[:, 0], np.ones(len(keys))
    alone = degrees == 0
    safe, rate = np.where(alone, 1, degrees), 1.0
    if form == "random_walk":
        graph.scale(1 / safe, ones, alone, checkpoint)
    elif form == "symmetric":
        graph.scale(1 / np.sqrt(safe), 1 / np.sqrt(safe), alone, checkpoint)
    else:
        rate = float(safe.max())
        graph.scale(ones / rate, ones, 1 - degrees / rate, checkpoint)
    return lambda logits, t, checkpoint: walked(logits, graph.times, rate * t, checkpoint)


def _near(affinities: F64, knn: int, checkpoint: Checkpoint) -> SparseMatrix:
    """The affinities (n, n) of two keys of which one is among the nearest of the other."""
    n = len(affinities)
    chosen = np.eye(n, dtype=bool)
    for span in spans(n, 8 * n):
        near = largest(affinities[span], min(knn, n - 1))
        np.put_along_axis(chosen[span], near, True, axis=1)
        checkpoint()
    parts = []
    for span in spans(n, 8 * n):
        either = chosen[span] | chosen[:, span].T
        rows, columns = np.nonzero(either)
        parts.append((either.sum(axis=1), columns, affinities[span][rows, columns]))
        checkpoint()
    return SparseMatrix(parts, checkpoint)


_WALK, _SPECTRAL, _SPARSE = LastFit(_walk), LastFit(_spectral), LastFit(_sparse)


def _step(affinities: F64) -> Step:
    """A walk's next step; a lone key stays where it is."""
    degrees = affinities.sum(axis=1)
    alone = degrees == 0
    steps: F64 = affinities / np.where(alone, 1, degrees)[:, None]
    steps[alone, alone] = 1
    return lambda state, checkpoint: steps @ state


def _affinities(keys: F32, bandwidth: float | None, checkpoint: Checkpoint) -> F64:
    """W (n, n) with 0 on the diagonal; the bandwidth is the median distance of two keys if left out."""
    distances = _distances(keys.astype(np.float64), checkpoint)
    width = _median(distances, checkpoint) if bandwidth is None else bandwidth * bandwidth
    for span in spans(len(keys), 8 * len(keys)):
        near = distances[span]
        distances[span] = np.exp(near / (-2 * width)) if width > 0 else near == 0
        checkpoint()
    np.fill_diagonal(distances, 0)
    return distances


def _distances(wide: F64, checkpoint: Checkpoint) -> F64:
    """The squared distances (n, n) of keys (n, d); 0 where rounding leaves nothing else."""
    squares = np.einsum("nd,nd->n", wide, wide)
    distances = np.empty((len(wide), len(wide)))
    for span in spans(len(wide), 8 * len(wide)):
        sums = squares[span, None] + squares
        block = sums - 2 * wide[span] @ wide.T
        distances[span] = np.where(block > 1e-14 * sums, block, 0)
        checkpoint()
    return distances


def _median(distances: F64, checkpoint: Checkpoint) -> float:
    """The median of the squared distances (n, n) of two keys; 0 for a key alone."""
    pairs = []
    for span in spans(len(distances), 8 * len(distances)):
        pairs.append(np.concatenate([distances[row, :row] for row in range(span.start, span.stop)]))
        checkpoint()
    count = sum(len(part) for part in pairs)
    return median(pairs, checkpoint) if count else 0.0


def _laplacian(affinities: F64, form: str) -> tuple[F64, F64]:
    """A symmetric matrix M (n, n) and s (n,) with exp(-t L) x = exp(-t M) (s x) / s; 0 at lone keys."""
    degrees = affinities.sum(axis=1)
    if form == "unnormalized":
        return np.diag(degrees) - affinities, np.ones(len(degrees))
    alone = degrees == 0
    roots = np.sqrt(np.where(alone, 1, degrees))
    matrix = np.diag(np.where(alone, 0.0, 1.0)) - affinities / roots[:, None] / roots
    return matrix, roots if form == "random_walk" else np.ones(len(degrees))


MECHANISM = Mechanism(
    name="diffusion",
    aliases=("heat_kernel", "pde"),
    family="pde",
    feature="attention",
    complexity="O(n^2 d + n^3), O(n^2 d + T n knn) with knn",
    memory="O(n^2)",
    best_for="denoising scores over neighbours",
    formula="a = softmax(exp(-t L) s / temperature), s_j = <q, k_j> / sqrt(d), L the keys' graph Laplacian",
    reference="Kondor and Lafferty 2002; Chamberlain et al. 2021, GRAND",
    operations=("mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option("t", float, 1.0, Interval(0), "How long logits flow."),
        Option(
            "bandwidth",
            float,
            None,
            Interval(0, low_open=True),
            "Distance h at which affinity fades; the median distance of two keys if left out.",
        ),
        Option(
            "laplacian",
            str,
            "random_walk",
            ("random_walk", "symmetric", "unnormalized"),
            "Form of the Laplacian: I - W/D, I - W/sqrt(DD), or D - W.",
        ),
        Option(
            "knn", int, None, Interval(1, 65536), "Nearest keys that a key has edges to; all if left out."
        ),
        Option(
            "max_rows",
            int,
            None,
            Interval(1, 2**31 - 1),
            "Rows at most; 1024, or 4096 with knn, if left out.",
        ),
    ),
    scope="SET",
    scorer=dot_scorer,
    weigh=weigh,
)
