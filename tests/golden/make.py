"""Make the golden files of this folder: attention weights from implementations that are not ours.

    pip install torch==2.13.0 numpy==2.4.6 scipy==1.17.1
    pip install torch-geometric==2.8.1 geoopt==0.5.1 scikit-learn==1.9.1
    python tests/golden/make.py

Each file holds its inputs as float32 and what the oracle made of them in float64. scaled_dot, flash_v2 and
cosine are from `torch.nn.functional.scaled_dot_product_attention`, whose output over the identity matrix as
values is the weights themselves, multi_head from `torch.nn.MultiheadAttention`, lse from `scipy.special`;
gat and gatv2 are from PyTorch Geometric, poincare, lorentz and hyperbolic from geoopt, moe's clusters from
scikit-learn. causal, sliding_window and sparse hold the weights of every key of a sequence for every query,
under masks of `torch.nn.attention.flex_attention.create_mask`; linear is the quadratic form of torch's elu
+ 1. This script never imports the project.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import geoopt
import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.cluster import KMeans
from torch.nn import functional
from torch.nn.attention.flex_attention import create_mask
from torch_geometric.nn import GATConv, GATv2Conv

HERE = Path(__file__).parent
KEYS, WIDTH, HEADS, QUERIES, VALUE_WIDTH = 63, 64, 8, 5, 7
SCALE, TEMPERATURE = 0.3, 0.07
WINDOW, STRIDE, SUMMARY = 9, 8, 2


def numbers(seed: int, *shape: int) -> torch.Tensor:
    """Normal numbers that float32 holds exactly, as float64."""
    drawn = np.random.RandomState(seed).standard_normal(shape).astype(np.float32)
    return torch.from_numpy(drawn.astype(np.float64))


def weights_by_sdpa(query: torch.Tensor, keys: torch.Tensor, scale: float | None = None) -> torch.Tensor:
    identity = torch.eye(len(keys), dtype=torch.float64)
    return functional.scaled_dot_product_attention(query[None], keys, identity, scale=scale)[0]


def weights_by_module(query: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    module = torch.nn.MultiheadAttention(WIDTH, HEADS, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.eye(WIDTH, dtype=torch.float64).repeat(3, 1))
        module.out_proj.weight.copy_(torch.eye(WIDTH, dtype=torch.float64))
        _, weights = module(query[None, None], keys[None], keys[None], average_attn_weights=False)
    return weights[0, :, 0]


def weights_by_mask(keys: torch.Tensor, mask_mod: Callable[..., torch.Tensor]) -> torch.Tensor:
    """Self-attention of a sequence under a mask (batch, head, query, key) -> bool: weights (query, key)."""
    n = len(keys)
    mask = create_mask(mask_mod, 1, 1, n, n, device="cpu")[0, 0]
    identity = torch.eye(n, dtype=torch.float64)
    return functional.scaled_dot_product_attention(keys, keys, identity, attn_mask=mask)


def masks() -> dict[str, Callable[..., torch.Tensor]]:
    return {
        "sliding_window": lambda b, h, i, j: (i >= j) & (i - j < WINDOW),
        "sparse_strided": lambda b, h, i, j: (i >= j) & ((i - j < STRIDE) | ((i - j) % STRIDE == 0)),
        "sparse_fixed": lambda b, h, i, j: (
            (i >= j) & ((i // STRIDE == j // STRIDE) | (j % STRIDE >= STRIDE - SUMMARY))
        ),
    }


def save(name: str, query: torch.Tensor, keys: torch.Tensor, **expected: object) -> None:
    arrays = {key: np.asarray(value, np.float64) for key, value in expected.items()}
    inputs = {"query": query.numpy().astype(np.float32), "keys": keys.numpy().astype(np.float32)}
    np.savez_compressed(HERE / f"{name}.npz", **inputs, **arrays)


def random_graph(nodes: int, edges: int) -> torch.Tensor:
    """Distinct edges (2, edges) without loops, from source to target."""
    pairs = [(i, j) for i in range(nodes) for j in range(nodes) if i != j]
    chosen = np.random.RandomState(5).permutation(len(pairs))[:edges]
    return torch.tensor([pairs[place] for place in chosen]).T


def save_graph(
    name: str, features: torch.Tensor, layer: torch.nn.Module, edges: torch.Tensor, **given: object
) -> None:
    """The weights of each edge among those of its target, self-loops added."""
    with torch.no_grad():
        _, (ends, weights) = layer(features, edges, return_attention_weights=True)
    arrays = {"source": ends[0], "target": ends[1], "weights": weights, **given}
    numbers = {key: np.asarray(value) for key, value in arrays.items()}
    np.savez_compressed(HERE / f"{name}.npz", features=features.numpy().astype(np.float32), **numbers)


def metric_gatv2(width: int, heads: int, slope: float) -> GATv2Conv:
    """GATv2 whose logits are minus the L1 distance in each head's slice, the slices being nearly equal."""
    slices = np.array_split(np.arange(width), heads)
    widest = max(map(len, slices))
    layer = GATv2Conv(width, 2 * widest, heads, negative_slope=slope, bias=False).double()
    left, attention = torch.zeros(heads, 2 * widest, width), torch.zeros(1, heads, 2 * widest)
    for head, columns in enumerate(slices):
        for place, column in enumerate(columns):
            left[head, place, column], left[head, widest + place, column] = 1, -1
        attention[0, head, : len(columns)] = -1 / (1 - slope)
        attention[0, head, widest : widest + len(columns)] = -1 / (1 - slope)
    with torch.no_grad():
        layer.lin_l.weight.copy_(left.reshape(-1, width))
        layer.lin_r.weight.copy_(-left.reshape(-1, width))
        layer.lin_l.bias, layer.lin_r.bias = None, None
        layer.att.copy_(attention)
    return layer


def graph() -> None:
    features, edges, heads = numbers(6, 40, 10), random_graph(40, 200), 4
    save_graph("gatv2", features, metric_gatv2(10, heads, 0.2), edges)
    torch.manual_seed(7)
    layer = GATConv(10, 3, heads, bias=False).double()
    projection = layer.lin.weight.detach().T.reshape(10, heads, 3)
    attention = {"source_vector": layer.att_src.detach()[0], "target_vector": layer.att_dst.detach()[0]}
    save_graph("gat", features, layer, edges, projection=projection, **attention)


def hyperbolic() -> None:
    c = 0.7

    def ball() -> geoopt.PoincareBall:
        return geoopt.PoincareBall(c=torch.tensor(c, dtype=torch.float64))

    sheet = geoopt.Lorentz(k=torch.tensor(1 / c, dtype=torch.float64))
    query, keys, values = numbers(8, 12), numbers(9, KEYS, 12), numbers(10, KEYS, 12)
    points = (
        (0.9 / math.sqrt(c) * functional.normalize(torch.cat([query[None], keys]), dim=1)).float().double()
    )
    points *= torch.linspace(0.5, 1, len(points), dtype=torch.float64).float().double()[:, None]
    points = points.float().double()
    save_poincare(ball, points[0], points[1:], points[1:].flip(0), c)

    space = torch.cat([query[None], keys, values])
    on_sheet = torch.cat([(1 / c + (space**2).sum(1, keepdim=True)).sqrt(), space], dim=1)
    squared = -2 / c - 2 * geoopt.manifolds.lorentz.math.inner(on_sheet[:1], on_sheet[1 : KEYS + 1])
    lorentz = torch.softmax(-squared / math.sqrt(12), dim=0)
    save(
        "lorentz",
        query,
        keys,
        values=values,
        curvature=c,
        squared=squared,
        weights=lorentz,
        geodesic=sheet.dist(on_sheet[:1], on_sheet[1 : KEYS + 1]),
        output=midpoint(ball(), on_sheet[KEYS + 1 :], lorentz, c),
    )

    lifted = sheet.expmap0(torch.cat([torch.zeros(len(space), 1, dtype=torch.float64), space], dim=1))
    distance = sheet.dist(lifted[:1], lifted[1 : KEYS + 1])
    weights = torch.softmax(-distance, dim=0)
    output = midpoint(ball(), lifted[KEYS + 1 :], weights, c)
    length = output.norm()
    output = output / length * torch.asinh(math.sqrt(c) * length) / math.sqrt(c)
    save(
        "hyperbolic",
        query,
        keys,
        values=values,
        curvature=c,
        distance=distance,
        weights=weights,
        output=output,
    )


def save_poincare(
    ball: Callable[[], geoopt.PoincareBall],
    query: torch.Tensor,
    keys: torch.Tensor,
    others: torch.Tensor,
    c: float,
) -> None:
    distance = ball().dist(query, keys)
    weights = torch.softmax(-distance, dim=0)
    tangents = others * 0.3
    save(
        "poincare",
        query,
        keys,
        others=others,
        curvature=c,
        distance=distance,
        weights=weights,
        output=ball().weighted_midpoint(keys, weights),
        sums=ball().mobius_add(keys, others),
        moved=ball().expmap(keys * 0.5, tangents),
        logarithms=ball().logmap(keys, others),
    )


def midpoint(
    ball: geoopt.PoincareBall, points: torch.Tensor, weights: torch.Tensor, c: float
) -> torch.Tensor:
    """Space coordinates of the midpoint of hyperboloid points, which geoopt has on the ball only."""
    in_ball = points[:, 1:] / (1 + math.sqrt(c) * points[:, :1])
    found = ball.weighted_midpoint(in_ball, weights)
    return 2 * found / (1 - c * (found**2).sum())


def experts() -> None:
    """Well separated clusters, so that every k-means finds the same."""
    centres = 4 * numbers(11, 5, 16)
    keys = (centres.repeat(20, 1) + numbers(12, 100, 16)).float().double()
    query = numbers(13, 16)
    found = KMeans(5, n_init=10, random_state=0).fit(keys.numpy())
    gate = torch.from_numpy(found.cluster_centers_) @ query / math.sqrt(16)
    best, chosen = torch.topk(gate, 2)
    weights = torch.zeros(100, dtype=torch.float64)
    for share, expert in zip(torch.softmax(best, dim=0), chosen, strict=True):
        own = torch.from_numpy(found.labels_ == int(expert))
        weights[own] = share * weights_by_sdpa(query, keys[own])
    save("moe", query, keys, labels=found.labels_, weights=weights)


def dot_products() -> None:
    query, keys = numbers(1, WIDTH), numbers(2, KEYS, WIDTH)
    logits = (keys @ query).numpy()
    save(
        "scaled_dot",
        query,
        keys,
        weights=weights_by_sdpa(query, keys),
        lse=logsumexp(logits / math.sqrt(WIDTH)),
    )
    save("scaled_dot_scale", query, keys, weights=weights_by_sdpa(query, keys, SCALE), scale=SCALE)

    by_head = torch.einsum("nhd,hd->hn", keys.view(KEYS, HEADS, -1), query.view(HEADS, -1)).numpy()
    head_weights = weights_by_module(query, keys)
    lse = logsumexp(by_head / math.sqrt(WIDTH // HEADS), axis=1)
    save("multi_head", query, keys, head_weights=head_weights, weights=head_weights.mean(dim=0), lse=lse)

    unit = weights_by_sdpa(
        functional.normalize(query, dim=0), functional.normalize(keys, dim=1), 1 / TEMPERATURE
    )
    save("cosine", query, keys, weights=unit, temperature=TEMPERATURE)

    queries, values = numbers(3, QUERIES, WIDTH), numbers(4, KEYS, VALUE_WIDTH)
    output = functional.scaled_dot_product_attention(queries, keys, values)
    lse = logsumexp((queries @ keys.T).numpy() / math.sqrt(WIDTH), axis=1)
    save("flash_v2", queries, keys, values=values, output=output, lse=lse)

    identity = torch.eye(KEYS, dtype=torch.float64)
    causal = functional.scaled_dot_product_attention(keys, keys, identity, is_causal=True)
    save("causal", query, keys, weights=causal)
    for name, mask_mod in masks().items():
        save(name, query, keys, weights=weights_by_mask(keys, mask_mod))

    kernel = (functional.elu(queries) + 1) @ (functional.elu(keys) + 1).T
    weights = kernel / kernel.sum(dim=1, keepdim=True)
    save("linear", queries, keys, values=values, weights=weights, kernel=kernel, output=weights @ values)


def main() -> None:
    dot_products()
    graph()
    hyperbolic()
    experts()


if __name__ == "__main__":
    main()
