"""What users are told of weights that stand in for learned ones, where the option `init` asks for them."""

from __future__ import annotations

from .arrays import F32
from .mechanism import Remark
from .problem import Options


def told(name: str) -> Remark:
    """The remark of a mechanism whose weights may be drawn at random."""

    def remark(keys: F32, heads: int, options: Options) -> str | None:
        seeded = options["init"] == "seeded"
        return f"the weights of {name} are untrained: drawn at random, nothing is learned" if seeded else None

    return remark


def by_init(options: Options) -> str:
    """What the option `init` chose."""
    return f"{options['init']}, untrained"
