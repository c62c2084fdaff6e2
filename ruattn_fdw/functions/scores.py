"""Functions that score pairs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.functions.declaration import VECTOR, Argument, Function
from ruattn_fdw.kernels.errors import KernelError
from ruattn_fdw.kernels.pairs import Logit, Pairs
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.tables.attention_score import SCORE, prepare, score_pair


class PairScores:
    """The function ruvector_attention_score.

    Over a table the settings stay the same, and often the query: each is made ready once.
    """

    def __init__(self) -> None:
        self._ready: tuple[int, str, str] | None = None
        self._pairs: Pairs | None = None
        self._query = b""
        self._logit: Logit = lambda key: np.nan

    def __call__(self, query: Any, key: Any, attention_type: str) -> float:
        """The logit of one pair."""
        if isinstance(query, str):
            return self._checked(query, key, attention_type)
        vector, asked = np.asarray(key), np.asarray(query)
        ready = (asked.size, attention_type, host_api.text_setting("features"))
        if ready != self._ready:
            self._pairs, self._query = prepare(_arguments(query, key, attention_type)), b""
            self._ready = ready
        try:
            if vector.ndim == asked.ndim == 1:
                if self._pairs is not None and self._pairs.is_product:
                    return self._pairs.product(asked, vector)
                if self._asks(asked):
                    return self._logit(vector)
        except KernelError:
            pass  # said again below, as an error of SQL
        return self._checked(query, key, attention_type)

    def _asks(self, query: np.ndarray) -> bool:
        """Put the query in effect; False where it may hold what is no number."""
        asked = query.tobytes()
        if asked != self._query:
            if self._pairs is None or not math.isfinite(query.dot(query)):
                return False
            self._logit, self._query = self._pairs.of(query), asked
        return True

    def _checked(self, query: object, key: object, attention_type: str) -> float:
        return score_pair(_arguments(query, key, attention_type))


def _arguments(query: object, key: object, attention_type: str) -> Arguments:
    return Arguments(SCORE, {}, {"query": query, "key": key, "attention_type": attention_type})


FUNCTIONS = (
    Function(
        name="ruvector_attention_score",
        help="The attention logit of one query and one key (a softmax over one key would always be 1).",
        arguments=(
            Argument("query", VECTOR),
            Argument("key", VECTOR),
            Argument("attention_type", "text", "'scaled_dot'"),
        ),
        returns="real",
        run=PairScores(),
    ),
)
