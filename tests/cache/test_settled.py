"""What a copy says of all its rows is of those that were there when it was asked."""

from pathlib import Path

import numpy as np

from ruattn_fdw.cache.copy import Copy
from ruattn_fdw.cache.reader import Chunk


def add(copy: Copy, block: int) -> None:
    ones = np.ones(1, bool)
    chunk = Chunk(ones, ~ones, np.ones((1, 2), np.float32), np.array([block]))
    copy.add(np.array([block << 16 | 1]), np.array([block]), chunk)


def test_rows_that_others_add_meanwhile_are_left_out(data: Path) -> None:
    copy = Copy.create("0123456789abcdef", bytes(32), "float32", 2, 10, 10, [1])
    for block in (0, 5):
        add(copy, block)
    assert copy.blocks(1) == [6]
    add(copy, 7)
    assert copy.settled().slots.tolist() == [0, 1]
    assert copy.blocks(1) == [8]
    assert copy.settled().slots.tolist() == [0, 1, 2]
