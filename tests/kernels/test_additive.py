"""Additive attention."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.core.additive import AdditiveScorer, AdditiveWeights
from ruattn_fdw.kernels.errors import InvalidOption
from ruattn_fdw.kernels.registry import find
from samples import assert_rounding_is_bounded
from test_golden import load
from twins import softmax_over_heads

ADDITIVE = find("additive")


def sample(n=63, d=60, seed=0):
    vectors = np.random.RandomState(seed).standard_normal((n + 1, d)).astype(np.float32)
    return vectors[0], vectors[1:]


def logits_of(weights, query, keys):
    scorer = AdditiveScorer(
        query.astype(np.float64).reshape(len(weights.output), -1), 1.0, weights, np.float64
    )
    out = np.empty((len(weights.output), len(keys)))
    scorer.logits(keys.astype(np.float64), out)
    return out


@pytest.mark.parametrize(("n", "heads"), [(1, 1), (63, 5), (500, 12)])
def test_identity_weights_sum_the_tangents_of_the_sums(n, heads):
    query, keys = sample(n)
    weights = attend(ADDITIVE, query, keys, num_heads=heads, options={"init": "identity"}, temperature=2)
    sums = np.tanh(keys.astype(np.float64) + query).reshape(n, heads, -1).sum(axis=2) / 2
    expected = softmax_over_heads(list(sums.T))
    np.testing.assert_allclose(weights.score, expected.score, rtol=1e-5)
    np.testing.assert_allclose(weights.logit, expected.logit, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("heads", "hidden"), [(1, 7), (4, None), (4, 30)])
def test_seeded_weights_stay_the_same(heads, hidden):
    query, keys = sample()
    options = {"init": "seeded", "hidden": hidden, "seed": 3}
    first, second = (attend(ADDITIVE, query, keys, num_heads=heads, options=options) for _ in range(2))
    np.testing.assert_array_equal(first.score, second.score)
    other = attend(ADDITIVE, query, keys, num_heads=heads, options={**options, "seed": 4})
    assert (other.score != first.score).any()


def test_projections_are_those_of_each_head():
    random = np.random.RandomState(5)
    query, keys = sample()
    weights = AdditiveWeights(
        *(random.standard_normal((3, 8, 20)) for _ in range(2)), random.standard_normal((3, 8))
    )
    found = logits_of(weights, query, keys)
    for head in range(3):
        part = slice(20 * head, 20 * head + 20)
        for row, key in enumerate(keys[:, part]):
            hidden = np.tanh(weights.query[head] @ query[part] + weights.key[head] @ key)
            assert found[head, row] == pytest.approx(weights.output[head] @ hidden, rel=1e-9)


def test_it_is_no_similarity():
    scores = attend(
        ADDITIVE, np.array([3, 0], np.float32), np.eye(2, dtype=np.float32), options={"init": "identity"}
    ).score
    assert scores[1] > scores[0]


def test_weights_must_be_asked_for():
    with pytest.raises(InvalidOption, match="additive needs trained weights") as caught:
        attend(ADDITIVE, *sample())
    assert "identity" in caught.value.hint


def test_seeded_weights_say_that_they_are_untrained():
    assert "untrained" in ADDITIVE.remark(None, 1, {"init": "seeded"})
    assert ADDITIVE.remark(None, 1, {"init": "identity"}) is None


@pytest.mark.parametrize("options", [{"init": "identity"}, {"init": "seeded", "hidden": 9, "seed": 0}])
@pytest.mark.parametrize("size", [1e-3, 1, 1e3])
def test_the_bound_on_rounding_holds(options, size):
    query, keys = (np.float32(size) * a for a in sample(500))
    slices, options = query.astype(np.float64).reshape(4, -1), {"hidden": None, "seed": 0, **options}
    assert_rounding_is_bounded(lambda dtype: ADDITIVE.scorer(slices, 1.0, options, dtype), 4, keys)


def test_it_agrees_with_torch_and_keras():
    golden = load("additive")
    weights = AdditiveWeights(golden["w_query"][None], golden["w_key"][None], golden["w_output"][None])
    np.testing.assert_allclose(
        logits_of(weights, golden["query"], golden["keys"])[0], golden["logits"], rtol=1e-12
    )
    plain = attend(ADDITIVE, golden["query"], golden["keys"], options={"init": "identity"})
    np.testing.assert_allclose(plain.score, golden["keras"], rtol=1e-4, atol=1e-7)
