"""Functions that score pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.functions.declaration import VECTOR, Argument, Function
from ruattn_fdw.kernels.errors import KernelError
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.tables.attention_score import SCORE, prepare, score_pair


class PairScores:
    """The function ruvector_attention_score. Over a table the query stays the same: it is made ready once."""

    def __init__(self) -> None:
        self._ready: tuple[bytes, str, str] | None = None
        self._score: Callable[[np.ndarray], float] = lambda key: np.nan

    def __call__(self, query: Any, key: Any, attention_type: str) -> float:
        """The logit of one pair."""
        if isinstance(query, str):
            return self._checked(query, key, attention_type)
        ready = (bytes(query), attention_type, host_api.text_setting("features"))
        vector = np.asarray(key)
        if ready != self._ready:
            arguments = _arguments(query, key, attention_type)
            self._score, self._ready = prepare(arguments), ready
        try:
            if vector.ndim == 1:
                return self._score(vector)
        except KernelError:
            pass  # said again below, as an error of SQL
        return self._checked(query, key, attention_type)

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
