"""The option `shards`, and `shard`, which a server that asks others gives these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ruattn_fdw import __version__
from ruattn_fdw.errors import NOT_SUPPORTED, AttentionError
from ruattn_fdw.invalid import shown
from ruattn_fdw.parameters import Arguments

SHARDS, SHARD = "shards", "shard"
HELP = f'and {SHARDS}, schemas with the imported tables of other servers: {{"{SHARDS}": ["s1", "s2"]}}'


@dataclass(frozen=True)
class Asked:
    """How a server asks this one as a shard.

    queries: how many query vectors stand in `query`, one after the other, each with a normaliser of its own;
    None where it is one alone. normaliser: that of `attention`, which has no such parameter. heads: their
    number where a model has none of its own, None where the parameters say it.
    """

    name: str
    queries: int | None
    normaliser: np.ndarray | None
    heads: int | None


def own_options(arguments: Arguments) -> Mapping[str, Any]:
    """The options of the mechanism alone."""
    given: Mapping[str, Any] = arguments["options"] or {}
    if arguments.table.sharded is None:
        return given
    asked_as_shard(arguments)
    return {name: value for name, value in given.items() if name not in (SHARDS, SHARD)}


def schemas_of(arguments: Arguments) -> list[str]:
    """The schemas of the shards to ask; none where the search is over rows of this server."""
    given = arguments.known("options") or {}
    if arguments.table.sharded is None or SHARDS not in given:
        return []
    schemas = given[SHARDS]
    named = isinstance(schemas, list) and schemas and all(isinstance(name, str) for name in schemas)
    if not named or len(set(schemas)) < len(schemas):
        raise AttentionError(
            f"{SHARDS} must be an array of schemas, each once, not {shown(schemas)}",
            hint=f'Write it like {{"{SHARDS}": ["s1", "s2"]}}.',
        )
    return list(schemas)


def local_name(arguments: Arguments, parameter: str) -> str | None:
    """The relation of this server that a parameter names; None where it is not known, or lies on shards."""
    name: str | None = arguments.known(parameter)
    return None if parameter == arguments.table.sharded and schemas_of(arguments) else name


def asked_as_shard(arguments: Arguments) -> Asked | None:
    """How another server asks, None where none does; AttentionError where it is of another version."""
    given = (arguments.known("options") or {}).get(SHARD)
    if arguments.table.sharded is None or given is None:
        return None
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise AttentionError(
            f"the option {SHARD} is for servers that ask others", hint=f"Give {SHARDS} instead."
        )
    if given.get("version") != __version__:
        raise AttentionError(
            f"this server has ruattn_fdw {__version__}, the one that asks it as shard "
            f'"{given["name"]}" has {shown(given.get("version"))}',
            sqlstate=NOT_SUPPORTED,
            hint="Bring all servers to one version.",
        )
    normaliser = given.get("normaliser")
    return Asked(
        given["name"],
        _count("queries", given.get("queries")),
        None if normaliser is None else _numbers("normaliser", normaliser),
        _count("heads", given.get("heads")),
    )


def default_heads(arguments: Arguments) -> int | None:
    """The number of heads that another server takes where nothing says it, None where none asks so."""
    asked = None if arguments.table.sharded is None else asked_as_shard(arguments)
    return None if asked is None else asked.heads


def _count(name: str, given: object) -> int | None:
    # in Python true is an integer
    if given is not None and (type(given) is not int or given < 1):
        raise _not_as_it_must(name, given, "no number of them")
    return given


def _numbers(name: str, given: object) -> np.ndarray:
    """Numbers float64 (n,) out of an array of JSON."""
    try:
        numbers = np.array(given, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise _not_as_it_must(name, given, "no array of numbers") from None
    if numbers.ndim != 1 or not numbers.size or not np.isfinite(numbers).all():
        raise _not_as_it_must(name, given, "no array of numbers")
    return numbers


def _not_as_it_must(name: str, given: object, what: str) -> AttentionError:
    return AttentionError(
        f"the option {SHARD} says {name}: {shown(given)}, which is {what}",
        hint=f"Give {SHARDS} instead, which asks as it must.",
    )


def queries_in(arguments: Arguments, asked: Asked) -> np.ndarray:
    """The query vectors (m, d) that a server asks this one for together."""
    query: np.ndarray = np.empty(0, np.float32) if arguments["query"] is None else arguments["query"]
    count = asked.queries or 1
    if not len(query) or len(query) % count:
        raise AttentionError(
            f"query has {len(query)} numbers, which are not {count} vectors",
            hint=f"Give {SHARDS} instead, which asks as it must.",
        )
    return query.reshape(count, -1)


def normalisers_of(given: np.ndarray | None, count: int) -> np.ndarray | None:
    """That of each query (m, H), cut out of those given in one array, query after query."""
    if given is None:
        return None
    if not count or len(given) % count:
        raise AttentionError(
            f"normaliser has {len(given)} values for {count} queries",
            hint="Give the log-sum-exp of each head of each query, query after query.",
        )
    return given.reshape(count, -1)


def fitting(normalisers: np.ndarray, heads: int) -> np.ndarray:
    """Normalisers (m, H); AttentionError where they are of another number of heads."""
    if normalisers.shape[1] != heads:
        raise AttentionError(
            f"normaliser has {normalisers.shape[1]} values for each query, num_heads is {heads}",
            hint="Give the log-sum-exp of each head of each query, query after query.",
        )
    return normalisers
