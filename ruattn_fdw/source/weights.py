"""Sets of learned weights out of the table `ruattn_weights`, with the caller's privileges and snapshot."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.errors import AttentionError, choices
from ruattn_fdw.kernels.trained import Tensors
from ruattn_fdw.source.rows import quote

MOST = 4
"""Sets that one backend keeps."""

COLUMNS = ("name", "tensor", "shape", "data")

LOCATE = """
SELECT c.oid, n.nspname
FROM pg_catalog.pg_extension e
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
     JOIN pg_catalog.pg_class c ON c.relnamespace OPERATOR(pg_catalog.=) n.oid
WHERE e.extname OPERATOR(pg_catalog.=) 'ruattn_fdw' AND c.relname OPERATOR(pg_catalog.=) 'ruattn_weights'
"""


class _Kept(NamedTuple):
    """Tensors that every snapshot equal to this one sees, as long as they lie in the same files."""

    snapshot: bytes
    identity: bytes
    tensors: Tensors


_KEPT: OrderedDict[str, _Kept] = OrderedDict()


def read_weights(name: str) -> Tensors:
    """The tensors of a set; PostgresError where the caller may not read them, AttentionError for no such set.

    They are not read again under an equal snapshot: by that nothing can have changed. Row security, and a
    transaction in which rows may change without that showing, have them read anew each time.
    """
    (oids, (schema,)), _, _ = host_api.select(LOCATE, ("id", "text"))
    state, snapshot = host_api.source(int(np.asarray(oids)[0]), COLUMNS), host_api.snapshot()
    provable = bool(snapshot) and state.reason is None and not state.by_query
    kept = _KEPT.get(name)
    if provable and kept is not None and kept[:2] == (snapshot, state.identity):
        return kept.tensors
    table = f"{quote(schema)}.ruattn_weights"
    tensors = _read(table, name)
    if not tensors:
        raise _no_such_set(table, name)
    if provable:
        _KEPT[name] = _Kept(snapshot, state.identity, tensors)
        _KEPT.move_to_end(name)
        if len(_KEPT) > MOST:
            _KEPT.popitem(last=False)
    return tensors


def _read(table: str, name: str) -> Tensors:
    """Each tensor of the set in its shape, by a query of its own: they are of different sizes."""
    of_set = f"FROM {table} WHERE name OPERATOR(pg_catalog.=) $1"
    (names, shapes), _, _ = host_api.select(
        f"SELECT tensor, shape::pg_catalog.text {of_set}", ("text", "text"), args=(name,)
    )
    one = f"SELECT data {of_set} AND tensor OPERATOR(pg_catalog.=) $2"
    tensors = {}
    for tensor, shape in zip(names, shapes, strict=True):
        (data,), _, _ = host_api.select(one, ("vector",), "ruattn_weights.data", (name, tensor))
        tensors[tensor] = np.asarray(data).reshape([int(axis) for axis in shape.strip("{}").split(",")])
    return tensors


def _no_such_set(table: str, name: str) -> AttentionError:
    (names,), _, _ = host_api.select(f"SELECT DISTINCT name FROM {table} ORDER BY name", ("text",))
    return AttentionError(f'model "{name}" does not exist', hint=choices(name, names, "models"))
