"""What a set of tensors makes of a mechanism, and of vectors."""

import numpy as np
import pytest
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.errors import InvalidOption, InvalidShape, NumericOverflow
from ruattn_fdw.kernels.keyset import KeySet
from ruattn_fdw.kernels.projections import Affine, kept, projections_of
from ruattn_fdw.kernels.registry import MECHANISMS, find
from ruattn_fdw.kernels.trained import trained

RANDOM = np.random.RandomState(0)


def drawn(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("n", [1, 5000])
def test_a_projection_is_a_product_and_a_sum(n):
    vectors, weight, bias = drawn(n, 20), drawn(20, 7), drawn(7)
    expected = vectors.astype(float) @ weight + bias
    np.testing.assert_allclose(Affine("W_q", weight, bias)(vectors), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(Affine("W_q", weight)(vectors), expected - bias, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(Affine("b_q", None, bias)(vectors[:, :7]), vectors[:, :7] + bias, rtol=1e-6)


def test_a_projection_is_made_anew_where_numbers_or_vectors_differ():
    vectors, weight = drawn(9, 4), drawn(4, 3)

    def of(weight, vectors, kind="key"):
        return kept(kind, Affine("W_k", weight), KeySet(vectors), uninterrupted).stored

    first = of(weight, vectors)
    assert of(weight.copy(), vectors) is first
    assert of(weight, vectors, "value") is not first
    other = weight.copy()
    other[3, 2] += 1
    assert (of(other, vectors) != first).any()
    assert (of(other, vectors + 1) != first).any()


def test_rows_that_come_later_are_projected_when_they_are_there():
    stored, weight = drawn(9000, 4), drawn(4, 3)
    affine, late = Affine("W_k", weight), np.array([2, 8000])
    stored[late] = np.nan
    early = np.setdiff1d(np.arange(9000), late)
    found = kept("key", affine, KeySet(stored, early), uninterrupted)
    np.testing.assert_array_equal(found.dense(), affine(stored[early]))
    stored[late] = 1
    np.testing.assert_array_equal(kept("key", affine, KeySet(stored), uninterrupted).dense(), affine(stored))


def test_what_a_projection_cannot_take():
    affine = Affine("W_q", np.full((2, 2), 1e30, np.float32))
    with pytest.raises(InvalidShape, match="vectors have 3 dimensions, W_q takes 2"):
        affine(drawn(1, 3))
    with pytest.raises(NumericOverflow, match="a vector times W_q overflows"):
        affine(np.full((1, 2), 1e10, np.float32))


BAD = {
    "W_q has the shape (4,), it must be (in, out)": {"W_q": (4,)},
    "b_q has the shape (3,), W_q (4, 2)": {"W_q": (4, 2), "b_q": (3,)},
    "W_q has the shape (4, 2), W_k (4, 3)": {"W_q": (4, 2), "W_k": (4, 3)},
    "W_o has the shape (5, 4), W_v (4, 6)": {"W_v": (4, 6), "W_o": (5, 4)},
}


@pytest.mark.parametrize("message", BAD)
def test_shapes_that_do_not_go_together_are_both_named(message):
    tensors = {name: drawn(*shape) for name, shape in BAD[message].items()}
    with pytest.raises(InvalidShape) as caught:
        projections_of(tensors)
    assert caught.value.message == message


def test_shared_heads_may_be_fewer():
    tensors = {"W_q": drawn(8, 8), "W_k": drawn(8, 2), "W_v": drawn(8, 2), "W_o": drawn(8, 8)}
    assert trained(find("grouped_query"), tensors).projections
    with pytest.raises(InvalidShape):
        trained(find("multi_head"), tensors)


def test_a_set_for_something_else_is_refused_with_what_is_taken():
    with pytest.raises(InvalidOption, match="multi_head takes none of the tensors gate"):
        trained(find("multi_head"), {"gate": drawn(2, 2)})
    with pytest.raises(InvalidOption, match="fisher_rao takes no weights"):
        trained(find("fisher_rao"), {"W_q": drawn(2, 2)})


@pytest.mark.parametrize("mechanism", [m for m in MECHANISMS if m.training], ids=lambda m: m.name)
def test_a_mechanism_says_that_its_weights_are_the_users(mechanism):
    tensors = {name: np.ones((1, 1), np.float32) for name in ("W_q",)}
    if not mechanism.training.required:
        assert trained(mechanism, tensors).weights({}) == "user (W_q)"
