import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

def of_query(
    query: F32, keys: F32, values: F32, output: F32, lse: F64, variant: str | None = None, /
) -> None:
    """Write output (1, H * v) and lse (1, H) of a query (H, w) over keys (n, H * w), n >= 1.

    values (n, H * v). Logits are <query[h], h-th slice of the key>, and must be finite.
    """

def of_logits(logits: F32, values: F32, output: F32, lse: F64, variant: str | None = None, /) -> None:
    """The same of logits (H, n) that are given."""

def variants() -> list[str]: ...
