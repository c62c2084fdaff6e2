"""Dot-product attention by torch: plain, by heads, under masks, and with torch's elu + 1.

The output of `scaled_dot_product_attention` over the identity matrix as values is the weights themselves. The
masks are those of `torch.nn.attention.flex_attention.create_mask`; lse is from `scipy.special`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from scipy.special import logsumexp
from torch.nn import functional
from torch.nn.attention.flex_attention import create_mask

from .common import KEYS, WIDTH, numbers, save, weights_by_sdpa

HEADS, QUERIES, VALUE_WIDTH = 8, 5, 7
SCALE, TEMPERATURE = 0.3, 0.07
WINDOW, STRIDE, SUMMARY = 9, 8, 2


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


def make() -> None:
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
