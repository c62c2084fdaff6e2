"""The steps of a walk: every way in which a table, or what a session sees of it, can change."""

import definition_steps  # noqa: F401
import index_steps  # noqa: F401
import row_steps  # noqa: F401
import storage_steps  # noqa: F401
import transaction_steps  # noqa: F401
from registry import REGISTERED as STEPS

__all__ = ["STEPS"]
