"""Random calls of every SQL function of the extension, as the catalogue has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, NamedTuple

import psycopg
from ruattn_fdw.kernels import registry

from ruattn_fdw.declaration import Parameter
from tests.fuzz import choices, contexts, pieces
from tests.fuzz.choices import Choice
from tests.fuzz.pieces import Piece
from tests.fuzz.world import MODELS, RERANKERS, Relation

CATALOGUE = """
SELECT p.proname, p.prokind = 'a', p.proretset, p.prorettype = 'void'::regtype, p.pronargdefaults,
       p.prorettype = 'record'::regtype AND p.proallargtypes IS NULL,
       ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY u(t, o) ORDER BY o),
       p.proargnames
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
     JOIN pg_extension e ON e.oid = d.refobjid
WHERE e.extname LIKE 'ruattn_fdw%' AND NOT 'internal'::regtype = ANY (p.proargtypes) ORDER BY
  p.oid::regprocedure::text
"""
MATRIX_NAMES = ("keys", "values", "embeddings")


class Function(NamedTuple):
    """A function; untyped: a column list must say what its rows are."""

    name: str
    aggregate: bool
    returns_set: bool
    void: bool
    defaults: int
    untyped: bool
    types: Sequence[str]
    names: Sequence[str] | None


def functions(connection: psycopg.Connection[Any]) -> list[Function]:
    """All that SQL can call."""
    return [Function(*row) for row in connection.execute(CATALOGUE).fetchall()]


@dataclass(frozen=True)
class Call:
    """A call with one value for each argument, None for one left to its default."""

    function: Function
    values: tuple[Piece | None, ...]
    shape: str
    named: bool = False
    context: contexts.Context = contexts.PLAIN

    @property
    def answer(self) -> int | None:
        """The statement of the answer."""
        return self.context.answer

    @property
    def empties(self) -> bool:
        """Whether an empty answer, or NULL, may be right: the only row of a graph has no neighbours."""
        given = [value for value in self.values if value is not None]
        alone = self.function.name == "ruvector_gat_search" and given[:1] == [Piece("'one'")]
        return alone or any(value.empties for value in given)

    def statements(self) -> list[str]:
        """The call as its shape has it."""
        return self.context.statements(self.shape.replace("{call}", self._call()), "", "")

    def _call(self) -> str:
        given: list[str] = []
        for place, value in enumerate(self.values):
            if value is not None:
                name = f'"{self.function.names[place]}" => ' if self.named and self.function.names else ""
                given.append(name + value.sql)
        return f"{self.function.name}({', '.join(given)})"

    def smaller(self) -> Iterator[Call]:
        """Calls that are simpler in one place."""
        if self.context is not contexts.PLAIN:
            yield replace(self, context=contexts.PLAIN)
        if self.named and all(value is not None for value in self.values):
            yield replace(self, named=False)
        for place, value in enumerate(self.values):
            for sql in ("1", "'documents'", "'{1,2}'", "'{{1,2},{3,4}}'"):
                if value is not None and len(value.sql) > len(sql):
                    yield replace(self, values=(*self.values[:place], Piece(sql), *self.values[place + 1 :]))


class Calls:
    """Makes calls of the functions."""

    def __init__(self, found: Sequence[Function], relations: Sequence[Relation]) -> None:
        self.functions, self.relations = found, relations

    def call(self, random: Random) -> Call:
        """A call whose arguments are mostly sound."""
        name = random.choice(sorted({function.name for function in self.functions}))
        function = random.choice([function for function in self.functions if function.name == name])
        mechanism = random.choice(registry.MECHANISMS)
        choice = Choice(mechanism, mechanism.parameters, self.relations, (*MODELS, *RERANKERS))
        bad = random.choice([0.0, 0.1, 0.3])
        named = bool(function.names) and random.random() < 0.3
        count = len(function.types)
        least = count - (random.randint(0, function.defaults) if function.defaults else 0)
        values = tuple(
            argument(random, function, place, choice, random.random() < bad)
            if place < least or (named and random.random() < 0.5)
            else None
            for place in range(count)
        )
        context = random.choice(contexts.CONTEXTS) if random.random() < 0.2 else contexts.PLAIN
        return Call(function, values, shape(random, function), named, context)


def shape(random: Random, function: Function) -> str:
    """The SELECT that a call is in."""
    if function.aggregate:
        return random.choice([
            "SELECT {call} FROM documents", "SELECT flag, {call} FROM documents GROUP BY flag",
            "SELECT {call} FILTER (WHERE n > 40) FROM documents",
            "SELECT {call} OVER (ORDER BY id) FROM documents",
            "SELECT {call} OVER (ORDER BY id ROWS 2 PRECEDING) FROM documents",
            "SELECT {call} FROM sparse_rows",
            "SELECT {call} FROM ragged", "SELECT {call} FROM not_numbers", "SELECT {call} FROM huge",
        ])  # fmt: skip
    if function.untyped:
        columns = random.choice(
            [
                "query_id int, doc_id int, score float",
                "a text, b text, c text",
                "a int",
                "a int, b uuid, c real",
            ]
        )
        return f"SELECT * FROM {{call}} AS t({columns})"
    if function.returns_set:
        return random.choice(
            [
                "SELECT * FROM {call}",
                "SELECT * FROM {call} WITH ORDINALITY",
                "SELECT {call}",
                "SELECT ({call}).*",
            ]
        )
    return random.choice(
        ["SELECT {call}", "SELECT {call}", "SELECT * FROM {call}", "SELECT {call} FROM documents LIMIT 3"]
    )


def argument(random: Random, function: Function, place: int, choice: Choice, bad: bool) -> Piece:
    """A value for the argument at this place."""
    kind, name = function.types[place], function.names[place] if function.names else ""
    if bad and random.random() < 0.2:
        return pieces.NULL
    if function.aggregate and kind != "text" and random.random() < 0.6:
        return Piece("embedding")
    if name in MATRIX_NAMES:
        return random.choice(pieces.BAD_MATRICES if bad else pieces.MATRICES)
    vector = random.choice(pieces.BAD_VECTORS if bad else pieces.VECTORS)
    if kind in ("attention_vector", "vector", "halfvec") or (kind.endswith("[]") and kind != "text[]"):
        return Piece(f"{vector.sql}::{kind}", empties=bad)
    if name in ("query", "key", "embedding", "logits") or kind.strip('"').startswith("any"):
        return vector
    return by_kind(random, kind, name, choice, bad)


def by_kind(random: Random, kind: str, name: str, choice: Choice, bad: bool) -> Piece:
    """A value of a type that is no array of numbers."""
    if kind == "regclass":
        return Piece(f"{choices.relation(random, name, choice, bad).sql}::regclass")
    if kind == "text[]":
        return random.choice(pieces.pieces("'{id}'", "'{id,n}'", "'{}'", "'{NULL}'", "'{id,id}'"))
    if kind == "cstring" or (kind == "text" and not name):
        return random.choice(pieces.BAD_VECTORS if bad else pieces.VECTORS)
    known = {"integer", "bigint", "text", "jsonb", "boolean", "double precision"}
    return choices.value(random, Parameter(name, kind if kind in known else "text", ""), choice, bad)
