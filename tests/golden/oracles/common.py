"""What all oracles share: inputs that float32 holds exactly, and the files they are kept in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

FOLDER = Path(__file__).parents[1]
KEYS, WIDTH = 63, 64


def numbers(seed: int, *shape: int) -> torch.Tensor:
    """Normal numbers that float32 holds exactly, as float64."""
    drawn = np.random.RandomState(seed).standard_normal(shape).astype(np.float32)
    return torch.from_numpy(drawn.astype(np.float64))


def weights_by_sdpa(query: torch.Tensor, keys: torch.Tensor, scale: float | None = None) -> torch.Tensor:
    identity = torch.eye(len(keys), dtype=torch.float64)
    return functional.scaled_dot_product_attention(query[None], keys, identity, scale=scale)[0]


def save(name: str, query: torch.Tensor, keys: torch.Tensor, **expected: object) -> None:
    arrays = {key: np.asarray(value, np.float64) for key, value in expected.items()}
    inputs = {"query": query.numpy().astype(np.float32), "keys": keys.numpy().astype(np.float32)}
    np.savez_compressed(FOLDER / f"{name}.npz", **inputs, **arrays)
