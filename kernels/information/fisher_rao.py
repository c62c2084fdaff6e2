"""Attention by the Fisher-Rao distance (Rao 1945): keys and query are distributions.

The distance of two is the angle of the square roots of their probabilities, doubled. The form with the arc
sine keeps the digits of near distributions, which an arc cosine would lose.
"""

from __future__ import annotations

import numpy as np

from ..arrays import EPS32, F64, TINY32, Floats, by_heads
from ..errors import OutOfDomain
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options


class FisherRaoScorer:
    """Logits -distance / temperature, float64 whatever the dtype of the keys."""

    def __init__(self, query: F64, temperature: float, options: Options) -> None:
        """query (H, d/H)."""
        self._temperature, self._options = temperature, options
        self._roots = _roots(query, options, "query")

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        apart = _roots(by_heads(keys, len(self._roots)).astype(np.float64), self._options) - self._roots
        np.multiply(apart, apart, out=apart)
        chords = np.sqrt(np.add.reduce(apart, axis=2)) / 2
        out[:] = (np.arcsin(np.minimum(chords, 1)) * (-4 / self._temperature)).T

    def rounding(self, keys: Floats) -> float:
        """Logits are rounded once, and no distance is larger than pi."""
        return 2 * EPS32 * np.pi / self._temperature + TINY32


def _roots(vectors: F64, options: Options, subject: str | None = None) -> F64:
    """The square roots (..., w) of the distributions that vectors (..., w) stand for."""
    if options["input"] == "logits":
        scaled = vectors / (2 * float(options["T"]))
        roots = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    else:
        roots = np.sqrt(_non_negative(vectors, subject))
    norms = np.sqrt(np.add.reduce(roots * roots, axis=-1))[..., None]
    result: F64 = roots / norms
    return result


def _non_negative(vectors: F64, subject: str | None) -> F64:
    """The vectors, each of which can be made a distribution; OutOfDomain names the first that cannot."""
    wrong = (vectors < 0).any(axis=-1) | ~(vectors > 0).any(axis=-1)
    if wrong.any():
        place = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        lowest = float(vectors[place].min())
        raise OutOfDomain(
            f"is no distribution: its least element is {lowest:g}" if lowest < 0 else "is 0 throughout",
            'Probabilities and counts are at least 0, not all 0. {"input": "logits"} takes any vector.',
            subject,
            None if subject else int(place[0]),
        )
    return vectors


def fisher_rao_scorer(query: F64, temperature: float, options: Options, dtype: type) -> FisherRaoScorer:
    """The scorer of query slices (H, d/H)."""
    return FisherRaoScorer(query, temperature, options)


MECHANISM = Mechanism(
    name="fisher_rao",
    aliases=("fisher", "info_geometry"),
    family="information",
    feature="attention",
    complexity="O(n d)",
    memory="O(n)",
    best_for="histograms, topic mixtures, logits",
    formula="a = softmax_j(-d(p, p_j) / temperature), d = 4 arcsin(|sqrt(p) - sqrt(p_j)| / 2), "
    "p = softmax(x / T)",
    reference="Rao 1945, Information and Accuracy Attainable in the Estimation of Statistical Parameters",
    parameters=(
        Option("T", float, 1.0, Interval(0, low_open=True), "Temperature of the softmax that makes p of x."),
        Option(
            "input",
            str,
            "logits",
            ("logits", "probs"),
            "Whether vectors are logits, or probabilities and counts that are divided by their sum.",
        ),
    ),
    scorer=fisher_rao_scorer,
)
