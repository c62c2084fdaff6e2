"""What learned weights make of vectors before a mechanism sees them, and of its outputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .arrays import F32, F64, Checkpoint, Floats, spans, uninterrupted
from .errors import InvalidShape, NumericOverflow
from .fits import LastFit
from .keyset import KeySet
from .trained import Tensors, Training, check_axes, check_lengths

if TYPE_CHECKING:
    from .mechanism import Mechanism

_NAMES = {"q": "query", "k": "key", "v": "value", "o": "output"}
PROJECTIONS = tuple(f"{kind}_{role}" for role in _NAMES for kind in ("W", "b"))
"""Names of the tensors of a transformer's attention layer: x W + b for query, key, value and output."""


class Affine:
    """x -> x W + b in float64, rounded to float32. Equal where the numbers are."""

    def __init__(self, name: str, weight: F32 | None, bias: F32 | None = None) -> None:
        """weight (d, e), None for the identity; bias (e,), None for 0. name: what messages call it."""
        last = weight if bias is None else bias
        assert last is not None
        self.name, self._weight, self._bias = name, weight, bias
        self.inputs = len(last if weight is None else weight)
        """The width d of the vectors that it takes."""
        self.outputs = int(last.shape[-1])
        """The width e of what it gives."""

    @property
    def is_matrix(self) -> bool:
        """Whether it is more than a sum."""
        return self._weight is not None

    def absorbed(self, queries: F64) -> tuple[F64, F64]:
        """Vectors (H, d) and numbers (H,) with <q, x W + b> = <vector, x> + number for slices q (H, e/H).

        InvalidShape for queries of another width.
        """
        assert self._weight is not None
        if queries.size != self.outputs:
            raise InvalidShape(
                f"query has {queries.size} dimensions, {self.name} of the model gives {self.outputs}",
                "The model lacks W_q, which makes them the same.",
            )
        heads = len(queries)
        by_head = self._weight.reshape(self.inputs, heads, -1).transpose(1, 0, 2).astype(np.float64)
        vectors = np.matmul(by_head, queries[:, :, None])[:, :, 0]
        bias = np.zeros_like(queries) if self._bias is None else self._bias.reshape(heads, -1)
        return vectors, (queries * bias).sum(axis=1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Affine) and all(
            a is b or (a is not None and b is not None and np.array_equal(a, b))
            for a, b in ((self._weight, other._weight), (self._bias, other._bias))
        )

    def __hash__(self) -> int:
        return hash((self.name, self.inputs))

    def __call__(self, vectors: Floats, checkpoint: Checkpoint = uninterrupted) -> F32:
        """Vectors (n, d) -> (n, e); InvalidShape for others, NumericOverflow beyond float32."""
        if vectors.shape[1] != self.inputs:
            raise InvalidShape(
                f"vectors have {vectors.shape[1]} dimensions, {self.name} takes {self.inputs}",
                "Take weights that were trained on such vectors.",
            )
        out = np.empty((len(vectors), self.outputs), np.float32)
        weight = None if self._weight is None else self._weight.astype(np.float64)
        with np.errstate(over="ignore"):
            for span in spans(len(vectors), 8 * self.inputs):
                block = vectors[span].astype(np.float64)
                product = block if weight is None else block @ weight
                out[span] = product if self._bias is None else product + self._bias
                checkpoint()
        if not np.isfinite(out).all():
            raise NumericOverflow(
                f"a vector times {self.name} overflows single precision", "Scale the vectors down."
            )
        return out


@dataclass(frozen=True)
class Projections:
    """What each kind of vector goes through; None for those that stay as they are."""

    query: Affine | None = None
    key: Affine | None = None
    value: Affine | None = None
    output: Affine | None = None

    def __bool__(self) -> bool:
        return any((self.query, self.key, self.value, self.output))


NOTHING = Projections()
"""Those of a mechanism without weights."""


class _Projected:
    """Projections of the rows of one array, made when they are first asked for."""

    def __init__(self, stored: F32, affine: Affine, checkpoint: Checkpoint) -> None:
        self._affine = affine
        self._rows = np.empty((len(stored), affine.outputs), np.float32)
        self._known = np.zeros(len(stored), bool)

    def of(self, keyset: KeySet, checkpoint: Checkpoint) -> KeySet:
        """Those of a set of the array's rows. What its other rows hold may still change."""
        present = np.arange(len(keyset)) if keyset.present is None else keyset.present
        missing = present[~self._known[present]]
        for start in range(0, len(missing), _AT_ONCE):
            rows = missing[start : start + _AT_ONCE]
            self._rows[rows] = self._affine(keyset.stored[rows], checkpoint)
            self._known[rows] = True
        return KeySet(self._rows, keyset.present)


_AT_ONCE = 4096
_LAST = {kind: LastFit(_Projected) for kind in _NAMES.values()}


def kept(kind: str, affine: Affine, keyset: KeySet, checkpoint: Checkpoint) -> KeySet:
    """The projections of keys, the last of their kind kept for as long as the array that holds them is."""
    return _LAST[kind].of(keyset.stored, affine, checkpoint=checkpoint).of(keyset, checkpoint)


def projections_of(tensors: Tensors, shared: bool = False) -> Projections:
    """The projections that a set holds; InvalidShape where its tensors do not go together.

    shared: whether several heads of the queries may share one of the keys, which are narrower then.
    """
    for role in _NAMES:
        check_axes(tensors, f"W_{role}", "in, out")
        check_axes(tensors, f"b_{role}", "out")
        check_lengths(tensors, (f"b_{role}", 0), (f"W_{role}", 1))
    check_lengths(tensors, ("W_q", 1), ("W_k", 1), times=shared)
    check_lengths(tensors, ("W_o", 0), ("W_v", 1), times=shared)
    return Projections(**{name: _affine(tensors, role) for role, name in _NAMES.items()})


def _affine(tensors: Tensors, role: str) -> Affine | None:
    weight, bias = tensors.get(f"W_{role}"), tensors.get(f"b_{role}")
    if weight is None and bias is None:
        return None
    return Affine(f"b_{role}" if weight is None else f"W_{role}", weight, bias)


def _bind(mechanism: Mechanism, tensors: Tensors, shared: bool) -> Mechanism:
    return replace(mechanism, projections=projections_of(tensors, shared))


LAYER = Training((), PROJECTIONS, partial(_bind, shared=False))
"""Weights of a transformer's attention layer, for mechanisms that compare queries with keys."""

SHARING_LAYER = Training((), PROJECTIONS, partial(_bind, shared=True))
"""The same where heads of the queries share heads of the keys."""
