"""Grouped-query attention (Shazeer 2019; Ainslie et al. 2023): groups of query heads share a head of the
keys.

Keys are as wide as the shared heads together; of keys as wide as the query the heads of each group are
averaged, which is how the paper converts models.
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import EPS32, F32, F64, TINY32, Checkpoint, Floats
from ..errors import InvalidOption
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options
from ..projections import SHARING_LAYER


class GroupedScorer:
    """Logits <query head, the head of the keys that its group shares> / (sqrt(d_h) temperature)."""

    def __init__(self, query: F64, temperature: float, options: Options, dtype: type) -> None:
        """query (H, d_h); dtype: that of the keys to come."""
        heads, width = query.shape
        groups = groups_of(heads, options)
        scaled = query / (math.sqrt(width) * temperature)
        self._query: Floats = scaled.reshape(groups, heads // groups, width).astype(dtype)
        self._length = float(np.sqrt((scaled * scaled).sum(axis=1)).max())

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, G d_h) or (n, H d_h) into out (H, n)."""
        groups, each, width = self._query.shape
        shared = shared_heads(keys, groups, width)
        if keys.dtype == np.float32:
            out[:] = np.matmul(self._query, shared.transpose(1, 2, 0)).reshape(groups * each, -1)
        else:
            np.add.reduce(shared[:, :, None] * self._query, axis=3, out=out.T.reshape(-1, groups, each))

    def rounding(self, keys: Floats) -> Floats:
        """As of a dot product (Higham, ASNA section 3.1), with a mean over the heads of a group before it."""
        norms = np.sqrt(np.einsum("nd,nd->n", keys, keys) + np.float32(keys.shape[1] * TINY32))
        terms = self._query.shape[1] + self._query.shape[2] + 8
        return np.asarray(norms * np.float32(np.clip(terms * EPS32 * self._length, TINY32, 3e38)))


def groups_of(heads: int, options: Options) -> int:
    """The number of key heads G."""
    given = options["num_kv_heads"]
    groups = (1 if heads % 2 else 2) if given is None else int(given)
    if heads % groups:
        raise InvalidOption(
            f"num_kv_heads is {groups}, which does not divide num_heads, {heads}",
            "Every key head is shared by equally many query heads.",
        )
    return groups


def shared_heads(keys: Floats, groups: int, width: int) -> Floats:
    """The heads (n, G, d_h) that groups share, of narrow keys (n, G d_h), or averaged from (n, H d_h)."""
    split = keys.reshape(len(keys), groups, -1, width)
    result: Floats = split[:, :, 0] if split.shape[2] == 1 else split.mean(axis=2)
    return result


def key_widths(query_width: int, heads: int, options: Options) -> tuple[int, ...]:
    """How wide keys may be for a query of this width."""
    groups = groups_of(heads, options)
    return tuple(dict.fromkeys((query_width, groups * query_width // heads)))


def shared_values(keys: F32, query_width: int, heads: int, options: Options, checkpoint: Checkpoint) -> F32:
    """Values (n, H d_h) that keys stand for: each head has what its group shares."""
    groups = groups_of(heads, options)
    shared = shared_heads(keys, groups, query_width // heads)
    values: F32 = np.repeat(shared, heads // groups, axis=1).reshape(len(keys), -1)
    return values


MECHANISM = Mechanism(
    name="grouped_query",
    aliases=("gqa", "mqa", "multi_query"),
    family="core",
    feature="attention",
    complexity="O(n d G/H)",
    memory="O(n H)",
    best_for="small stored keys",
    formula="a = mean_h softmax_j(<q^h, k_j^g(h)> / (sqrt(d_h) temperature)), g(h) = floor(h G / H)",
    reference="Shazeer 2019, Fast Transformer Decoding; Ainslie et al. 2023, GQA",
    operations=("attention_score", "mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option(
            "num_kv_heads",
            int,
            None,
            Interval(1, 2**31 - 1),
            "Key heads G, a divisor of num_heads; 2, or 1 for an odd number of heads, if left out.",
        ),
    ),
    presets={name: {"num_kv_heads": 1} for name in ("mqa", "multi_query")},
    multi_head_family=True,
    scorer=GroupedScorer,
    key_widths=key_widths,
    own_values=shared_values,
    training=SHARING_LAYER,
)
