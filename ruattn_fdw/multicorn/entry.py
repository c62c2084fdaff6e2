"""The class that the option `wrapper` of the server names."""

from __future__ import annotations

from ruattn_fdw.multicorn import environment

environment.settle()

from ruattn_fdw.multicorn.wrapper import AttentionFdw  # noqa: E402 - it imports numpy

__all__ = ["AttentionFdw"]
