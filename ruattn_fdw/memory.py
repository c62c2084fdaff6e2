"""The limit on what one search may hold in memory, `ruattn_fdw.max_memory`."""

from __future__ import annotations

from ruattn_fdw import host_api
from ruattn_fdw.errors import OUT_OF_MEMORY, AttentionError

MEBIBYTE = 1024 * 1024


def check_memory(what: str, size: int, instead: str) -> None:
    """Raise if `what` takes `size` bytes and that is too many; `instead` is what else the user can do."""
    limit = host_api.integer_setting("max_memory")
    if size > limit:
        raise AttentionError(
            f"{what} need {size // MEBIBYTE} MB, ruattn_fdw.max_memory is {limit // MEBIBYTE} MB",
            sqlstate=OUT_OF_MEMORY,
            hint=f"Raise ruattn_fdw.max_memory, or {instead}.",
        )
