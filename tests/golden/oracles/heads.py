"""Shared heads, latent keys and additive scores, by torch and keras."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import torch
from torch.nn import functional

from .common import KEYS, WIDTH, numbers, save

HEADS, GROUPS, LATENT, HIDDEN = 8, 2, 16, 10


def weights_by_heads(query: torch.Tensor, keys: torch.Tensor, **given: bool) -> torch.Tensor:
    """Weights (H, n) of a query (H, w) over keys (H or G, n, w)."""
    identity = torch.eye(KEYS, dtype=torch.float64).expand(len(keys), KEYS, KEYS)
    attended = functional.scaled_dot_product_attention(
        query[None, :, None], keys[None], identity[None], **given
    )
    return attended[0, :, 0]


def make() -> None:
    query, keys = numbers(91, WIDTH), numbers(92, KEYS, GROUPS * WIDTH // HEADS)
    shared = keys.view(KEYS, GROUPS, -1).transpose(0, 1)
    save(
        "grouped_query",
        query,
        keys,
        head_weights=weights_by_heads(query.view(HEADS, -1), shared, enable_gqa=True),
    )

    keys = numbers(93, KEYS, WIDTH)
    left, values, right = torch.linalg.svd(keys, full_matrices=False)
    cut = (left[:, :LATENT] * values[:LATENT]) @ right[:LATENT]
    heads = cut.view(KEYS, HEADS, -1).transpose(0, 1)
    save("multi_head_latent", query, keys, head_weights=weights_by_heads(query.view(HEADS, -1), heads))

    w_query, w_key, w_output = numbers(94, HIDDEN, WIDTH), numbers(95, HIDDEN, WIDTH), numbers(96, HIDDEN)
    logits = torch.tanh(query @ w_query.T + keys @ w_key.T) @ w_output
    _, scores = keras.layers.AdditiveAttention(use_scale=False)(
        [query[None, None].float(), keys[None].float()], return_attention_scores=True
    )
    weights = {"w_query": w_query, "w_key": w_key, "w_output": w_output}
    save("additive", query, keys, logits=logits, keras=scores.detach()[0, 0], **weights)
