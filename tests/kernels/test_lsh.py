"""Attention within hash buckets."""

from __future__ import annotations

from math import acos, pi

import numpy as np
import pytest
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import InvalidOption
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.registry import find
from ruattn_fdw.kernels.sparse.lsh import _hashes
from twins import scaled_dot

LSH = find("lsh")


def sample(n=500, d=24, seed=0):
    random = np.random.RandomState(seed)
    return random.standard_normal(d).astype(np.float32), random.standard_normal((n, d)).astype(np.float32)


def buckets(vector, rounds, count, seed):
    """The bucket of one vector in each round."""
    directions = np.random.RandomState(seed).standard_normal((len(vector), rounds * count // 2))
    found = []
    for number in range(rounds):
        part = directions[:, number * count // 2 : (number + 1) * count // 2]
        along = [sum(a * b for a, b in zip(vector, column, strict=True)) for column in part.T]
        found.append(int(np.argmax(along + [-a for a in along])))
    return found


@pytest.mark.parametrize(("rounds", "count", "heads"), [(4, 16, 1), (1, 2, 1), (2, 8, 4)])
def test_keys_that_collide_share_the_weight(rounds, count, heads):
    query, keys = sample()
    options = {"n_hashes": rounds, "n_buckets": count, "seed": 5}
    weights = attend(LSH, query, keys, num_heads=heads, options=options)
    own = buckets(query, rounds, count, 5)
    seen = [
        row
        for row, key in enumerate(keys)
        if any(a == b for a, b in zip(own, buckets(key, rounds, count, 5), strict=True))
    ]
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(weights.logit)), seen)
    np.testing.assert_allclose(weights.score[seen], scaled_dot(query, keys[seen], heads).score, rtol=1e-5)


@pytest.mark.parametrize("angle", [0.3, 1.0, 2.5])
def test_two_buckets_collide_with_the_probability_of_the_angle(angle):
    pair = np.array([[1, 0], [np.cos(angle), np.sin(angle)]])
    hashes = _hashes(pair, 200_000, 2, 1, uninterrupted)
    assert (hashes[0] == hashes[1]).mean() == pytest.approx(1 - angle / pi, abs=5e-3)


def test_near_keys_collide_more_often():
    query, keys = sample(2000)
    weights = attend(LSH, query, keys, options={"n_hashes": 2})
    cosines = keys @ query / np.linalg.norm(keys, axis=1) / np.linalg.norm(query)
    seen = ~np.isnan(weights.logit)
    assert cosines[seen].mean() > cosines[~seen].mean() + 0.1
    assert acos(cosines[seen].max()) < acos(cosines[~seen].max())


def test_the_length_of_a_key_makes_no_difference_to_its_bucket():
    keys = sample()[1]
    before, after = (_hashes(scale * keys, 4, 16, 0, uninterrupted) for scale in (1, 1024))
    np.testing.assert_array_equal(before, after)


def test_without_a_collision_there_is_no_output():
    query, _ = sample(1)
    settings = Settings(LSH, 24, options={"n_hashes": 1, "n_buckets": 2})
    [block] = outputs(settings, query[None], -query[None], None)
    assert block.empty.all()
    weights = attend(LSH, query, -query[None], options={"n_hashes": 1, "n_buckets": 2})
    np.testing.assert_array_equal(weights.score, [0])
    assert np.isnan(weights.logit).all()


def test_a_seed_draws_other_directions():
    query, keys = sample()
    first, second = (attend(LSH, query, keys, options={"seed": seed}) for seed in (0, 1))
    assert (np.isnan(first.logit) != np.isnan(second.logit)).any()


def test_an_odd_number_of_buckets_is_refused():
    with pytest.raises(InvalidOption, match="n_buckets is 7, it must be even"):
        attend(LSH, *sample(), options={"n_buckets": 7})


def test_more_buckets_than_can_be_held_are_refused():
    with pytest.raises(InvalidOption, match="n_hashes is 1024 and n_buckets 128, 131072 in all"):
        attend(LSH, *sample(), options={"n_hashes": 1024, "n_buckets": 128})
