"""Mechanisms that take any vectors and need nothing but vectors: what holds for all is tested on these."""

from __future__ import annotations

import scoring_twins
import twins
from ruattn_fdw.kernels.registry import find

TWINS = {**twins.TWINS, **scoring_twins.TWINS}
PLAIN = [find(name) for name in TWINS]
