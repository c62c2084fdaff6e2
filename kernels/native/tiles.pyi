import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

def of_query(
    query: F64,
    keys: F32,
    values: F32,
    output: F32,
    lse: F64,
    factor: float,
    limit: float,
    variant: str | None = None,
    /,
) -> bool:
    """Write output (1, H * v) and lse (1, H) of a query (H, w) over keys (n, H * w), n >= 1.

    values (n, H * v). Logits are <factor * query[h], h-th slice of the key>. False, and what is written means
    nothing, if a head's factor * query is longer than the limit, or the output is not finite.
    """

def of_logits(
    logits: F64, values: F32, output: F32, lse: F64, limit: float, variant: str | None = None, /
) -> bool:
    """The same of logits (H, n) that are given; False also if one is larger in size than the limit."""

def variants() -> list[str]: ...
