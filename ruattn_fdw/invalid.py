"""What is said of a value that is not of its parameter's type."""

from __future__ import annotations

from ruattn_fdw.declaration import Parameter
from ruattn_fdw.errors import INVALID_PARAMETER, AttentionError

SHOWN_CHARACTERS = 40


def shown(value: object, limit: int = SHOWN_CHARACTERS) -> str:
    """A value as error messages quote it: short."""
    text = str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def invalid(parameter: Parameter, value: object, sqlstate: str = INVALID_PARAMETER) -> AttentionError:
    """The error for a value that is not of the parameter's type."""
    return AttentionError(
        f'{parameter.name} must be of type {parameter.type}, got "{shown(value)}"',
        sqlstate=sqlstate,
        hint=f"{parameter.name}: {parameter.help}.",
    )
