"""What a host tells of relations, their columns and their attention indexes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class RelationInfo(NamedTuple):
    """A relation of the catalogue; `reltuples` is the planner's estimate of its rows, -1 for none."""

    oid: int
    schema: str
    name: str
    relkind: str
    reltuples: float


class ColumnInfo(NamedTuple):
    """A visible column; `kind` is real[], double precision[], vector, halfvec, integer, text or other.

    readable: whether the caller may read it, as far as the host knows.
    """

    name: str
    type_name: str
    kind: str
    readable: bool = True


class SourceState(NamedTuple):
    """What a source consists of, of which the caller may read the columns.

    reason: why no copy of it may be kept, None where one may. by_query: only the caller's own SELECT tells
    which rows he sees, for row security, through a view or since the transaction is serializable.
    identity: the files and columns that the rows lie in. leaves: the tables among them, for the functions
    that read them. base: of a view that shows rows of one table, that table's oid and columns. whole: whether
    the caller may read all columns, those of the system too.
    """

    reason: str | None
    by_query: bool
    identity: bytes
    leaves: bytes
    base: tuple[int, Sequence[str]] | None
    whole: bool = True


class IndexInfo(NamedTuple):
    """An attention index on a column, with what it declares: None and 0 for what it does not.

    usable: whether it can prove rows to this snapshot, and `covering` keeps HOT updates off the id column.
    """

    oid: int
    name: str
    attention_type: str | None
    num_heads: int
    head_dim: int
    dtype: str
    valid: bool
    usable: bool
    covering: int


class IndexVersion(NamedTuple):
    """The state of an attention index: a list of entries that only grows, an epoch that removal renews."""

    build: int
    epoch: int
    length: int
    blocks: int
    file: bytes
