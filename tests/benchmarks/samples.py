"""Workloads that take no time."""

from __future__ import annotations

from workload import LIMIT, OURS, Contender, Workload


def of(milliseconds: float) -> Contender:
    """A contender that always takes so long."""
    return Contender(f"takes {milliseconds:g}", lambda: milliseconds)


def small(wrong: str = "") -> Workload:
    """Ours takes 6 ms, a peer 24, the limit 2; wrong: what its check says."""

    def check() -> None:
        assert not wrong, wrong

    contenders = [
        Contender("ours", lambda: 6.0, base="limit", goal="ratio <= 4", kind=OURS, recall=1.0),
        Contender("peer", lambda: 24.0, base="limit", recall=0.9),
        Contender("limit", lambda: 2.0, base="limit", kind=LIMIT),
    ]
    return Workload("small", contenders, rounds=3, check=check, rival="peer", notes=["NOT MEASURED: other"])
