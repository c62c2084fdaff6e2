"""The rows of a source as arrays: ids and keys, read through the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.errors import BAD_DATA, TOO_COMPLEX, AttentionError
from ruattn_fdw.kernels.ids import Ids
from ruattn_fdw.kernels.keyset import KeySet
from ruattn_fdw.report import Report
from ruattn_fdw.source.companions import Flag, Moment, as_values, companions
from ruattn_fdw.source.ids import WithIds, as_id, as_ids
from ruattn_fdw.source.relation import Source

MAXNESTING = 8


@dataclass(frozen=True)
class Rows(WithIds):
    """Ids int64 (n,), the set of keys float32 (n, dimensions), and how many were skipped for a NULL vector.

    names: where ids are no integers, their text forms; `ids` then number them in the order of their type.
    values float32 (n, width) and places float64 (n,): the columns of values and of the order, where read.
    numbers: float64 (n,) of each option that names a column.
    """

    ids: Ids
    keyset: KeySet
    skipped: int
    names: Sequence[str] | None = None
    values: np.ndarray | None = None
    places: np.ndarray | None = None
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def keys(self) -> np.ndarray:
        """The keys in one array."""
        return self.keyset.dense()

    @property
    def width(self) -> int:
        """The dimensions of the keys."""
        return self.keyset.shape[1]

    def shown_ids(self, rows: np.ndarray) -> np.ndarray | list[str]:
        """The ids of these rows as a result column."""
        return shown_ids(self.ids, self.names, rows)

    def take(self, rows: np.ndarray) -> Rows:
        """The rows at these indexes, in their order."""
        return replace(
            self,
            ids=self.ids[rows],
            keyset=KeySet(self.keyset[rows]),
            names=None if self.names is None else [self.names[row] for row in rows.tolist()],
            values=None if self.values is None else self.values[rows],
            places=None if self.places is None else self.places[rows],
            numbers={option: numbers[rows] for option, numbers in self.numbers.items()},
        )

    def find(self, row_id: int | str) -> np.ndarray:
        """The indexes of the rows with this id."""
        if not len(self):
            # nothing tells of what kind the ids of no rows are
            return np.empty(0, np.intp)
        if self.names is None:
            # queries of a table have ids of numpy's
            return self.places_of(int(row_id))
        return np.array([place for place, name in enumerate(self.names) if name == row_id], np.intp)


def shown_ids(ids: Ids, names: Sequence[str] | None, rows: np.ndarray) -> np.ndarray | list[str]:
    """The ids of these rows, as numbers or as text forms."""
    return ids[rows] if names is None else [names[row] for row in rows]


class Named(Protocol):
    """A relation."""

    @property
    def schema(self) -> str:
        """Its schema."""

    @property
    def name(self) -> str:
        """Its name."""


class Nesting:
    """How many reads run inside each other: a source may itself be an attention table or a view of one."""

    def __init__(self) -> None:
        self._depth = 0

    @contextmanager
    def one_deeper(self, source: Named) -> Iterator[None]:
        """Count one read; the error of a source that reads itself, long before the stack ends."""
        if self._depth == MAXNESTING:
            raise AttentionError(
                f"{source.schema}.{source.name} is read {MAXNESTING} searches deep, it seems to read itself",
                sqlstate=TOO_COMPLEX,
                hint="Name a source that does not depend on this search.",
            )
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1


NESTING = Nesting()

NO_ROWS = Rows(np.empty(0, np.int64), KeySet(np.empty((0, 0), np.float32)), 0)


class Read(Protocol):
    """Rows as read, of whatever kind, with the number of those skipped for a NULL."""

    @property
    def skipped(self) -> int:
        """Rows without a vector."""

    def __len__(self) -> int:
        """Rows with one."""


Kind = TypeVar("Kind", bound=Read)


def read_once(
    kind: str,
    select: Callable[[Source, np.ndarray | str | None], Kind],
    source: Source,
    candidates: np.ndarray | str | None,
    memo: dict[str, Any],
    report: Report,
) -> Kind:
    """What `select` reads of the source, or of the candidates.

    `memo` keeps the last rows read: rescans of an executor node run under one snapshot.
    """
    key = (source, candidates.tobytes() if isinstance(candidates, np.ndarray) else candidates)
    kept = memo.get(kind)
    if kept is not None and kept[0] == key:
        found: Kind = kept[1]
        return found
    with report.timing("read"):
        found = select(source, None if candidates is None else as_ids(source.id_type, candidates))
    report.rows_read += len(found)
    report.nulls_skipped += found.skipped
    memo[kind] = (key, found)
    return found


def read_vector(source: Source, row_id: int | str, report: Report) -> np.ndarray:
    """The vector of one row, float32 (dimensions,)."""
    with report.timing("read"):
        rows = select_rows(source, as_ids(source.id_type, [as_id(source.id_type, row_id)]))
    if len(rows) == 1:
        vector: np.ndarray = rows.keyset[0]
        return vector
    if len(rows) > 1:
        raise AttentionError(
            f"query_id {row_id} means {len(rows)} rows, {source.name}.{source.id_column} is not unique",
            hint="Give the vector as query, or another id_column.",
        )
    if rows.skipped:
        raise AttentionError(
            f"query_id {row_id} has no vector, {source.label} is NULL there", hint="Name a row that has one."
        )
    raise AttentionError(
        f"query_id {row_id} is not in {source.name}.{source.id_column}",
        hint="Name a row that the source shows, or give the vector as query.",
    )


def check_dimensions(query: np.ndarray, rows: Rows, source: Source, fitting: Sequence[int]) -> None:
    """Raise unless the keys have one of the widths that fit the query."""
    if len(rows) and rows.width not in fitting:
        raise AttentionError(
            f"query has {query.shape[0]} dimensions, {source.label} has {rows.width}",
            hint="Both must come from the same model."
            if len(fitting) == 1
            else f"Keys of {' or '.join(map(str, fitting))} dimensions go with this query.",
        )


def select_statement(source: Source, columns: Sequence[str], restricted: bool) -> str:
    """The SELECT that reads these columns; `restricted` adds `WHERE id = ANY ($1)`.

    Ids that are no integers arrive in their order: it settles ties, and only the server knows it.
    """
    listed = ", ".join(expression(column) for column in columns)
    id_column, id_type = f"t.{quote(source.id_column)}", source.id_type
    statement = f"SELECT {listed} FROM {quote(source.schema)}.{quote(source.name)} AS t"
    if restricted and id_type is None:
        return f"{statement} WHERE {id_column} OPERATOR(pg_catalog.=) ANY ($1)"
    if id_type is None:
        return statement
    if restricted:
        equals = f"OPERATOR({quote(id_type.equality_schema)}.=)"
        statement += f" WHERE {id_column} {equals} ANY ($1::{id_type.name}[])"
    return f"{statement} ORDER BY {id_column}"


def quote(identifier: str) -> str:
    """An SQL identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def read_columns(
    source: Source, ids: np.ndarray | str | None, columns: Sequence[str], kinds: Sequence[str]
) -> tuple[list[Any], int, int]:
    """The id column and others of the rows, or of those with these ids, as `host_api.select` gives them."""
    with NESTING.one_deeper(source):
        return host_api.select(
            select_statement(source, (source.id_column, *columns), restricted=ids is not None),
            ("id" if source.id_type is None else "text id", *kinds),
            source.label,
            () if ids is None else (ids,),
        )


def ids_and_names(found: Any) -> tuple[np.ndarray, Sequence[str] | None]:
    """An id column as read, as the `ids` and `names` of Rows."""
    if not isinstance(found, list):
        return np.asarray(found), None
    starts = [place == 0 or name != found[place - 1] for place, name in enumerate(found)]
    return np.cumsum(starts) - 1, found


def select_rows(source: Source, ids: np.ndarray | str | None) -> Rows:
    """The rows of the source, or those with these ids, read afresh."""
    if ids is not None and not len(ids):
        return NO_ROWS
    beside = companions(source)
    names_read = (source.vector_column, *(column for column, _ in beside))
    columns, count, skipped = read_columns(source, ids, names_read, ("vector", *(kind for _, kind in beside)))
    if not count:
        return replace(NO_ROWS, skipped=skipped)
    row_ids, names = ids_and_names(columns[0])
    return with_companions(source, Rows(row_ids, KeySet(np.asarray(columns[1])), skipped, names), columns[2:])


def with_companions(source: Source, rows: Rows, columns: Sequence[Any]) -> Rows:
    """The rows with what was read beside their vectors, in the order of `companions`."""
    values = as_values(columns[0]) if source.value_column else None
    places = np.asarray(columns[-1]) if source.order_column else None
    first = 1 if source.value_column else 0
    numbers = {option: np.asarray(columns[first + i]) for i, (option, _) in enumerate(source.number_columns)}
    check_numbers(rows, source, source.order_column, places)
    if source.value_column:
        check_numbers(rows, source, source.value_column, values)
    for option, column in source.number_columns:
        check_numbers(rows, source, column, numbers[option])
    return replace(rows, values=values, places=places, numbers=numbers)


def check_numbers(rows: Rows, source: Source, column: str | None, numbers: np.ndarray | None) -> None:
    """Raise if a number (n,) or (n, width) read beside a vector is missing or not finite."""
    if numbers is None or np.isfinite(numbers).all():
        return
    row = int(np.flatnonzero(~np.isfinite(numbers.reshape(len(numbers), -1)).all(axis=1))[0])
    what = "NULL or NaN" if np.isnan(numbers[row]).any() else "infinite"
    raise AttentionError(
        f"{source.name}.{column} of the row with id {rows.shown_ids(np.array([row]))[0]} is {what}",
        sqlstate=BAD_DATA,
        hint="Correct the row, or leave it out with a view.",
    )


def expression(column: str) -> str:
    """A column of the source as a SELECT reads it."""
    name = f"t.{quote(column)}"
    if isinstance(column, Moment):
        return f"pg_catalog.date_part('epoch', {name})"
    return f"{name}::pg_catalog.int4" if isinstance(column, Flag) else name
