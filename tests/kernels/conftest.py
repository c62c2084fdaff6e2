"""Kernel tests see NaN wherever a kernel forgets to write into memory that it allocated."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))


def poisoned(allocate: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    def allocate_nan(*args: Any, **keywords: Any) -> np.ndarray:
        array = allocate(*args, **keywords)
        if array.dtype.kind == "f":
            array.fill(np.nan)
        return array

    return allocate_nan


@pytest.fixture(autouse=True, scope="module")
def _poison_uninitialised_memory() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "empty", poisoned(np.empty))
        patch.setattr(np, "empty_like", poisoned(np.empty_like))
        yield
