import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

def state(logits: F64, maximum: F64, total: F64, /) -> float: ...
def best(
    logits: F64,
    ids: I64,
    maximum: F64,
    total: F64,
    order: I64,
    score: F32,
    logit: F32,
    head_scores: F32,
    lse: F64,
    /,
) -> None: ...
