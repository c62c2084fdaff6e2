from typing import Any

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

BLOCK: int
"""Keys of a block."""

TILE_KEYS: int
"""Keys of a tile of a sketch."""

SKETCH_STEP: int
TWICE_SKETCH_MIDDLE: int
"""What elements of a sketch stand for: multiples of the step, less half of the other."""

QUERIES_OF_A_BLOCK: int
"""Queries of a block of a tile."""

def sweep(
    query: npt.NDArray[Any],
    keys: npt.NDArray[Any],
    present: npt.NDArray[np.int32] | None,
    scale: F32 | None,
    unit: F32,
    bound: F32 | None,
    spread: F32 | None,
    factors: F32 | None,
    usual: F32 | None,
    weights: F32,
    maxima: F32,
    sums: npt.NDArray[np.float64],
    most: F32,
    squares: F32 | None,
    first: int,
    end: int,
    threads: int,
    variant: str | None = None,
    /,
) -> None:
    """Write the blocks first to end of a query (H, w) over the keys at `present` (1, n), None for all.

    keys (m, H * w): float32; or float16 or int8, each times its scale (1, m), and then logits of each head
    times its unit (1, H). The query is int16 for int8 keys and sketches, else float32.

    Or keys are a sketch, uint8 (tiles * TILE_KEYS, 4 c): tiles one after the other, each of c columns of 8
    elements, a column of TILE_KEYS keys, a key of 4 bytes, byte j with element j in its lower half and j + 4
    in the upper one. Products with the query then are twice as large as those with what elements stand for.

    weights (H, n): e^(logit - maximum), where maxima (blocks, H) has the largest logit of the block.
    sums (blocks, H): of the weights.

    With bound and spread (1, m), and factors (H, 2) of both, b is the lesser product of a key and head. sums
    (blocks, 4 H) then are, of each head, those of weight, of weight * b, of |weight - u| * b and of
    ((weight - u) * spread)^2, where u is the weight of the logit `usual` (1, H). The first one is NaN where a
    logit is not finite. most (blocks, 3): the largest bound, spread and scale, (blocks, 0) without them.
    squares (1, n): <key, key>, of float32 keys only.
    """

def total(
    relative: npt.NDArray[np.float64], sums: npt.NDArray[np.float64], out: npt.NDArray[np.float64], /
) -> None:
    """Add to out (H, 1 or 4) the sums (blocks, H or 4 H) of `sweep`, weights times relative (blocks, H)."""

def logits(
    query: npt.NDArray[Any],
    keys: npt.NDArray[Any],
    present: npt.NDArray[np.int32] | None,
    scale: F32 | None,
    unit: F32,
    out: F32,
    variant: str | None = None,
    /,
) -> None:
    """Write the logits (H, n) of which `sweep` makes weights, of keys that have a scale."""

def mix(
    weights: F32,
    factors: F32,
    scores: F32,
    tops: F32,
    spread: F32 | None,
    reach: F32 | None,
    upper: F32 | None,
    upper_tops: F32 | None,
    threads: int,
    variant: str | None = None,
    /,
) -> None:
    """Write scores (1, n), weights (H, n) times factors (blocks, H), and tops (1, blocks) of each block.

    upper (1, n): score + spread (1, n) * the length over the heads of reach (1, H) * factor * weight; and its
    tops.
    """

def at_least(values: F32, tops: F32, least: float, rows: npt.NDArray[np.int64], /) -> int:
    """Write the rows (1, n) whose value (1, n) is no less than `least`, ascending; how many these are."""

def tile(
    products: F32,
    least: F32,
    sums: npt.NDArray[np.float64],
    hits: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    as_they_are: bool,
    threads: int,
    variant: str | None = None,
    /,
) -> None:
    """Write sums (1, m) of the exponentials of products (m, c), or of products as_they_are, which are >= 0.

    hits (blocks, room): query * c + column of products of no less than least (1, m), the first `room` of
    each block of queries; counts (1, blocks): how many there are.
    """

def variants() -> list[str]: ...
