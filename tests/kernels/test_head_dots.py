"""The native loop over heads and keys, in every variant that this processor can run."""

import numpy as np
import pytest
from ruattn_fdw.kernels.native import dots

VARIANTS = dots.variants()
SHAPES = [
    (1, 1),
    (1, 5),
    (3, 7),
    (8, 48),
    (8, 60),
    (12, 5),
    (40, 3),
    (1, 384),
    (33, 16),
    (64, 1),
    (1, 15),
    (1, 17),
]


def products(query, keys):
    by_head = keys.astype(float).reshape(len(keys), *query.shape)
    return (by_head * query).sum(axis=2).T, (keys.astype(float) ** 2).sum(axis=1)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("n", [0, 1, 3, 4, 15, 16, 17, 63, 500])
@pytest.mark.parametrize(("heads", "width"), SHAPES)
def test_it_agrees_with_float64(variant, n, heads, width):
    random = np.random.RandomState(n + heads)
    query = random.standard_normal((heads, width)).astype(np.float32)
    # neither keys nor results lie without gaps
    keys = random.standard_normal((n, heads * width + 3)).astype(np.float32)[:, : heads * width]
    wide, squares = np.full((heads, n + 2), np.nan, np.float32), np.empty((1, n), np.float32)
    dots.head_dots(query, keys, wide[:, :n], squares, variant)
    wanted, wanted_squares = products(query, keys)
    np.testing.assert_allclose(wide[:, :n], wanted, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(squares[0], wanted_squares, rtol=1e-5)
    assert np.isnan(wide[:, n:]).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_equal_keys_get_equal_results_wherever_they_stand(variant):
    random = np.random.RandomState(0)
    query = random.standard_normal((8, 45)).astype(np.float32)
    keys = random.standard_normal((50, 360)).astype(np.float32)
    keys[::3] = keys[0]
    out, squares = np.empty((8, 50), np.float32), np.empty((1, 50), np.float32)
    dots.head_dots(query, keys, out, squares, variant)
    assert (out[:, ::3] == out[:, :1]).all()
    assert (squares[:, ::3] == squares[:, :1]).all()


def test_values_without_bounds_stay_with_their_keys():
    query, keys = np.ones((2, 20), np.float32), np.ones((40, 40), np.float32)
    keys[7, 3], keys[8, 30] = np.inf, np.nan
    for variant in VARIANTS:
        out, squares = np.empty((2, 40), np.float32), np.empty((1, 40), np.float32)
        dots.head_dots(query, keys, out, squares, variant)
        assert np.isinf(out[0, 7])
        assert np.isnan(out[1, 8])
        assert np.argwhere(out != 20).tolist() == [[0, 7], [1, 8]]
        assert np.argwhere(squares != 40).tolist() == [[0, 7], [0, 8]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": np.zeros((2, 5), np.float32)}, "do not fit"),
        ({"out": np.zeros((3, 6), np.float32)}, "do not fit"),
        ({"squares": np.zeros((1, 5), np.float32)}, "do not fit"),
        ({"keys": np.zeros((6, 8))}, "keys must be a matrix of float32"),
        ({"keys": np.zeros((8, 6), np.float32).T}, "keys must be a matrix of float32"),
        ({"keys": memoryview(bytes(193))[1:].cast("f", (6, 8))}, "keys must be a matrix of float32"),
        ({"query": np.zeros(8, np.float32)}, "query must be a matrix of float32"),
        ({"variant": "mmx"}, "this processor has no mmx"),
    ],
)
def test_what_it_refuses(change, message):
    given = {
        "query": np.zeros((2, 4), np.float32),
        "keys": np.zeros((6, 8), np.float32),
        "out": np.zeros((2, 6), np.float32),
        "squares": np.zeros((1, 6), np.float32),
        "variant": None,
    } | change
    with pytest.raises(ValueError, match=message):
        dots.head_dots(*given.values())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("heads", "width"), SHAPES)
def test_it_is_exact_in_float64(dtype, heads, width):
    random = np.random.RandomState(heads)
    query = random.standard_normal((heads, width))
    # neither keys nor results lie without gaps
    keys = random.standard_normal((20, heads * width + 3)).astype(dtype)[:, : heads * width]
    out = np.full((heads, 24), np.nan)
    dots.exact_dots(query, keys, None, out[:, :20])
    np.testing.assert_allclose(out[:, :20], products(query, keys)[0], rtol=1e-13, atol=1e-14)
    assert np.isnan(out[:, 20:]).all()
    rows = np.array([[3, 0, 3, 19]])
    dots.exact_dots(query, keys, rows, out[:, 20:])
    assert (out[:, 20:] == out[:, rows[0]]).all()


@pytest.mark.parametrize("row", [-1, 20])
def test_rows_must_be_there(row):
    query, keys = np.ones((1, 4)), np.ones((20, 4))
    with pytest.raises(IndexError, match=f"there is no row {row} of 20"):
        dots.exact_dots(query, keys, np.array([[0, row]]), np.empty((1, 2)))


def test_exact_products_of_shapes_that_do_not_fit_are_refused():
    query, keys = np.ones((2, 4)), np.ones((20, 8), np.float32)
    for given in [
        (query, keys[:, :6], None, np.empty((2, 20))),
        (query, keys, None, np.empty((2, 19))),
        (query, keys, np.zeros((2, 3), np.int64), np.empty((2, 3))),
        (query.astype(np.float32), keys, None, np.empty((2, 20))),
    ]:
        with pytest.raises(ValueError, match=r"do not fit|must be a matrix of float64"):
            dots.exact_dots(*given)


def test_results_must_be_writable():
    out = np.zeros((2, 6), np.float32)
    out.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        dots.head_dots(
            np.zeros((2, 4), np.float32), np.zeros((6, 8), np.float32), out, np.zeros((1, 6), np.float32)
        )
