"""A cancel gets in between blocks."""

from __future__ import annotations

import time

import numpy as np
import pytest
from plain import PLAIN
from ruattn_fdw.kernels.arrays import BLOCK_BYTES
from ruattn_fdw.kernels.attend import attend


class CancelledError(Exception):
    pass


def sample(n=20_000, d=96):
    random = np.random.RandomState(0)
    return random.standard_normal(d).astype(np.float32), random.standard_normal((n, d)).astype(np.float32)


@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
def test_checkpoint_is_called_for_every_block_of_keys(mechanism):
    query, keys = sample()
    calls = []
    attend(mechanism, query, keys, num_heads=8, checkpoint=lambda: calls.append(time.monotonic()))
    assert len(calls) > keys.nbytes / BLOCK_BYTES


@pytest.mark.parametrize("last", [1, 5, 16])
@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
def test_what_checkpoint_raises_comes_out(mechanism, last):
    query, keys = sample()
    calls = []

    def cancel():
        calls.append(1)
        if len(calls) == last:
            raise CancelledError

    with pytest.raises(CancelledError):
        attend(mechanism, query, keys, num_heads=8, checkpoint=cancel)
    assert len(calls) == last
