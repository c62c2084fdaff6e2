"""The parameter `model`: a mechanism with the weights of a set, and what these make of the vectors read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from ruattn_fdw import features, host_api
from ruattn_fdw.errors import NOT_SUPPORTED, AttentionError
from ruattn_fdw.kernels import registry
from ruattn_fdw.kernels.absorbed import absorbing, absorbs
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import KernelError
from ruattn_fdw.kernels.keyset import KeySet
from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.kernels.moe import moe
from ruattn_fdw.kernels.moe.gate import learned_gate
from ruattn_fdw.kernels.outputs import Outputs
from ruattn_fdw.kernels.problem import Options
from ruattn_fdw.kernels.projections import Affine, kept
from ruattn_fdw.kernels.trained import require, trained
from ruattn_fdw.memory import check_memory
from ruattn_fdw.source.rows import Rows
from ruattn_fdw.source.weights import read_weights


def with_model(mechanism: Mechanism, model: str | None, operation: str) -> Mechanism:
    """The mechanism with the weights of the set of this name, itself for None."""
    if model is None:
        return mechanism
    if mechanism.training is None:
        raise AttentionError(
            f'model is "{model}", but {mechanism.name} takes no weights',
            sqlstate=NOT_SUPPORTED,
            hint=f"Leave it out, or choose a mechanism that does: {', '.join(_takers(operation)) or 'none'}.",
        )
    tensors = read_weights(model)
    with _errors_of(model):
        found = trained(mechanism, tensors)
    return replace(found, weights=lambda options: f"{found.weights(options)} of model {model}")


def read_gate(model: str) -> np.ndarray:
    """The gate vectors (E, d) of a set."""
    tensors = read_weights(model)
    with _errors_of(model):
        require(moe.MECHANISM, tensors, ("gate",))
        return learned_gate(tensors)


@contextmanager
def _errors_of(model: str) -> Iterator[None]:
    """The kernels' errors about the tensors of a set."""
    try:
        yield
    except KernelError as error:
        raise AttentionError(f'model "{model}": {error.message}', hint=error.hint) from error


def _takers(operation: str) -> list[str]:
    """The mechanisms of an operation that take weights and are available."""
    works = (m for m in registry.MECHANISMS if m.training is not None and operation in m.operations)
    return [mechanism.name for mechanism in works if features.reason(mechanism) is None]


def project_query(mechanism: Mechanism, query: np.ndarray) -> np.ndarray:
    """One query (d,) as the mechanism takes it."""
    affine = mechanism.projections.query
    if affine is None:
        return query
    _check_width(affine, len(query), "query")
    vector: np.ndarray = affine(query[None])[0]
    return vector


def absorb_keys(mechanism: Mechanism, rows: Rows, options: Options, label: str) -> Mechanism:
    """The mechanism for one query that takes keys as they were read, where it can be had."""
    affine = mechanism.projections.key
    if affine is None or not len(rows) or not absorbs(mechanism, options):
        return mechanism
    _check_width(affine, rows.width, label)
    return absorbing(mechanism)


def project_queries(mechanism: Mechanism, rows: Rows, label: str) -> Rows:
    """Rows that ask, with vectors as the mechanism takes them; label: what messages call these."""
    return _project(mechanism.projections.query, "query", rows, label)


def project_keys(mechanism: Mechanism, rows: Rows, label: str) -> Rows:
    """Rows that answer, the same."""
    return _project(mechanism.projections.key, "key", rows, label)


def _project(affine: Affine | None, kind: str, rows: Rows, label: str) -> Rows:
    if affine is None or not len(rows):
        return rows
    _check_width(affine, rows.width, label)
    return replace(rows, keyset=_kept(kind, affine, rows.keyset))


def _kept(kind: str, affine: Affine, keyset: KeySet) -> KeySet:
    room = 4 * len(keyset.stored) * affine.outputs
    check_memory("the projected vectors", room, "restrict the rows with a view")
    return kept(kind, affine, keyset, host_api.check_interrupts)


def project_values(rows: Rows, query_width: int, settings: Settings, label: str) -> np.ndarray | None:
    """The values (n, d_v) of rows as they were read, for `outputs`; its default stands for None."""
    mechanism, affine = settings.mechanism, settings.mechanism.projections.value
    if not mechanism.projections or not len(rows):
        return rows.values
    held = rows.keyset if rows.values is None else KeySet(rows.values)
    if affine is not None:
        _check_width(affine, held.shape[1], label)
        held = _kept("value", affine, held)
    values = held.dense()
    if mechanism.own_values is None or (affine is None and rows.values is not None):
        return values
    return mechanism.own_values(
        values, query_width, settings.heads, settings.options, host_api.check_interrupts
    )


def project_output(mechanism: Mechanism, block: Outputs) -> Outputs:
    """Outputs as the weights make them of those of the mechanism."""
    affine = mechanism.projections.output
    return block if affine is None or block.empty.all() else replace(block, output=affine(block.output))


def _check_width(affine: Affine, width: int, label: str) -> None:
    if width != affine.inputs:
        raise AttentionError(
            f"{label} has {width} dimensions, {affine.name} of the model takes {affine.inputs}",
            hint="Name a model that was trained on such vectors, or other vectors.",
        )
