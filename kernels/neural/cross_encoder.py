"""Relevance of texts to a query by a learned cross-encoder (Nogueira and Cho 2019), run by ONNX Runtime.

A cross-encoder reads a query and a text together, as one sequence of tokens, so every token of the one can
attend to every token of the other; it gives one number for the pair.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import F32, Checkpoint, Floats, Rows, uninterrupted
from ..errors import InvalidModel, OutOfDomain
from ..threads import never, watched, without_signals
from .pairs import Batch, Pairs, batches

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"

INPUTS = ("input_ids", "attention_mask", "token_type_ids")

LENGTH = 512
"""Tokens of a pair at most, where neither the caller nor the tokenizer's file says."""

READ_AT_ONCE = 64
"""Pairs that are cut into tokens at one time."""


class CrossEncoder:
    """The model of a folder: `model.onnx` and `tokenizer.json`. Raises ImportError, InvalidModel or OSError.

    threads: how many may compute at once, this one among them. They take no signals, and a process may
    fork before a model is loaded, but not after.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        for name in (MODEL_FILE, TOKENIZER_FILE):
            (folder / name).open("rb").close()
        with without_signals():
            self._runtime, tokenizers = _libraries()
            self._session = _session(self._runtime, folder / MODEL_FILE, threads)
        self._tokenizer = _tokenizer(tokenizers, folder / TOKENIZER_FILE)
        self._pad = _padding(self._tokenizer)
        cut = self._tokenizer.truncation
        self._length = cut["max_length"] if cut else LENGTH
        self._tokenizer.no_padding()
        self._inputs = {given.name: _dtype(given.type) for given in self._session.get_inputs()}
        unknown = sorted(set(self._inputs) - set(INPUTS))
        if unknown:
            raise InvalidModel(f"takes {unknown[0]}", f"Models may take {', '.join(INPUTS)}.")

    def score(
        self,
        query: str,
        texts: Sequence[str],
        max_length: int | None = None,
        checkpoint: Checkpoint = uninterrupted,
        interrupted: Callable[[], bool] = never,
    ) -> tuple[F32, int]:
        """The logits (n,) of the texts, and how many texts were cut for pairs of `max_length` tokens.

        `checkpoint` is called between batches; while one runs, `interrupted` says whether it would raise.
        OutOfDomain with the row where a logit is not finite, InvalidModel where the model gives no logits.
        """
        logits = np.empty(len(texts), np.float32)
        cut = 0
        for rows, pairs in self._read(query, texts, max_length or self._length, checkpoint):
            cut += pairs.cut
            for batch in batches(pairs, self._pad):
                checkpoint()
                logits[rows[batch.places]] = self._run(batch, checkpoint, interrupted)
        _check_finite(logits)
        return logits, cut

    def _read(
        self, query: str, texts: Sequence[str], length: int, checkpoint: Checkpoint
    ) -> Iterator[tuple[Rows, Pairs]]:
        """Pairs as tokens, those of texts about as long together."""
        self._tokenizer.enable_truncation(length)
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(texts), READ_AT_ONCE):
            rows = order[start : start + READ_AT_ONCE]
            pairs = Pairs(length)
            for row in rows.tolist():
                checkpoint()
                pairs.add(self._tokenizer, query, texts[row])
            yield rows, pairs

    def _run(self, batch: Batch, checkpoint: Checkpoint, interrupted: Callable[[], bool]) -> F32:
        """The logits (b,) of one batch."""
        run = self._runtime.RunOptions()
        arrays = dict(zip(INPUTS, (batch.ids, batch.mask, batch.segments), strict=True))
        given = {name: arrays[name].astype(dtype) for name, dtype in self._inputs.items()}
        try:
            found = watched(
                lambda: self._session.run(None, given, run),
                lambda: setattr(run, "terminate", True),
                interrupted,
            )
        except Exception as error:
            checkpoint()
            raise InvalidModel(f"fails: {_first_line(error)}", _LENGTH_HINT) from error
        return _as_logits(np.asarray(found[0]), len(batch.places))


_LENGTH_HINT = "It may take fewer tokens: options => '{\"max_length\": 512}' cuts the texts."
_KIND_HINT = (
    "A reranker is a cross-encoder with one output for a pair of texts; a model that embeds texts is none."
)


def _libraries() -> tuple[Any, Any]:
    """ONNX Runtime and the tokenizers; the former would report its use over the network."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime
    import tokenizers

    return onnxruntime, tokenizers


def _session(runtime: Any, path: Path, threads: int) -> Any:
    """The model ready to run; between runs it keeps neither memory nor a processor busy."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _unreadable(path, "in ONNX", error) from error


def _tokenizer(tokenizers: Any, path: Path) -> Any:
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:
        raise _unreadable(path, "a file of the library tokenizers", error) from error


def _unreadable(path: Path, wanted: str, error: Exception) -> InvalidModel:
    """What is said of a file, without its folder."""
    reason = _first_line(error).replace(str(path), path.name)
    return InvalidModel(f"cannot be loaded: {reason}", f"{path.name} must be {wanted}.")


def _padding(tokenizer: Any) -> int:
    """The token that fills pairs up."""
    if tokenizer.padding:
        return int(tokenizer.padding["pad_id"])
    known = (tokenizer.token_to_id(name) for name in ("[PAD]", "<pad>"))
    return next((token for token in known if token is not None), 0)


def _dtype(name: str) -> type[np.integer[Any]]:
    return np.int32 if name == "tensor(int32)" else np.int64


def _as_logits(found: Floats, pairs: int) -> F32:
    if found.shape not in ((pairs,), (pairs, 1)):
        shape = " x ".join(map(str, found.shape[1:]))
        raise InvalidModel(f"gives {shape} numbers for each pair, not one", _KIND_HINT)
    return found.astype(np.float32).reshape(pairs)


def _check_finite(logits: F32) -> None:
    bad = np.flatnonzero(~np.isfinite(logits))
    if len(bad):
        row = int(bad[0])
        raise OutOfDomain(f"gets the logit {logits[row]}", "The model fails on this text.", row=row)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
