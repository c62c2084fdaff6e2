"""What learned weights of graph attention have in common: their axes, and how vectors go through them."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InvalidShape
from ..options import Interval, Option
from ..projections import Affine
from ..trained import Tensors, check_axes, check_lengths

NEGATIVE_SLOPE = Option("negative_slope", float, 0.2, Interval(0, 1), "Slope of LeakyReLU below 0.")


def check_heads(tensors: Tensors, matrices: Sequence[str], vectors: Sequence[str]) -> None:
    """Raise InvalidShape unless matrices (in, H, F') and vectors (H, F') have the same heads.

    Biases b_l and b_r, and b_o of the output, have the length H F' of all heads side by side.
    """
    first = matrices[0]
    for name in matrices:
        check_axes(tensors, name, "in, heads, out")
        check_lengths(tensors, (name, 1), (first, 1))
        check_lengths(tensors, (name, 2), (first, 2))
    for name in vectors:
        check_axes(tensors, name, "heads, out")
        check_lengths(tensors, (name, 0), (first, 1))
        check_lengths(tensors, (name, 1), (first, 2))
    _, heads, width = tensors[first].shape
    for name in ("b_l", "b_r", "b_o"):
        if name in tensors and tensors[name].shape != (heads * width,):
            raise InvalidShape(
                f"{name} has the shape {tensors[name].shape}, {first} {tensors[first].shape}",
                "A bias has a number for each dimension of each head.",
            )


def joined(tensors: Tensors, matrix: str, bias: str) -> Affine:
    """x -> x W + b with the heads side by side: (n, d) -> (n, H F')."""
    weight = tensors[matrix]
    return Affine(matrix, weight.reshape(len(weight), -1), tensors.get(bias))


def output_of(tensors: Tensors) -> Affine | None:
    """What is added to the output."""
    return Affine("b_o", None, tensors["b_o"]) if "b_o" in tensors else None


def check_inputs(dimensions: int, matrix: str, tensors: Tensors) -> None:
    """Raise InvalidShape unless features have as many dimensions as the weights take."""
    wanted = len(tensors[matrix])
    if dimensions != wanted:
        raise InvalidShape(
            f"features have {dimensions} dimensions, {matrix} of the model takes {wanted}",
            "Name a model that was trained on such features, or other features.",
        )
