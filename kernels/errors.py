"""What a kernel raises on bad input; callers turn these into errors of their own world."""

from __future__ import annotations

# ruff: noqa: N818 - the classes are named for what is wrong


class KernelError(ValueError):
    """Bad input to a kernel.

    message: lower-case, with the values that clash, without a full stop. hint: whole sentences, or None.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UnknownMechanism(KernelError):
    """No mechanism has this name or alias."""


class UnknownOption(KernelError):
    """The mechanism has no such option."""


class InvalidOption(KernelError):
    """An option, temperature, number of heads or normaliser of the wrong type or out of range."""


class InvalidShape(KernelError):
    """Arrays whose dimensions do not fit each other or the number of heads."""


class NotConverged(KernelError):
    """An iteration that did not come to its end within the steps allowed."""


class InvalidModel(KernelError):
    """A learned model that cannot be used. message: what is wrong, said of the model."""


class NumericOverflow(KernelError):
    """A logit beyond the range of float32. row: index of the key, None where a single pair was scored."""

    def __init__(self, message: str, hint: str | None = None, row: int | None = None) -> None:
        super().__init__(message, hint)
        self.row = row


class OutOfDomain(KernelError):
    """A vector that is no point of the mechanism's space.

    what: says so of a subject, which is `subject`, or the key at index `row`.
    """

    def __init__(self, what: str, hint: str, subject: str | None = None, row: int | None = None) -> None:
        super().__init__(f"{subject or f'row {row}'} {what}", hint)
        self.what = what
        self.row = row

    def at(self, row: int) -> OutOfDomain:
        """The same of the key at this index, where its own is one within a block; of a subject itself."""
        return self if self.row is None else OutOfDomain(self.what, self.hint or "", None, row)


def shown(value: object, limit: int = 60) -> str:
    """The value as an error message shows it: its repr, cut at `limit` characters."""
    text = repr(value[:limit] if isinstance(value, str) else value)
    return text if len(text) <= limit else text[:limit] + "..."
