"""Eigenvectors of a diagonal matrix to which rho z z^T is added, out of the roots of its secular equation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import F64, Checkpoint, Rows, spans

_EPS = float(np.finfo(np.float64).eps)

_STEPS = 100
"""Steps to a root at most; about six are usual."""


def secular_vectors(d: F64, z: F64, rho: float, checkpoint: Checkpoint) -> tuple[F64, F64]:
    """(values (k,) ascending, vectors (k, k) in rows) of diag(d) + rho z z^T.

    d (k,) ascends, no two of it are as good as equal, no z (k,) is as good as 0, rho > 0. The vectors are
    those of the z, but for its length, of which the roots that were found are the exact ones, so that they
    are orthogonal (Gu and Eisenstat 1994).
    """
    values, apart, z_squared = np.empty(len(d)), np.empty((len(d), len(d))), np.ones(len(d))
    for span in spans(len(d), 8 * len(d)):
        roots = np.arange(span.start, span.stop)
        near, offsets = _roots(d, rho * z * z, roots)
        values[span] = d[near] + offsets
        apart[span] = d - d[near][:, None] - offsets[:, None]
        poles = d - d[roots][:, None]
        poles[np.arange(len(roots)), roots] = 1
        z_squared *= np.abs(np.multiply.reduce(apart[span] / poles, axis=0))
        checkpoint()
    z = np.copysign(np.sqrt(z_squared), z)
    for span in spans(len(d), 8 * len(d)):
        vectors = np.divide(z, apart[span], out=apart[span])
        vectors /= np.linalg.norm(vectors, axis=1)[:, None]
        checkpoint()
    return values, apart


def _roots(d: F64, weights: F64, roots: Rows) -> tuple[Rows, F64]:
    """(the index of the pole that is nearer, how far the root is from it) of the roots with these indexes.

    Root j of f(x) = 1 + sum_i weights_i / (d_i - x) is between poles j and j + 1; the last pole is one of no
    weight, beyond the last root. The step is that of Li 1993, The Middle Way, within bounds that signs give.
    """
    ends = np.append(d, d[-1] + 2 * weights.sum())
    left, gap = d[roots], ends[roots + 1] - d[roots]
    below = np.arange(len(d)) <= roots[:, None]
    middle = _sums(d - left[:, None], weights, gap / 2, below)
    on_left = middle[0] >= 0
    near = roots + ~on_left
    poles = d - d[near][:, None]
    first, second = np.where(on_left, 0.0, -gap), np.where(on_left, gap, 0.0)
    low, high = np.where(on_left, 0.0, -gap / 2), np.where(on_left, gap / 2, 0.0)
    x = np.where(on_left, high, low)
    for _ in range(_STEPS):
        f, size, slope_below, slope_above = _sums(poles, weights, x, below)
        low, high = np.where(f < 0, x, low), np.where(f > 0, x, high)
        step = _step(f, slope_below, slope_above, first - x, second - x)
        done = np.abs(f) <= 8 * _EPS * size
        if done.all():
            break
        further = x + step
        inside = (further > low) & (further < high)
        x = np.where(done, x, np.where(inside, further, (low + high) / 2))
    return near, x


def _sums(poles: F64, weights: F64, x: F64, below: npt.NDArray[np.bool_]) -> tuple[F64, F64, F64, F64]:
    """(f, the sum of its terms' sizes, its slope by the poles below a root, by those above) at x (r,)."""
    apart = poles - x[:, None]
    terms = weights / apart
    f, size = 1 + terms.sum(axis=1), 1 + np.abs(terms).sum(axis=1)
    terms /= apart
    return f, size, terms.sum(axis=1, where=below), terms.sum(axis=1, where=~below)


def _step(f: F64, slope_below: F64, slope_above: F64, first: F64, second: F64) -> F64:
    """From here to the root of what has two poles, this far away, and the same value and slopes as f."""
    with np.errstate(all="ignore"):
        a = (first + second) * f - first * second * (slope_below + slope_above)
        b, c = first * second * f, f - first * slope_below - second * slope_above
        root = np.sqrt(a * a - 4 * b * c)
        return np.where(a <= 0, (a - root) / (2 * c), 2 * b / (a + root))
