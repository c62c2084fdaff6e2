"""A table whose handler fails in every way there is, for test_handler_faults.py."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ruattn_fdw.declaration import Parameter, Result, Table
from ruattn_fdw.handler import AttentionTable, Batch, Cost
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report

FAULTY = Table(
    name="faulty",
    help="Fails as it is told.",
    results=(Result("n", "integer", "number"), Result("t", "text", "text"), Result("v", "real[]", "vector")),
    parameters=(Parameter("fault", "text", "what goes wrong", required=True),),
    example="SELECT n FROM faulty WHERE fault = 'none'",
)


class UnprintableError(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def recurse(depth: int) -> int:
    return recurse(depth + 1) + 1


def allocate() -> None:
    np.empty(2**62, np.int8)


RAISED: dict[str, Callable[[], object]] = {
    "exception": lambda: 1 / 0,
    "system exit": lambda: sys.exit(3),
    "keyboard interrupt": lambda: (_ for _ in ()).throw(KeyboardInterrupt),
    "memory": allocate,
    "recursion": lambda: recurse(0),
    "generator exit": lambda: (_ for _ in ()).throw(GeneratorExit),
    "unprintable": lambda: (_ for _ in ()).throw(UnprintableError),
    "surrogate": lambda: (_ for _ in ()).throw(ValueError("lone \ud800 surrogate, % format")),
    "long message": lambda: (_ for _ in ()).throw(ValueError("x" * 1_000_000)),
}

ROWS = 3
ONE_TO_THREE = np.arange(1, ROWS + 1)
COLUMNS: dict[str, tuple[str, Any]] = {
    "array too short": ("n", ONE_TO_THREE[:2]),
    "array too long": ("n", np.arange(9)),
    "list too short": ("n", [1, 2]),
    "mask too short": ("n", (ONE_TO_THREE, np.array([True, False]))),
    "mask of integers": ("n", (ONE_TO_THREE, ONE_TO_THREE)),
    "strided": ("n", np.arange(6)[::2]),
    "other byte order": ("n", ONE_TO_THREE.astype(">i8")),
    "out of range": ("n", ONE_TO_THREE * 2**40),
    "not a number": ("n", np.array([1.5, np.nan, 2])),
    "text for a number": ("n", ["a", "b", "c"]),
    "huge integer": ("n", [2**70] * ROWS),
    "complex": ("n", ONE_TO_THREE.astype(complex)),
    "objects": ("n", np.array([object()] * ROWS)),
    "dates": ("n", np.array(["2000-01-01"] * ROWS, "datetime64[D]")),
    "no dimensions": ("n", np.array(1)),
    "three dimensions": ("n", np.zeros((ROWS, 1, 1))),
    "matrix for a number": ("n", np.zeros((ROWS, 2), np.float32)),
    "matrix for a text": ("t", np.full((ROWS, 2), 7, np.float32)),
    "a number": ("n", 5),
    "nothing": ("n", None),
    "no tuple": ("n", ()),
    "long tuple": ("n", (1, 2, 3)),
    "bytes": ("n", b"abc"),
    "zero byte": ("t", ["a\0b"] * ROWS),
    "surrogate text": ("t", ["\ud800"] * ROWS),
    "number for a vector": ("v", np.zeros(ROWS, np.float32)),
    "text that is no vector": ("v", ["one"] * ROWS),
    "integers for a vector": ("v", np.zeros((ROWS, 2), np.int64)),
    "ragged vectors": ("v", [[1.0], [1.0, 2.0], []]),
}


class Faulty(AttentionTable):
    """Raises, or gives a batch with one wrong column, or with the wrong number of rows."""

    declaration = FAULTY

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """Fail at once, or later in the iterator."""
        fault = arguments["fault"]
        if fault.startswith("start: "):
            RAISED[fault.removeprefix("start: ")]()
        return self._batches(fault)

    def cost(self, arguments: Arguments) -> Cost:
        """Fail during planning."""
        self._raise("plan: ", arguments)
        return (
            Cost(float("nan"), float("-inf"), float("inf"))
            if arguments.known("fault") == "costs"
            else Cost(1, 0, 1)
        )

    def explanation(self, arguments: Arguments) -> list[tuple[str, object]]:
        """Fail during EXPLAIN."""
        self._raise("explain: ", arguments)
        return [("Fault", 2**80)] if arguments.known("fault") == "explained" else []

    def _raise(self, prefix: str, arguments: Arguments) -> None:
        fault = arguments.known("fault") or ""
        if fault.startswith(prefix):
            RAISED[fault.removeprefix(prefix)]()

    def _batches(self, fault: str) -> Iterator[Batch]:
        good = {"n": ONE_TO_THREE, "t": ["a", None, "c"], "v": np.ones((ROWS, 2), np.float32)}
        yield Batch(ROWS, good)
        if fault.startswith("next: "):
            RAISED[fault.removeprefix("next: ")]()
        if fault in COLUMNS:
            name, column = COLUMNS[fault]
            yield Batch(ROWS, {**good, name: column})
        if fault == "more rows than columns have":
            yield Batch(10**6, good)
        if fault == "negative rows":
            yield Batch(-1, good)
        if fault == "a column is missing":
            yield Batch(ROWS, {"t": ["a"] * ROWS})
