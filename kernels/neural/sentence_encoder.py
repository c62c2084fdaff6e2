"""Relevance of texts to a query by a learned encoder of sentences (Reimers and Gurevych 2019).

Layers of a transformer turn the tokens of a text into vectors, of which one vector is made; the relevance is
the cosine of a query's and a text's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import F32, F64, Checkpoint, Floats, uninterrupted
from ..errors import InvalidModel, shown
from ..threads import never
from .network import Network
from .sequences import Batch, Tokens

OUTPUT = "sentence_embedding"
"""What the vector of a whole text is called among a network's outputs."""

MODULES_FILE = "modules.json"
POOLING_FILE = "1_Pooling/config.json"
LENGTH_FILE = "sentence_bert_config.json"
CONFIG_FILES = (MODULES_FILE, POOLING_FILE, LENGTH_FILE)
"""What Sentence Transformers says of a model, in files that need not be there."""

MODULES = ("Transformer", "Pooling", "Normalize")
FIRST, MEAN = "first token", "mean of the tokens"
MODES = {"pooling_mode_cls_token": FIRST, "pooling_mode_mean_tokens": MEAN, "cls": FIRST, "mean": MEAN}
"""Ways to pool, as they are switched on, and as they are named."""


class SentenceEncoder:
    """A network whose output is a vector for each text (b, w) or each token (b, t, w), with its folder."""

    def __init__(self, network: Network, folder: Path) -> None:
        self._network = network
        self._length = _length(_read(folder / LENGTH_FILE, {}).get("max_seq_length"))
        self._pooling = None if network.rank == 2 else _pooling(folder)
        self.kind = f"sentence encoder, {self._pooling or 'vectors of the model'}"

    def score(
        self,
        query: str,
        texts: Sequence[str],
        max_length: int | None = None,
        checkpoint: Checkpoint = uninterrupted,
        interrupted: Callable[[], bool] = never,
    ) -> tuple[F32, int]:
        """The cosines (n,) of the texts with the query, and how many were cut to `max_length` tokens.

        NaN where a vector is 0. InvalidModel where the network gives no vectors; for the others see its
        `answers`.
        """

        def vectors(of: Sequence[str]) -> Iterator[tuple[Batch, F64]]:
            found = self._network.answers((), of, max_length or self._length, checkpoint, interrupted)
            return ((batch, self._pooled(output, batch.mask)) for batch, output in found)

        cosines, cut = np.empty(len(texts), np.float32), 0
        [(_, [asked])] = vectors([query])
        for batch, found in vectors(texts):
            cosines[batch.rows] = _cosines(asked, found)
            cut += batch.cut
        return cosines, cut

    def _pooled(self, output: Floats, mask: Tokens) -> F64:
        """The vectors (b, w) of the texts of a batch with this mask (b, t)."""
        axes = mask.shape[:1] if self._pooling is None else mask.shape
        if output.ndim != len(axes) + 1 or output.shape[:-1] != axes:
            shape = " x ".join(map(str, output.shape[1:]))
            raise InvalidModel(
                f"gives {shape} numbers for a text of {mask.shape[1]} tokens",
                "A model that embeds texts gives a vector for each text, or for each token.",
            )
        if self._pooling is None:
            return output.astype(np.float64)
        if self._pooling == FIRST:
            return output[:, 0].astype(np.float64)
        shares = mask / np.maximum(mask.sum(axis=1, keepdims=True), 1)
        pooled: F64 = np.matmul(shares[:, None], output)[:, 0]
        return pooled


def _cosines(asked: F64, vectors: F64) -> F64:
    """Those of one vector (w,) with others (b, w); NaN for 0."""
    sizes = np.linalg.norm(vectors, axis=1) * np.linalg.norm(asked)
    with np.errstate(invalid="ignore"):
        return np.asarray(vectors @ asked / sizes)


def _read(path: Path, otherwise: Any) -> Any:
    """What a file in JSON says."""
    if not path.exists():
        return otherwise
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidModel(f"cannot be loaded: {path.name}: {error}", f"{path.name} must be JSON.") from error
    if not isinstance(found, type(otherwise)):
        raise InvalidModel(
            f"cannot be loaded: {path.name} holds {shown(found)}",
            f"{path.name} must be as Sentence Transformers writes it.",
        )
    return found


def _length(given: object) -> int | None:
    if given is None or (isinstance(given, int) and given > 0):
        return given
    raise InvalidModel(
        f"cannot be loaded: max_seq_length is {shown(given)}",
        "It is a number of tokens, at least 1, or null.",
    )


def _check_modules(modules: list[Any]) -> None:
    """Raise InvalidModel where more is to be done to vectors than is done here."""
    kinds = [str(module.get("type") if isinstance(module, dict) else module) for module in modules]
    unknown = [kind for kind in kinds if kind.rpartition(".")[2] not in MODULES]
    if unknown:
        raise InvalidModel(
            f"has the module {unknown[0]}", f"Models that embed texts may have {', '.join(MODULES)}."
        )


def _pooling(folder: Path) -> str:
    """How one vector is made of those of the tokens."""
    _check_modules(_read(folder / MODULES_FILE, []))
    given = _read(folder / POOLING_FILE, {}).items()
    asked = [(name, used) for name, used in given if name.startswith("pooling_mode") and used]
    modes = [name if used is True else str(used) for name, used in asked]
    unknown = [name for name in modes if name not in MODES]
    if unknown or len(modes) > 1:
        raise InvalidModel(f"pools by {', '.join(modes)}", f"Models may pool by one of {', '.join(MODES)}.")
    return MODES[modes[0]] if modes else MEAN
