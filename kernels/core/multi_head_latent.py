"""Multi-head latent attention (DeepSeek-V2 2024): keys and values are kept as short latent vectors.

Without weights the latent space is that of the keys' principal components, not centred: W_DKV are the right
singular vectors of the keys, W_UK and W_UV their transpose. There is no rotary part and no norm.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..absorbed import AbsorbedScorer
from ..arrays import F32, F64, Checkpoint, spans
from ..components import EPS, components
from ..errors import InvalidOption
from ..fits import LastFit
from ..keyset import KeySet
from ..logits import check_range
from ..long_products import pieces
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options, Problem
from ..projections import PROJECTIONS, Affine, projections_of
from ..softmax import plain_softmax
from ..trained import Tensors, Training, check_axes, check_lengths
from ..weights import Weights, settled


class Latent(NamedTuple):
    """directions (d, c), latents (n, c) of the keys, and the share of their squared length that is kept."""

    directions: F64
    latents: F64
    share: float


def weigh(problem: Problem) -> Weights:
    """The weights of all keys; the query goes down into the latent space, once for each head."""
    heads, width = problem.query.shape
    latent = _latent_of(problem.keyset, problem.options, problem.checkpoint)
    absorbed = np.einsum("hwc,hw->hc", latent.directions.reshape(heads, width, -1), problem.query)
    absorbed /= math.sqrt(width) * problem.temperature
    logits = np.empty((heads, len(problem.keys)))
    for span in spans(len(problem.keys), 8 * absorbed.shape[1]):
        np.matmul(absorbed, latent.latents[span].T, out=logits[:, span])
        problem.checkpoint()
    check_range(problem, np.arange(len(problem.keys)), logits)
    problem.notes["Latent Dimensions"] = absorbed.shape[1]
    problem.notes["Latent Share"] = latent.share
    weights, lse = plain_softmax(logits)
    return settled(weights, logits, lse)


def _latent_of(keys: F32 | KeySet, options: Options, checkpoint: Checkpoint) -> Latent:
    wanted, d = options["latent_dim"], keys.shape[1]
    if wanted is not None and int(wanted) > d:
        raise InvalidOption(
            f"latent_dim is {wanted}, the keys have {d} dimensions",
            "A latent vector is no longer than a key.",
        )
    return _LATENT.of(keys, None if wanted is None else int(wanted), checkpoint=checkpoint)


def _fit(keys: F32, wanted: int | None, checkpoint: Checkpoint) -> Latent:
    """The principal components of keys (n, d); as many as wanted, else d/4 or their rank if that is less."""
    d = keys.shape[1]
    values, principal = components(keys, 0.0, checkpoint)
    rank = max(1, int((values > values[-1] * d * EPS).sum()))
    count = min(max(1, d // 4), rank) if wanted is None else wanted
    directions, best = np.zeros((d, count)), principal[:, ::-1][:, :count]
    for span in spans(d, 8 * count):
        directions[span, : best.shape[1]] = best[span]
        checkpoint()
    latents = np.empty((len(keys), count))
    for span in pieces(len(keys), directions.size):
        np.matmul(keys[span].astype(np.float64), directions, out=latents[span])
        checkpoint()
    total = float(values.sum())
    return Latent(directions, latents, float(values[::-1][:count].sum()) / total if total > 0 else 1.0)


_LATENT = LastFit(_fit)


def decompressed(keys: F32, query_width: int, heads: int, options: Options, checkpoint: Checkpoint) -> F32:
    """Values (n, d) that keys stand for: what comes out of their latent vectors."""
    latent, values = _latent_of(keys, options, checkpoint), np.empty_like(keys)
    for span in pieces(len(keys), latent.directions.size):
        values[span] = latent.latents[span] @ latent.directions.T
        checkpoint()
    return values


def _bind(mechanism: Mechanism, tensors: Tensors) -> Mechanism:
    """The mechanism with the weights of a set: keys become latents, which queries are taken to by W_UK."""
    for name in ("W_DKV", "W_UK", "W_UV"):
        check_axes(tensors, name, "in, out")
    for name in ("W_UK", "W_UV"):
        check_lengths(tensors, (name, 0), ("W_DKV", 1))
    check_lengths(tensors, ("W_q", 1), ("W_UK", 1))
    check_lengths(tensors, ("W_o", 0), ("W_UV", 1))
    up = Affine("W_UK", tensors["W_UK"])
    down = Affine("W_DKV", tensors["W_DKV"])
    values = Affine("W_UV", tensors["W_UV"]) if "W_UV" in tensors else None
    layer = projections_of({name: tensor for name, tensor in tensors.items() if name in PROJECTIONS})

    def scorer(query: F64, temperature: float, options: Options, dtype: type) -> AbsorbedScorer:
        return AbsorbedScorer(query / (math.sqrt(query.shape[1]) * temperature), up, dtype)

    def own_values(keys: F32, query_width: int, heads: int, options: Options, checkpoint: Checkpoint) -> F32:
        return keys if values is None else values(keys, checkpoint)

    return replace(
        mechanism,
        parameters=(),
        scorer=scorer,
        weigh=None,
        key_widths=lambda query_width, heads, options: (down.outputs,),
        own_values=own_values,
        projections=replace(layer, key=down, value=None if values is None else down),
    )


MECHANISM = Mechanism(
    name="multi_head_latent",
    aliases=("mla",),
    family="core",
    feature="attention",
    complexity="O(n H c) for c latent dimensions, once they are fitted",
    memory="O(n (H + c))",
    best_for="compressed key store",
    formula="a = mean_h softmax_j(<q^h, (c_j W_UK)^h> / (sqrt(d/H) temperature)), c_j = k_j W_DKV",
    reference="DeepSeek-AI 2024, DeepSeek-V2",
    operations=("mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option(
            "latent_dim",
            int,
            None,
            Interval(1, 2**31 - 1),
            "Dimensions of a latent vector; a quarter of the key's, or the keys' rank if less, if left out.",
        ),
    ),
    scope="P+w",
    multi_head_family=True,
    weigh=weigh,
    own_values=decompressed,
    weights=lambda options: "pca",
    training=Training(("W_DKV", "W_UK"), ("W_UV", "W_q", "b_q", "W_o", "b_o"), _bind),
)
