"""Queries over shards, and the same over one table that has all their rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

from ruattn_fdw import __version__
from tests.fuzz import contexts, forms
from tests.fuzz.forms import Form
from tests.fuzz.pieces import Piece, literal, quoted
from tests.fuzz.query import Clause, Query
from tests.fuzz.shards import ALL, WITHOUT_ANSWER
from tests.fuzz.world import ROLE

SHARDS, SHARD = "shards", "shard"
SCHEMAS: tuple[Any, ...] = (
    ["s1"], ["s2", "s3"], ["s2", "closed"], ["s1", "gone"], ["gone", "s2", "s3"], ["lost", "s2"],
    ["s2", "untold"], ["s1", "nowhere"], ["public"], ["other", "s1"], ["s1", "s1"], ["s1", 2], [None],
    [["s1"]], [], {}, "s1", 1, True, ["S1"], ['s1"; --'], ["s1", "x" * 100], [""], ["é"], ["pg_temp"],
)  # fmt: skip
"""Some of the shards, such as have no answer, and what names none."""
NAMED = {"name": "s1", "version": __version__}
QUERIES = (1, 2, 8, 3, 0, -2, 2**70, "x", 1.5, True, [], {})
NORMALISERS = ([9.5], [1, 2], [], [[1]], ["x"], [1e308, -1e308], [None], 1, {"a": 1})
ASKED: tuple[Any, ...] = (
    NAMED,
    *({**NAMED, "queries": queries} for queries in QUERIES),
    *({**NAMED, "normaliser": normaliser} for normaliser in NORMALISERS),
    *({**NAMED, "heads": heads} for heads in (1, 2, 3, 0, "x", 2**70)),
    *({**NAMED, "queries": 2, "normaliser": [1, 2]}, {**NAMED, "version": "0.0.1"}, {**NAMED, "version": 1}),
    *({"name": "s1"}, {"name": 1}, {}, "s1", 1, [], True),
)
"""What a server says that asks this one as a shard, sound and not."""
SEVERAL = Piece("array_fill(0.1::real, ARRAY[16])")
"""Two vectors one after the other."""
BLOCK = Form(
    "{c} = {v}", several=True, outer="(SELECT d.embedding::{t} FROM public.documents d WHERE d.id < 9)"
)
"""A value that differs from row to row of a table here."""
EMPTY = Piece("")
DECLARING = ("indexed", "disagreeing")
"""Relations whose indexes declare a mechanism."""


def over_shards(random: Random, query: Query) -> Query:
    """The query over shards where its table knows them, mostly where its mechanism can be asked so."""
    if query.table.sharded is None or random.random() > (0.85 if merges(query) else 0.1):
        return query
    if random.random() < 0.06:
        return as_shard(random, query)
    if random.random() < 0.97:
        query = relation_with_schema(query)
    if random.random() < 0.06:
        query = as_reader(random, query)
    if random.random() < 0.15:
        query = replace(query, clauses=tuple(in_blocks(clause) for clause in query.clauses))
    if random.random() < 0.5:
        query = plain(query)
    schemas = random.sample(ALL, 3) if random.random() < 0.75 else random.choice(SCHEMAS)
    return with_option(query, SHARDS, schemas, empties=not is_all(schemas))


def plain(query: Query) -> Query:
    """The query with nothing around it, so that all of its answer can be looked at."""
    fixed = tuple(text for text in query.filters if text == "true")
    return replace(query, targets="t.*", filters=fixed, join="", order="", limit="", context=contexts.PLAIN)


def merges(query: Query) -> bool:
    """Whether shards can be asked for the mechanism under its default options."""
    defaults = {option.name: option.default for option in query.mechanism.parameters}
    return query.mechanism.merges(query.table.name, defaults)


def is_all(schemas: Any) -> bool:
    """Whether these are the shards that have all rows."""
    return isinstance(schemas, list) and sorted(map(str, schemas)) == list(ALL)


def lacks_an_answer(query: Query) -> bool:
    """Whether a shard is asked that cannot answer."""
    asked = (schemas for schemas in asked_shards(query) if isinstance(schemas, list))
    return any(name in WITHOUT_ANSWER for schemas in asked for name in schemas)


def as_shard(random: Random, query: Query) -> Query:
    """The query as another server sends it to a shard, where one answer may be made of several."""
    asked = random.choice(ASKED)
    if isinstance(asked, dict) and asked.get("queries") == 2:
        clauses = (
            replace(c, value=SEVERAL, form=forms.EQUALS) if c.column == "query" else c for c in query.clauses
        )
        query = replace(query, clauses=tuple(clauses))
    return with_option(replace(query, targets="count(*)", order="", limit=""), SHARD, asked, empties=True)


def as_reader(random: Random, query: Query) -> Query:
    """The query by a role that may not read all, some of it about what it may not."""
    relation = Piece(quoted(f"public.{random.choice(['ruled', 'secret', 'shown', 'guarded', 'documents'])}"))
    clauses = tuple(
        replace(c, value=relation) if c.column == query.table.sharded else c for c in query.clauses
    )
    return replace(query, clauses=clauses, settings=(*query.settings, f"role = {ROLE}"))


def relation_with_schema(query: Query) -> Query:
    """The query with the schema before the name of the relation that lies on shards."""
    sharded = query.table.sharded
    clauses = tuple(
        replace(c, value=in_public(c.value), other=in_public(c.other)) if c.column == sharded else c
        for c in query.clauses
    )
    fixed = tuple(
        (name, with_schema(text) if name == sharded else text) for name, text in query.options or ()
    )
    return replace(query, clauses=clauses, options=None if query.options is None else fixed)


def in_public(value: Piece) -> Piece:
    """A name in the schema where relations are."""
    name = literal(value)
    named = name is not None and value.sql.startswith("'")
    return replace(value, sql=quoted(with_schema(name or ""))) if named else value


def with_schema(name: str) -> str:
    """The name with a schema, unless it has one or is none."""
    return name if "." in name or not name else f"public.{name}"


def in_blocks(clause: Clause) -> Clause:
    """A query for each row of a table."""
    return replace(clause, form=BLOCK, other=EMPTY) if clause.column == "query" else clause


def with_option(query: Query, name: str, value: Any, empties: bool) -> Query:
    """The query with one more option; as it is where what it gives as options is no object."""
    of_query = [clause for clause in query.clauses if clause.column == "options"]
    if query.options is not None and not of_query:
        fixed = dict(query.options)
        text = added(fixed.get("options", "{}"), name, value)
        options = tuple({**fixed, "options": text or fixed.get("options", "")}.items())
        return replace(query, options=options, filters=("true",) if empties else query.filters)
    [clause] = of_query or [NO_OPTIONS]
    text = added(literal(clause.value), name, value)
    if text is None:
        return query
    asked = replace(clause, value=Piece(quoted(text), empties=clause.value.empties or empties))
    return replace(query, clauses=(*(c for c in query.clauses if c.column != "options"), asked))


NO_OPTIONS = Clause("options", "jsonb", forms.EQUALS, Piece("'{}'"), EMPTY)


def added(text: str | None, name: str, value: Any) -> str | None:
    """An object as JSON with one more member; None where it is no object."""
    given = read(text)
    return None if given is None else json.dumps({**given, name: value}, ensure_ascii=False)


def read(text: str | None) -> dict[str, Any] | None:
    """The members of an object in JSON; None for anything else."""
    try:
        given = json.loads(text or "")
    except ValueError:
        return None
    return given if isinstance(given, dict) else None


def texts_of_options(query: Query) -> list[str | None]:
    """All that a query gives as options."""
    given = [literal(clause.value) for clause in query.clauses if clause.column == "options"]
    return given + [text for name, text in query.options or () if name == "options"]


def asked_shards(query: Query) -> list[Any]:
    """What the query names as shards; empty where it names none."""
    found = [(read(text) or {}).get(SHARDS) for text in texts_of_options(query)]
    return [schemas for schemas in found if schemas is not None]


def whole(query: Query) -> Query | None:
    """The same query over the tables here; None where it asks not all shards, or may mean another search."""
    schemas = asked_shards(query)
    others = any(clause.other.sql for clause in query.clauses if clause.column == "options")
    if len(schemas) != 1 or not is_all(schemas[0]) or others or takes_from_index(query):
        return None
    return without_shards(query)


def takes_from_index(query: Query) -> bool:
    """Whether an index of the relation here may choose mechanism or heads, which those of shards do not."""
    given = {clause.column for clause in query.clauses} | {name for name, _ in query.options or ()}
    texts = [clause.value.sql + clause.other.sql for clause in query.clauses]
    texts += [text for _, text in query.options or ()]
    declared = any(name in text for name in DECLARING for text in texts)
    return bool(query.before) or (declared and not {"attention_type", "num_heads"} <= given)


def without_shards(query: Query) -> Query:
    """The query without the option."""
    clauses = tuple(
        replace(c, value=replace(c.value, sql=quoted(rest(literal(c.value))))) if c.column == "options" else c
        for c in query.clauses
    )
    options = tuple((name, rest(text) if name == "options" else text) for name, text in query.options or ())
    return replace(query, clauses=clauses, options=None if query.options is None else options)


def rest(text: str | None) -> str:
    """The options without the shards."""
    return json.dumps({name: value for name, value in (read(text) or {}).items() if name != SHARDS})


def smaller(query: Query) -> Iterator[Query]:
    """The query with the shards as its only option."""
    schemas = asked_shards(query)
    if len(schemas) == 1 and any(read(text) != {SHARDS: schemas[0]} for text in texts_of_options(query)):
        only = replace(NO_OPTIONS, value=Piece(quoted(json.dumps({SHARDS: schemas[0]}))))
        yield replace(query, clauses=tuple(only if c.column == "options" else c for c in query.clauses))
