"""Networks in ONNX over texts: a model and its tokenizer, run by ONNX Runtime batch by batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Checkpoint, Floats
from ..errors import InvalidModel
from ..threads import watched, without_signals
from .sequences import Batch, Sequences, batches

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"

INPUTS = ("input_ids", "attention_mask", "token_type_ids")

FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")

LENGTH = 512
"""Tokens of a sequence at most, where neither the caller nor the model's files say."""

READ_AT_ONCE = 64
"""Sequences that are cut into tokens at one time."""


class Network:
    """The network of a folder: `model.onnx`, `tokenizer.json`. Raises ImportError, InvalidModel or OSError.

    threads: how many may compute at once, this one among them. They take no signals, and a process may
    fork before a model is loaded, but not after. output: the name of what it gives, and rank, how many axes
    that has: of its outputs the one called `preferred`, or else the first one of floating-point numbers.
    """

    def __init__(self, folder: Path, threads: int, preferred: str) -> None:
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
        self.output, self.rank = _output(self._session, preferred)

    def answers(
        self,
        before: tuple[str, ...],
        texts: Sequence[str],
        max_length: int | None,
        checkpoint: Checkpoint,
        interrupted: Callable[[], bool],
    ) -> Iterator[tuple[Batch, Floats]]:
        """Batches of the texts, each after those `before` it, and what the network gives for them (b, ...).

        `checkpoint` is called between batches; while one runs, `interrupted` says whether it would raise.
        InvalidModel where the network fails.
        """
        self._tokenizer.enable_truncation(max_length or self._length)
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(texts), READ_AT_ONCE):
            sequences = Sequences(max_length or self._length)
            for row in order[start : start + READ_AT_ONCE].tolist():
                checkpoint()
                sequences.add(row, self._tokenizer.encode(*sequences.limited(*before, texts[row])))
            for batch in batches(sequences, self._pad):
                checkpoint()
                yield batch, self._run(batch, checkpoint, interrupted)

    def _run(self, batch: Batch, checkpoint: Checkpoint, interrupted: Callable[[], bool]) -> Floats:
        run = self._runtime.RunOptions()
        arrays = dict(zip(INPUTS, (batch.ids, batch.mask, batch.segments), strict=True))
        given = {name: arrays[name].astype(dtype) for name, dtype in self._inputs.items()}
        try:
            [found] = watched(
                lambda: self._session.run([self.output], given, run),
                lambda: setattr(run, "terminate", True),
                interrupted,
            )
        except Exception as error:
            checkpoint()
            raise InvalidModel(f"fails: {_first_line(error)}", _LENGTH_HINT) from error
        return np.asarray(found)


_LENGTH_HINT = "It may take fewer tokens: options => '{\"max_length\": 512}' cuts the texts."


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
    """The token that fills sequences up."""
    if tokenizer.padding:
        return int(tokenizer.padding["pad_id"])
    known = (tokenizer.token_to_id(name) for name in ("[PAD]", "<pad>"))
    return next((token for token in known if token is not None), 0)


def _output(session: Any, preferred: str) -> tuple[str, int]:
    """The output that is taken, and how many axes it has."""
    found = {given.name: len(given.shape) for given in session.get_outputs() if given.type in FLOATS}
    if not found:
        raise InvalidModel("gives no floating-point numbers", "Name a model that judges or embeds texts.")
    name = preferred if preferred in found else next(iter(found))
    return name, found[name]


def _dtype(name: str) -> type[np.integer[Any]]:
    return np.int32 if name == "tensor(int32)" else np.int64


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
