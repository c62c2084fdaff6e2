"""Relevance of texts to a query by a learned cross-encoder (Nogueira and Cho 2019).

A cross-encoder reads a query and a text together, as one sequence of tokens, so every token of the one can
attend to every token of the other; it gives one number for the pair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..arrays import F32, Checkpoint, Floats, uninterrupted
from ..errors import InvalidModel
from ..threads import never
from .network import Network


class CrossEncoder:
    """A network whose output is the logits of pairs: (b, 1) or (b,)."""

    kind = "cross-encoder"

    def __init__(self, network: Network) -> None:
        self._network = network

    def score(
        self,
        query: str,
        texts: Sequence[str],
        max_length: int | None = None,
        checkpoint: Checkpoint = uninterrupted,
        interrupted: Callable[[], bool] = never,
    ) -> tuple[F32, int]:
        """The logits (n,) of the texts, and how many were cut for pairs of `max_length` tokens.

        InvalidModel where the network gives no logits; for the others see its `answers`.
        """
        logits, cut = np.empty(len(texts), np.float32), 0
        for batch, found in self._network.answers((query,), texts, max_length, checkpoint, interrupted):
            logits[batch.rows] = _as_logits(found, len(batch.rows))
            cut += batch.cut
        return logits, cut


_HINT = (
    "A reranker gives one number for a pair of texts, or embeds texts: a vector for each, or for each token."
)


def _as_logits(found: Floats, pairs: int) -> F32:
    if found.shape not in ((pairs,), (pairs, 1)):
        shape = " x ".join(map(str, found.shape[1:]))
        raise InvalidModel(f"gives {shape} numbers for each pair, not one", _HINT)
    return found.astype(np.float32).reshape(pairs)
