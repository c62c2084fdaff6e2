"""What the extension stands on, as `ruattn_diag()` and `ruattn doctor` report it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` says what mends it where it is not as it should be."""

    item: str
    value: str
    ok: bool = True
    advice: str | None = None
