"""Values as either host hands them over, and what is refused."""

import re

import numpy as np
import pytest

from ruattn_fdw.declaration import Parameter
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.values import MAX_JSON_BYTES, Unknown, read


def parameter(type_name, **limits):
    return Parameter("p", type_name, "a parameter", **limits)


@pytest.mark.parametrize("value", [7, "7", " 7 ", 7.0])
def test_an_integer_is_read_from_any_spelling(value):
    number = read(parameter("integer"), value)
    assert number == 7
    assert type(number) is int


@pytest.mark.parametrize("value", ["seven", 7.5, True, "", None, float("inf"), "7" * 5000, "1_0", "\u0661"])
def test_what_is_no_integer_is_refused(value):
    with pytest.raises(AttentionError, match="p must be of type integer") as caught:
        read(parameter("integer"), value)
    assert caught.value.sqlstate == "22023"


@pytest.mark.parametrize(
    ("type_name", "value"), [("integer", 2**31), ("integer", "-2147483649"), ("bigint", 2**63)]
)
def test_a_number_beyond_its_sql_type_is_refused_not_wrapped(type_name, value):
    with pytest.raises(AttentionError, match=f"p must be between .*, got {value}"):
        read(parameter(type_name), value)


def test_the_largest_integers_are_read():
    assert read(parameter("integer"), 2**31 - 1) == 2**31 - 1
    assert read(parameter("bigint"), "-9223372036854775808") == -(2**63)


def test_a_declared_minimum_is_part_of_the_message():
    with pytest.raises(AttentionError, match="p must be between 1 and 2147483647, got 0"):
        read(parameter("integer", minimum=1), 0)


def test_an_excluded_minimum_is_excluded():
    positive = parameter("double precision", minimum=0.0, above=True)
    assert read(positive, "0.5") == 0.5
    with pytest.raises(AttentionError, match=r"p must be greater than 0, got 0\.0"):
        read(positive, 0.0)


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("double precision", "1_0.5"),
        ("double precision", "\u0661"),
        ("attention_vector", "{1_0}"),
        ("attention_vector", "[\u0661]"),
        ("attention_vector", "[1,\u00a02]"),
        ("bigint[]", "{1_0}"),
        ("real[]", "{{1_0}}"),
    ],
)
def test_numbers_that_only_python_knows_are_refused(type_name, value):
    with pytest.raises(AttentionError, match=f"p must be of type {re.escape(type_name)}"):
        read(parameter(type_name), value)


@pytest.mark.parametrize("text", ["{{1,2} x {3,4}}", "{{1},{2},3}", "{{1}{2}}", "{{1},}", "{,{1}}", "{{1}"])
def test_what_stands_between_the_rows_of_a_matrix_is_not_left_out(text):
    with pytest.raises(AttentionError, match=r"p must be") as caught:
        read(parameter("real[]"), text)
    assert caught.value.sqlstate == "22000"


@pytest.mark.parametrize("value", ["NaN", float("inf"), "-Infinity"])
def test_a_float_is_finite(value):
    with pytest.raises(AttentionError, match="p must be finite"):
        read(parameter("double precision"), value)


@pytest.mark.parametrize(
    "value",
    [
        "[0.5, -2]",
        "{0.5,-2}",
        [0.5, -2],
        ["0.5", "-2"],
        np.array([0.5, -2], np.float32),
        memoryview(np.array([0.5, -2])),
        np.array([0.5, 9, -2, 9])[::2],
    ],
)
def test_a_vector_is_read_from_text_lists_and_buffers(value):
    vector = read(parameter("attention_vector"), value)
    assert vector.dtype == np.float32
    assert vector.tolist() == [0.5, -2.0]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{}", "has no elements"),
        ([], "has no elements"),
        ("{1,NaN}", "has nan at position 2"),
        ("[1,2,inf]", "has inf at position 3"),
        ([1e39], "has inf at position 1"),
        ("{1,NULL}", "has a NULL at position 2"),
        ([None], "has a NULL at position 1"),
        ("{{1,2},{3,4}}", "must have one dimension, got 2"),
        ([[1, 2]], "must have one dimension, got 2"),
        (np.ones((2, 2), np.float32), "must have one dimension, got 2"),
        ("1,2", 'must be an array, got "1,2"'),
        ("{1,2]", "must be an array"),
        ("{1,two}", "must be of type attention_vector"),
        ("", "must be an array"),
    ],
)
def test_a_bad_vector_is_an_error_of_class_22(value, message):
    with pytest.raises(AttentionError, match=message) as caught:
        read(parameter("attention_vector"), value)
    assert caught.value.sqlstate == "22000"


@pytest.mark.parametrize("value", ["{3,1,3}", ["3", "1", "3"], np.array([3, 1, 3], np.int32)])
def test_ids_are_read_in_order_with_repeats(value):
    ids = read(parameter("bigint[]"), value)
    assert ids.dtype == np.int64
    assert ids.tolist() == [3, 1, 3]


def test_no_ids_are_an_empty_array():
    assert read(parameter("bigint[]"), "{}").tolist() == []


def test_ids_beyond_bigint_are_refused():
    with pytest.raises(AttentionError, match=r"p must be of type bigint\[\]"):
        read(parameter("bigint[]"), [2**63])


def test_options_are_a_json_object():
    assert read(parameter("jsonb"), '{"scale": 0.5}') == {"scale": 0.5}
    with pytest.raises(AttentionError, match=r"p must be a JSON object, got \[1\]"):
        read(parameter("jsonb"), "[1]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ("[" * 10_000 + "]" * 10_000, "nested too deeply"),
        ('{"a": "' + "x" * 10_000_000 + '"}', f"at most {MAX_JSON_BYTES} are allowed"),
        ('{"a": 1' + "0" * 5000 + "}", "not valid JSON"),
    ],
    ids=["cut", "nan", "deep", "large", "digits"],
)
def test_hostile_json_is_an_error(text, message):
    with pytest.raises(AttentionError, match=message):
        read(parameter("jsonb"), text)


def test_a_long_value_is_shortened_in_messages():
    with pytest.raises(AttentionError) as caught:
        read(parameter("integer"), "x" * 1000)
    assert len(caught.value.message) < 100


def test_a_value_not_known_yet_passes_through():
    unknown = Unknown("$1")
    assert read(parameter("integer"), unknown) is unknown


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1, 2], [3]], r"p must be of type real\[\]"),
        ("{{1,2},{3}}", r"p must be of type real\[\]"),
        ([["a"]], r"p must be of type real\[\]"),
        ([1, 2], "p must have two dimensions, got 1"),
        ("{1,2}", "p must be a two-dimensional array"),
        ([[1, 2], [3, float("nan")]], "p has nan at position 2 of row 2"),
        ([[1e300]], "p has inf at position 1 of row 1"),
        ([], "p has no elements"),
    ],
)
def test_a_matrix_is_rectangular_and_finite(value, message):
    with pytest.raises(AttentionError, match=message) as caught:
        read(parameter("real[]"), value)
    assert caught.value.sqlstate == "22000"
    assert caught.value.hint


@pytest.mark.parametrize(
    "value", [[[1, 2], [3, 4], [5, 6]], "{{1,2},{3,4},{5,6}}", " [[1, 2], [3, 4], [5, 6]] "]
)
def test_a_matrix_keeps_its_shape(value):
    assert read(parameter("real[]"), value).tolist() == [[1, 2], [3, 4], [5, 6]]


def test_an_id_that_is_no_integer_is_its_text_form():
    assert read(parameter("uuid", id_of="id_column"), "a0ee-1") == "a0ee-1"
    assert read(parameter("double precision", id_of="id_column"), 0.5) == "0.5"
    assert read(parameter("double precision[]", id_of="id_column"), np.array([0.5, 2])) == '{"0.5","2.0"}'
    assert read(parameter("text[]", id_of="id_column"), ['a"b', "c\\d"]) == '{"a\\"b","c\\\\d"}'
    assert read(parameter("bigint[]", id_of="id_column"), "{1,2}").tolist() == [1, 2]
