"""Vectors in their binary formats: arrays of real or double precision, pgvector's vector and halfvec.

An array begins with the number of its dimensions, a vector with its length in the upper half of that word.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ruattn_fdw.errors import BAD_DATA, OUT_OF_RANGE

NULL_NOT_ALLOWED = "22004"
ARRAY_HEADER = 12
DIMENSION = 8
REAL, DOUBLE = 700, 701
WIDTHS = {REAL: 4, DOUBLE: 8}
PACKED_HEADER = 4
LARGEST_NDIM = 6


class Fault(NamedTuple):
    """What is wrong with the vector of a row of the chunk, as a message goes on after the row's name."""

    row: int
    what: str
    sqlstate: str = BAD_DATA
    hint: str = "Correct the row, or leave it out with a view."


class VectorError(Exception):
    """A value is no vector, or no set of them."""

    def __init__(self, what: str, sqlstate: str = BAD_DATA) -> None:
        super().__init__(what)
        self.what, self.sqlstate = what, sqlstate


def block(data: np.ndarray, at: np.ndarray, size: int) -> np.ndarray:
    """`size` bytes from each of the places, (n, size) and contiguous."""
    steps = np.diff(at)
    if len(steps) and (steps == steps[0]).all():
        shape, strides = (len(at), size), (int(steps[0]), 1)
        return np.ascontiguousarray(np.lib.stride_tricks.as_strided(data[at[0] :], shape, strides))
    return data[at[:, None] + np.arange(size)]


def int32(data: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The word at each of the places."""
    return block(data, at, 4).view(">i4")[:, 0].astype(np.int64)


class VectorColumn:
    """A vector in each row, all of one length."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []
        self._dim: int | None = None

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(part.nbytes for part in self._parts)

    def append(self, data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> Fault | None:
        """Add the values that begin at these places; what is wrong with the first that is no such vector."""
        try:
            vectors = _alike(data, starts, lengths)
        except VectorError:
            vectors = None
        if vectors is None or self._dim not in (None, vectors.shape[1]):
            return self._append_singly(data, starts, lengths)
        self._keep(vectors)
        return None

    def result(self) -> np.ndarray:
        """The vectors, float32 (n, dimensions)."""
        return np.concatenate(self._parts) if self._parts else np.empty((0, 0), np.float32)

    def _keep(self, vectors: np.ndarray) -> None:
        self._dim = vectors.shape[1]
        self._parts.append(vectors)

    def _append_singly(self, data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> Fault | None:
        for row, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
            try:
                vectors = self._read(data[start : start + length].tobytes())
            except VectorError as error:
                return Fault(row, error.what, error.sqlstate)
            if self._dim not in (None, vectors.shape[1]):
                return _other_width(row, vectors.shape[1], self._dim)
            self._keep(vectors)
        return None

    def _read(self, value: bytes) -> np.ndarray:
        if 1 < _word(value) <= LARGEST_NDIM:
            raise VectorError("has more than one dimension")
        return _read_vectors(value)


class VectorSetColumn(VectorColumn):
    """Several vectors in each row, all of one length."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: list[int] = []

    def append(self, data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> Fault | None:
        """Add the values that begin at these places; what is wrong with the first that is no such set."""
        return self._append_singly(data, starts, lengths)

    def result(self) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        """(the vectors of all rows, float32; how many each row has, int64)."""
        return super().result(), np.array(self._counts, np.int64)

    def _keep(self, vectors: np.ndarray) -> None:
        super()._keep(vectors)
        self._counts.append(len(vectors))

    def _read(self, value: bytes) -> np.ndarray:
        return _read_vectors(value)


def _other_width(row: int, dim: int, before: int | None) -> Fault:
    return Fault(
        row,
        f"has {dim} dimensions, the rows before it have {before}",
        hint="All vectors of one column must have the same number of dimensions.",
    )


def _alike(data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray | None:
    """The vectors of values that have the same header, float32 (n, dimensions); None where they differ."""
    values = block(data, starts, int(lengths[0])) if (lengths == lengths[0]).all() else data[:0, None]
    if values.shape[1] <= ARRAY_HEADER:
        return None
    first = values[0].tobytes()
    packed = _word(first) > LARGEST_NDIM
    header = PACKED_HEADER if packed else ARRAY_HEADER + DIMENSION
    if not (packed or _word(first) == 1) or (values[:, :header] != values[0, :header]).any():
        return None
    body = np.ascontiguousarray(values[:, header:])
    if packed:
        return _finite(body.view(f">f{_packed_width(first)}").astype(np.float32))
    return _elements(body.reshape(-1), _word(first, 8), len(values), _word(first, 12))


def _word(value: bytes, at: int = 0) -> int:
    return int.from_bytes(value[at : at + 4], "big", signed=True)


def _read_vectors(value: bytes) -> np.ndarray:
    """A value's vectors, float32 (count, dimensions)."""
    ndim = _word(value)
    if ndim > LARGEST_NDIM:
        return _finite(_packed(value)[None])
    if ndim == 0:
        raise VectorError("is empty")
    shape = [_word(value, ARRAY_HEADER + DIMENSION * axis) for axis in range(ndim)]
    element, body = _word(value, 8), value[ARRAY_HEADER + DIMENSION * ndim :]
    if element not in WIDTHS:
        return _finite(_packed_array(body, shape))
    if ndim > 2:
        raise VectorError("has more than two dimensions")
    return _elements(body, element, shape[0] if ndim == 2 else 1, shape[-1])


def _elements(body: Any, element: int, count: int, dim: int) -> np.ndarray:
    """The elements of an array, each of which has its length before it."""
    width = WIDTHS[element]
    if len(body) != count * dim * (4 + width):
        raise VectorError("has a NULL element", NULL_NOT_ALLOWED)
    numbers = np.frombuffer(body, [("length", ">i4"), ("value", f">f{width}")])["value"]
    with np.errstate(over="ignore"):
        found = numbers.astype(np.float32).reshape(count, dim)
    if element == DOUBLE and np.isfinite(numbers).all() and not np.isfinite(found).all():
        raise VectorError("has an element out of the range of real", OUT_OF_RANGE)
    return _finite(found)


def _packed_array(body: bytes, shape: list[int]) -> np.ndarray:
    """An array of pgvector's vectors or halfvecs."""
    if len(shape) != 1:
        raise VectorError("has more than one dimension")
    found, at = [], 0
    for _ in range(shape[0]):
        length = _word(body, at)
        if length < 0:
            raise VectorError("has a NULL element", NULL_NOT_ALLOWED)
        found.append(_packed(body[at + 4 : at + 4 + length]))
        at += 4 + length
    if len({len(vector) for vector in found}) > 1:
        raise VectorError("has vectors of different lengths")
    return np.stack(found)


def _packed(value: bytes) -> np.ndarray:
    return np.frombuffer(value, f">f{_packed_width(value)}", offset=PACKED_HEADER).astype(np.float32)


def _packed_width(value: bytes) -> int:
    """Bytes of a number: 4 in a vector, 2 in a halfvec."""
    return (len(value) - PACKED_HEADER) // int.from_bytes(value[:2], "big")


def _finite(vectors: np.ndarray) -> np.ndarray:
    if not np.isfinite(vectors).all():
        raise VectorError("has an element that is NaN or infinite")
    return vectors
