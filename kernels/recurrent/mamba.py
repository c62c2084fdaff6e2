"""A trained block of Mamba (Gu and Dao 2023), and the attention that is hidden in it (Ali et al. 2024).

Rows by their order are the block's inputs u_t. What x_t comes out of the convolution chooses the step D_t (of
each of E channels) and the vectors B_t, C_t (of N states each); then

    h_t = exp(D_t A) h_(t-1) + D_t B_t x_t,   y_t = <C_t, h_t> + D x_t,   o_t = (y_t SiLU(z_t)) W_out,

with one state h (N,) for each channel. A query is read in place of the row that it stands at: its vector
gives C, z and the term with D, while the states are those of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import F32, F64, Checkpoint, Floats, Rows, spans
from ..errors import InvalidShape
from ..keyset import KeySet
from ..positions import Positions
from ..problem import Problem
from ..trained import Tensors, check_axes, check_lengths
from ..weights import Weights, scattered, settled

REQUIRED = ("in_proj", "conv1d", "x_proj", "dt_proj", "A_log")
OPTIONAL = ("b_in_proj", "b_conv1d", "b_dt_proj", "D", "out_proj", "b_out_proj")

_AXES = {
    "in_proj": "in, 2 channels",
    "conv1d": "channels, length",
    "x_proj": "channels, rank + 2 states",
    "dt_proj": "rank, channels",
    "A_log": "channels, states",
    "out_proj": "channels, out",
    "b_in_proj": "2 channels",
    "b_conv1d": "channels",
    "b_dt_proj": "channels",
    "D": "channels",
    "b_out_proj": "out",
}
_AS_LONG = (
    (("b_in_proj", 0), ("in_proj", 1)),
    (("conv1d", 0), ("A_log", 0)),
    (("x_proj", 0), ("A_log", 0)),
    (("dt_proj", 1), ("A_log", 0)),
    (("out_proj", 0), ("A_log", 0)),
    (("b_conv1d", 0), ("A_log", 0)),
    (("b_dt_proj", 0), ("A_log", 0)),
    (("D", 0), ("A_log", 0)),
    (("b_out_proj", 0), ("out_proj", 1)),
)


class Block:
    """The weights of a block in float64. InvalidShape where they do not go together."""

    def __init__(self, tensors: Tensors) -> None:
        _check(tensors)
        wide = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
        self.decay = -np.exp(wide["A_log"])
        """A (E, N)."""
        self.channels, self.states = self.decay.shape
        self._in, self._in_bias = wide["in_proj"], wide.get("b_in_proj", np.zeros(2 * self.channels))
        self._filter, self._filter_bias = wide["conv1d"], wide.get("b_conv1d", np.zeros(self.channels))
        self.before = self._filter.shape[1] - 1
        """How many rows before a row the convolution reads."""
        self._choose, self._step = wide["x_proj"], wide["dt_proj"]
        self._step_bias = wide.get("b_dt_proj", np.zeros(self.channels))
        self._skip = wide.get("D", np.zeros(self.channels))
        self._out, self._out_bias = wide.get("out_proj"), wide.get("b_out_proj", 0.0)
        self.leaving = self.channels if self._out is None else self._out.shape[1]
        """The width of what leaves it."""

    def entering(self, vectors: Floats) -> tuple[F64, F64]:
        """What goes into the convolution and the gate, (b, E) each, of vectors (b, d), or InvalidShape."""
        if vectors.shape[1] != len(self._in):
            raise InvalidShape(
                f"vectors have {vectors.shape[1]} dimensions, in_proj takes {len(self._in)}",
                "Name a model that was trained on such vectors, or other vectors.",
            )
        both = vectors.astype(np.float64) @ self._in + self._in_bias
        return both[:, : self.channels], both[:, self.channels :]

    def convolved(self, windows: Sequence[F64]) -> F64:
        """x (b, E) of what entered at each row (b, E) of windows that end with the rows themselves."""
        total = sum(entered * taps for entered, taps in zip(windows, self._filter.T, strict=True))
        return _silu(total + self._filter_bias)

    def chosen(self, x: F64) -> tuple[F64, F64, F64]:
        """Steps D (b, E), B (b, N) and C (b, N) of x (b, E)."""
        ranks = len(self._step)
        found = x @ self._choose
        steps = np.logaddexp(0, found[:, :ranks] @ self._step + self._step_bias)
        return steps, found[:, ranks : ranks + self.states], found[:, ranks + self.states :]

    def output(self, read: F64, x: F64, gate: F64) -> F64:
        """What leaves the block (b, out), of what was read of the states (b, E)."""
        left = (read + self._skip * x) * _silu(gate)
        return left if self._out is None else left @ self._out + self._out_bias


def _check(tensors: Tensors) -> None:
    for name, axes in _AXES.items():
        check_axes(tensors, name, axes)
    channels, states = tensors["A_log"].shape
    ranks = len(tensors["dt_proj"])
    for name, wanted in {"in_proj": 2 * channels, "x_proj": ranks + 2 * states}.items():
        if tensors[name].shape[1] != wanted:
            raise InvalidShape(
                f"{name} has the shape {tensors[name].shape}, axis 2 must be {wanted} long",
                f"A_log has {channels} channels and {states} states, dt_proj the rank {ranks}.",
            )
    for first, second in _AS_LONG:
        check_lengths(tensors, first, second)


def _silu(x: F64) -> F64:
    # the form of x / (1 + exp(-x)) that cannot overflow
    return np.asarray(x * 0.5 * (1 + np.tanh(0.5 * x)))


@dataclass(frozen=True)
class _Rows:
    """Rows of a table by their order, in stretches of ranks."""

    block: Block
    keyset: KeySet
    by_rank: Rows

    def entering(self, start: int, stop: int) -> F64:
        """What entered the convolution at ranks start - before .. stop - 1, zeros before the first row."""
        first = max(0, start - self.block.before)
        found, _ = self.block.entering(self.keyset[self.by_rank[first:stop]])
        nothing = np.zeros((self.block.before - (start - first), self.block.channels))
        return np.concatenate([nothing, found])

    def inputs(self, entered: F64) -> F64:
        """x (b, E) of the stretch of rows that this entered for."""
        length = len(entered) - self.block.before
        return self.block.convolved([entered[i : i + length] for i in range(self.block.before + 1)])

    def asking(self, entered: F64, places: Rows, queries: Floats) -> tuple[F64, F64, F64]:
        """x (m, E), gate (m, E) and C (m, N) of queries (m, d) in place of the rows at these places."""
        own, gate = self.block.entering(queries)
        x = self.block.convolved([*(entered[places + i] for i in range(self.block.before)), own])
        return x, gate, self.block.chosen(x)[2]

    def stretches(self) -> list[slice]:
        """Ranks whose states and decays lie in the cache together."""
        return list(spans(len(self.by_rank), 8 * self.block.channels * self.block.states))


def weigh(problem: Problem, block: Block) -> Weights:
    """a_j = mean_e sum_n C_n exp(A_en (D_(j+1) + ... + D_T)_e) B_jn D_je over rows j up to the query's, T.

    They are the logits too.
    """
    order = problem.order
    rows = _Rows(block, problem.keyset, np.argsort(order.ranks)[: order.query_rank + 1])
    found = np.zeros((1, len(rows.by_rank)))
    if len(rows.by_rank):
        entered = rows.entering(order.query_rank, order.query_rank + 1)
        _, _, [reading] = rows.asking(entered, np.zeros(1, np.intp), problem.query.reshape(1, -1))
        passed = np.zeros(block.channels)
        for span in reversed(rows.stretches()):
            steps, writing, _ = block.chosen(rows.inputs(rows.entering(span.start, span.stop)))
            # backwards from the query: a difference of sums from the start would lose small steps
            after = _after(steps) + passed
            left = np.exp(block.decay * after[:, :, None])
            found[0, span] = (np.matmul(left, (reading * writing)[:, :, None])[:, :, 0] * steps).mean(axis=1)
            passed = after[0] + steps[0]
            problem.checkpoint()
    return scattered(settled(found, found), rows.by_rank, len(problem.keyset))


def _after(steps: F64) -> F64:
    """The sum (b, E) of the steps (b, E) of the rows after each."""
    after = np.zeros_like(steps)
    after[-2::-1] = np.cumsum(steps[:0:-1], axis=0)
    return after


def outputs(
    block: Block, queries: F32, keyset: KeySet, positions: Sequence[Positions], checkpoint: Checkpoint
) -> F64:
    """What leaves the block (m, out) for queries (m, d) at these positions among the keys (n, d).

    Nothing, so 0, for queries that stand before all keys.
    """
    ranks = np.array([place.query_rank for place in positions], np.intp)
    rows = _Rows(block, keyset, np.argsort(positions[0].ranks)[: ranks.max() + 1])
    by_rank = np.argsort(ranks, kind="stable")
    found, state = np.zeros((len(queries), block.leaving)), np.zeros_like(block.decay)
    for span in rows.stretches():
        entered = rows.entering(span.start, span.stop)
        states = _states(block, rows.inputs(entered), state)
        state = states[-1]
        first, last = np.searchsorted(ranks[by_rank], (span.start, span.stop))
        for part in spans(last - first, state.nbytes):
            asking = by_rank[first:last][part]
            places = ranks[asking] - span.start
            x, gate, reading = rows.asking(entered, places, queries[asking])
            read = np.matmul(states[places], reading[:, :, None])[:, :, 0]
            found[asking] = block.output(read, x, gate)
            checkpoint()
        checkpoint()
    return found


def _states(block: Block, x: F64, state: F64) -> F64:
    """The states (b, E, N) after rows of x (b, E), from the one (E, N) before them."""
    steps, writing, _ = block.chosen(x)
    decays = np.exp(block.decay * steps[:, :, None])
    states: F64 = (steps * x)[:, :, None] * writing[:, None]
    for row, decay in enumerate(decays):
        states[row] += decay * state
        state = states[row]
    return states
