"""Answers over parts of the keys made one: what several servers say, as if one of them had all rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import F32, F64, Checkpoint, Floats, Rows, uninterrupted
from .sorting import in_order

SLACK, NEAR = 1e-5, 1e-6
"""What single precision may have taken from a score, and far more; how close scores are in doubtful order."""


def merge_lse(parts: F64) -> F64:
    """The log-sum-exps (..., H) over all keys of those (S, ..., H) over parts of them, S >= 1."""
    merged: F64 = np.logaddexp.reduce(parts, axis=0)
    return merged


def merge_order(
    scores: Floats,
    logits: Floats,
    ids: npt.NDArray[np.int64],
    k: int | None,
    checkpoint: Checkpoint = uninterrupted,
) -> Rows:
    """The places of the k best of rows (n,), all where k is None: by score, then by logit, then by id."""
    return in_order((ids, -logits, -scores), checkpoint)[:k]


def reweighted(head_scores: Floats, lse: F64, whole: F64) -> F64:
    """Weights (n, H) of rows under the log-sum-exp `whole` (H,), from those under log-sum-exps (n, H)."""
    return np.asarray(head_scores * np.exp(lse - whole), np.float64)


def is_settled(last: Floats, lse: F64, whole: F64, least: float) -> bool:
    """Whether rows that parts have kept to themselves are none of the best.

    last (S,): the score of the last row that each such part gave, under its log-sum-exps lse (S, H). least:
    the score of the last of the best under `whole` (H,). No row gains more by that than one head does, and
    where all heads gain the same, rows that were kept stay behind those that were given.
    """
    gains = np.exp(lse - whole)
    most = last * gains.max(axis=1)
    alike = gains.max(axis=1) == gains.min(axis=1)
    return bool((alike | (most * (1 + SLACK) < least)).all())


def in_doubt(scores: Floats) -> bool:
    """Whether of scores (n,) in descending order some are too close to be told apart once weighed anew."""
    return bool((scores[:-1] <= scores[1:] * (1 + NEAR)).any())


def merge_outputs(lse: F64, outputs: Floats) -> F32:
    """The outputs (m, d_v) over all keys of those (S, m, d_v) over parts with log-sum-exps (S, m, H).

    Outputs of heads stand side by side, and each head has weights of its own.
    """
    shares = np.exp(lse - merge_lse(lse))
    slices = outputs.astype(np.float64).reshape(*lse.shape, -1)
    merged: F64 = (shares[..., None] * slices).sum(axis=0)
    return merged.reshape(len(merged), -1).astype(np.float32)


def share_of_entropy(lse: F64, entropies: Floats, normaliser: F64) -> F64:
    """What the keys with log-sum-exp (..., H) and entropies (..., H) add to those of a larger whole, in nats.

    With the share w = exp(lse - normaliser) of the weights, -sum of w p log(w p) is w (entropy - log w).
    """
    log_share = lse - normaliser
    added: F64 = np.exp(log_share) * (entropies - log_share)
    return added
