import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

def state(logits: F64, maximum: F64, total: F64, /) -> float: ...
def settled(logits: F64, maximum: F64, total: F64, doubt: F64, k: int, /) -> bool:
    """Whether the order of the first k rows by the mean of their weights (H, c) is certain.

    maximum, total (1, H): of the softmax. doubt (1, H): how far weights can be off, relative.
    """

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
