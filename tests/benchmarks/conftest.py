"""The benchmarks are scripts of a checkout, not part of the package: their folder goes on the path."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))
