"""What one query holds in memory beside its keys, in bytes for each of them."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.ids import SomeIds
from ruattn_fdw.kernels.keyset import KeySet
from ruattn_fdw.kernels.nearest import KEYS, nearest
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.ranking import ranked
from ruattn_fdw.kernels.registry import find

ROWS, BLOCKS = 500_000, 2**21
"""Keys; bytes of blocks of them, however many there are."""


@pytest.fixture(scope="module")
def keys() -> KeySet:
    stored = np.random.default_rng(5).standard_normal((ROWS, 8)).astype(np.float32)
    return KeySet(stored, np.delete(np.arange(ROWS, dtype=np.int32), np.arange(0, ROWS, 5000)))


@pytest.fixture
def ids(keys: KeySet) -> SomeIds:
    assert keys.present is not None
    return SomeIds(np.arange(ROWS), keys.present)


def peak(run: Callable[[], object]) -> int:
    """The most bytes that are held while this runs, beyond what is held before."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_best_rows_take_their_logits_weights_and_bounds(keys: KeySet, ids: SomeIds) -> None:
    query = keys[7]

    def best() -> object:
        return next(ranked(attend(find("cosine"), query, keys, ids=ids), ids, 10))

    assert peak(best) <= 24 * ROWS + BLOCKS


def test_an_output_takes_blocks_only(keys: KeySet) -> None:
    settings = Settings(find("scaled_dot"), 8, 1, 0.002)
    assert peak(lambda: list(outputs(settings, keys[:1], keys, None, entropy=False))) <= BLOCKS


def test_one_block_of_keys_is_copied_at_a_time() -> None:
    stored = np.random.default_rng(6).standard_normal((8 * KEYS, 512)).astype(np.float32)
    keys = KeySet(stored, np.delete(np.arange(len(stored)), np.arange(0, len(stored), 500)))
    settings, queries = Settings(find("scaled_dot"), 512, 1), keys[:8] / 100
    block = KEYS * stored.strides[0]
    assert peak(lambda: list(nearest(settings, queries, keys, np.arange(len(keys)), 1))) <= 1.5 * block
