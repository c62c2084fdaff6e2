"""Functions of hyperbolic geometry: distances, and maps between ball, hyperboloid and tangent spaces.

Numbers are computed in double precision, whatever the arrays' type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ruattn_fdw.arrays import read_floats
from ruattn_fdw.declaration import Parameter
from ruattn_fdw.errors import OUT_OF_RANGE, AttentionError
from ruattn_fdw.functions.declaration import VECTOR, Argument, Function
from ruattn_fdw.kernels.arrays import MAX32
from ruattn_fdw.kernels.hyperbolic import maps
from ruattn_fdw.kernels.hyperbolic.space import positive_curvature
from ruattn_fdw.tables.shared import kernel_errors

CURVATURE = Argument("curvature", "double precision", "1.0")
_HELP = "vector, as long as the other"


def _function(
    name: str,
    help: str,
    vectors: tuple[str, ...],
    compute: Callable[..., Any],
    returns: str,
    curved: bool = True,
) -> Function:
    """A function of vectors of these names, all of one length, and of the curvature."""
    parameters = [Parameter(vector, "double precision[]", _HELP) for vector in vectors]

    def run(*values: Any) -> Any:
        points = [read_floats(p, value) for p, value in zip(parameters, values[: len(vectors)], strict=True)]
        _check_lengths(vectors, points)
        with kernel_errors():
            curvature = [positive_curvature(values[-1])] if curved else []
            return _within_real(name, compute(*points, *curvature))

    arguments = tuple(Argument(vector, VECTOR) for vector in vectors)
    return Function(name, help, arguments + (CURVATURE,) * curved, returns, run)


def _check_lengths(names: tuple[str, ...], points: list[np.ndarray]) -> None:
    if len(points) == 2 and len(points[0]) != len(points[1]):
        raise AttentionError(
            f"{names[0]} has {len(points[0])} dimensions, {names[1]} has {len(points[1])}",
            hint="Both vectors must be of one length.",
        )


def _within_real(name: str, result: float | np.ndarray) -> float | np.ndarray:
    if not np.all(np.abs(result) <= MAX32):
        raise AttentionError(
            f"the result of {name} overflows single precision: {float(np.max(np.abs(result))):g}",
            sqlstate=OUT_OF_RANGE,
            hint="Scale the vectors down.",
        )
    return result.astype(np.float32) if isinstance(result, np.ndarray) else result


FUNCTIONS = (
    _function(
        "ruvector_hyperbolic_distance",
        "The Poincare distance of two points of the ball of radius 1/sqrt(|curvature|).",
        ("a", "b"),
        maps.poincare_distance,
        "real",
    ),
    _function(
        "ruvector_poincare_distance",
        "The distance of two points of the Poincare ball of radius 1/sqrt(|curvature|).",
        ("a", "b"),
        maps.poincare_distance,
        "real",
    ),
    _function(
        "ruvector_lorentz_distance",
        "The distance along the hyperboloid of two points of it, first coordinate the time.",
        ("a", "b"),
        maps.lorentz_distance,
        "real",
    ),
    _function(
        "ruvector_mobius_add",
        "The Mobius sum of two points of the Poincare ball.",
        ("a", "b"),
        maps.mobius_add,
        "real[]",
    ),
    _function(
        "ruvector_exp_map",
        "The point of the Poincare ball that a tangent vector at base leads to.",
        ("base", "tangent"),
        maps.exp_map,
        "real[]",
    ),
    _function(
        "ruvector_log_map",
        "The tangent vector at base that leads to a point of the Poincare ball.",
        ("base", "point"),
        maps.log_map,
        "real[]",
    ),
    _function(
        "ruvector_poincare_to_lorentz",
        "The point of the hyperboloid, time first, of a point of the Poincare ball.",
        ("point",),
        maps.poincare_to_lorentz,
        "real[]",
    ),
    _function(
        "ruvector_lorentz_to_poincare",
        "The point of the Poincare ball of a point of the hyperboloid, first coordinate the time.",
        ("point",),
        maps.lorentz_to_poincare,
        "real[]",
    ),
    _function(
        "ruvector_minkowski_dot",
        "The Minkowski product of two vectors: that of their first coordinates counts as negative.",
        ("a", "b"),
        maps.minkowski_dot,
        "real",
        curved=False,
    ),
)
