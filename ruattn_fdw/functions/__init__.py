"""SQL functions, by name. Each is declared once, in the module of its group."""

from __future__ import annotations

from ruattn_fdw.functions import catalogue, scores

FUNCTIONS = {function.name: function for group in (scores, catalogue) for function in group.FUNCTIONS}
