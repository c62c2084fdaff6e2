"""What is made of a model's logits or cosines: an order, and scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..arrays import F32, Rows
from ..errors import OutOfDomain
from ..options import Interval, Option

OPTIONS = (
    Option(
        "max_length",
        int,
        None,
        Interval(8, 32768),
        "Tokens of what the model reads at once, a text with or without the query; a longer text is cut. "
        "As the model's files say, else 512.",
    ),
    Option(
        "activation",
        str,
        "identity",
        ("identity", "sigmoid"),
        "identity shows the model's logit or cosine, sigmoid a score between 0 and 1 in the same order.",
    ),
)


def best(logits: F32, ids: npt.NDArray[np.int64], k: int | None) -> Rows:
    """The indexes of the k largest logits (n,), or of all: descending, equal ones by id.

    OutOfDomain with the row where one is not finite.
    """
    bad = np.flatnonzero(~np.isfinite(logits))
    if len(bad):
        row = int(bad[0])
        raise OutOfDomain(
            f"gets the score {logits[row]}", "The model fails on this text or the query.", row=row
        )
    order: Rows = np.lexsort((ids, -logits))
    return order[:k]


def activated(logits: F32, activation: str) -> F32:
    """The scores of logits (n,)."""
    if activation == "identity":
        return logits
    # the form of 1 / (1 + exp(-x)) that cannot overflow
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64))), np.float32)
