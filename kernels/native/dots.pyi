from typing import Any

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating[Any]]

def exact_dots(query: Floats, keys: Floats, rows: npt.NDArray[np.int64] | None, out: Floats, /) -> None:
    """Write products (H, c) of a float64 query (H, w) with keys at these rows, float32 or float64."""

def head_dots(query: F32, keys: F32, out: F32, squares: F32, variant: str | None = None, /) -> None: ...
def variants() -> list[str]: ...
