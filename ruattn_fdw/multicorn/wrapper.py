"""The foreign data wrapper that Multicorn2 runs: one class for all tables, told apart by their OPTIONS."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ruattn_fdw import contract, schema_import
from ruattn_fdw.handler import AttentionTable
from ruattn_fdw.multicorn import clauses
from ruattn_fdw.multicorn.calls import CALL, Call
from ruattn_fdw.multicorn.session import LINKS, Session
from ruattn_fdw.multicorn.types import check_types, parameter_type
from ruattn_fdw.parameters import OPERATION
from ruattn_fdw.tables.options import check_options, find_handler
from ruattn_fdw.threads import THREADS

if TYPE_CHECKING:
    from ruattn_fdw.contract import ColumnDefinition, ForeignDataWrapper, Qual, SortKey, TableDefinition
else:
    ForeignDataWrapper = contract.resolve().ForeignDataWrapper
    TableDefinition = contract.resolve().TableDefinition

SERVER = "ruattn"
LIST_TYPES = {"limit": "limit to", "except": "except", None: "all"}

Row = dict[str, Any]


class AttentionFdw(ForeignDataWrapper):
    """A foreign table: its handler, and who reads its sources.

    It offers no path keys: where a join looks rows up by them, Multicorn2 loses its other clauses.
    """

    def __init__(self, fdw_options: Mapping[str, str], fdw_columns: Mapping[str, ColumnDefinition]) -> None:
        super().__init__(fdw_options, fdw_columns)
        with Session({}):
            self._session = Session(fdw_options)
            self._handler = _opened(self._session.table_options, fdw_columns)
        self._table = self._handler.layout.table

    def get_rel_size(self, quals: Sequence[Qual], columns: Sequence[str]) -> tuple[int, int]:
        """Rows and their width, of what is known before execution."""
        with self._session:
            return self._handler.get_rel_size(clauses.constants(self._table, quals), columns)

    def can_sort(self, sortkeys: Sequence[SortKey]) -> Sequence[SortKey]:
        """The sort keys as they are, if rows arrive in that order."""
        return self._handler.can_sort(sortkeys)

    def execute(
        self, quals: Sequence[Qual], columns: Sequence[str], sortkeys: Sequence[SortKey] | None = None
    ) -> Iterator[Row]:
        """The rows, every parameter as it was received; in order also where there are several runs."""
        with self._session:
            THREADS.use(self._session.settings["threads"])
            wanted = [name for name in columns if name in self._handler.columns]  # no system columns
            found = [self._handler.execute(run, wanted) for run in self._runs(quals)]
        if len(found) == 1 or not sortkeys:
            rows = (row for run in found for row in run)
        else:
            key = sortkeys[0]
            rows = heapq.merge(*found, key=lambda row: row[key.attname], reverse=key.is_reversed)
        return self._session.stepwise(rows)

    def _runs(self, quals: Sequence[Qual]) -> list[list[Qual]]:
        """The quals of each run, with what is required among them."""
        given = {qual.field_name for qual in quals}
        for group in self._handler.groups():
            if not given.intersection(group):
                raise clauses.missing(self._table, group)
        return clauses.runs(self._table, quals)

    def explain(
        self,
        quals: Sequence[Qual],
        columns: Sequence[str],
        sortkeys: Sequence[SortKey] | None = None,
        verbose: bool = False,
    ) -> list[str]:
        """The handler's lines for EXPLAIN."""
        with self._session:
            return self._handler.explain(clauses.shown(self._table, quals), columns)

    def end_scan(self) -> None:
        """The statement ends, as far as this table knows."""
        LINKS.end_of_scan()

    def commit(self) -> None:
        """The transaction ends."""
        LINKS.end_of_transaction()

    rollback = commit

    @classmethod
    def import_schema(
        cls,
        schema: str,
        srv_options: Mapping[str, str],
        options: Mapping[str, str],
        restriction_type: str | None,
        restricts: Sequence[str],
    ) -> list[Imported]:
        """The tables of a schema of this database."""
        session, list_type = Session(srv_options), LIST_TYPES[restriction_type]
        with session, LINKS.one_statement():
            relations = schema_import.importable(SERVER, schema, list_type, restricts, options)
        return [Imported(relation, options, session) for relation in relations]


class Imported(TableDefinition):
    """A relation that becomes a foreign table."""

    def __init__(
        self, relation: schema_import.Relation, options: Mapping[str, str], session: Session
    ) -> None:
        super().__init__(relation.name)
        self._relation, self._options, self._session = relation, options, session

    def to_statement(self, schema_name: str, server_name: str) -> str:
        """CREATE FOREIGN TABLE; the server puts it into the schema."""
        with self._session, LINKS.one_statement():
            return schema_import.create_statement(self._relation, server_name, self._options, parameter_type)


def _opened(options: Mapping[str, str], columns: Mapping[str, ColumnDefinition]) -> AttentionTable:
    """The handler of a table with these OPTIONS and columns."""
    kind = Call if options.get(OPERATION) == CALL.name else find_handler(options)
    types = {name: column.base_type_name for name, column in columns.items()}
    check_options(kind.declaration, options)
    check_types(kind.declaration, types)
    # parameters have the types that they are declared with, whatever stands for those here
    own = {name: "" if kind.declaration.parameter(name) else type_name for name, type_name in types.items()}
    return kind(options, {name: contract.ColumnDefinition(name, type_name=own[name]) for name in own})
