"""Functions that run a table: the plan's names and defaults for searches in relations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ruattn_fdw.contract import ColumnDefinition
from ruattn_fdw.functions.declaration import ANY_SPELLING, VECTOR, Argument, Function
from ruattn_fdw.parameters import OPERATION
from ruattn_fdw.report import Report
from ruattn_fdw.tables import TABLES

Batches = Iterator[tuple[int, list[Any]]]


def run_table(operation: str, wanted: Sequence[str], any_ids: bool = False, **quals: object) -> Batches:
    """The batches of a table under these quals; with `any_ids` ids come in whatever type they have."""
    handler = TABLES[operation]
    declared = handler.declaration.parameters if any_ids else handler.declaration.columns()
    columns = {column.name: ColumnDefinition(column.name, type_name=column.type) for column in declared}
    given = {name: value for name, value in quals.items() if value is not None}
    batches = handler({OPERATION: operation}, columns).batches(given, wanted, {}, Report())
    return ((batch.rows, [batch.columns[name] for name in wanted]) for batch in batches)


def mha_search(table_name: str, query: object, num_heads: int, k: int) -> Batches:
    """The rows of ruvector_mha_search()."""
    return run_table(
        "mha_search", ("id", "score"), table_name=table_name, query=query, num_heads=num_heads, k=k
    )


def cross_attention(
    query_table: str | None,
    query_column: str | None,
    document_table: str | None,
    document_column: str | None,
    attention_type: str | None,
    query_id_column: str | None,
    document_id_column: str | None,
) -> Batches:
    """The rows of ruvector_cross_attention(); none where a relation is NULL."""
    if query_table is None or document_table is None:
        return iter(())
    return run_table(
        "cross_attention",
        ("query_id", "doc_id", "score"),
        any_ids=True,
        query_table=query_table,
        query_column=query_column,
        document_table=document_table,
        document_column=document_column,
        attention_type=attention_type,
        query_id_column=query_id_column,
        document_id_column=document_id_column,
    )


def sliding_attention(embeddings: object, window_size: int, stride: int) -> Batches:
    """The rows of ruvector_sliding_attention()."""
    wanted = ("window_index", "window_start", "window_end", "position", "output")
    return run_table(
        "sliding_attention", wanted, embeddings=embeddings, window_size=window_size, stride=stride
    )


# a parallel worker does not see the temporary tables that a name may mean
READS_TABLES: dict[str, Any] = {"volatility": "STABLE", "parallel": "RESTRICTED", "cost": 10000}

FUNCTIONS = (
    Function(
        name="ruvector_mha_search",
        help="The rows of a relation by their attention weight for one query.",
        arguments=(
            Argument("table_name", "text"),
            Argument("query", VECTOR),
            Argument("num_heads", "integer", "8"),
            Argument("k", "integer", "10"),
        ),
        returns="TABLE (id bigint, score real)",
        run=mha_search,
        rows=10,
        **READS_TABLES,
    ),
    Function(
        name="ruvector_cross_attention",
        help="Attention weights of all rows of one relation for each row of another: query id, document "
        "id, score. Call it with a column list, for example AS (query_id int, doc_id int, score float).",
        arguments=(
            Argument("query_table", "text"),
            Argument("query_column", "text"),
            Argument("document_table", "text"),
            Argument("document_column", "text"),
            Argument("attention_type", "text", "'scaled_dot'"),
            Argument("query_id_column", "text", "NULL"),
            Argument("document_id_column", "text", "NULL"),
        ),
        returns="SETOF record",
        run=cross_attention,
        rows=10000,
        strict=False,
        **READS_TABLES,
    ),
    Function(
        name="ruvector_sliding_attention",
        help="Attention within windows that slide over a two-dimensional array.",
        arguments=(
            Argument("embeddings", ANY_SPELLING),
            Argument("window_size", "integer", "256"),
            Argument("stride", "integer", "128"),
        ),
        returns='TABLE (window_index integer, window_start integer, window_end integer, "position" integer, '
        "output real[])",
        run=sliding_attention,
        cost=1000,
        rows=1000,
    ),
)
