"""Answers over parts of the keys make up that over all of them."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.mechanism import Mechanism, parse_options
from ruattn_fdw.kernels.merge import (
    in_doubt,
    is_settled,
    merge_lse,
    merge_order,
    merge_outputs,
    share_of_entropy,
)
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.registry import MECHANISMS, find

PARTS = (slice(0, 7), slice(7, 8), slice(8, 60))
OPTIONS = {"additive": {"init": "seeded"}, "gat": {"init": "seeded"}, "sliced_wasserstein": {"token_dim": 4},
           "poincare": {"project": True}}  # fmt: skip


def merging(operation: str) -> list[Mechanism]:
    """The mechanisms that shards can be asked for, as they are without options, or with those they need."""
    return [
        m
        for m in MECHANISMS
        if operation in m.operations
        and m.merges(operation, parse_options(m, OPTIONS.get(m.name, {})))
        and (m.weigh_sets is None or m.flat)
    ]


def lse_of(logits: np.ndarray) -> np.ndarray:
    """The log-sum-exp as it reads, in float64."""
    return np.array([np.log(sum(np.exp(logit) for logit in head)) for head in logits])


def made(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.standard_normal(16).astype(np.float32), random.standard_normal((60, 16)).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_log_sum_exps_merge_as_their_logits_do(seed: int) -> None:
    logits = np.random.default_rng(seed).standard_normal((3, 60)) * 20
    parts = np.array([lse_of(logits[:, part]) for part in PARTS])
    np.testing.assert_allclose(merge_lse(parts), lse_of(logits), rtol=1e-12)
    empty = np.full((1, 3), -np.inf)
    np.testing.assert_array_equal(merge_lse(np.concatenate([parts, empty])), merge_lse(parts))


def test_rows_merge_by_score_then_logit_then_id() -> None:
    scores, logits = np.array([0.2, 0.5, 0.2, 0.2]), np.array([1.0, 9.0, 2.0, 1.0])
    assert merge_order(scores, logits, np.array([8, 3, 9, 7]), None).tolist() == [1, 2, 3, 0]
    assert merge_order(scores, logits, np.array([8, 3, 9, 7]), 2).tolist() == [1, 2]


@pytest.mark.parametrize("mechanism", merging("mha_search"), ids=lambda m: m.name)
def test_a_mechanism_that_merges_gives_the_same_scores_in_parts(mechanism: Mechanism) -> None:
    query, keys = made(3)
    options = OPTIONS.get(mechanism.name, {})
    heads = 1 if mechanism.whole or mechanism.flat else 2
    whole = attend(mechanism, query, keys, num_heads=heads, options=options)
    parts = [attend(mechanism, query, keys[part], num_heads=heads, options=options).lse for part in PARTS]
    lse = merge_lse(np.array(parts))
    np.testing.assert_allclose(lse, whole.lse, rtol=1e-6)
    scores = [
        attend(mechanism, query, keys[part], num_heads=heads, options=options, normaliser=lse).score
        for part in PARTS
    ]
    np.testing.assert_allclose(np.concatenate(scores), whole.score, rtol=2e-6)


@pytest.mark.parametrize("mechanism", merging("attention"), ids=lambda m: m.name)
def test_a_mechanism_that_merges_gives_the_same_output_in_parts(mechanism: Mechanism) -> None:
    query, keys = made(4)
    heads = 1 if mechanism.whole or mechanism.flat else 2
    settings = Settings(mechanism, 16, heads, options=OPTIONS.get(mechanism.name))
    [whole] = outputs(settings, query[None], keys, None)
    parts = [next(outputs(settings, query[None], keys[part], None)) for part in PARTS]
    lse = np.array([part.lse for part in parts])
    merged = merge_outputs(lse, np.array([part.output for part in parts]))
    np.testing.assert_allclose(merged, whole.output, rtol=2e-6, atol=2e-6)
    shares = [share_of_entropy(part.lse, part.entropies, merge_lse(lse)) for part in parts]
    np.testing.assert_allclose(np.sum(shares, axis=0), whole.entropies, rtol=1e-5)


def test_outputs_of_several_queries_merge_each_by_its_own_weights() -> None:
    random = np.random.default_rng(2)
    lse, given = random.standard_normal((3, 4, 2)), random.standard_normal((3, 4, 6)).astype(np.float32)
    alone = [merge_outputs(lse[:, [query]], given[:, [query]])[0] for query in range(4)]
    np.testing.assert_array_equal(merge_outputs(lse, given), alone)
    assert not np.allclose(alone[0], merge_outputs(lse[:, [1]], given[:, [0]])[0])


def test_entropy_is_that_of_the_weights_under_the_common_normaliser() -> None:
    logits = np.random.default_rng(1).standard_normal((2, 60))
    weights = np.exp(logits - lse_of(logits)[:, None])
    for part in PARTS:
        own = np.exp(logits[:, part] - lse_of(logits[:, part])[:, None])
        share = share_of_entropy(lse_of(logits[:, part]), -(own * np.log(own)).sum(axis=1), lse_of(logits))
        expected = -(weights[:, part] * np.log(weights[:, part])).sum(axis=1)
        np.testing.assert_allclose(share, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "name",
    ["entmax", "sinkhorn", "top_k", "causal", "rope", "routing", "moe", "differential", "sheaf", "lsh"],
)
def test_weights_made_of_all_keys_do_not_merge(name: str) -> None:
    mechanism = find(name)
    assert not mechanism.merges("mha_search", parse_options(mechanism, {}))


def test_an_average_that_is_no_weighted_sum_does_not_merge() -> None:
    mechanism = find("poincare")
    options = parse_options(mechanism, {})
    assert mechanism.merges("mha_search", options)
    assert not mechanism.merges("attention", options)


def test_an_order_keeps_an_otherwise_plain_mechanism_from_merging() -> None:
    mechanism = find("linear")
    assert mechanism.merges("attention", parse_options(mechanism, {}))
    assert not mechanism.merges("attention", parse_options(mechanism, {"causal": True}))


def test_what_is_settled_misses_no_row() -> None:
    """Over random rows in parts: where one round is said to do it does, and often it is said."""
    settled = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        logits = random.standard_normal((3, 60)) * random.choice([0.3, 1.0, 4.0])
        k = int(random.integers(1, 8))
        parts = [slice(0, 20), slice(20, 40), slice(40, 60)]
        whole = lse_of(logits)
        best = np.argsort(-np.exp(logits - whole[:, None]).mean(axis=0))[:k]
        lse = np.array([lse_of(logits[:, part]) for part in parts])
        own = [np.exp(logits[:, part] - values[:, None]) for part, values in zip(parts, lse, strict=True)]
        first = [np.argsort(-heads.mean(axis=0))[:k] for heads in own]
        last = np.array([heads.mean(axis=0)[rows[-1]] for heads, rows in zip(own, first, strict=True)])
        given = np.concatenate([rows + 20 * number for number, rows in enumerate(first)])
        scores = np.sort(np.exp(logits[:, given] - whole[:, None]).mean(axis=0))[::-1]
        if is_settled(last, lse, whole, float(scores[k - 1])):
            settled += 1
            assert set(best) <= set(given), seed
    assert 60 < settled < 290


def test_scores_that_rounding_might_have_swapped_are_in_doubt() -> None:
    assert in_doubt(np.array([0.5, 0.25, 0.25 * (1 - 1e-7), 0.1], np.float64))
    assert in_doubt(np.zeros(2))
    assert not in_doubt(np.array([0.5, 0.25, 0.24999, 0.1]))
    assert not in_doubt(np.array([0.5]))


def test_heads_that_gain_unlike_settle_nothing_by_scores_that_are_equal_or_vanish() -> None:
    lse, whole = np.array([[0.0, -0.1]]), np.zeros(2)
    assert not is_settled(np.array([0.25]), lse, whole, 0.25)
    assert not is_settled(np.array([0.0]), lse, whole, 0.0)
    assert is_settled(np.array([0.25]), lse, whole, 0.26)
    assert is_settled(np.empty(0), np.empty((0, 2)), whole, 0.0)
    assert not is_settled(np.array([0.25]), np.array([[0.0, 1.0]]), whole, 0.26)


def test_one_head_or_one_part_settles_it() -> None:
    assert is_settled(np.array([0.25, 0.5]), np.array([[-1.0], [-2.0]]), np.zeros(1), 0.0)
    assert is_settled(np.array([0.25]), np.zeros((1, 2)), np.zeros(2), 0.25)


def test_rows_are_put_in_order_in_pieces() -> None:
    rows = 300_000
    calls: list[int] = []
    scores = np.random.default_rng(5).random(rows)
    merge_order(scores, scores, np.arange(rows), None, lambda: calls.append(1))
    assert len(calls) > 4
