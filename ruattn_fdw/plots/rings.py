"""Where the nodes of a graph are drawn: the query node in the middle, a ring for each hop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import cos, pi, sin

Edge = tuple[int, int, float | None]
"""Nearer node, further node, and the attention of the one to the other where it is known."""


def places(centre: int, hops: Mapping[int, int], edges: Sequence[Edge]) -> dict[int, tuple[float, float]]:
    """Points of the plane: ring h has radius h, and what hangs from a node has a sector of its own.

    A node hangs from the one a hop nearer that pays most to it, or from the middle.
    """
    children: dict[int, list[int]] = {}
    for node in sorted(hops, key=lambda node: hops[node]):
        if node != centre:
            children.setdefault(_parent(node, centre, hops, edges), []).append(node)
    found = {centre: (0.0, 0.0)}
    _spread(centre, 0.0, 2 * pi, children, hops, found)
    return found


def _parent(node: int, centre: int, hops: Mapping[int, int], edges: Sequence[Edge]) -> int:
    nearer = [
        (weight or 0, near) for near, far, weight in edges if far == node and hops[near] == hops[node] - 1
    ]
    return max(nearer)[1] if nearer else centre


def _spread(
    node: int,
    start: float,
    end: float,
    children: Mapping[int, Sequence[int]],
    hops: Mapping[int, int],
    found: dict[int, tuple[float, float]],
) -> None:
    """Share the sector among the children by the leaves that hang from them."""
    own = children.get(node, ())
    sizes = [_leaves(child, children) for child in own]
    share = (end - start) / max(sum(sizes), 1)
    for child, size in zip(own, sizes, strict=True):
        width = share * size
        angle = pi / 2 - (start + width / 2)
        found[child] = (hops[child] * cos(angle), hops[child] * sin(angle))
        _spread(child, start, start + width, children, hops, found)
        start += width


def _leaves(node: int, children: Mapping[int, Sequence[int]]) -> int:
    return sum(_leaves(child, children) for child in children.get(node, ())) or 1
