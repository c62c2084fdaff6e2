"""FlashAttention-2 (Dao 2023): attention by tiles with the online softmax of Milakov & Gimelshein 2018.

The numbers are those of scaled dot-product attention whatever the tiles; what changes is that the
log-sum-exp, and the output where there are values, are folded tile by tile, in the working memory of a tile.
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import BLOCK_BYTES, F64, Checkpoint, Floats, uninterrupted
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options
from ..projections import LAYER
from ..softmax import State, merge
from .dot import DOT_FEATURES, dot_scorer

_BLOCK = Interval(1, 2**31 - 1)


def online_exponentials(logits: Floats, out: Floats, options: Options, checkpoint: Checkpoint) -> State:
    """As softmax.exponentials in two passes: states of tiles of `block_size_kv` keys merged, then weights."""
    heads, n = logits.shape
    block = min(n, int(options["block_size_kv"] or n))
    step = block * max(1, BLOCK_BYTES // (heads * block * logits.itemsize))
    state = _no_keys(logits.shape[:1])
    for start in range(0, n, step):
        state = merge(state, _tiles_state(logits[:, start : start + step], block))
        checkpoint()
    for start in range(0, n, step):
        part = out[:, start : start + step]
        np.subtract(logits[:, start : start + step], state.maximum[:, None], out=part)
        np.exp(part, out=part)
        checkpoint()
    return state


def _tiles_state(logits: Floats, block: int) -> State:
    """The merged state of all tiles of `block` keys in logits (H, n), the last of which may be shorter."""
    heads, n = logits.shape
    whole = n - n % block
    state = _no_keys((heads,))
    if whole:
        tiles = _tile_state(logits[:, :whole].reshape(heads, -1, block))
        maximum = tiles.maximum.max(axis=1)
        shift = np.exp(tiles.maximum - maximum[:, None])
        state = State(maximum, (tiles.total * shift).sum(axis=1))
    return merge(state, _tile_state(logits[:, whole:])) if whole < n else state


def _tile_state(logits: Floats) -> State:
    """The state of each tile along the last axis."""
    maximum = logits.max(axis=-1)
    return State(maximum, np.exp(logits - maximum[..., None]).sum(axis=-1, dtype=np.float64))


def _no_keys(shape: tuple[int, ...]) -> State:
    return State(np.full(shape, -np.inf, np.float32), np.zeros(shape))


def flash_attention(
    queries: Floats,
    keys: Floats,
    values: Floats,
    *,
    scale: float | None = None,
    block_size_q: int = 64,
    block_size_kv: int = 64,
    checkpoint: Checkpoint = uninterrupted,
) -> tuple[Floats, F64]:
    """Output (..., m, d_v) and log-sum-exp (..., m) of queries (..., m, d) over keys (..., n, d), n >= 1.

    values (..., n, d_v). scale is 1/sqrt(d) if left out. Never holds more logits than one tile of
    block_size_q x block_size_kv; the result does not depend on the block sizes.
    """
    factor = 1 / math.sqrt(queries.shape[-1]) if scale is None else scale
    output = np.empty((*queries.shape[:-1], values.shape[-1]), queries.dtype)
    lse = np.empty(queries.shape[:-1], np.float64)
    for start in range(0, queries.shape[-2], block_size_q):
        tile = slice(start, start + block_size_q)
        state = attention_state(queries[..., tile, :] * factor, keys, values, block_size_kv, checkpoint)
        assert state.output is not None
        output[..., tile, :] = state.output / state.total[..., None]
        lse[..., tile] = state.lse
    return output, lse


def attention_state(
    queries: Floats, keys: Floats, values: Floats, block: int, checkpoint: Checkpoint = uninterrupted
) -> State:
    """The mergeable state of scaled queries (..., m, d) over keys (..., n, d) with values (..., n, d_v)."""
    rows = queries.shape[:-1]
    state = _no_keys(rows)._replace(output=np.zeros((*rows, values.shape[-1]), queries.dtype))
    for start in range(0, keys.shape[-2], block):
        tile = slice(start, start + block)
        logits = queries @ np.swapaxes(keys[..., tile, :], -1, -2)
        part = _tile_state(logits)
        output = np.exp(logits - part.maximum[..., None]) @ values[..., tile, :]
        state = merge(state, part._replace(output=output))
        checkpoint()
    return state


MECHANISM = Mechanism(
    name="flash_v2",
    aliases=("flash", "flashv2", "flash_attention"),
    family="core",
    feature="flash",
    complexity="O(n d)",
    memory="O(B + d)",
    best_for="exact, bounded memory, streaming",
    formula="a_j = exp(s_j - lse), s_j = <q, k_j> / (sqrt(d) temperature), lse folded over tiles of keys",
    reference="Dao 2023, FlashAttention-2; Milakov and Gimelshein 2018",
    parameters=(
        Option("block_size_q", int, 64, _BLOCK, "Queries in a tile; the result does not depend on it."),
        Option("block_size_kv", int, 64, _BLOCK, "Keys in a tile; the result does not depend on it."),
    ),
    scorer=dot_scorer,
    features=DOT_FEATURES,
    normalise=online_exponentials,
    training=LAYER,
)
