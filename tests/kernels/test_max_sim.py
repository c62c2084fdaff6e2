"""Late interaction against its formula, written out row by row in float64."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.arrays import BLOCK_BYTES
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.attend_sets import attend_sets
from ruattn_fdw.kernels.errors import InvalidOption, InvalidShape, NumericOverflow, UnknownOption
from ruattn_fdw.kernels.ranking import ranked
from ruattn_fdw.kernels.registry import find
from ruattn_fdw.kernels.sets import VectorSets

MAX_SIM = find("max_sim")


def sample(counts, width=24, queries=5, seed=0):
    random = np.random.RandomState(seed)
    vectors = (random.standard_normal((sum(counts), width)) * 0.3).astype(np.float32)
    bounds = np.concatenate(([0], np.cumsum(counts)))
    return random.standard_normal((queries, width)).astype(np.float32), VectorSets(vectors, bounds)


def unit(vector):
    norm = np.sqrt(sum(x * x for x in vector))
    return vector / norm if norm else vector


def expected_logits(queries, sets, cosine=False, temperature=1.0):
    """One logit for each row, as the formula reads."""
    logits = []
    for first, last in zip(sets.bounds[:-1], sets.bounds[1:], strict=True):
        total = 0.0
        for query in queries.astype(np.float64):
            keys = sets.vectors[first:last].astype(np.float64)
            pairs = [(unit(query), unit(key)) if cosine else (query, key) for key in keys]
            total += max(np.dot(q, k) for q, k in pairs)
        logits.append(total / temperature)
    return np.array(logits)


def assert_agree(weights, logits):
    exponentials = np.exp(logits - logits.max())
    np.testing.assert_allclose(weights.logit, logits, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(weights.score, exponentials / exponentials.sum(), rtol=2e-5, atol=1e-37)
    np.testing.assert_allclose(weights.lse, [logits.max() + np.log(exponentials.sum())], rtol=1e-7)
    assert (np.abs(weights.exact(np.arange(len(logits)))[0] - logits) < 1e-9).all()
    assert weights.head_scores.shape == (1, len(logits))


@pytest.mark.parametrize("temperature", [1.0, 0.2])
@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize(
    "counts", [[1], [7], [1] * 50, [3, 1, 4, 1, 5, 9, 2, 6], [1, 9000, 2, 1], list(range(1, 150))]
)
def test_kernel_agrees_with_the_formula(counts, cosine, temperature):
    queries, sets = sample(counts)
    weights = attend_sets(MAX_SIM, queries, sets, options={"cosine": cosine}, temperature=temperature)
    assert_agree(weights, expected_logits(queries, sets, cosine, temperature))


@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e18])
def test_cosines_do_not_depend_on_the_lengths(scale):
    queries, sets = sample([2, 3, 1, 4])
    scaled = VectorSets((sets.vectors * np.float32(scale)).astype(np.float32), sets.bounds)
    weights = attend_sets(MAX_SIM, queries, scaled, options={"cosine": True})
    np.testing.assert_allclose(
        weights.logit, expected_logits(queries, sets, cosine=True), rtol=1e-4, atol=1e-5
    )


def test_the_cosine_with_a_zero_vector_is_zero():
    queries, sets = sample([1, 2, 1])
    sets.vectors[0] = 0
    weights = attend_sets(MAX_SIM, queries, sets, options={"cosine": True})
    assert weights.logit[0] == 0
    assert_agree(weights, expected_logits(queries, sets, cosine=True))


def test_with_single_vectors_it_is_the_plain_product():
    queries, sets = sample([1] * 300, queries=1)
    for options in ({}, {"cosine": True}):
        several = attend_sets(MAX_SIM, queries, sets, options=options)
        single = attend(MAX_SIM, queries[0], sets.vectors, options=options)
        np.testing.assert_allclose(several.score, single.score, rtol=1e-5)
        np.testing.assert_allclose(several.logit, single.logit, rtol=1e-5, atol=1e-6)


def test_the_bound_on_rounding_holds():
    queries, sets = sample(list(range(1, 120)), width=300)
    for cosine in (False, True):
        weights = attend_sets(MAX_SIM, queries, sets, options={"cosine": cosine})
        error = np.abs(weights.logit - expected_logits(queries, sets, cosine))
        assert (error <= weights.slack).all()
        assert (weights.slack < 0.05).all()


def test_near_ties_are_ranked_by_exact_logits_and_equal_rows_by_id():
    random = np.random.RandomState(3)
    base = random.standard_normal((2, 200)).astype(np.float32)
    copies = np.repeat(base[None], 400, axis=0)
    copies[:, 0, 0] += (random.randint(0, 5, 400) * np.float32(2**-20)).astype(np.float32)
    sets = VectorSets(copies.reshape(-1, 200), np.arange(0, 801, 2))
    queries, ids = base[::-1].copy() * np.float32(3), random.permutation(400)
    exact = expected_logits(queries, sets)
    weights = attend_sets(MAX_SIM, queries, sets)
    order = np.concatenate(list(ranked(weights, ids, 64)))
    found = weights.exact(order)[0]
    assert (np.diff(found) <= 0).all()
    assert order.tolist() == np.lexsort((ids, -weights.exact(np.arange(400))[0]))[:64].tolist()
    np.testing.assert_allclose(found, exact[order], rtol=1e-13)


def test_a_normaliser_makes_scores_those_of_a_larger_whole():
    queries, sets = sample([2, 3, 4, 5])
    whole = attend_sets(MAX_SIM, queries, sets)
    part = attend_sets(MAX_SIM, queries, sets.take(np.array([3, 1])), normaliser=whole.lse)
    np.testing.assert_allclose(part.score, whole.score[[3, 1]], rtol=1e-6)


def test_taking_sets_keeps_their_vectors():
    _, sets = sample([2, 3, 1])
    taken = sets.take(np.array([2, 0, 2]))
    assert taken.bounds.tolist() == [0, 1, 3, 4]
    np.testing.assert_array_equal(taken.vectors, sets.vectors[[5, 0, 1, 5]])
    assert len(sets.take(np.array([], np.intp))) == 0


def test_blocks_cover_every_set_once_and_stay_small():
    counts = [1, 9000, 2, 1, *([40] * 500)]
    _, sets = sample(counts)
    blocks = list(sets.blocks())
    assert [row for span, _ in blocks for row in range(span.start, span.stop)] == list(range(len(counts)))
    assert all(block.vectors.nbytes <= BLOCK_BYTES or len(block) == 1 for _, block in blocks)
    assert len(blocks) < 20


def test_checkpoint_is_called_for_every_block():
    queries, sets = sample([40] * 500)
    calls = []
    attend_sets(MAX_SIM, queries, sets, checkpoint=lambda: calls.append(1))
    assert len(calls) > sets.vectors.nbytes / BLOCK_BYTES


def test_no_rows_give_no_weights():
    weights = attend_sets(
        MAX_SIM, np.ones((2, 3)), VectorSets(np.empty((0, 3), np.float32), np.zeros(1, np.intp))
    )
    assert weights.score.shape == (0,)
    np.testing.assert_array_equal(weights.lse, [-np.inf])


def test_an_overflow_names_the_row():
    queries, sets = sample([2, 3, 1])
    sets.vectors[4] = 3e38
    with pytest.raises(NumericOverflow, match="the logit of queries and row 1 overflows") as caught:
        attend_sets(MAX_SIM, np.abs(queries) * 100, sets)
    assert caught.value.row == 1


def test_bad_settings_are_errors():
    queries, sets = sample([2, 3])
    with pytest.raises(UnknownOption):
        attend_sets(MAX_SIM, queries, sets, options={"cosin": True})
    with pytest.raises(InvalidOption):
        attend_sets(MAX_SIM, queries, sets, options={"cosine": 1})
    with pytest.raises(InvalidOption):
        attend_sets(MAX_SIM, queries, sets, temperature=0)
    with pytest.raises(InvalidOption):
        attend_sets(MAX_SIM, queries, sets, normaliser=np.zeros(2))
    with pytest.raises(InvalidShape, match="queries have 3 dimensions, keys have 24"):
        attend_sets(MAX_SIM, queries[:, :3], sets)
