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
    """How a server asks this one as a shard: by which name, and for `attention` under which normaliser."""

    name: str
    normaliser: np.ndarray | None


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
    return Asked(given["name"], None if normaliser is None else np.array(normaliser, np.float64))
