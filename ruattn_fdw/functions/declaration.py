"""What an SQL function is: DDL, comment and dispatch from the host are derived from one declaration."""

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

ANY_SPELLING = "ANY SPELLING"

# "any" takes arrays of every type, jsonb, and pgvector's types; untyped literals and parameters go to text
ANY_TYPES = ('"any"', "text")


@dataclass(frozen=True)
class Argument:
    """An argument of an SQL function; `default` is an SQL expression.

    The type VECTOR stands for each vector type, ANY_SPELLING for whatever a vector or a matrix is written as.
    """

    name: str
    type: str
    default: str | None = None


@dataclass(frozen=True)
class Function:
    """An SQL function and what it runs; where it is not `strict`, a NULL is a value left out.

    One that is not `public` only a superuser may call, and whom he grants it to.
    """

    name: str
    help: str
    arguments: tuple[Argument, ...]
    returns: str
    run: Callable[..., Any]
    volatility: str = "IMMUTABLE"
    cost: int = 100
    rows: int | None = None
    strict: bool = True
    parallel: str = "SAFE"
    public: bool = True

    @property
    def takes_vectors(self) -> bool:
        """Whether it has an overload for each vector type."""
        return any(argument.type == VECTOR for argument in self.arguments)

    @property
    def takes_any(self) -> bool:
        """Whether it has an overload for typed and one for untyped spellings of vectors and matrices."""
        return any(argument.type == ANY_SPELLING for argument in self.arguments)

    def signature(self, vector: str) -> tuple[str, ...]:
        """The argument types of the overload for this vector type."""
        chosen = (VECTOR, ANY_SPELLING)
        return tuple(vector if argument.type in chosen else argument.type for argument in self.arguments)


def batch_of(rows: Iterable[Sequence[Any]]) -> list[tuple[int, list[list[Any]]]]:
    """Rows as the one batch of a set-returning function; no batch where there are none."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    return [(len(columns[0]), columns)] if columns else []
