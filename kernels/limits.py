"""The number of rows up to which mechanisms that compare all keys with each other work."""

from __future__ import annotations

from .arrays import F32
from .errors import InvalidOption
from .options import Interval, Option
from .problem import Options

_COUNT = Interval(1, 2**31 - 1)

MAX_ROWS = Option("max_rows", int, 4096, _COUNT, "Rows at most: time grows with their square.")


def check_rows(name: str, keys: F32, most: int) -> None:
    """Raise InvalidOption if there are more keys (n, d) than that."""
    if len(keys) > most:
        raise InvalidOption(
            f"{name} compares all rows with each other: there are {len(keys)}, max_rows is {most}",
            'Restrict the rows with candidates or a view, or raise the limit: {"max_rows": ...}.',
        )


def most_rows(options: Options) -> int:
    """The limit in effect."""
    return int(options["max_rows"])
