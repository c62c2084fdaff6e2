"""What is fitted to keys is kept for as long as these are, whether they are an array or some rows of one."""

import gc
import weakref

import numpy as np
import pytest
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.fits import LastFit
from ruattn_fdw.kernels.keyset import KeySet
from ruattn_fdw.kernels.registry import find
from ruattn_fdw.kernels.topology import neighbours


class Fit:
    """A fit that can be watched."""

    def __init__(self, keys, settings, checkpoint):
        self.keys, self.settings = keys.tolist(), settings


def fitted(fits, keys, settings=()):
    return fits.of(keys, settings, checkpoint=uninterrupted)


@pytest.fixture
def stored():
    return np.arange(8, dtype=np.float32).reshape(4, 2)


def test_some_rows_of_an_array_are_fitted_once(stored):
    fits, keys = LastFit(Fit), KeySet(stored, np.array([0, 2]))
    first = fitted(fits, keys)
    assert first.keys == [[0, 1], [4, 5]]
    assert fitted(fits, keys) is first
    assert fitted(fits, keys, "others") is not first


def test_other_rows_of_the_same_array_are_others(stored):
    fits = LastFit(Fit)
    sets = [KeySet(stored, np.array([0, 2])), KeySet(stored, np.array([0, 3])), KeySet(stored)]
    assert [len(fitted(fits, keys).keys) for keys in sets] == [2, 2, 4]
    assert fitted(fits, sets[1]).keys[1] == [6, 7]


def test_all_rows_of_an_array_are_that_array(stored):
    fits = LastFit(Fit)
    assert fitted(fits, KeySet(stored)) is fitted(fits, stored) is fitted(fits, KeySet(stored))


@pytest.mark.parametrize("present", [None, np.array([1, 2])])
def test_a_fit_goes_with_its_keys(present):
    fits, stored = LastFit(Fit), np.ones((4, 2), np.float32)
    keys = KeySet(stored, present)
    fit = weakref.ref(fitted(fits, keys))
    assert fit() is not None
    del keys, stored
    gc.collect()
    assert fit() is None


def test_queries_of_some_rows_share_the_graph_of_their_nearest_keys(monkeypatch):
    made, real = [], neighbours.NEAREST_KEYS._fit
    monkeypatch.setattr(
        neighbours.NEAREST_KEYS, "_fit", lambda keys, *more: made.append(len(keys)) or real(keys, *more)
    )
    stored = np.random.RandomState(0).standard_normal((40, 8)).astype(np.float32)
    keys = KeySet(stored, np.arange(0, 40, 3))
    for query in stored[:3]:
        attend(find("mincut_gated"), query, keys)
    assert made == [14]
