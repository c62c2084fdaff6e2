"""The original engine, npm @ruvector/attention, in a node process of its own."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from workload import Contender

PACKAGE = "@ruvector/attention@^2.2.2"
SCRIPT = Path(__file__).with_suffix(".mjs")


def installed() -> Path:
    """A temporary folder with the package in it; OSError where node or npm do not answer."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise OSError(f"there is no {program}")
    folder = Path(tempfile.mkdtemp(prefix="ruattn-npm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", PACKAGE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"npm could not install {PACKAGE}: {done.stderr.strip().splitlines()[-1:]}")
    return folder


def original_engine(matrix: np.ndarray, heads: int, base: str) -> list[Contender]:
    """Multi-head attention over all rows, keys and values the same; milliseconds are node's own."""
    folder = installed()
    file = folder / "rows.f32"
    matrix.astype(np.float32).tofile(file)
    command = ["node", str(SCRIPT), str(folder), str(file), str(matrix.shape[1]), str(heads)]
    node = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(node.kill)
    assert node.stdin is not None
    assert node.stdout is not None
    if node.stdout.readline().strip() != "ready":
        raise OSError(f"{PACKAGE} does not start in node")

    def run() -> float:
        assert node.stdin is not None
        assert node.stdout is not None
        print(0, file=node.stdin, flush=True)
        return float(node.stdout.readline())

    return [Contender(f"npm @ruvector/attention, {heads} heads, output only", run, base=base)]
