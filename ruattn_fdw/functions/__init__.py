"""SQL functions. Each is declared once, in the module of its group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ruattn_fdw.functions import attention, catalogue, experts, graph, hyperbolic, scores, search
from ruattn_fdw.functions.declaration import Function

GROUPS = (scores, search, attention, graph, experts, hyperbolic, catalogue)


def _by_key() -> dict[str, Function]:
    """Every function by its name; a later one of the same name by name and number of arguments."""
    found: dict[str, Function] = {}
    for function in (function for group in GROUPS for function in group.FUNCTIONS):
        key = function.name if function.name not in found else f"{function.name}/{len(function.arguments)}"
        found[key] = function
    return found


FUNCTIONS = _by_key()


def runner(name: str) -> Callable[..., Any]:
    """What runs the SQL functions of this name: where there are several, the number of arguments decides."""
    named = [function for function in FUNCTIONS.values() if function.name == name]
    if len(named) == 1:
        return named[0].run
    by_count = {len(function.arguments): function.run for function in named}
    return lambda *args: by_count[len(args)](*args)
