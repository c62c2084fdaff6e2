"""Values in SQL for every type that a parameter or an argument has, sound and bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Piece:
    """A value as an SQL expression; `empties`: with it an empty answer may be right."""

    sql: str
    empties: bool = False


NULL = Piece("NULL", empties=True)


def quoted(text: str) -> str:
    """An SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def pieces(*expressions: str) -> list[Piece]:
    """Values that never make an answer empty."""
    return [Piece(expression) for expression in expressions]


def literal(piece: Piece) -> str | None:
    """The text that a value is written as, None for an expression."""
    sql = piece.sql
    if sql.startswith("'") and sql.endswith("'") and sql.count("'") % 2 == 0 and "'::" not in sql:
        return sql[1:-1].replace("''", "'")
    return sql if sql.replace(".", "").replace("-", "").isdigit() else None


VECTOR = "0.1,0.2,-0.3,0.1,0.05,0.4,-0.1,0.2"
VECTORS = pieces(
    f"'{{{VECTOR}}}'",
    f"'[{VECTOR}]'",
    f"ARRAY[{VECTOR}]",
    f"ARRAY[{VECTOR}]::real[]",
    f"'{{{VECTOR}}}'::float8[]",
    "ARRAY[0,0,0,0,0,0,0,0]",
    "(SELECT embedding FROM documents WHERE id = 3)",
    "vector_of(7)",
    f"'{{{VECTOR}}}'::attention_vector",
)
BAD_VECTORS = [
    *pieces(
        "'{}'", "'{1}'", "'{1,2}'", "'[]'", "''", "'x'", "'{1,NULL}'", "'{NaN,0,0,0,0,0,0,0}'", "'[1,]'",
        "'{1'",
        "'{Infinity,0,0,0,0,0,0,0}'", "'[0:7]={1,0,0,0,0,0,0,0}'", "'{{1,0,0,0},{0,0,0,0}}'",
        "'{1e39,0,0,0,0,0,0,0}'",
        "'{1e38,1e38,1e38,1e38,1e38,1e38,1e38,1e38}'", "'{1e-45,0,0,0,0,0,0,0}'", "'{9,9,9,9,9,9,9,9}'",
        "array_fill(1::real, ARRAY[16384])", "array_fill(0::real, '{8}', '{3}')", "ARRAY[]::real[]",
        "ARRAY[1,NULL,1,1,1,1,1,1]::real[]", "ARRAY[[1,0,0,0,0,0,0,0]]::real[]",
        "ARRAY['NaN',0,0,0,0,0,0,0]::float8[]",
        "ARRAY[1e300,0,0,0,0,0,0,0]::float8[]", "ARRAY[1e400,0,0,0,0,0,0,0]", "3", "'{1,2}'::text", "true",
        "now()",
        "ARRAY[true]", "ARRAY['a','b']", "'[1,0,0,0,0,0,0,0]'::jsonb", "'{\"a\": 1}'::jsonb",
        "(SELECT ARRAY[1,2])",
    ),
    Piece("(SELECT embedding FROM nothing)", empties=True),
    Piece("(SELECT embedding FROM nulls LIMIT 1)", empties=True),
    Piece("NULL::real[]", empties=True),
]  # fmt: skip
MATRICES = pieces(
    "(SELECT array_agg(embedding) FROM documents WHERE id < 6)",
    f"ARRAY[[{VECTOR}],[{VECTOR}]]::real[]",
    f"'{{{{{VECTOR}}},{{{VECTOR}}}}}'",
    "ARRAY[vector_of(1), vector_of(2), vector_of(3)]",
)
BAD_MATRICES = pieces(
    "'{}'", "'{1,2}'", "'{{1,2},{3}}'", "'{{NULL,1}}'", "'{{NaN,1}}'", "'{{1,2}}'", "'{{{1}}}'",
    "'{{1e38,1e38}}'", "'x'",
    "array_fill(1::real, ARRAY[2,16384])", "array_fill(0::real, ARRAY[3,8], ARRAY[0,-1])",
    "ARRAY[[]]::real[]", "'{{}}'",
    "ARRAY[[Infinity]]", "ARRAY[['inf'::real]]", "array_fill(1::real, ARRAY[3,2,2])",
    "array_fill(0.5::real, ARRAY[300,1])",
)  # fmt: skip
IDS = pieces("4", "7", "24", "12::smallint", "13::bigint", "(SELECT 12)")
BAD_IDS = pieces(
    "0", "-1", "99", "3000000001", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
    "1.0", "1.5",
    "'1'", "'x'", "''", "'it''s \"3'", "md5('3')::uuid", "'00000000-0000-0000-0000-000000000000'", "1e10",
    "true",
)  # fmt: skip
CANDIDATES = pieces(
    "'{4,5,6}'", "ARRAY[7,8,9,9,8]::bigint[]", "ARRAY(SELECT id::bigint FROM documents WHERE id < 9)",
    "'{12,99}'::bigint[]"
)  # fmt: skip
BAD_CANDIDATES = [
    *(
        Piece(sql, empties=True)
        for sql in (
            "'{}'", "'{99}'", "ARRAY(SELECT id FROM nothing)", "ARRAY[]::bigint[]", "'{3000000001}'",
            "'{a,b}'",
            "ARRAY[9223372036854775807]", "ARRAY['x','y']", "ARRAY[md5('3')::uuid]", "'{-1}'::int[]",
            "ARRAY[1.5]",
        )
    ),
    *pieces("'{NULL,1}'", "ARRAY[1,NULL]", "'{{1},{2}}'", "'{9223372036854775808}'", "'[0:1]={1,2}'", "'x'",
    "1"),
]  # fmt: skip
NUMBER_ARRAYS = pieces(
    "'{5}'", "ARRAY[3.5]::float8[]", "'{9,9}'::float8[]", "ARRAY[100::float8]", "array_fill(9::float8, '{8}')"
)
BAD_NUMBER_ARRAYS = pieces(
    "'{}'", "'{NaN}'", "'{-1000}'", "'{NULL}'", "'{{1}}'", "'{1e400}'", "'{1e308}'", "'{Infinity}'",
    "ARRAY[1,2,3]", "'x'",
    "array_fill(9::float8, '{8}')", "array_fill(9::float8, '{24}')", "'[5:5]={9}'",
)  # fmt: skip
BOOLEANS = pieces("true", "false", "'on'")
BAD_BOOLEANS = pieces("1", "'maybe'", "''")
BAD_INTEGERS = pieces(
    "0", "-1", "2147483647", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808",
    "3000000000",
    "1.0", "1.5", "2.5::real", "'NaN'::float8", "'x'", "''", "'1'", "'0x10'", "'1_0'", "1e30", "true",
    "1::numeric",
)  # fmt: skip
BAD_FLOATS = pieces(
    "0", "-1", "'NaN'", "'Infinity'", "'-Infinity'", "1e-300", "1e300", "5e-324", "'x'", "''", "1e400",
    "'1e-400'", "-0.0",
    "'0.5'", "2::smallint",
)  # fmt: skip
BAD_TEXTS = [
    "",
    " ",
    "x",
    "é",
    "😀",
    "'",
    '"',
    "\\",
    "a" * 300,
    "%",
    "NULL",
    "--",
    "{}",
    "$1",
    "id; DROP TABLE k",
    "\t",
]
COLUMNS = [
    "id",
    "title",
    "embedding",
    "n",
    "at",
    "weight",
    "flag",
    "source",
    "target",
    "tokens",
    "other",
    "ctid",
    "ID",
    "",
]
BAD_JSON = pieces(
    "'{}'", "'[]'", "'null'", "'1'", "'\"x\"'", "'{'", "''", "'{\"nothing\": 1}'", "'{\"\": 1}'",
    "'{\"a\": {\"b\": []}}'",
    "jsonb_build_object('scale', repeat('x', 70000))",
    "('{\"scale\":' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb",
    "('{\"scale\": 1' || repeat('0', 500) || '}')::jsonb", "'{\"seed\": 1e400}'", "'{\"k\": null}'",
    "'{\"\\u00e9\": 1}'",
    "'{\"scale\": 1, \"scale\": 2}'", "'{\"scale\": 1}'::json", "'{\"scale\": 0.5}'::text",
)  # fmt: skip
BAD_OPTION_VALUES: list[Any] = [
    0, -1, 1, 2.5, -0.5, 1e300, 1e-300, 2**31, 2**63, 2**70, True, False, None, "", "x", "seeded", "id", [],
    [1], [1, 2, 3], {},
]  # fmt: skip
