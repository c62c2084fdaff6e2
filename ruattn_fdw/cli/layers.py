"""Layers of models in safetensors files: how they name weights, and the tensors of a set made of these."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from ruattn_fdw.kernels.registry import MECHANISMS
from ruattn_fdw.server.errors import ServerError

Arrays = Mapping[str, np.ndarray]
BASES = ("", "attention.", "self_attn.", "self_attention.", "attn.", "mixer.")
"""What may stand between the prefix and the names of a layout."""
SHOWN = 12


@dataclass(frozen=True)
class Layout:
    """names: what each tensor is called below the prefix. All but the first may be missing.

    make: those that a file has, as the set holds them: vectors are rows, multiplied from the left. foreign:
    what some layers have besides, which cannot be left out.
    """

    names: Mapping[str, str]
    make: Callable[[Arrays], Arrays]
    foreign: tuple[str, ...] = ()


def transposed(found: Arrays) -> Arrays:
    """Linear layers keep (out, in)."""
    return {name: array.T if array.ndim == 2 else array for name, array in found.items()}


def unstacked(found: Arrays) -> Arrays:
    """A layer that keeps query, key and value in one matrix (3 out, in)."""
    return side_by_side(transposed(found))


def side_by_side(found: Arrays) -> Arrays:
    """The same in a matrix (in, 3 out)."""
    tensors = dict(found)
    for kind in ("W", "b"):
        if (joined := tensors.pop(f"{kind}_qkv", None)) is not None:
            parts = np.split(joined, 3, axis=-1)
            tensors |= {f"{kind}_{role}": part for role, part in zip("qkv", parts, strict=True)}
    return tensors


def state_space(found: Arrays) -> Arrays:
    """A block of Mamba, whose convolution keeps (channels, 1, length)."""
    kept = ("A_log", "conv1d")
    tensors = {name: array if name in kept else array.T for name, array in found.items()}
    if "conv1d" in found:
        channels, _, length = found["conv1d"].shape
        tensors["conv1d"] = found["conv1d"].reshape(channels, length)
    return tensors


def by_heads(found: Arrays) -> Arrays:
    """Graph attention as PyTorch Geometric keeps it: vectors (1, H, F'), matrices (H F', in)."""
    tensors = dict(found)
    vectors = [name for name in found if name.startswith("a")]
    for name in vectors:
        _, heads, width = found[name].shape
        tensors[name] = found[name].reshape(heads, width)
    for name in found:
        if name.startswith("W"):
            width = found[name].shape[1]
            tensors[name] = found[name].T.reshape(width, *tensors[vectors[0]].shape)
    return tensors


def as_they_are(found: Arrays) -> Arrays:
    """Tensors under our own names."""
    return found


def linear(query: str, key: str, value: str, output: str) -> Layout:
    """A layout of four linear layers of these names."""
    layers = dict(zip("qkvo", (query, key, value, output), strict=True))
    names = {f"W_{role}": f"{layer}.weight" for role, layer in layers.items()}
    return Layout(names | {f"b_{role}": f"{layer}.bias" for role, layer in layers.items()}, transposed)


def joint(joined: str, output: str, between: str, make: Callable[[Arrays], Arrays]) -> Layout:
    """A layout of one layer for query, key and value, and one for the output."""
    names = {"W_qkv": f"{joined}{between}weight", "b_qkv": f"{joined}{between}bias"}
    return Layout(names | {"W_o": f"{output}.weight", "b_o": f"{output}.bias"}, make)


OWN = {name: name for mechanism in MECHANISMS if mechanism.training for name in mechanism.training.tensors}
GRAPH = {"W_e": "lin_edge.weight", "b_o": "bias"}
STATIC = {"a_src": "att_src", "a_dst": "att_dst", "a_e": "att_edge", **GRAPH}
MAMBA = {
    "A_log": "A_log",
    "D": "D",
    **{name: f"{name}.weight" for name in ("in_proj", "conv1d", "x_proj", "dt_proj", "out_proj")},
    **{f"b_{name}": f"{name}.bias" for name in ("in_proj", "conv1d", "dt_proj", "out_proj")},
}
NORMS = ("dt_layernorm.weight", "b_layernorm.weight", "c_layernorm.weight")
LAYOUTS = (
    linear("self.query", "self.key", "self.value", "output.dense"),
    linear("q_proj", "k_proj", "v_proj", "out_proj"),
    linear("q_proj", "k_proj", "v_proj", "o_proj"),
    linear("q_lin", "k_lin", "v_lin", "out_lin"),
    linear("attention.query", "attention.key", "attention.value", "output.dense"),
    joint("in_proj", "out_proj", "_", unstacked),
    joint("qkv", "proj", ".", unstacked),
    joint("c_attn", "c_proj", ".", side_by_side),
    Layout({"W": "lin.weight", **STATIC}, by_heads),
    Layout({"W": "lin_src.weight", **STATIC}, by_heads),
    Layout(
        {
            "W_l": "lin_l.weight",
            "W_r": "lin_r.weight",
            "b_l": "lin_l.bias",
            "b_r": "lin_r.bias",
            "a": "att",
            **GRAPH,
        },
        by_heads,
    ),
    Layout(MAMBA, state_space, NORMS),
    *(Layout({first: first, **OWN}, as_they_are) for first in OWN),
)


def read_layer(path: Path, prefix: str) -> Arrays:
    """The tensors of the layer below a prefix, float32; ServerError where there is none that is known."""
    try:
        with safe_open(path, framework="np") as file:
            names = list(file.keys())
            below = {name[len(prefix) :].lstrip("."): name for name in names if _is_below(name, prefix)}
            layout, found = _recognised(below)
            if not found:
                raise _unknown(prefix, names)
            if more := [name for name in below if name.endswith(layout.foreign)]:
                raise ServerError(f"{path}: layers with {more[0]} are not known, others of their kind are")
            tensors = {tensor: _read(file, path, name) for tensor, name in found.items()}
            return _made(layout, tensors, found, path)
    except (OSError, SafetensorError) as error:
        raise ServerError(f"{path} cannot be read as a safetensors file: {error}") from error


def _made(layout: Layout, tensors: Arrays, names: Mapping[str, str], path: Path) -> Arrays:
    """The tensors of a set; ServerError where shapes are not those that such layers have."""
    try:
        made = layout.make(tensors)
    except (ValueError, IndexError) as error:
        shapes = ", ".join(f"{names[tensor]} {array.shape}" for tensor, array in tensors.items())
        raise ServerError(f"{path}: the shapes are not those of a layer: {shapes}") from error
    return {tensor: np.ascontiguousarray(array) for tensor, array in made.items()}


def _is_below(name: str, prefix: str) -> bool:
    return name.startswith(prefix if not prefix or prefix.endswith(".") else f"{prefix}.")


def _recognised(below: Mapping[str, str]) -> tuple[Layout, dict[str, str]]:
    """The layout that has most of its tensors there, and the names of these in the file."""
    best: tuple[Layout, dict[str, str]] = (LAYOUTS[0], {})
    for layout in LAYOUTS:
        for base in BASES:
            found = {t: below[base + name] for t, name in layout.names.items() if base + name in below}
            if next(iter(layout.names)) in found and len(found) > len(best[1]):
                best = layout, found
    return best


def _unknown(prefix: str, names: Sequence[str]) -> ServerError:
    """The error for a prefix below which no layer is known, with those where there is one."""
    firsts = [f".{next(iter(layout.names.values()))}" for layout in LAYOUTS]
    known = dict.fromkeys(n.removesuffix(end) for n in names for end in firsts if n.endswith(end))
    listing = ", ".join(list(known)[:SHOWN] or ["none"]) + (", ..." if len(known) > SHOWN else "")
    where = f'below "{prefix}"' if prefix else "at the top of the file"
    return ServerError(
        f"there is no attention layer {where}; prefixes of the layers that are known: {listing}"
    )


def _read(file: Any, path: Path, name: str) -> np.ndarray:
    kind = file.get_slice(name).get_dtype()
    if kind not in ("F16", "F32", "F64", "BF16"):
        raise ServerError(f"{path}: {name} holds {kind}, weights are F16, BF16, F32 or F64")
    array: np.ndarray = _bfloats(path, name) if kind == "BF16" else file.get_tensor(name)
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise ServerError(f"{path}: {name} holds NaN or infinity")
    return array


def _bfloats(path: Path, name: str) -> np.ndarray:
    """A tensor of what numpy has no type for, the upper halves of float32, in a file that was checked."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(size))[name]
        start, end = entry["data_offsets"]
        file.seek(8 + size + start)
        halves = np.frombuffer(file.read(end - start), "<u2")
    numbers: np.ndarray = (halves.astype(np.uint32) << 16).view(np.float32).reshape(entry["shape"])
    return numbers
