"""Wrong values of parameters: an error that says what is wrong, no crash, no accidental empty result."""

from typing import Any

import psycopg
import pytest
from psycopg import Connection
from ruattn_fdw.kernels.registry import MECHANISMS

SEARCH = "SELECT id, score FROM mha_search WHERE table_name = 'documents' AND "


@pytest.fixture
def db(db: Connection[Any]) -> Connection[Any]:
    db.execute("""
        CREATE TABLE documents (id int PRIMARY KEY, embedding real[]);
        INSERT INTO documents VALUES (1, '{1,0}'), (2, '{0,1}'), (3, '{0.6,0.8}')
    """)
    return db


def outcome(db: Connection[Any], clauses: str) -> tuple[str | None, str | None] | list[Any]:
    """SQLSTATE and message of a search that fails, the rows of one that does not."""
    try:
        return db.execute((SEARCH + clauses).encode()).fetchall()
    except psycopg.Error as error:
        return error.sqlstate, error.diag.message_primary


def check(db: Connection[Any], rest: str, cases: dict[str, tuple[str, str]]) -> None:
    """Each case fails as it says, and the session goes on."""
    assert {case: outcome(db, f"{case} AND {rest}") for case in cases} == cases
    assert len(outcome(db, "query = '{1,0}' AND num_heads = 1")) == 3


QUERY = "query = '{1,0}'"
PLAIN = f"{QUERY} AND num_heads = 1"
RANGE = "must be between 1 and 2147483647, got"


def test_num_heads(db: Connection[Any]) -> None:
    divide = "which does not divide the query's 2 dimensions"
    cases = {
        "num_heads = 0": ("22023", f"num_heads {RANGE} 0"),
        "num_heads = -1": ("22023", f"num_heads {RANGE} -1"),
        "num_heads = 2147483648": ("22023", f"num_heads {RANGE} 2147483648"),
        "num_heads = -9223372036854775808": ("22023", f"num_heads {RANGE} -9223372036854775808"),
        "num_heads = 3": ("22023", f"num_heads is 3, {divide}"),
        "num_heads = 2147483647": ("22023", f"num_heads is 2147483647, {divide}"),
        "num_heads = 'two'": ("22P02", 'invalid input syntax for type integer: "two"'),
        "attention_type = 'multi_head'": ("22023", f"num_heads is 8, {divide}"),
    }
    check(db, QUERY, cases)


def test_k(db: Connection[Any]) -> None:
    cases = {
        "k = 0": ("22023", f"k {RANGE} 0"),
        "k = -1": ("22023", f"k {RANGE} -1"),
        "k = 2147483648": ("22023", f"k {RANGE} 2147483648"),
        "k = 3000000000": ("22023", f"k {RANGE} 3000000000"),
        "k = ''": ("22P02", 'invalid input syntax for type integer: ""'),
    }
    check(db, PLAIN, cases)
    assert len(outcome(db, f"{PLAIN} AND k = 2147483647")) == 3


def test_null_matches_nothing_as_in_sql(db: Connection[Any]) -> None:
    for name in (
        "k",
        "temperature",
        "attention_type",
        "candidates",
        "normaliser",
        "options",
        "vector_column",
    ):
        assert outcome(db, f"{PLAIN} AND {name} = NULL") == [], name
    assert outcome(db, "query = NULL") == []
    assert outcome(db, "query = (SELECT NULL::real[])") == []
    assert outcome(db, f"{PLAIN} AND k = (SELECT NULL::int)") == []


def test_temperature(db: Connection[Any]) -> None:
    cases = {
        "temperature = 0": ("22023", "temperature must be greater than 0, got 0.0"),
        "temperature = -0.5": ("22023", "temperature must be greater than 0, got -0.5"),
        "temperature = 'NaN'": ("22023", "temperature must be finite, got nan"),
        "temperature = 'Infinity'": ("22023", "temperature must be finite, got inf"),
        "temperature = 1e-300": (
            "22003",
            "the logit of query and documents.embedding of id 1 overflows single precision",
        ),
    }
    check(db, PLAIN, cases)
    cosine = outcome(db, f"{PLAIN} AND attention_type = 'cosine' AND temperature = 0.001")
    assert cosine[0] == "22023"


def test_mechanisms(db: Connection[Any]) -> None:
    cases = {
        "attention_type = 'cosin'": ("22023", "unknown attention mechanism 'cosin'"),
        "attention_type = ''": ("22023", "unknown attention mechanism ''"),
        "attention_type = 'nothing like it'": ("22023", "unknown attention mechanism 'nothing like it'"),
        f"attention_type = '{'x' * 300}'": ("22023", f"unknown attention mechanism '{'x' * 59}..."),
    }
    check(db, PLAIN, cases)
    hints = {
        "cosin": "Did you mean cosine?",
        "zzz": f"Known mechanisms: {', '.join(mechanism.name for mechanism in MECHANISMS)}.",
    }
    for name, hint in hints.items():
        with pytest.raises(psycopg.Error) as caught:
            db.execute((SEARCH + f"{PLAIN} AND attention_type = '{name}'").encode())
        assert caught.value.diag.message_hint == hint


@pytest.mark.bundled
def test_options(db: Connection[Any]) -> None:
    cases = {
        """options = '{"sca": 1}'""": ("22023", "scaled_dot has no option 'sca'"),
        """options = '{"scale": "x"}'""": ("22023", "scale must be a number, not 'x'"),
        """options = '{"scale": true}'""": ("22023", "scale must be a number, not True"),
        """options = '{"scale": [1]}'""": ("22023", "scale must be a number, not [1]"),
        """options = '{"scale": {}}'""": ("22023", "scale must be a number, not {}"),
        """options = '{"scale": 0}'""": ("22023", "scale is 0, it must lie in (0, inf)"),
        """options = '{"scale": -1.5}'""": ("22023", "scale is -1.5, it must lie in (0, inf)"),
        "options = '[]'": ("22023", "options must be a JSON object, got []"),
        "options = 'null'": ("22023", "options must be a JSON object, got null"),
        """options = '"scale"'""": ("22023", 'options must be a JSON object, got "scale"'),
        "options = '{'": ("22P02", "invalid input syntax for type json"),
    }
    check(db, f"{PLAIN} AND attention_type = 'scaled_dot'", cases)
    assert outcome(db, f"""{PLAIN} AND options = '{{"scale": 1}}'""") == (
        "22023",
        "multi_head has no option 'scale'",
    )


@pytest.mark.bundled
def test_huge_and_deep_options(db: Connection[Any]) -> None:
    cases = {
        """options = jsonb_build_object('a', repeat('x', 10000000))""": (
            "22023",
            "options has 10000009 bytes, at most 65536 are allowed",
        ),
        """options = (repeat('{"a":[', 5100) || '1' || repeat(']}', 5100))::jsonb""": (
            "22023",
            "options is nested too deeply",
        ),
        """options = ('{"scale":' || repeat('[', 10000) || repeat(']', 10000) || '}')::jsonb""": (
            "22023",
            "options is nested too deeply",
        ),
    }
    check(db, f"{PLAIN} AND attention_type = 'scaled_dot'", cases)
    long_number = """options = ('{"scale": 1' || repeat('0', 5000) || '}')::jsonb"""
    assert outcome(db, f"{PLAIN} AND attention_type = 'dot' AND {long_number}")[0] == "22023"


@pytest.mark.bundled
def test_queries(db: Connection[Any]) -> None:
    cases = {
        "query = '{}'": ("22000", "query has no elements"),
        "query = ARRAY[]::real[]": ("22000", "query has no elements"),
        "query = '{NaN,1}'": ("22000", "query has nan at position 1, every element must be finite"),
        "query = '{1,-Infinity}'": ("22000", "query has -inf at position 2, every element must be finite"),
        "query = '{1}'": ("22023", "query has 1 dimensions, documents.embedding has 2"),
        "query = array_fill(1::real, ARRAY[16384])": (
            "22023",
            "query has 16384 dimensions, documents.embedding has 2",
        ),
        "query = '{1e39,0}'": ("22003", '"1e39" is out of range for an element of attention_vector'),
        "query = '[1,]'": ("22P02", 'invalid input syntax for type attention_vector: "[1,]"'),
        "query = '{1,NULL}'": ("22P02", 'invalid input syntax for type attention_vector: "{1,NULL}"'),
        "query = '{{1,0}}'": ("22P02", 'invalid input syntax for type attention_vector: "{{1,0}}"'),
        "query = '[0:1]={1,0}'": ("22P02", 'invalid input syntax for type attention_vector: "[0:1]={1,0}"'),
        "query = ''": ("22P02", 'invalid input syntax for type attention_vector: ""'),
        "query_id = 1 AND query = '{1,0}'": ("22023", "query and query_id are both given, only one can be"),
    }
    check(db, "num_heads = 1", cases)
    for query in ("ARRAY[1,NULL]::real[]", "ARRAY[[1,0]]::real[]", "ARRAY[1e39,0]::float8[]"):
        assert outcome(db, f"num_heads = 1 AND query = {query}")[0] in ("22000", "22003", "22004"), query


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("clause", "message"),
    [
        ("""options = jsonb_build_object('a', repeat('x', 70000))""", "bytes, at most 65536"),
        ("""options = (repeat('{"a":[', 5100) || '1' || repeat(']}', 5100))::jsonb""", "nested too deeply"),
        ("candidates = '{{1},{2}}'", "must have one dimension"),
        ("normaliser = '{}'", "has no elements"),
        ("queries = array_fill(1::real, ARRAY[2, 2, 2])", "array has 3 dimensions"),
        ("attention_type = 'gatv2' AND model = 'misshapen'", "W_l has the shape (1,)"),
    ],
)
def test_the_hint_says_what_would_be_right(db: Connection[Any], clause: str, message: str) -> None:
    db.execute(
        "INSERT INTO ruattn_weights (name, tensor, shape, data)"
        " VALUES ('misshapen', 'W_l', '{1}', '{1}'), ('misshapen', 'a', '{1}', '{1}')"
    )
    with pytest.raises(psycopg.Error) as caught:
        db.execute((SEARCH + f"{PLAIN} AND {clause}").encode())
    assert message in str(caught.value)
    assert caught.value.diag.message_hint


@pytest.mark.bundled
def test_candidates_and_normaliser(db: Connection[Any]) -> None:
    cases = {
        "candidates = '{NULL,1}'": ("22004", "array of 2 elements has a NULL element"),
        "candidates = '{{1},{2}}'": ("22000", "candidates must have one dimension, got 2"),
        "candidates = '{9223372036854775808}'": (
            "22003",
            'value "9223372036854775808" is out of range for type bigint',
        ),
        "normaliser = '{1,2}'": ("22023", "normaliser has 2 values, num_heads is 1"),
        "normaliser = '{}'": ("22000", "normaliser has no elements"),
        "normaliser = '{NaN}'": ("22000", "normaliser has nan at position 1, every element must be finite"),
        "normaliser = '{-1000}'": ("22023", "normaliser of head 0 is -1000, the largest logit is 0.707107"),
        "model = ''": ("22023", 'model "" does not exist'),
    }
    check(db, PLAIN, cases)


def test_extreme_numbers_in_the_source(db: Connection[Any]) -> None:
    db.execute("UPDATE documents SET embedding = '{1e38,1e38}' WHERE id = 2")
    overflow = outcome(db, "query = '{1e38,1e38}' AND num_heads = 1")
    assert overflow == (
        "22003",
        "the logit of query and documents.embedding of id 2 overflows single precision",
    )
    assert outcome(db, f"{PLAIN}") == [(2, 1.0), (1, 0.0), (3, 0.0)]
    db.execute("UPDATE documents SET embedding = ARRAY[id * 1e-45, 0]::real[]")
    third = pytest.approx(1 / 3, rel=1e-6)
    # in single precision the second is 1.4e-45, as the first is, and the third twice that
    assert outcome(db, PLAIN) == [(3, third), (1, third), (2, third)]
    assert outcome(db, f"{PLAIN} AND attention_type = 'cosine'") == [(1, third), (2, third), (3, third)]


def test_zero_vectors_have_cosine_zero(db: Connection[Any]) -> None:
    db.execute("UPDATE documents SET embedding = '{0,0}' WHERE id <> 2")
    rows = db.execute(
        (SEARCH.replace("score", "logit") + f"{PLAIN} AND attention_type = 'cosine'").encode()
    ).fetchall()
    assert rows == [(1, 0.0), (2, 0.0), (3, 0.0)]
    assert outcome(db, "query = '{0,0}' AND num_heads = 1 AND attention_type = 'cosine'")[0][
        1
    ] == pytest.approx(1 / 3)
