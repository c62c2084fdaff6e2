"""The one error type of the tables, with what PostgreSQL's `ereport` needs: SQLSTATE, DETAIL, HINT."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

BAD_DATA = "22000"
OUT_OF_RANGE = "22003"
INVALID_PARAMETER = "22023"
NOT_SUPPORTED = "0A000"
NO_SUCH_COLUMN = "42703"
DATATYPE_MISMATCH = "42804"
NO_SUCH_RELATION = "42P01"
NO_SUCH_OBJECT = "42704"
OUT_OF_MEMORY = "53200"
TOO_COMPLEX = "54001"
CONFIGURATION = "F0000"
INVALID_OPTION = "HV00D"
MISSING_OPTION = "HV00J"
IO_ERROR = "58030"


class AttentionError(Exception):
    """An error for the user: `message` in lower case, no full stop; `detail` and `hint` are sentences."""

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str = INVALID_PARAMETER,
        detail: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, letter case aside, or None when nothing is close."""
    by_folded = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def choices(name: str, known: Iterable[str], what: str) -> str:
    """A HINT that proposes the nearest known name and lists all of them; `what` is the plural noun."""
    known = list(known)
    close = nearest(name, known)
    proposal = f'Perhaps you meant "{close}". ' if close else ""
    listing = ", ".join(known) if known else "none"
    return f"{proposal}Valid {what}: {listing}."
