"""The one error of building, installing and running servers: a sentence, and the command that mends it."""

from __future__ import annotations


class ServerError(Exception):
    """Something the user can mend.

    ``message`` is one sentence; ``remedy``, where there is one, is the single shell command that mends it.
    """

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return self.message if self.remedy is None else f"{self.message}; mend it with: {self.remedy}"
