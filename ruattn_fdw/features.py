"""Which mechanisms the administrator leaves available: those of the setting `ruattn_fdw.features`."""

from __future__ import annotations

from functools import lru_cache

from ruattn_fdw import host_api
from ruattn_fdw.errors import NOT_SUPPORTED, AttentionError
from ruattn_fdw.kernels.mechanism import Mechanism

ALL = "all"


@lru_cache(maxsize=16)
def _listed(setting: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in setting.split(","))


def reason(mechanism: Mechanism) -> str | None:
    """Why the mechanism cannot be used here, a sentence; None where it can."""
    setting = host_api.text_setting("features")
    if not _listed(setting).isdisjoint((ALL, mechanism.feature)):
        return None
    return f"It belongs to the feature {mechanism.feature}; ruattn_fdw.features is '{setting}'."


def require(mechanism: Mechanism) -> None:
    """Raise if the mechanism is switched off."""
    why = reason(mechanism)
    if why is not None:
        raise AttentionError(
            f'attention mechanism "{mechanism.name}" is switched off here',
            sqlstate=NOT_SUPPORTED,
            detail=why,
            hint=f"An administrator can add {mechanism.feature} to ruattn_fdw.features. "
            "What can be used: SELECT name FROM attention_types WHERE available.",
        )
