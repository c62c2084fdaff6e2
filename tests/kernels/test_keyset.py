"""Keys of which some rows are absent: as if these were not there, whatever they hold."""

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.keyset import KeySet
from ruattn_fdw.kernels.nearest import nearest
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.registry import find

from tests.kernels.test_every_mechanism import NEEDED, SINGLE, sample

GARBAGE = (np.nan, np.inf, 1e38, 0.0)
every = pytest.mark.parametrize("mechanism", SINGLE, ids=lambda m: m.name)


def with_absent_rows(keys, share, garbage, seed=0):
    """An array with the keys and others that hold garbage, and where the keys are."""
    random = np.random.RandomState(seed)
    size = max(len(keys) + 1, round(len(keys) / (1 - share)))
    present = np.sort(random.choice(size, len(keys), replace=False))
    stored = np.full((size, keys.shape[1]), garbage, np.float32)
    stored[present] = keys
    return KeySet(stored, present)


def attended(mechanism, query, keys):
    places = np.arange(len(keys))
    return attend(
        mechanism,
        query,
        keys,
        ids=places,
        options=NEEDED.get(mechanism.name, {}),
        positions=Order(places.astype(np.float64), places).at(),
        num_heads=1,
    )


@every
@pytest.mark.parametrize(("share", "garbage"), [(0.002, np.nan), (0.01, 1e38), (0.9, np.inf), (0.05, 3.0)])
def test_absent_rows_change_nothing(mechanism, share, garbage):
    query, keys = sample(1000)
    with np.errstate(all="ignore"):
        found = attended(mechanism, query, with_absent_rows(keys, share, garbage))
    wanted = attended(mechanism, query, keys)
    np.testing.assert_allclose(found.score, wanted.score, rtol=2e-5, atol=1e-7)
    np.testing.assert_allclose(found.logit, wanted.logit, rtol=2e-5, atol=2e-6)
    if wanted.lse is not None:
        np.testing.assert_allclose(found.lse, wanted.lse, rtol=1e-6)


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("n", [1, 63, 500])
def test_heads_and_awkward_shapes(n, garbage):
    random = np.random.RandomState(1)
    query, keys = np.split(random.standard_normal((n + 1, 60)).astype(np.float32), [1])
    for heads in (1, 4):
        found = attend(find("multi_head"), query[0], with_absent_rows(keys, 0.1, garbage), num_heads=heads)
        wanted = attend(find("multi_head"), query[0], keys, num_heads=heads)
        np.testing.assert_allclose(found.head_scores, wanted.head_scores, rtol=2e-5)
        np.testing.assert_allclose(found.exact(np.arange(n)), wanted.exact(np.arange(n)))


@pytest.mark.parametrize("name", ["scaled_dot", "cosine", "linear", "poincare"])
def test_many_queries_find_the_same_keys(name):
    queries = sample(40, seed=2)[1]
    keys, mechanism = sample(3000)[1], find(name)
    keyset = with_absent_rows(keys, 0.03, 7.0)
    settings, ids = Settings(mechanism, 24), np.arange(len(keys))
    for k in (5, None):
        found = list(nearest(settings, queries, keyset, ids, k))
        wanted = list(nearest(settings, queries, keys, ids, k))
        assert [rows for a in found for rows in a.row.tolist()] == [r for a in wanted for r in a.row.tolist()]
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a.score, b.score, rtol=2e-5)


def test_rows_that_lie_together_are_not_copied():
    stored = np.arange(40, dtype=np.float32).reshape(20, 2)
    keys = KeySet(stored, np.array([0, 1, 5, 6, 7, 8, 19]))
    assert np.shares_memory(keys[2:6], stored)
    assert keys[1:4].tolist() == stored[[1, 5, 6]].tolist()
    assert KeySet(stored).dense() is stored
    assert keys.dense() is not stored
    assert (len(keys), keys.shape, keys.nbytes) == (7, (7, 2), 56)


def test_a_copy_lives_as_long_as_it_is_used():
    keys = KeySet(np.ones((4, 2), np.float32), np.array([0, 2]))
    dense = keys.dense()
    assert keys.dense() is dense
    del dense
    assert keys._copied() is None
