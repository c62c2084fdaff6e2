"""FAVOR+: the softmax kernel by positive random features (Choromanski et al. 2021, Performer).

<q, k> / (sqrt(d) temperature) = <q', k'> with x' = x / (d^(1/4) sqrt(temperature)), and the kernel's
features are phi_i(x) = exp(<w_i, x'> - ||x'||^2 / 2) / sqrt(m). Their product is exp(<q', k'>) in the mean
over the draws of w.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..arrays import EPS32, F64, Floats, by_heads
from ..errors import InvalidOption
from ..mechanism import Features, Mechanism
from ..options import Interval, Option
from ..problem import Options
from ..projections import LAYER

MOST = 2**24
"""Numbers of all directions together."""


class PerformerScorer:
    """Logits ln <phi(query slice), phi(key slice)>, taken in logarithms so that no feature can overflow."""

    def __init__(self, query: F64, temperature: float, options: Options, dtype: type) -> None:
        """query (H, d/H); dtype: that of the keys to come."""
        self._directions: Floats = drawn(query.shape[1], options).astype(dtype)
        self._scale = _scale(query.shape[1], temperature)
        scaled = query * self._scale
        logs = scaled @ drawn(query.shape[1], options).T - (scaled * scaled).sum(axis=1, keepdims=True) / 2
        self._logs: Floats = (logs - np.log(len(self._directions))).astype(dtype)
        self._size = float(np.abs(logs).max())
        self._longest = float(np.sqrt((self._directions.astype(np.float64) ** 2).sum(axis=1)).max())

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        scaled = by_heads(keys, len(self._logs)) * keys.dtype.type(self._scale)
        if keys.dtype == np.float32:
            exponents = scaled @ self._directions.T
        else:
            exponents = np.einsum(
                "nhw,mw->nhm", scaled, self._directions
            )  # each row alone: equal rows stay equal
        exponents += self._logs
        largest = exponents.max(axis=2)
        exponents -= largest[:, :, None]
        np.exp(exponents, out=exponents)
        halves = np.einsum("nhw,nhw->nh", scaled, scaled) / 2
        out[:] = (largest + np.log(exponents.sum(axis=2)) - halves).T

    def rounding(self, keys: Floats) -> Floats:
        """Of products with directions no longer than the longest, of exponents by size, and of a sum of m."""
        lengths = np.sqrt(np.einsum("nd,nd->n", keys, keys)).astype(np.float64) * self._scale
        terms, m = keys.shape[1] + 16, len(self._directions)
        products = terms * lengths * (self._longest + lengths)
        return np.asarray(EPS32 * (products + 4 * self._size + m + 32), np.float32)


def _scale(width: int, temperature: float) -> float:
    return float(width**-0.25 / np.sqrt(temperature))


def drawn(width: int, options: Options) -> F64:
    """The directions w (m, width); InvalidOption where they are too many to be made orthogonal in seconds."""
    features = int(options["features"])
    if features * width > MOST:
        raise InvalidOption(
            f"{features} features of {width} dimensions are {features * width} numbers, "
            f"at most {MOST} are drawn",
            "Take fewer features, or more heads.",
        )
    return _drawn(width, features, int(options["seed"]))


@lru_cache(maxsize=4)
def _drawn(width: int, features: int, seed: int) -> F64:
    """Normal vectors (m, width), in blocks of orthogonal ones, which spread better than independent ones."""
    random = np.random.RandomState(seed)
    blocks = []
    for first in range(0, features, width):
        count = min(width, features - first)
        orthogonal, upper = np.linalg.qr(random.standard_normal((width, count)))
        # a factorisation has signs of its own choice; those of a positive diagonal favour no direction
        directions = (orthogonal * np.where(np.diag(upper) < 0, -1, 1)).T
        lengths = np.linalg.norm(random.standard_normal((count, width)), axis=1)
        blocks.append(directions * lengths[:, None])
    return np.concatenate(blocks)


def _features(slices: Floats, temperature: float, options: Options) -> Floats:
    """phi (..., m) of slices (..., w), in their dtype."""
    directions = drawn(slices.shape[-1], options).astype(slices.dtype)
    scaled = slices * slices.dtype.type(_scale(slices.shape[-1], temperature))
    exponents: Floats = scaled @ directions.T
    exponents -= np.einsum("...w,...w->...", scaled, scaled)[..., None] / 2
    np.exp(exponents, out=exponents)
    exponents /= slices.dtype.type(np.sqrt(len(directions)))
    return exponents


def _exponent(slices: Floats, temperature: float, options: Options) -> float:
    """The largest size of <w, x'> - ||x'||^2 / 2."""
    longest = float(np.linalg.norm(drawn(slices.shape[-1], options), axis=1).max())
    squares = np.einsum("...w,...w->...", slices, slices).max(initial=0)
    length = float(np.sqrt(squares)) * _scale(slices.shape[-1], temperature)
    return length * longest + length * length / 2


MECHANISM = Mechanism(
    name="performer",
    aliases=("favor", "favor_plus"),
    family="linear",
    feature="attention",
    complexity="O(n m (d + d_v))",
    memory="O(m d_v)",
    best_for="softmax approximated at O(n)",
    formula="a_j = <phi(q), phi(k_j)> / sum_l <phi(q), phi(k_l)>, "
    "<phi(q), phi(k)> being exp(<q, k> / (sqrt(d) temperature)) in the mean",
    reference="Choromanski et al. 2021, Rethinking Attention with Performers",
    parameters=(
        Option("features", int, 256, Interval(1, 65536), "Random features m; the error falls as 1/sqrt(m)."),
        Option("seed", int, 0, Interval(0, 2**31 - 1), "Seed of the random directions."),
    ),
    scorer=PerformerScorer,
    kernel=True,
    features=Features(_features, _features, _exponent),
    floats=lambda width, options: max(width, int(options["features"])),
    training=LAYER,
)
