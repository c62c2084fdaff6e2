"""The smallest query that fails as a given one does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from tests.fuzz import contexts, forms, sharded
from tests.fuzz.pieces import Piece
from tests.fuzz.query import Clause, Query

MOST = 150
"""Queries that are tried."""
SIMPLE = (
    "1",
    "2",
    "'documents'",
    "'public.documents'",
    "'links'",
    "'embedding'",
    "'id'",
    "'{}'",
    "'scaled_dot'",
    "'{0.1,0.2,-0.3,0.1,0.05,0.4,-0.1,0.2}'",
)


Case = TypeVar("Case")


def shrunk(query: Case, smaller: Callable[[Case], Iterator[Case]], fails: Callable[[Case], bool]) -> Case:
    """A case made of `query` by taking what is `smaller`, for which `fails` still holds."""
    tries = 0
    found = True
    while found:
        found = False
        for candidate in smaller(query):
            tries += 1
            if tries > MOST:
                return query
            if fails(candidate):
                query, found = candidate, True
                break
    return query


def smaller(query: Query) -> Iterator[Query]:
    """Queries that are simpler in one place."""
    plain = {
        "context": contexts.PLAIN,
        "settings": (),
        "before": (),
        "join": "",
        "filters": (),
        "order": "",
        "limit": "",
    }
    for name, simplest in {**plain, "targets": "t.*"}.items():
        if getattr(query, name) != simplest:
            yield replace(query, **{name: simplest})
    yield from sharded.smaller(query)
    for part in ("clauses", "options", "columns", "settings"):
        whole = getattr(query, part) or ()
        for place in range(len(whole)):
            yield replace(query, **{part: whole[:place] + whole[place + 1 :]})
    for place, clause in enumerate(query.clauses):
        for simpler in simpler_clauses(clause):
            yield replace(query, clauses=(*query.clauses[:place], simpler, *query.clauses[place + 1 :]))


def simpler_clauses(clause: Clause) -> Iterator[Clause]:
    """The clause by plain equality, or with a simpler value."""
    if clause.form is not forms.EQUALS:
        yield replace(clause, form=forms.EQUALS, other=Piece(""))
    for sql in SIMPLE:
        if clause.value.sql not in SIMPLE and not clause.value.empties and clause.column != "candidates":
            yield replace(clause, value=Piece(sql))
