"""What attention gives: the weights of all keys for one query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .arrays import F32, F64, Rows
from .softmax import State

Bools = npt.NDArray[np.bool_]


@dataclass
class Weights:
    """Attention of one query over n keys, row by row.

    score (n,): mean over heads of the weight after normalisation over all keys. logit (n,): mean over heads
    of the logit, of a kernel mechanism its logarithm; NaN for a key that the mechanism masks out. head_scores
    (H, n): weights of each head. lse (H,): log-sum-exp of each head's logits, or the normaliser given in its
    place; None where the mechanism has none.

    For ranking: whole is the softmax over all keys, exact(rows) gives float64 logits (H, len(rows)); both are
    None where scores are final as they are. slack (n,) bounds how far a logit, or the log of a score, is off.

    notes: what is worth telling of how the weights came about, by label.
    """

    score: F32
    logit: F32
    head_scores: F32
    lse: F64 | None
    whole: State | None = None
    exact: Callable[[Rows], F64] | None = None
    slack: F32 | None = None
    kernel: bool = False
    notes: Mapping[str, object] = field(default_factory=dict)

    def shown_logit(self, rows: Rows) -> F32:
        """The logits of these rows as users see them: of a kernel mechanism the kernel, not its logarithm."""
        if not self.kernel or self.lse is None:
            return self.logit[rows]
        kernels = self.head_scores[:, rows] * np.exp(self.lse)[:, None]
        masked = np.isnan(self.logit[rows])
        result: F32 = np.where(masked, np.nan, kernels.mean(axis=0)).astype(np.float32)
        return result


@dataclass
class BatchWeights:
    """Attention of m queries over n keys at once.

    head_scores (H, m, n) float64. logits (m, n): the mean over heads before normalisation; NaN where masked.
    """

    head_scores: F64
    logits: F32

    def of_query(self, place: int) -> Weights:
        """The final weights of one query."""
        head_scores = self.head_scores[:, place].astype(np.float32)
        score = self.head_scores[:, place].mean(axis=0).astype(np.float32)
        return Weights(score, self.logits[place], head_scores, None)


def settled(head_scores: F64, logits: F64, lse: F64 | None = None) -> Weights:
    """Final weights from float64 head_scores (H, n) and logits (H, n), NaN for keys that are masked out."""
    score = head_scores.mean(axis=0).astype(np.float32)
    logit = logits.mean(axis=0).astype(np.float32)
    return Weights(score, logit, head_scores.astype(np.float32), lse)


@dataclass(frozen=True)
class Answer:
    """The best rows for a query, best first.

    rows (k,): their indexes among the keys. score and logit (k,), head_scores (H, k) and lse (H,) are as of
    `Weights`. read: how many rows were scored in float64 to find them.
    """

    rows: Rows
    score: F32
    logit: F32
    head_scores: F32
    lse: F64 | None
    read: int


def scattered(part: Weights, rows: Rows, n: int) -> Weights:
    """The weights of all n keys, where `part` has those of `rows` and the others are masked out."""
    heads = len(part.head_scores)
    score, slack = np.zeros(n, np.float32), np.zeros(n, np.float32)
    logit = np.full(n, np.nan, np.float32)
    head_scores = np.zeros((heads, n), np.float32)
    score[rows], logit[rows], head_scores[:, rows] = part.score, part.logit, part.head_scores
    if part.slack is not None:
        slack[rows] = part.slack
    return Weights(
        score, logit, head_scores, part.lse, part.whole, part.exact, slack, part.kernel, part.notes
    )
