"""One block of the aggregate attention_pool; the host gathers the rows and merges the blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.tables import shared

OPERATION = "attention_pool"


def pool(attention_type: str, query: Any, keys: Any, values: Any) -> tuple[float, np.ndarray]:
    """(log-sum-exp of the logits, output float64 (w,)) of query (d,) over keys (n, d) with values (n, w)."""
    mechanism = shared.find_mechanism(attention_type, OPERATION)
    with shared.kernel_errors():
        weights = attend(
            mechanism, np.asarray(query), np.asarray(keys), num_heads=1, checkpoint=host_api.check_interrupts
        )
    assert weights.lse is not None, f"{mechanism.name} lists {OPERATION} and gives no log-sum-exp"
    output: np.ndarray = weights.head_scores[0].astype(np.float64) @ np.asarray(values).astype(np.float64)
    return float(weights.lse[0]), output
