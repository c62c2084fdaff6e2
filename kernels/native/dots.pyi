import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

def head_dots(query: F32, keys: F32, out: F32, squares: F32, variant: str | None = None, /) -> None: ...
def variants() -> list[str]: ...
