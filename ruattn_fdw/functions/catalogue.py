"""Functions that describe: the mechanisms, this installation, and what it was used for."""

from __future__ import annotations

from typing import Any

from ruattn_fdw import usage
from ruattn_fdw.diagnosis.server import findings
from ruattn_fdw.functions.declaration import Function, batch_of
from ruattn_fdw.kernels import registry
from ruattn_fdw.tables import attention_types

_TYPES_COLUMNS = ", ".join(f"{column.name} {column.type}" for column in attention_types.TYPES.results)


def list_attention_types() -> list[Any]:
    """The rows of the table attention_types."""
    return batch_of(tuple(attention_types.describe(mechanism).values()) for mechanism in registry.MECHANISMS)


def diagnose() -> list[Any]:
    """The rows of ruattn_diag()."""
    return batch_of((found.item, found.value, found.ok, found.advice) for found in findings())


FUNCTIONS = (
    Function(
        name="ruvector_attention_types",
        help="The rows of the table attention_types.",
        arguments=(),
        returns=f"TABLE ({_TYPES_COLUMNS})",
        run=list_attention_types,
        volatility="STABLE",
        rows=43,
    ),
    Function(
        name="ruattn_diag",
        help="Versions, libraries, settings and files of this installation, with advice where need be.",
        arguments=(),
        returns="TABLE (item text, value text, ok boolean, advice text)",
        run=diagnose,
        volatility="STABLE",
        rows=25,
    ),
    Function(
        name="attention_stats_reset",
        help="Empties the table attention_stats for this database.",
        arguments=(),
        returns="void",
        run=usage.forget,
        volatility="VOLATILE",
        public=False,
    ),
)
