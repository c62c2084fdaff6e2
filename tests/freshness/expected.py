"""What a search must answer, computed from the rows that plain SQL gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

# float32 sums of at most 800 products, and a softmax over them
RELATIVE, ABSOLUTE = 2e-5, 2e-5

Row = tuple[int, float, float]


class Keys(NamedTuple):
    """Rows with a vector: ids (n,), vectors (n, d)."""

    ids: np.ndarray
    vectors: np.ndarray


def keys_of(rows: Sequence[tuple[Any, ...]]) -> Keys:
    """The keys among rows (id, vector or None)."""
    kept = [(row_id, vector) for row_id, vector in rows if vector is not None]
    ids = np.array([row_id for row_id, _ in kept], np.int64)
    return Keys(ids, np.array([vector for _, vector in kept] or np.empty((0, 0)), float))


def attention(query: np.ndarray, vectors: np.ndarray, heads: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n, H) and logits (n, H) of scaled dot-product attention for query (d,) over vectors (n, d)."""
    width = len(query) // heads
    logits = np.stack(
        [vectors[:, part] @ query[part] / np.sqrt(width) for part in _slices(heads, width)], axis=1
    )
    powers = np.exp(logits - logits.max(axis=0))
    return powers / powers.sum(axis=0), logits


def _slices(heads: int, width: int) -> list[slice]:
    return [slice(head * width, (head + 1) * width) for head in range(heads)]


def ranked(query: np.ndarray, keys: Keys, heads: int) -> list[Row]:
    """Every key as (id, score, logit), the best first."""
    if not len(keys.ids):
        return []
    scores, logits = (part.mean(axis=1) for part in attention(query, keys.vectors, heads))
    order = np.lexsort((keys.ids, -logits, -scores))
    return [(int(keys.ids[i]), float(scores[i]), float(logits[i])) for i in order]


def close(found: float, wanted: float) -> bool:
    """Whether two numbers agree but for float32."""
    return bool(abs(found - wanted) <= ABSOLUTE + RELATIVE * abs(wanted))


def _same(found: Row, wanted: Row) -> bool:
    return found[0] == wanted[0] and close(found[1], wanted[1]) and close(found[2], wanted[2])


def difference(found: Sequence[Row], wanted: Sequence[Row], k: int | None) -> str | None:
    """How an answer differs from all rows, ranked; None where it does not. Ties may change places."""
    expected = len(wanted) if k is None else min(k, len(wanted))
    if k is None and sorted(row[0] for row in found) != sorted(row[0] for row in wanted):
        missing = sorted({row[0] for row in wanted} - {row[0] for row in found})
        excess = sorted({row[0] for row in found} - {row[0] for row in wanted})
        return f"missing ids {missing}, excess ids {excess}, {len(found)} rows for {expected}"
    if len(found) != expected:
        return f"{len(found)} rows for {expected}"
    for place, (row, best) in enumerate(zip(found, wanted, strict=False), 1):
        if not close(row[1], best[1]):
            return f"row {place} is {row}, should be {best}"
        if not any(_same(row, other) for other in wanted if other[0] == row[0]):
            return f"row {place} is {row}, should be {[o for o in wanted if o[0] == row[0]] or 'absent'}"
    return None
