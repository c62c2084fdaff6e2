from typing import Any

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

BLOCK: int
"""Keys of a block."""

QUERIES_OF_A_BLOCK: int
"""Queries of a block of a tile."""

def sweep(
    query: npt.NDArray[Any],
    keys: npt.NDArray[Any],
    present: npt.NDArray[np.int64] | None,
    scale: F32 | None,
    bound: F32 | None,
    spread: F32 | None,
    factors: F32 | None,
    usual: F32,
    unit: F32,
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
    times its unit (1, H). The query is int16 for int8 keys, else float32. weights (H, n): e^(logit -
    maximum), where maxima (blocks, H) has the largest logit of the block. sums (blocks, H): of the weights.

    With bound and spread (1, m), and factors (H, 2) of both, b is the lesser product of a key and head. sums
    (blocks, 4 H) then are, of each head, those of weight, of weight * b, of |weight - u| * b and of
    ((weight - u) * spread)^2, where u is the weight of the logit `usual` (1, H). The first one is NaN where a
    logit is not finite. most (blocks, 3): the largest bound, spread and scale, (blocks, 0) without them.
    squares (1, n): <key, key>, of float32 keys only.
    """

def mix(
    weights: F32, factors: F32, scores: F32, tops: F32, threads: int, variant: str | None = None, /
) -> None:
    """Write scores (1, n), weights (H, n) times factors (blocks, H), and the top of each block."""

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
