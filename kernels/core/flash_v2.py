"""FlashAttention-2 (Dao 2023): attention by tiles with the online softmax of Milakov & Gimelshein 2018.

The numbers are those of scaled dot-product attention whatever the tiles; what changes is that the
log-sum-exp, and the output where there are values, are folded tile by tile, in the working memory of a tile.
"""

from __future__ import annotations

import numpy as np

from ..arrays import BLOCK_BYTES, Checkpoint, Floats
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
