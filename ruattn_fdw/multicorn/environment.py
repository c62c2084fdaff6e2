"""What must be settled before numpy is imported into a server process: that it starts no threads.

A thread of its own would take the server's signals, whose handlers are made for the main thread.
"""

from __future__ import annotations

import os

LIMITS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
MOST = "NUMEXPR_MAX_THREADS", "256"


def settle() -> None:
    """Let numerical libraries that are yet to be imported start with one thread."""
    os.environ.update(dict.fromkeys(LIMITS, "1"))
    os.environ.update([MOST])
