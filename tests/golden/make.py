"""Make the golden files of this folder: attention weights from implementations that are not ours.

    pip install torch==2.13.0 numpy==2.4.6 scipy==1.17.1
    python tests/golden/make.py

Each file holds its inputs as float32 and what the oracle made of them in float64. scaled_dot, flash_v2 and
cosine are from `torch.nn.functional.scaled_dot_product_attention`, whose output over the identity matrix as
values is the weights themselves, multi_head from `torch.nn.MultiheadAttention`, lse from `scipy.special`.
This script never imports the project.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from scipy.special import logsumexp
from torch.nn import functional

HERE = Path(__file__).parent
KEYS, WIDTH, HEADS, QUERIES, VALUE_WIDTH = 63, 64, 8, 5, 7
SCALE, TEMPERATURE = 0.3, 0.07


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


def save(name: str, query: torch.Tensor, keys: torch.Tensor, **expected: object) -> None:
    arrays = {key: np.asarray(value, np.float64) for key, value in expected.items()}
    inputs = {"query": query.numpy().astype(np.float32), "keys": keys.numpy().astype(np.float32)}
    np.savez_compressed(HERE / f"{name}.npz", **inputs, **arrays)


def main() -> None:
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


if __name__ == "__main__":
    main()
