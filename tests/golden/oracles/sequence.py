"""Mechanisms that know an order: torch, transformers, scipy's filter and the scan of mambapy."""

from __future__ import annotations

import math

import numpy as np
import torch
from mambapy.mamba import MambaBlock, MambaConfig
from scipy.signal import lfilter
from torch.nn.attention.flex_attention import flex_attention
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb
from transformers.models.mamba.configuration_mamba import MambaConfig as Configuration
from transformers.models.mamba.modeling_mamba import MambaMixer

from .common import FOLDER, KEYS, WIDTH, numbers, save

HEADS, GAMMA, POSITION, BASE, VALUE_WIDTH = 8, 0.9, 40.0, 10000.0, 5


def by_complex_numbers(x: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Neighbouring elements as complex numbers, turned."""
    speeds = BASE ** (-2 * torch.arange(WIDTH // 2, dtype=torch.float64) / WIDTH)
    turned = torch.view_as_complex(x.view(*x.shape[:-1], -1, 2)) * torch.exp(1j * positions[:, None] * speeds)
    return torch.view_as_real(turned).flatten(-2)


def by_transformers(x: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    speeds = BASE ** (-2 * torch.arange(WIDTH // 2, dtype=torch.float64) / WIDTH)
    angles = (positions[:, None] * speeds).repeat(1, 2)[None]
    return apply_rotary_pos_emb(x[None, None], x[None, None], angles.cos(), angles.sin())[0][0, 0]


def rope() -> None:
    query, keys = numbers(51, WIDTH), numbers(52, KEYS, WIDTH)
    positions, position = (
        torch.arange(KEYS, dtype=torch.float64),
        torch.tensor([POSITION], dtype=torch.float64),
    )
    logits = {
        layout: turn(keys, positions) @ turn(query[None], position)[0] / math.sqrt(WIDTH)
        for layout, turn in (("interleaved", by_complex_numbers), ("half", by_transformers))
    }
    save("rope", query, keys, positions=positions, position=POSITION, **logits)


def alibi() -> None:
    keys = numbers(53, KEYS, WIDTH)
    table = build_alibi_tensor(torch.ones(1, KEYS), HEADS, torch.float64).view(HEADS, KEYS)
    slopes = table[:, 1] - table[:, 0]
    heads = keys.view(KEYS, HEADS, -1).transpose(0, 1)[None]
    identity = torch.eye(KEYS, dtype=torch.float64).expand(1, HEADS, KEYS, KEYS)

    def biased(
        score: torch.Tensor, b: object, h: torch.Tensor, i: torch.Tensor, j: torch.Tensor
    ) -> torch.Tensor:
        return torch.where(i >= j, score - slopes[h] * (i - j), -float("inf"))

    weights = flex_attention(heads, heads, identity, score_mod=biased)[0]
    save("alibi", keys[0], keys, slopes=slopes, weights=weights)


def retention() -> None:
    query, keys, values = numbers(54, WIDTH), numbers(55, KEYS, WIDTH), numbers(56, KEYS, VALUE_WIDTH)
    outer = np.einsum("nd,nv->ndv", keys.numpy(), values.numpy()).reshape(KEYS, -1)
    state = lfilter([1.0], [1.0, -GAMMA], outer, axis=0)[-1].reshape(WIDTH, VALUE_WIDTH)
    save(
        "retention", query, keys, values=values, gamma=GAMMA, output=query.numpy() @ state / math.sqrt(WIDTH)
    )


def selective_ssm() -> None:
    """Every channel has the same step; the input is divided by it, since ours is not multiplied by it."""
    queries, keys, values, steps = (
        numbers(57, KEYS, 8),
        numbers(58, KEYS, 8),
        numbers(59, KEYS, 5),
        numbers(60, KEYS),
    )
    rates = torch.nn.functional.softplus(steps)[:, None].expand(KEYS, VALUE_WIDTH)
    block = MambaBlock(MambaConfig(d_model=VALUE_WIDTH, n_layers=1, expand_factor=1, d_state=8))
    decay, nothing = (
        -torch.ones(VALUE_WIDTH, 8, dtype=torch.float64),
        torch.zeros(VALUE_WIDTH, dtype=torch.float64),
    )
    output = block.selective_scan_seq(
        (values / rates)[None], rates[None], decay, keys[None], queries[None], nothing
    )[0]
    save("selective_ssm", queries[0], keys, queries=queries, values=values, steps=steps, output=output)


def mamba_block() -> None:
    """A block drawn at random, by transformers; its weights for the last row by mambapy, a row at a time."""
    torch.manual_seed(61)
    config = Configuration(
        hidden_size=12,
        state_size=4,
        expand=2,
        conv_kernel=4,
        time_step_rank=3,
        use_bias=True,
        num_hidden_layers=1,
    )
    mixer = MambaMixer(config, layer_idx=0).double()
    for weight in mixer.parameters():
        weight.copy_((weight + 0.3 * torch.randn_like(weight)).float().double())
    hidden = numbers(62, 1, KEYS, 12)
    entered = mixer.in_proj(hidden)[..., :24].transpose(1, 2)
    x = torch.nn.functional.silu(mixer.conv1d(entered)[..., :KEYS]).transpose(1, 2)
    ranks, writing, reading = mixer.x_proj(x).split([3, 4, 4], dim=2)
    steps = torch.nn.functional.softplus(mixer.dt_proj(ranks))
    scan = MambaBlock(MambaConfig(d_model=12, n_layers=1, d_state=4)).selective_scan_seq
    decay, nothing = -torch.exp(mixer.A_log), torch.zeros(24, dtype=torch.float64)
    alone = torch.eye(KEYS, dtype=torch.float64)[:, :, None].expand(KEYS, KEYS, 24)
    share = [scan(row[None], steps, decay, writing, reading, nothing)[0, -1].mean() for row in alone]
    tensors = {name: tensor.float().numpy() for name, tensor in mixer.named_parameters()}
    output, weights = mixer(hidden)[0].numpy(), torch.stack(share).numpy()
    np.savez_compressed(
        FOLDER / "mamba_block.npz",
        hidden=hidden[0].float().numpy(),
        output=output,
        weights=weights,
        **tensors,
    )


def make() -> None:
    rope()
    alibi()
    retention()
    with torch.no_grad():
        selective_ssm()
        mamba_block()
