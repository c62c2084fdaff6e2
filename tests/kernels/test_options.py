"""Options, temperature and number of heads: types, ranges, and errors that name both values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidOption, InvalidShape, UnknownOption
from ruattn_fdw.kernels.registry import find, json_schema, parse_options

FLASH, SCALED, COSINE, MULTI = (find(name) for name in ("flash_v2", "scaled_dot", "cosine", "multi_head"))


def test_defaults_fill_what_is_left_out():
    assert parse_options(FLASH, {"block_size_q": 3}) == {"block_size_q": 3, "block_size_kv": 64}
    assert parse_options(SCALED, {}) == {"scale": None}
    assert parse_options(MULTI, {}) == {}


def test_what_was_parsed_can_be_parsed_again():
    once = parse_options(SCALED, {})
    assert parse_options(SCALED, once) == once


def test_a_whole_number_does_for_a_float():
    assert parse_options(SCALED, {"scale": 2}) == {"scale": 2.0}


def test_an_unknown_key_lists_the_valid_ones():
    with pytest.raises(UnknownOption, match="flash_v2 has no option 'blocksize'") as caught:
        parse_options(FLASH, {"blocksize": 1})
    assert caught.value.hint == "Valid options: block_size_q, block_size_kv."
    with pytest.raises(UnknownOption) as caught:
        parse_options(MULTI, {"scale": 1})
    assert caught.value.hint == "multi_head takes no options."


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"block_size_kv": 0}, r"block_size_kv is 0, it must lie in \[1, 2147483647\]"),
        ({"block_size_kv": 2**31}, r"block_size_kv is 2147483648, it must lie in"),
        ({"block_size_kv": 1.5}, "block_size_kv must be an integer, not 1.5"),
        ({"block_size_kv": True}, "block_size_kv must be an integer, not True"),
        ({"block_size_kv": "8"}, "block_size_kv must be an integer, not '8'"),
        ({"block_size_kv": None}, "block_size_kv must be an integer, not None"),
        ({"block_size_kv": [[]]}, r"block_size_kv must be an integer, not \[\[\]\]"),
    ],
)
def test_type_and_range_are_checked(given, message):
    with pytest.raises(InvalidOption, match=message) as caught:
        parse_options(FLASH, given)
    assert caught.value.hint.endswith("The default is 64.")


@pytest.mark.parametrize("scale", [0, -1.0, math.inf, math.nan, 10**400])
def test_a_scale_must_be_positive_and_finite(scale):
    with pytest.raises(InvalidOption, match=r"scale is .*, it must lie in \(0, inf\)"):
        parse_options(SCALED, {"scale": scale})


def test_long_values_are_cut_in_messages():
    with pytest.raises(InvalidOption) as caught:
        parse_options(FLASH, {"block_size_q": "x" * 10_000_000})
    assert len(caught.value.message) < 200


def attend_ones(mechanism, **keywords):
    return attend(mechanism, np.ones(12, np.float32), np.ones((3, 12), np.float32), **keywords)


@pytest.mark.parametrize("temperature", [0, -1.0, math.inf, math.nan])
def test_temperature_must_be_positive_and_finite(temperature):
    with pytest.raises(InvalidOption, match=r"temperature is .*, it must lie in \(0, inf\)"):
        attend_ones(SCALED, temperature=temperature)


def test_temperature_of_cosine_starts_at_a_hundredth():
    assert attend_ones(COSINE, temperature=0.01).logit[0] == pytest.approx(100)
    with pytest.raises(InvalidOption, match=r"temperature is 0.0099, it must lie in \[0.01, inf\)"):
        attend_ones(COSINE, temperature=0.0099)


@pytest.mark.parametrize("heads", [0, -3, 1.0, True])
def test_number_of_heads_must_be_a_positive_integer(heads):
    with pytest.raises(InvalidOption, match=f"num_heads is {heads}, it must be an integer of at least 1"):
        attend_ones(SCALED, num_heads=heads)


@pytest.mark.parametrize("heads", [5, 2**31])
def test_number_of_heads_must_divide_the_dimensions(heads):
    with pytest.raises(InvalidShape, match=f"num_heads is {heads}, .* 12 dimensions") as caught:
        attend_ones(SCALED, num_heads=heads)
    assert "1, 2, 3, 4, 6, 12" in caught.value.hint


@pytest.mark.parametrize(("shape", "message"), [((0,), r"\(0,\)"), ((2, 6), r"\(2, 6\)")])
def test_a_query_is_one_vector(shape, message):
    with pytest.raises(InvalidShape, match=f"query has the shape {message}"):
        attend(SCALED, np.ones(shape, np.float32), np.ones((3, 12), np.float32))


def test_query_and_keys_must_be_as_wide():
    with pytest.raises(InvalidShape, match="query has 3 dimensions, keys have 12"):
        attend(SCALED, np.ones(3, np.float32), np.ones((3, 12), np.float32))


def test_schema_tells_type_default_and_range():
    assert json_schema(SCALED)["properties"]["scale"] == {
        "type": "number",
        "description": SCALED.parameters[0].help,
        "exclusiveMinimum": 0,
    }
    block = json_schema(FLASH)["properties"]["block_size_q"]
    assert (block["type"], block["default"], block["minimum"], block["maximum"]) == (
        "integer",
        64,
        1,
        2**31 - 1,
    )
    assert json_schema(FLASH)["additionalProperties"] is False
