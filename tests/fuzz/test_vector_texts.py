"""Texts as vectors: what the type and OPTIONS read is what a plain reading gives, or an error."""

import json
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from ruattn_fdw.arrays import read_vector
from ruattn_fdw.declaration import Parameter
from ruattn_fdw.errors import AttentionError
from tests.fuzz.texts import TEXTS, read_text

OFTEN = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
QUERY = Parameter("query", "attention_vector", "vector that asks")


def agree(found: list[float], wanted: Any) -> bool:
    """Equal but for the last bit: the twin rounds twice."""
    return len(found) == len(wanted) and np.allclose(found, wanted, rtol=2.5e-7, atol=3e-45, equal_nan=True)


def as_vector(db: Connection[Any], expression: str, value: str) -> list[float] | None:
    """The vector that the server makes of a text; None for an error that says what is wrong."""
    try:
        [(found,)] = db.execute(f"SELECT ({expression})::real[]".encode(), [value]).fetchall()
    except psycopg.DataError as error:
        return short(str(error))
    return list(found)


def short(message: str) -> None:
    """No vector, but a message that does not repeat all of it."""
    assert len(message) < 2000


@pytest.mark.bundled
@OFTEN
@given(text=TEXTS)
def test_the_type_reads_texts(db: Connection[Any], text: str) -> None:
    wanted = read_text(text)
    for expression in (
        "%s::attention_vector",
        "attention_vector_from_text(%s)",
        "(%s::text)::attention_vector",
    ):
        found = as_vector(db, expression, text)
        assert (found is None) == (wanted is None), (expression, found)
        assert found is None or wanted is None or agree(found, wanted)


@pytest.mark.bundled
@OFTEN
@given(
    document=st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(),
            st.text(max_size=5),
        ),
        st.lists,
        max_leaves=12,
    )
)
def test_the_type_reads_json(db: Connection[Any], document: Any) -> None:
    text = json.dumps(document).replace("\\u0000", "")
    found = as_vector(db, "%s::jsonb::attention_vector", text)
    numbers = isinstance(document, list) and all(
        isinstance(x, int | float) and not isinstance(x, bool) for x in document
    )
    wanted = read_text(text) if numbers else None
    assert (found is None) == (wanted is None)
    assert found is None or wanted is None or agree(found, wanted)


@pytest.mark.bundled
@OFTEN
@given(
    numbers=st.lists(st.one_of(st.none(), st.floats(width=32)), min_size=1, max_size=9),
    low=st.integers(-5, 5),
    element=st.sampled_from(["real", "double precision", "numeric"]),
)
def test_arrays_keep_bounds_and_nulls(
    db: Connection[Any], numbers: list[float | None], low: int, element: str
) -> None:
    written = ",".join("NULL" if number is None else repr(number) for number in numbers)
    text = f"[{low}:{low + len(numbers) - 1}]={{{written}}}"
    made = f"SELECT v::real[], array_lower(v::real[], 1) FROM (SELECT %s::{element}[]::attention_vector) s(v)"
    [(found, first)] = db.execute(made.encode(), [text]).fetchall()
    assert first == low
    assert [number is None for number in found] == [number is None for number in numbers]
    assert agree([n for n in found if n is not None], [n for n in numbers if n is not None])


@given(text=TEXTS)
@settings(max_examples=1000, deadline=None)
def test_options_read_texts(text: str) -> None:
    wanted, found = read_text(text), as_option(text)
    is_finite = bool(wanted) and bool(np.isfinite(wanted or []).all())
    # of hexadecimal numbers OPTIONS know nothing
    if "x" not in text.lower():
        assert (found is not None) == is_finite
    assert found is None or agree(found, wanted)


def as_option(text: str) -> list[float] | None:
    """The vector that OPTIONS make of a text; None for an error with a hint."""
    try:
        found: list[float] = read_vector(QUERY, text).tolist()
    except AttentionError as error:
        return hinted(error)
    return found


def hinted(error: AttentionError) -> None:
    """No vector, but what to do about it."""
    assert error.hint
