"""Texts, or pairs of a query and a text, as batches of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays import Rows

Tokens = npt.NDArray[np.int64]

STEP = 8
"""Sequences are filled up to a multiple of so many tokens, which depends on the sequence alone."""

TOKENS = 2048
"""Tokens of a batch, those that fill up among them, unless a single sequence has more."""

CHARACTERS = 100
"""Characters of a text that are read for each token it may have; no word is longer."""


class Batch(NamedTuple):
    """Sequences of these rows: ids (b, t), mask 1 for tokens and 0 where filled up, segments 0 and 1.

    cut: how many of them had more tokens than there may be.
    """

    rows: Rows
    ids: Tokens
    mask: Tokens
    segments: Tokens
    cut: int


class Sequences:
    """The tokens of rows, of each at most `length`."""

    def __init__(self, length: int) -> None:
        self._limit = length * CHARACTERS
        self.rows: list[int] = []
        self.encodings: list[Any] = []

    def limited(self, *texts: str) -> list[str]:
        """As much of texts as may be read."""
        return [text[: self._limit] for text in texts]

    def add(self, row: int, encoding: Any) -> None:
        """One more, as a tokenizer that cuts to the length gives it."""
        self.rows.append(row)
        self.encodings.append(encoding)


def batches(sequences: Sequences, pad: int) -> Iterator[Batch]:
    """The sequences in batches of one filled-up length each, short ones first."""
    lengths = np.array([-(-max(1, len(found.ids)) // STEP) * STEP for found in sequences.encodings])
    for length in np.unique(lengths).tolist():
        places = np.flatnonzero(lengths == length)
        most = max(1, TOKENS // length)
        for start in range(0, len(places), most):
            yield _filled(sequences, places[start : start + most], length, pad)


def _filled(sequences: Sequences, places: Rows, length: int, pad: int) -> Batch:
    ids = np.full((len(places), length), pad)
    mask, segments = np.zeros_like(ids), np.zeros_like(ids)
    cut = 0
    for row, place in enumerate(places.tolist()):
        found = sequences.encodings[place]
        tokens = len(found.ids)
        ids[row, :tokens], segments[row, :tokens], mask[row, :tokens] = found.ids, found.type_ids, 1
        cut += bool(found.overflowing)
    return Batch(np.asarray(sequences.rows)[places], ids, mask, segments, cut)
