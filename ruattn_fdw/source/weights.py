"""Sets of learned weights out of the table `ruattn_weights`, with the caller's privileges and snapshot."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.errors import NOT_SUPPORTED, AttentionError, choices
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
    """Tensors, with the files that they lie in and the row versions that they were read from."""

    identity: bytes
    versions: bytes
    tensors: Tensors


_KEPT: OrderedDict[str, _Kept] = OrderedDict()


def read_weights(name: str) -> Tensors:
    """The tensors of a set; PostgresError where the caller may not read them, AttentionError for no such set.

    They are not read again while the caller's own SELECT shows the same versions of their rows in the same
    files, by which, as for copies of vectors, nothing has changed (cache/versions.py, host/leaves.c).
    """
    (oids, schemas), count, _ = host_api.select(LOCATE, ("id", "text"))
    if not count:
        raise AttentionError(
            "there are no sets of weights here",
            sqlstate=NOT_SUPPORTED,
            hint="The extension ruattn_fdw, of the bundled host, keeps them.",
        )
    schema = schemas[0]
    state = host_api.source(int(np.asarray(oids)[0]), COLUMNS)
    table = f"{quote(schema)}.ruattn_weights"
    shapes, versions = _listed(table, name)
    provable, kept = bool(versions) and state.reason is None, _KEPT.get(name)
    if provable and kept is not None and kept[:2] == (state.identity, versions):
        return kept.tensors
    if not shapes:
        raise _no_such_set(table, name)
    tensors = {tensor: _read(table, name, tensor).reshape(shape) for tensor, shape in shapes.items()}
    if provable:
        _KEPT[name] = _Kept(state.identity, versions, tensors)
        _KEPT.move_to_end(name)
        if len(_KEPT) > MOST:
            _KEPT.popitem(last=False)
    return tensors


def _listed(table: str, name: str) -> tuple[dict[str, list[int]], bytes]:
    """The shape of each tensor, and the versions of their rows, empty where these prove nothing."""
    statement = f"""
        SELECT tensor, shape::pg_catalog.text, ctid, xmin, pg_catalog.age(xmin) FROM {table}
        WHERE name OPERATOR(pg_catalog.=) $1 ORDER BY tensor
    """
    kinds = ("text", "text", "id", "id", "id")
    (names, shapes, *numbers), _, _ = host_api.select(statement, kinds, args=(name,))
    tids, xmins, ages = (np.asarray(column) for column in numbers)
    axes = [[int(axis) for axis in shape.strip("{}").split(",")] for shape in shapes]
    versions = b"" if (ages < 0).any() else np.append(tids, xmins).tobytes()
    return dict(zip(names, axes, strict=True)), versions


def _read(table: str, name: str, tensor: str) -> np.ndarray:
    """The numbers of one tensor, by a query of its own: they are of different sizes."""
    one = "name OPERATOR(pg_catalog.=) $1 AND tensor OPERATOR(pg_catalog.=) $2"
    select = f"SELECT data FROM {table} WHERE {one}"
    (data,), _, _ = host_api.select(select, ("vector",), "ruattn_weights.data", (name, tensor))
    return np.asarray(data)


def _no_such_set(table: str, name: str) -> AttentionError:
    (names,), _, _ = host_api.select(f"SELECT DISTINCT name FROM {table} ORDER BY name", ("text",))
    return AttentionError(f'model "{name}" does not exist', hint=choices(name, names, "models"))
