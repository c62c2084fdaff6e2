"""SQL functions, each declared once: DDL, comment and the host's dispatch are derived from that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ruattn_fdw import diagnosis
from ruattn_fdw.kernels import registry
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.tables import attention_types
from ruattn_fdw.tables.attention_score import SCORE, score_pair

VECTOR = "VECTOR"

# Every array type is an overload of its own, since implicit casts between them would make users' own
# operators ambiguous; text takes untyped literals in either notation.
VECTOR_TYPES = (
    "attention_vector",
    "real[]",
    "double precision[]",
    "numeric[]",
    "integer[]",
    "bigint[]",
    "smallint[]",
    "text",
)
PGVECTOR_TYPES = ("vector", "halfvec")


@dataclass(frozen=True)
class Argument:
    """An argument of an SQL function; `default` is an SQL expression. VECTOR stands for each vector type."""

    name: str
    type: str
    default: str | None = None


@dataclass(frozen=True)
class Function:
    """An SQL function and what it runs."""

    name: str
    help: str
    arguments: tuple[Argument, ...]
    returns: str
    run: Callable[..., Any]
    volatility: str = "IMMUTABLE"
    cost: int = 100
    rows: int | None = None

    @property
    def takes_vectors(self) -> bool:
        """Whether it has an overload for each vector type."""
        return any(argument.type == VECTOR for argument in self.arguments)

    def signature(self, vector: str) -> tuple[str, ...]:
        """The argument types of the overload for this vector type."""
        return tuple(vector if argument.type == VECTOR else argument.type for argument in self.arguments)


def attention_score(query: object, key: object, attention_type: str) -> float:
    """The logit of one pair."""
    return score_pair(Arguments(SCORE, {}, {"query": query, "key": key, "attention_type": attention_type}))


def list_attention_types() -> list[tuple[Any, ...]]:
    """The rows of the table attention_types."""
    return [tuple(attention_types.describe(mechanism).values()) for mechanism in registry.MECHANISMS]


_TYPES_COLUMNS = ", ".join(f"{column.name} {column.type}" for column in attention_types.TYPES.results)

FUNCTIONS = {
    function.name: function
    for function in (
        Function(
            name="ruvector_attention_score",
            help="The attention logit of one query and one key (a softmax over one key would always be 1).",
            arguments=(
                Argument("query", VECTOR),
                Argument("key", VECTOR),
                Argument("attention_type", "text", "'scaled_dot'"),
            ),
            returns="real",
            run=attention_score,
        ),
        Function(
            name="ruvector_attention_types",
            help="The rows of the table attention_types.",
            arguments=(),
            returns=f"TABLE ({_TYPES_COLUMNS})",
            run=list_attention_types,
            rows=43,
        ),
        Function(
            name="ruattn_diag",
            help="Versions, interpreter and settings of this installation, with what mends them if need be.",
            arguments=(),
            returns="TABLE (item text, value text, ok boolean, advice text)",
            run=diagnosis.rows,
            volatility="STABLE",
            rows=10,
        ),
    )
}
