"""Attention gated by coherence (after the engine RuVector; there is no paper).

Where the keys' neighbourhoods agree all keys are attended to, where they do not only the nearest is trusted.
"""

from __future__ import annotations

import numpy as np

from ..core.dot import dot_scorer
from ..errors import InvalidOption
from ..heaviest import heaviest, mask
from ..limits import MAX_ROWS, check_rows, most_rows
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Problem
from ..weights import Bools
from .neighbours import NEAREST_KEYS, Neighbours

_SHARE = Interval(0, 1)


def by_mode(problem: Problem) -> Bools:
    """Which keys (n,) are seen: all, those of the largest logits, or the nearest."""
    options, n = problem.options, len(problem.keys)
    check_rows(MECHANISM.name, problem.keys, most_rows(options))
    stable, freeze = float(options["stable"]), float(options["freeze"])
    if freeze > stable:
        raise InvalidOption(f"freeze is {freeze:g}, stable is {stable:g}", "freeze is the lower of the two.")
    found = coherence(NEAREST_KEYS.of(problem.keyset, int(options["knn"]), checkpoint=problem.checkpoint))
    mode = "stable" if found >= stable else "freeze" if found <= freeze else "cautious"
    problem.notes.update(Mode=mode, Coherence=found)
    seen = {"stable": n, "freeze": 1, "cautious": max(1, int(options["width"]) // 2)}[mode]
    return mask(heaviest(MECHANISM, problem, seen), n)


def coherence(neighbours: Neighbours) -> float:
    """Mean cosine of neighbours times (1 - standard deviation), in [0, 1]; 1 where nothing can disagree."""
    cosines = neighbours.cosines
    return float(np.clip(cosines.mean() * (1 - cosines.std()), 0, 1)) if cosines.size else 1.0


MECHANISM = Mechanism(
    name="topology_gated",
    aliases=("coherence_gated",),
    family="topology",
    feature="graph",
    complexity="O(n^2 d) to fit, then O(n d)",
    memory="O(n knn)",
    best_for="auto full / top-k / nearest",
    formula="scaled_dot over all keys, the width/2 best, or the nearest, as C = mean cos (1 - std cos) says",
    reference="RuVector, topology gated attention",
    operations=("mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option("knn", int, 8, Interval(1, 1024), "Neighbours of each key that are compared with it."),
        Option("stable", float, 0.7, _SHARE, "Coherence from which all keys are seen."),
        Option("freeze", float, 0.3, _SHARE, "Coherence up to which only the nearest key is seen."),
        Option("width", int, 64, Interval(1, 2**31 - 1), "Between them, twice the number of keys seen."),
        MAX_ROWS,
    ),
    weight_kind="D0",
    scope="SET",
    scorer=dot_scorer,
    visible=by_mode,
)
