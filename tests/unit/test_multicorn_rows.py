"""Rows in COPY's binary format, made here byte by byte."""

import struct

import numpy as np
import pytest

from ruattn_fdw.errors import AttentionError
from ruattn_fdw.multicorn.rows import Columns, in_copys_format


def field(value):
    return struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value


def row(*values):
    return struct.pack(">h", len(values)) + b"".join(map(field, values))


def integer(value):
    return struct.pack(">q", value)


def array(rows, code="f", oid=700):
    """An array of one or two dimensions; None is NULL."""
    deep = bool(rows) and isinstance(rows[0], list)
    flat = [x for part in rows for x in part] if deep else rows
    shape = ([len(rows), len(rows[0])] if deep else [len(rows)]) if rows else []
    head = struct.pack(">iii", len(shape), int(None in flat), oid)
    dims = b"".join(struct.pack(">ii", size, 1) for size in shape)
    return head + dims + b"".join(field(None if x is None else struct.pack(f">{code}", x)) for x in flat)


def packed(values, code="f"):
    return struct.pack(">hh", len(values), 0) + struct.pack(f">{len(values)}{code}", *values)


def vectors(*values, kind="vector"):
    columns = Columns(("id", kind), "documents.v")
    columns.add([row(integer(i), value) for i, value in enumerate(values, 1)])
    return columns


@pytest.mark.parametrize(
    "values",
    [
        [array([1.0, -2.5]), array([3.0, 4.0])],
        [array([1.0, -2.5], "d", 701), array([3.0, 4.0], "d", 701)],
        [packed([1.0, -2.5]), packed([3.0, 4.0])],
        [packed([1.0, -2.5], "e"), packed([3.0, 4.0], "e")],
        [array([1.0, -2.5]), packed([3.0, 4.0])],
    ],
)
def test_vectors_of_every_type(values):
    found = vectors(*values)
    ids, keys = found.results()
    assert (ids.tolist(), ids.dtype) == ([1, 2], np.int64)
    np.testing.assert_array_equal(keys, np.array([[1, -2.5], [3, 4]], np.float32))
    assert keys.dtype == np.float32


def test_rows_without_a_vector_are_counted():
    found = vectors(array([1.0]), None, array([2.0]), None)
    assert (found.rows, found.skipped) == (2, 2)
    assert found.results()[0].tolist() == [1, 3]


@pytest.mark.parametrize(
    ("value", "sqlstate", "what"),
    [
        (array([1.0, None]), "22004", "has a NULL element"),
        (array([]), "22000", "is empty"),
        (array([[1.0, 2.0]]), "22000", "has more than one dimension"),
        (array([1.0, float("nan")]), "22000", "has an element that is NaN or infinite"),
        (array([1.0, 1e300], "d", 701), "22003", "has an element out of the range of real"),
        (array([1.0, 2.0, 3.0]), "22000", "has 3 dimensions, the rows before it have 2"),
    ],
)
def test_a_bad_vector_is_named_by_its_row(value, sqlstate, what):
    with pytest.raises(AttentionError) as caught:
        vectors(array([1.0, 2.0]), value, array([1.0]))
    assert caught.value.message == f"documents.v of the row with id 2 {what}"
    assert caught.value.sqlstate == sqlstate


def test_other_columns_and_chunks():
    columns = Columns(("text id", "vector", "float", "text"), "documents.v")
    for name, number, text in (("a", 1.5, "x"), ("b", None, None)):
        value = None if number is None else struct.pack(">d", number)
        columns.add([row(name.encode(), array([1.0]), value, None if text is None else text.encode())])
    names, keys, numbers, texts = columns.results()
    assert (names, keys.shape, texts) == (["a", "b"], (2, 1), ["x", None])
    np.testing.assert_array_equal(numbers, [1.5, np.nan])
    assert columns.size > 0


def test_sets_of_vectors():
    halfvecs = (
        struct.pack(">iiiii", 1, 0, 16000, 2, 1) + field(packed([1, 2], "e")) + field(packed([3, 4], "e"))
    )
    found = vectors(array([[5.0, 6.0]]), halfvecs, array([7.0, 8.0]), packed([9.0, 10.0]), kind="vectors")
    keys, counts = found.results()[1]
    assert counts.tolist() == [1, 2, 1, 1]
    assert keys.tolist() == [[5, 6], [1, 2], [3, 4], [7, 8], [9, 10]]


def test_an_id_that_is_null_is_an_error():
    columns = Columns(("id", "vector"), "documents.v")
    with pytest.raises(AttentionError, match=r"the id of row 1 of documents\.v is NULL"):
        columns.add([row(None, array([1.0]))])


def test_columns_are_cast_to_what_is_read():
    assert in_copys_format("SELECT a, b FROM t", ("id", "vector")) == (
        "SELECT c0::pg_catalog.int8, c1 FROM (SELECT a, b FROM t) AS s (c0, c1)"
    )
