"""The plan's five kernels: one query, its keys and values in an AttentionCache, on one thread.

Beside them plain numpy on the same arrays, and the original engine (npm @ruvector/attention), timed inside
node. Memory in the names: what the cache keeps (its arrays), and the most that one call takes besides
(tracemalloc, which sees numpy's arrays and those of the loops in C).
"""

from __future__ import annotations

import atexit
import json
import shutil
import statistics
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from bench_server import Server
from ruattn_fdw.kernels.attention_cache import AttentionCache
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.graph.gat import weights_of
from ruattn_fdw.kernels.registry import find
from threadpoolctl import threadpool_limits
from workload import Contender, Workload

WIDTH, CALLS, SECONDS = 512, 100, 0.05
PACKAGE = "@ruvector/attention@2.2.2"
SCRIPT = Path(__file__).parents[1] / "peers" / "kernels.mjs"


@dataclass
class Case:
    """One of the five. plain: what computes it in numpy; same: whether the original engine computes it."""

    name: str
    keys: int
    heads: int
    goal: str
    plain: Callable[[Case, np.dtype[Any]], Callable[[], np.ndarray]]
    same: bool
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        random = np.random.RandomState(self.keys)
        shapes = (WIDTH,), (self.keys, WIDTH), (self.keys, WIDTH)
        arrays = (0.5 * random.standard_normal(shape) for shape in shapes)
        self.query, self.key_rows, self.values = (array.astype(np.float32) for array in arrays)
        self.settings = Settings(find(self.name), WIDTH, self.heads, options=self.options)
        self.cache = AttentionCache(self.settings, self.key_rows, self.values)

    @property
    def title(self) -> str:
        """Its name with its size."""
        return f"{self.name}, {self.keys} keys x {self.heads} head{'s' if self.heads > 1 else ''}"

    def arrays(self, dtype: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Query (d,), keys (n, d) and values (n, d)."""
        return self.query.astype(dtype), self.key_rows.astype(dtype), self.values.astype(dtype)

    def memory(self) -> str:
        """What the cache keeps and what a call takes besides."""
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        self.cache.output(self.query)
        peak = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
        return f"keeps {self.cache.nbytes / 2**20:.2f} MiB, {peak / 2**10:.0f} KiB a call"


def softmax(logits: np.ndarray) -> np.ndarray:
    """Weights along the last axis."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def summed(weights: np.ndarray, by_head: np.ndarray) -> np.ndarray:
    """The output (d,) of weights (H, n) and values (H, n, w)."""
    return np.matmul(weights[:, None], by_head).reshape(-1)


def by_heads(rows: np.ndarray, heads: int) -> np.ndarray:
    """A view (H, n, w) of rows (n, d)."""
    return rows.reshape(len(rows), heads, -1).transpose(1, 0, 2)


def plain_dot(case: Case, dtype: Any) -> Callable[[], np.ndarray]:
    """Softmax of scaled dot products, head by head."""
    query, keys, values = case.arrays(dtype)
    slices, by_head = by_heads(keys, case.heads), by_heads(values, case.heads)
    asked = query.reshape(case.heads, -1, 1) / np.sqrt(dtype(WIDTH // case.heads))
    return lambda: summed(softmax(np.matmul(slices, asked)[:, :, 0]), by_head)


def plain_linear(case: Case, dtype: Any) -> Callable[[], np.ndarray]:
    """Products of elu + 1 over all keys, whose features are kept."""
    query, keys, values = case.arrays(dtype)
    features, by_head = by_heads(_elu_plus_1(keys), case.heads), by_heads(values, case.heads)

    def run() -> np.ndarray:
        kernels = np.matmul(features, _elu_plus_1(query).reshape(case.heads, -1, 1))[:, :, 0]
        return summed(kernels / kernels.sum(axis=1, keepdims=True), by_head)

    return run


def _elu_plus_1(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.exp(np.minimum(x, 0))


def plain_gat(case: Case, dtype: Any) -> Callable[[], np.ndarray]:
    """The layer's own formula, the neighbours' projections kept."""
    query, keys, values = case.arrays(dtype)
    weights = weights_of(WIDTH, case.heads, case.settings.options)
    projection = weights.projection.astype(dtype)
    source = np.einsum("nd,dhf,hf->hn", keys, projection, weights.source.astype(dtype), optimize=True)
    target, by_head = weights.target.astype(dtype), by_heads(values, case.heads)

    def run() -> np.ndarray:
        centre = (query @ projection.reshape(WIDTH, -1)).reshape(case.heads, -1)
        sums = source + (centre * target).sum(axis=1, keepdims=True)
        return summed(softmax(np.where(sums > 0, sums, dtype(0.2) * sums)), by_head)

    return run


def plain_moe(case: Case, dtype: Any) -> Callable[[], np.ndarray]:
    """The gate's two experts over their own keys, each expert's rows kept side by side."""
    query, keys, values = case.arrays(dtype)
    make = case.settings.mechanism.experts
    assert make is not None
    experts = make(case.key_rows, case.settings.options, lambda: None)
    owned = [np.flatnonzero(experts.owner == expert) for expert in range(experts.owner.max() + 1)]
    own = [(by_heads(keys[rows], case.heads), by_heads(values[rows], case.heads)) for rows in owned]
    gate, asked = experts.gate.astype(dtype), query.reshape(case.heads, -1, 1) / np.sqrt(dtype(64))

    def run() -> np.ndarray:
        logits = gate @ query
        chosen = np.argsort(-logits)[:2]
        outputs = [
            summed(softmax(np.matmul(own[expert][0], asked)[:, :, 0]), own[expert][1]) for expert in chosen
        ]
        return softmax(logits[chosen]) @ np.array(outputs)

    return run


class Original:
    """The original engine in a node that stays for the run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._node = subprocess.Popen(
            ["node", str(SCRIPT), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        atexit.register(self._node.kill)

    def ask(self, case: Case, seconds: float = SECONDS) -> dict[str, Any]:
        """Median milliseconds of a call, and the output."""
        path = self._folder / f"{case.name}.f32"
        if not path.exists():
            rows = np.concatenate([case.query[None], case.key_rows, case.values])
            path.write_bytes(rows.tobytes())
        size = {"heads": case.heads, "n": case.keys}
        asked = {"name": case.name, **size, "seconds": seconds, "path": str(path)}
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.write(json.dumps(asked) + "\n")
        self._node.stdin.flush()
        answer: dict[str, Any] = json.loads(self._node.stdout.readline())
        return answer


def original_engine() -> Original | None:
    """The engine in a temporary folder; None, and a line that says so, where there is no node or npm."""
    if not (shutil.which("node") and shutil.which("npm")):
        print("NOT MEASURED: the original engine, npm @ruvector/attention: there is no node or no npm")
        return None
    folder = Path(tempfile.mkdtemp(prefix="ruattn-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    command = ["npm", "install", "--silent", "--prefix", str(folder), PACKAGE]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        why = installed.stderr[-200:]
        print(f"NOT MEASURED: the original engine, npm could not install {PACKAGE}: {why}")
        return None
    return Original(folder)


def per_call(run: Callable[[], object]) -> float:
    """The median milliseconds of a call, on one thread."""
    spent = []
    with threadpool_limits(1):
        for _ in range(CALLS):
            start = time.perf_counter()
            run()
            spent.append(time.perf_counter() - start)
    return statistics.median(spent) * 1000


def contenders(case: Case, original: Original | None) -> list[Contender]:
    """Ours, plain numpy, and the original engine, to which the ratios are."""
    theirs = f"{case.title}: the original engine" + ("" if case.same else ", a function of its own")
    ours, numpy = f"{case.title}: AttentionCache, {case.memory()}", f"{case.title}: plain numpy"
    base, plain = theirs if original else numpy, case.plain(case, np.float32)
    found = [
        Contender(ours, lambda: per_call(lambda: case.cache.output(case.query)), base=base, goal=case.goal),
        Contender(numpy, lambda: per_call(plain), base=base),
    ]
    if original:
        found.append(Contender(theirs, lambda: float(original.ask(case)["milliseconds"]), base=base))
    return found


def kernels(running: Server) -> Workload:
    """Of the five, the original engine computes the same function for scaled_dot and flash_v2 only."""
    cases = [
        Case("scaled_dot", 512, 8, "0.045 ms, ratio <= 0.1", plain_dot, same=True),
        Case("flash_v2", 512, 1, "0.038 ms, ratio <= 0.1", plain_dot, same=True),
        Case("linear", 4096, 8, "0.120 ms, ratio <= 0.1", plain_linear, same=False),
        Case("gat", 1000, 4, "0.085 ms, ratio <= 0.1", plain_gat, same=False, options={"init": "seeded"}),
        Case("moe", 512, 8, "0.095 ms, ratio <= 0.1", plain_moe, same=False),
    ]
    original = original_engine()

    def check() -> None:
        for case in cases:
            found, wanted = case.cache.output(case.query), case.plain(case, np.float64)()
            apart = np.abs(found - wanted).max() / np.abs(wanted).max()
            assert apart <= 1e-5, f"{case.title} is {apart:.1e} off its float64 twin"
            if original and case.same:
                theirs = np.array(original.ask(case, 0)["output"])
                apart = np.abs(theirs - wanted).max() / np.abs(wanted).max()
                assert apart <= 1e-4, f"{case.title}: the original engine's answer is {apart:.1e} away"

    return Workload(
        f"one query, {WIDTH} dimensions, one thread",
        [contender for case in cases for contender in contenders(case, original)],
        rounds=9,
        check=check,
    )
