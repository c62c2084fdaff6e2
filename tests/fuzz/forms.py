"""The forms in which a clause compares a column with a value: those that give a parameter, and others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """A clause with {c} for the column, {v} and {w} for values, {t} for the column's type.

    legal: whether a parameter may be given so. empties: it may leave no row. several: it may run the table
    more than once, or not at all. outer: the FROM item that the value is in. parameter: it is a $n of a
    prepared statement, where there is one.
    """

    text: str
    legal: bool = True
    empties: bool = False
    several: bool = False
    outer: str = ""
    parameter: bool = False


EQUALS = Form("{c} = {v}")
MANY = Form("{c} = {v}", several=True, outer="(SELECT {v}::{t} FROM generate_series(1, 5))")
"""Once in a query: each of them and each join runs it as many times again."""
OUTER = Form("{c} = {v}", several=True, outer="(VALUES ({v}::{t}))")
PARAMETER = Form("{c} = {v}", parameter=True)
GOOD = (
    EQUALS,
    OUTER,
    PARAMETER,
    Form("{c} = {v}", several=True, outer="(VALUES ({v}::{t}), (NULL), ({w}::{t}))"),
    MANY,
    Form("{c} = {v}", empties=True, several=True, outer="(SELECT {v}::{t} WHERE false)"),
    Form("{c} = {v}", several=True, outer="LATERAL (SELECT {v}::{t} WHERE random() >= 0)"),
    Form("{c} = CASE WHEN random() >= 0 THEN {v}::{t} END"),
    Form("{v} = {c}"),
    Form("{c} = {v}::{t}"),
    Form("{c} = (SELECT {v}::{t})"),
    Form("{c} = (SELECT x FROM (VALUES ({v}::{t})) s(x) LIMIT 1)"),
    Form("{c} IN ({v})"),
    Form("{c} IN ({v}, {w})", several=True),
    Form("{c} = ANY (ARRAY[{v}, {w}]::{t}[])", several=True),
    Form("{c} = ANY (ARRAY[NULL, {v}, {v}]::{t}[])"),
    Form("{c} IN (SELECT {v}::{t})", several=True),
    Form("{c} IN (SELECT {v}::{t} UNION ALL SELECT {w}::{t})", several=True),
    Form("EXISTS (SELECT FROM (VALUES ({v}::{t})) s(x) WHERE s.x = {c})", several=True),
    Form("{c} = {v} AND {c} = {v}"),
    Form("{c} = {v} AND {c} = {w}", empties=True),
    Form("({c} = {v} OR {c} = {w})", several=True),
    Form("{c} = CASE WHEN now() > '2000-01-01' THEN {v}::{t} END"),
    Form("{c} = (SELECT {v}::{t} WHERE false)", empties=True),
    Form("{c} = ANY ('{{}}'::{t}[])", empties=True),
    Form("{c} = ANY (NULL::{t}[])", empties=True),
    Form("{c} IN (SELECT {v}::{t} WHERE false)", empties=True),
)
BAD = (
    Form("{c} <> {v}", legal=False),
    Form("{c} IS NULL", legal=False),
    Form("{c} IS NOT NULL", legal=False),
    Form("{c} = {c}", legal=False),
    Form("{c} > {v}", legal=False),
    Form("{c} BETWEEN {v} AND {w}", legal=False),
    Form("{c}::text LIKE '%'", legal=False),
    Form("{c}::text || '' = '1'", legal=False),
    Form("{c} NOT IN ({v}, {w})", legal=False),
    Form("{c} = ALL (ARRAY[{v}, {w}]::{t}[])", legal=False),
    Form("{c} IS NOT DISTINCT FROM {v}", legal=False),
    Form("coalesce({c}, {v}) = {v}", legal=False),
    Form("({c} = {v}) IS TRUE", legal=False),
    Form("({c} = {v} OR (SELECT true))", legal=False),
    Form("CASE WHEN {c} = {v} THEN true ELSE false END", legal=False),
    Form("({c}, 1) > ({v}, 0)", legal=False),
)
