"""The table of a graph's edges: the columns of their ends and of what else they carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ruattn_fdw import host_api
from ruattn_fdw.errors import AttentionError, choices
from ruattn_fdw.host_records import ColumnInfo, RelationInfo
from ruattn_fdw.source.companions import Number, is_number
from ruattn_fdw.source.ids import IdType, find_id_type
from ruattn_fdw.source.relation import (
    VECTOR_KINDS,
    Source,
    estimated_rows,
    find_relation,
    names_of,
    no_such_column,
)

NAMES = (("source", "target"), ("src", "dst"), ("from_id", "to_id"))
"""How the two columns are called where nothing else is said."""

INDEXED = """
SELECT a.attname
FROM pg_catalog.pg_index i
     JOIN pg_catalog.pg_attribute a
          ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) i.indkey[0]
     JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
     JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) c.relam
WHERE i.indrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND i.indisvalid AND i.indpred IS NULL
      AND m.amname OPERATOR(pg_catalog.=) ANY ('{btree,hash}')
"""


@dataclass(frozen=True)
class EdgeSource:
    """A relation with an edge in each row. id_type is None where both ends are integers.

    attribute_column holds a number or a vector of each edge, None where nothing is read but the ends.
    indexed: whether the edges around a node can be found without reading all.
    """

    schema: str
    name: str
    source_column: str
    target_column: str
    direction: str
    rows: float | None
    id_type: IdType | None
    attribute_column: str | None
    indexed: bool

    @property
    def description(self) -> str:
        """The relation and its columns as EXPLAIN names them."""
        columns = (self.source_column, self.target_column, self.attribute_column)
        return f"{self.schema}.{self.name} ({', '.join(column for column in columns if column)})"

    @property
    def label(self) -> str:
        """The column of what edges carry as messages name it."""
        return f"{self.name}.{self.attribute_column}" if self.attribute_column else self.name

    def name_of(self, centre: object, neighbour: object) -> str:
        """What the user calls the attribute of the edge between these ids."""
        return f"{self.label} of the edge between {centre} and {neighbour}"

    @property
    def ways(self) -> list[tuple[str, str]]:
        """(column of the centre, column of the neighbour) for each way that edges are followed."""
        along = (self.source_column, self.target_column)
        against = (self.target_column, self.source_column)
        return {"out": [along], "in": [against], "both": [along, against]}[self.direction]


def resolve_edges(
    edge_table: str,
    source_column: str | None,
    target_column: str | None,
    direction: str,
    edge_column: str | None,
    nodes: Source,
) -> EdgeSource:
    """The edges that these parameters mean, between nodes of that source."""
    relation = find_relation(edge_table)
    columns = host_api.columns(relation.oid)
    ends = _choose_ends(relation, columns, source_column, target_column)
    for end in ends:
        _check_end(relation, end, nodes)
    found = EdgeSource(
        relation.schema,
        relation.name,
        ends[0].name,
        ends[1].name,
        direction,
        estimated_rows(relation),
        nodes.id_type,
        None if edge_column is None else _choose_attribute(relation, columns, edge_column),
        False,
    )
    first_columns, _, _ = host_api.select(INDEXED, ("text",), args=(relation.oid,))
    indexed = all(centre in first_columns[0] for centre, _ in found.ways)
    return EdgeSource(**{**vars(found), "indexed": indexed})


def _choose_ends(
    relation: RelationInfo, columns: Sequence[ColumnInfo], source: str | None, target: str | None
) -> tuple[ColumnInfo, ColumnInfo]:
    by_name = {column.name: column for column in columns}
    for given in (source, target):
        if given is not None and given not in by_name:
            raise no_such_column(relation.name, given, names_of(columns, lambda column: True))
    for source_name, target_name in NAMES:
        pair = (source or source_name, target or target_name)
        if pair[0] in by_name and pair[1] in by_name:
            return by_name[pair[0]], by_name[pair[1]]
    integers = names_of(columns, lambda column: column.kind == "integer")
    raise AttentionError(
        f"{relation.name} has no columns {', '.join('/'.join(pair) for pair in NAMES)}",
        hint=f"Give source_column and target_column; integer columns are: {', '.join(integers) or 'none'}.",
    )


def _check_end(relation: RelationInfo, end: ColumnInfo, nodes: Source) -> None:
    """Raise unless the column holds ids of these nodes."""
    is_integer = end.kind == "integer"
    if nodes.id_type is None and is_integer:
        return
    if nodes.id_type is not None and not is_integer and find_id_type(relation.oid, end.name) == nodes.id_type:
        return
    fitting = names_of(
        host_api.columns(relation.oid),
        lambda c: c.kind == "integer" if nodes.id_type is None else c.type_name == nodes.id_type.name,
    )
    raise AttentionError(
        f"{relation.name}.{end.name} has type {end.type_name}, {nodes.name}.{nodes.id_column} has type "
        f"{'bigint' if nodes.id_type is None else nodes.id_type.name}",
        hint=choices(end.name, fitting, "edge columns")
        if fitting
        else "The ends of edges have the type of the nodes' ids: name a view that casts them.",
    )


def _choose_attribute(relation: RelationInfo, columns: Sequence[ColumnInfo], wanted: str) -> str:
    """The column of numbers, or else of vectors."""
    fitting = [
        *names_of(columns, is_number),
        *names_of(columns, lambda column: column.kind in VECTOR_KINDS),
    ]
    found = next((column for column in columns if column.name == wanted), None)
    if found is None:
        raise no_such_column(relation.name, wanted, fitting)
    if not is_number(found) and found.kind not in VECTOR_KINDS:
        raise AttentionError(
            f"{relation.name}.{wanted} has type {found.type_name}, edge_column takes numbers or vectors",
            hint=choices(wanted, fitting, "columns of numbers or vectors"),
        )
    return Number(wanted) if is_number(found) else wanted
