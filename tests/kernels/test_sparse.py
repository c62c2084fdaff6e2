"""The patterns of sparse attention."""

from __future__ import annotations

import numpy as np
import pytest
from ordered import assert_sees, attend_at_rank, default_stride
from ruattn_fdw.kernels.errors import InvalidOption
from ruattn_fdw.kernels.registry import find, parse_options

RANKS = [0, 9, 10, 57, 99]


@pytest.mark.parametrize("stride", [None, 1, 7, 1000])
@pytest.mark.parametrize("rank", RANKS)
def test_strided_sees_the_last_stride_and_every_stride_th_key(rank, stride):
    options = {} if stride is None else {"stride": stride}
    weights, query, keys, by_rank = attend_at_rank("sparse", rank, **options)
    length = stride or default_stride(100)
    seen = [j for j in range(rank + 1) if rank - j < length or (rank - j) % length == 0]
    assert_sees(weights, query, keys, by_rank[seen])


@pytest.mark.parametrize("summary", [1, 3])
@pytest.mark.parametrize("rank", RANKS)
def test_fixed_sees_its_block_and_the_ends_of_all_blocks(rank, summary):
    weights, query, keys, by_rank = attend_at_rank("sparse", rank, pattern="fixed", summary=summary)
    seen = [j for j in range(rank + 1) if j // 10 == rank // 10 or j % 10 >= 10 - summary]
    assert_sees(weights, query, keys, by_rank[seen])


@pytest.mark.parametrize("rank", RANKS)
def test_without_causality_patterns_look_both_ways(rank):
    weights, query, keys, by_rank = attend_at_rank("sparse", rank, causal=False)
    seen = [j for j in range(100) if abs(rank - j) < 10 or (rank - j) % 10 == 0]
    assert_sees(weights, query, keys, by_rank[seen])


@pytest.mark.parametrize("rank", RANKS)
def test_bigbird_sees_a_window_and_the_first_keys(rank):
    options = {"pattern": "bigbird", "window": 6, "global_tokens": 4, "random_tokens": 0, "causal": False}
    weights, query, keys, by_rank = attend_at_rank("sparse", rank, **options)
    assert_sees(weights, query, keys, by_rank[[j for j in range(100) if abs(rank - j) <= 3 or j < 4]])


def drawn(seed, rank=99):
    options = {"window": 1, "global_tokens": 0, "random_tokens": 20, "causal": False, "seed": seed}
    weights, *_ = attend_at_rank("bigbird", rank, **options)
    return set(np.flatnonzero(~np.isnan(weights.logit)))


def test_bigbird_draws_keys_by_its_seed_anew_for_every_query():
    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)
    assert drawn(3, rank=98) != drawn(3, rank=99)
    assert 20 <= len(drawn(3)) <= 21


def test_an_unknown_pattern_lists_those_that_there_are():
    with pytest.raises(InvalidOption) as caught:
        parse_options(find("sparse"), {"pattern": "stripes"})
    assert caught.value.message == "pattern is 'stripes', it must be one of strided, fixed, bigbird"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"causal": 1}, "causal must be true or false, not 1"),
        ({"causal": "yes"}, "causal must be true or false, not 'yes'"),
        ({"pattern": 3}, "pattern must be a text, not 3"),
        ({"stride": 0}, r"stride is 0, it must lie in \[1, 2147483647\]"),
    ],
)
def test_types_of_options_are_checked(given, message):
    with pytest.raises(InvalidOption, match=message):
        parse_options(find("sparse"), given)
