"""Hyperbolic attention by geoopt."""

from __future__ import annotations

import math
from collections.abc import Callable

import geoopt
import torch
from torch.nn import functional

from .common import KEYS, numbers, save


def make() -> None:
    c = 0.7

    def ball() -> geoopt.PoincareBall:
        return geoopt.PoincareBall(c=torch.tensor(c, dtype=torch.float64))

    sheet = geoopt.Lorentz(k=torch.tensor(1 / c, dtype=torch.float64))
    query, keys, values = numbers(8, 12), numbers(9, KEYS, 12), numbers(10, KEYS, 12)
    points = (
        (0.9 / math.sqrt(c) * functional.normalize(torch.cat([query[None], keys]), dim=1)).float().double()
    )
    points *= torch.linspace(0.5, 1, len(points), dtype=torch.float64).float().double()[:, None]
    points = points.float().double()
    save_poincare(ball, points[0], points[1:], points[1:].flip(0), c)

    space = torch.cat([query[None], keys, values])
    on_sheet = torch.cat([(1 / c + (space**2).sum(1, keepdim=True)).sqrt(), space], dim=1)
    squared = -2 / c - 2 * geoopt.manifolds.lorentz.math.inner(on_sheet[:1], on_sheet[1 : KEYS + 1])
    lorentz = torch.softmax(-squared / math.sqrt(12), dim=0)
    save(
        "lorentz",
        query,
        keys,
        values=values,
        curvature=c,
        squared=squared,
        weights=lorentz,
        geodesic=sheet.dist(on_sheet[:1], on_sheet[1 : KEYS + 1]),
        output=midpoint(ball(), on_sheet[KEYS + 1 :], lorentz, c),
    )

    lifted = sheet.expmap0(torch.cat([torch.zeros(len(space), 1, dtype=torch.float64), space], dim=1))
    distance = sheet.dist(lifted[:1], lifted[1 : KEYS + 1])
    weights = torch.softmax(-distance, dim=0)
    output = midpoint(ball(), lifted[KEYS + 1 :], weights, c)
    length = output.norm()
    output = output / length * torch.asinh(math.sqrt(c) * length) / math.sqrt(c)
    save(
        "hyperbolic",
        query,
        keys,
        values=values,
        curvature=c,
        distance=distance,
        weights=weights,
        output=output,
    )


def save_poincare(
    ball: Callable[[], geoopt.PoincareBall],
    query: torch.Tensor,
    keys: torch.Tensor,
    others: torch.Tensor,
    c: float,
) -> None:
    distance = ball().dist(query, keys)
    weights = torch.softmax(-distance, dim=0)
    tangents = others * 0.3
    save(
        "poincare",
        query,
        keys,
        others=others,
        curvature=c,
        distance=distance,
        weights=weights,
        output=ball().weighted_midpoint(keys, weights),
        sums=ball().mobius_add(keys, others),
        moved=ball().expmap(keys * 0.5, tangents),
        logarithms=ball().logmap(keys, others),
    )


def midpoint(
    ball: geoopt.PoincareBall, points: torch.Tensor, weights: torch.Tensor, c: float
) -> torch.Tensor:
    """Space coordinates of the midpoint of hyperboloid points, which geoopt has on the ball only."""
    in_ball = points[:, 1:] / (1 + math.sqrt(c) * points[:, :1])
    found = ball.weighted_midpoint(in_ball, weights)
    return 2 * found / (1 - c * (found**2).sum())
