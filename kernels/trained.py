"""Learned weights: which tensors of a set a mechanism takes, and what it is with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .arrays import F32
from .errors import InvalidOption, InvalidShape
from .options import Option

if TYPE_CHECKING:
    from .mechanism import Mechanism

Tensors = Mapping[str, F32]
"""Tensors of a set by their names. Vectors are rows: they are multiplied from the left."""


@dataclass(frozen=True)
class Training:
    """The tensors that a mechanism needs, those that it also takes, and what makes it the trained one.

    bind: the mechanism and those of the tensors that a set has, the required ones among them.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    bind: Callable[[Mechanism, Tensors], Mechanism]

    @property
    def tensors(self) -> tuple[str, ...]:
        """All that it takes."""
        return self.required + self.optional


def trained(mechanism: Mechanism, tensors: Tensors) -> Mechanism:
    """The mechanism with the weights of a set, of which it takes what it knows.

    InvalidOption where the set is not for it, InvalidShape where tensors do not go together.
    """
    training = mechanism.training
    if training is None:
        raise InvalidOption(f"{mechanism.name} takes no weights")
    taken = {name: tensors[name] for name in training.tensors if name in tensors}
    require(mechanism, tensors, training.required)
    if not taken:
        raise InvalidOption(
            f"{mechanism.name} takes none of the tensors {', '.join(sorted(tensors))}",
            f"A set for it has one or more of {', '.join(training.tensors)}.",
        )
    used = f"user ({', '.join(taken)})"
    return replace(training.bind(mechanism, taken), weights=lambda options: used, remark=None)


def require(mechanism: Mechanism, tensors: Tensors, required: Sequence[str]) -> None:
    """Raise InvalidOption unless a set has all of the tensors required."""
    missing = [name for name in required if name not in tensors]
    if missing:
        raise InvalidOption(
            f"{mechanism.name} needs {', '.join(missing)}, the tensors are {', '.join(sorted(tensors))}",
            f"A set for it has {', '.join(required)}.",
        )


def without(mechanism: Mechanism, *names: str) -> tuple[Option, ...]:
    """The options of the mechanism less those that weights make pointless."""
    return tuple(option for option in mechanism.parameters if option.name not in names)


def check_axes(tensors: Tensors, name: str, axes: str) -> None:
    """Raise InvalidShape unless the tensor, if there is one, has as many axes as are named."""
    count = axes.count(",") + 1
    if name in tensors and tensors[name].ndim != count:
        raise InvalidShape(
            f"{name} has the shape {tensors[name].shape}, it must be ({axes})",
            "Store the set anew, in that shape.",
        )


def check_lengths(
    tensors: Tensors, first: tuple[str, int], second: tuple[str, int], times: bool = False
) -> None:
    """Raise InvalidShape unless axes, each (name of the tensor, axis), are equally long.

    times: the first may be a multiple of the second. A tensor that the set has not is not looked at.
    """
    if first[0] not in tensors or second[0] not in tensors:
        return
    a, b = (tensors[name].shape for name, _ in (first, second))
    long, short = a[first[1]], b[second[1]]
    if long != short and not (times and long % short == 0):
        raise InvalidShape(
            f"{first[0]} has the shape {a}, {second[0]} {b}",
            f"Axis {first[1] + 1} of {first[0]} must be as long as axis {second[1] + 1} of {second[0]}.",
        )
