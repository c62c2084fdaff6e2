"""Errors and notices as Multicorn2 can give them.

Every error has SQLSTATE XX000 there; its DETAIL begins with the name of the condition that it stands for.
"""

from __future__ import annotations

import logging
import re
from typing import NoReturn

from multicorn.utils import log_to_postgres
from psycopg import errors

from ruattn_fdw.errors import AttentionError
from ruattn_fdw.multicorn.backend import held_interrupts

CONDITION = "Condition: "


def condition(sqlstate: str) -> str:
    """The name of an SQLSTATE's condition, as PL/pgSQL spells it; of one that users made up, itself."""
    try:
        name = errors.lookup(sqlstate).__name__
    except KeyError:
        return sqlstate
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name.rstrip("_")).lower()


def report(error: AttentionError) -> NoReturn:
    """Raise the error in the form that Multicorn2 hands to the client as it is."""
    detail = error.detail or ""
    # what a search inside the source has said passes through
    if not detail.startswith(CONDITION):
        detail = f"{CONDITION}{condition(error.sqlstate)}. {detail}".rstrip()
    log_to_postgres(error.message, logging.ERROR, hint=error.hint, detail=detail)
    raise AssertionError("log_to_postgres raises for errors")


def notice(message: str, detail: str | None = None, hint: str | None = None, warning: bool = False) -> None:
    """Send a NOTICE or a WARNING to the client."""
    with held_interrupts():
        log_to_postgres(message, logging.WARNING if warning else logging.INFO, hint=hint, detail=detail)
