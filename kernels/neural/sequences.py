"""Pairs of a query and a text as batches of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays import Rows

Tokens = npt.NDArray[np.int64]

STEP = 8
"""Pairs are filled up to a multiple of so many tokens, which depends on the pair alone."""

TOKENS = 2048
"""Tokens of a batch, those that fill up among them, unless a single pair has more."""

CHARACTERS = 100
"""Characters of a text that are read for each token it may have; no word is longer."""


class Batch(NamedTuple):
    """Pairs at these places: ids (b, t), mask 1 for tokens and 0 where filled up, segments 0 and 1."""

    places: Rows
    ids: Tokens
    mask: Tokens
    segments: Tokens


class Pairs:
    """Pairs of at most `length` tokens; `cut` counts the texts that had more."""

    def __init__(self, length: int) -> None:
        self.cut = 0
        self._limit = length * CHARACTERS
        self.tokens: list[tuple[list[int], list[int]]] = []

    def add(self, tokenizer: Any, query: str, text: str) -> None:
        """One more pair, by a tokenizer that cuts to the length."""
        encoding = tokenizer.encode(query[: self._limit], text[: self._limit])
        self.cut += bool(encoding.overflowing)
        self.tokens.append((encoding.ids, encoding.type_ids))


def batches(pairs: Pairs, pad: int) -> Iterator[Batch]:
    """The pairs in batches of one filled-up length each, short ones first."""
    lengths = np.array([-(-len(ids) // STEP) * STEP for ids, _ in pairs.tokens])
    for length in np.unique(lengths).tolist():
        places = np.flatnonzero(lengths == length)
        most = max(1, TOKENS // length)
        for start in range(0, len(places), most):
            yield _filled(pairs, places[start : start + most], length, pad)


def _filled(pairs: Pairs, places: Rows, length: int, pad: int) -> Batch:
    ids = np.full((len(places), length), pad)
    mask, segments = np.zeros_like(ids), np.zeros_like(ids)
    for row, place in enumerate(places.tolist()):
        tokens, kinds = pairs.tokens[place]
        ids[row, : len(tokens)], segments[row, : len(tokens)], mask[row, : len(tokens)] = tokens, kinds, 1
    return Batch(places, ids, mask, segments)
