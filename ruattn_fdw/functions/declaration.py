"""What an SQL function is; DDL, comment and the host's dispatch are derived from one declaration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

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


def batch_of(rows: Iterable[Sequence[Any]]) -> list[tuple[int, list[list[Any]]]]:
    """Rows as the one batch of a set-returning function; no batch where there are none."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    return [(len(columns[0]), columns)] if columns else []
