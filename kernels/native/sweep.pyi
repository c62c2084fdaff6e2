from typing import Any

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

BLOCK: int
"""Keys of a block."""

def sweep(
    query: npt.NDArray[Any],
    keys: npt.NDArray[Any],
    present: npt.NDArray[np.int64] | None,
    scale: F32 | None,
    bounds: tuple[F32, ...],
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
    maximum), where maxima (blocks, H) has the largest logit of the block. sums (blocks, H * (1 + 3 c)): of
    each head the sum of weights, and for each of c bounds (1, m) the sums of weight * bound, of |weight -
    u| * bound and of its square, where u is the weight of the logit `usual` (1, H); NaN where a logit is not
    finite. most (blocks, c): the largest bounds. squares (1, n): <key, key>, of float32 keys only.
    """

def mix(
    weights: F32, factors: F32, scores: F32, tops: F32, threads: int, variant: str | None = None, /
) -> None:
    """Write scores (1, n), weights (H, n) times factors (blocks, H), and the top of each block."""

def variants() -> list[str]: ...
