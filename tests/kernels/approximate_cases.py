"""What an answer from approximate keys must have in common with one from float32 keys, and hard keys."""

from __future__ import annotations

import numpy as np
from ruattn_fdw.kernels.approximate.codes import first_rows, layout, levels, room, write
from ruattn_fdw.kernels.approximate.search import search
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.keyset import KeySet
from ruattn_fdw.kernels.ranking import ranked
from ruattn_fdw.kernels.registry import find

DTYPES = ("int8", "float16")


def whole(chunks):
    return np.concatenate([np.empty(0, np.intp), *chunks])


def written(keys, dtype):
    """(the sections that keys (n, d) are stored in, the sum of what they lose)."""
    n, width = keys.shape
    sections = {name: np.zeros((room(n), *shape), kind) for name, kind, shape in layout(dtype, width)}
    left = write(sections, 0, keys)
    return first_rows(sections, n), left


def encode(keys, dtype):
    return written(keys, dtype)[0]


def decoded(values, n, width):
    """What the first n rows of codes, or of tiles of a sketch, stand for before their scale (n, width)."""
    if values.dtype != np.uint8:
        return values[:n].astype(float)
    rows, elements = np.arange(n)[:, None], np.arange(width)
    tiles = rows // 16 * 16 * values.shape[1]
    byte = values.reshape(-1)[tiles + elements // 8 * 64 + rows % 16 * 4 + elements % 4]
    return 16.0 * np.where(elements % 8 >= 4, byte >> 4, byte & 15) - 120.5


class Approximate:
    """Keys (n, d) in fewer bits, and how many of them were read exactly."""

    def __init__(self, keys, dtype, present=None):
        self.keys, self.present, self.read = keys, present, 0
        self.arrays, self.residuals = written(keys, dtype)

    def exact_keys(self, rows):
        assert rows.dtype == np.int64
        self.read += len(rows)
        return self.keys[rows]

    def search(self, query, k, mechanism="multi_head", ids=None, **keywords):
        keywords = {"num_heads": 1, **keywords}
        precisions = levels(self.arrays, self.residuals)
        if ids is None:
            ids = np.arange(len(self.keys if self.present is None else self.present))
        return search(find(mechanism), query, precisions, self.present, self.exact_keys, ids, k, **keywords)

    def assert_as_float32(self, query, k, ids=None, mechanism="multi_head", close=1e-5, **keywords):
        """The same rows in the same order, score and normaliser as exact ones; returns the answer."""
        keys = KeySet(self.keys, self.present)
        ids = np.arange(len(keys)) if ids is None else ids
        answer = self.search(query, k, mechanism, ids, **keywords)
        keywords = {"num_heads": 1, **keywords}
        expected = attend(find(mechanism), query, keys, ids=ids, **keywords)
        rows = whole(ranked(expected, ids, k))
        np.testing.assert_array_equal(answer.rows, rows)
        np.testing.assert_array_equal(answer.logit, expected.logit[rows])
        head_scores, lse = exact_softmax(expected.exact(np.arange(len(keys))))
        np.testing.assert_allclose(answer.score, head_scores.mean(axis=0)[rows], close, 1e-37)
        np.testing.assert_allclose(answer.head_scores, head_scores[:, rows], close, 1e-37)
        np.testing.assert_allclose(answer.lse, lse, 1e-12, close)
        return answer


def exact_softmax(logits):
    """Weights (H, n) and log-sum-exp (H,) in float64; float32 is up to its own rounding away from them."""
    maximum = logits.max(axis=1)
    weights = np.exp(logits - maximum[:, None])
    total = weights.sum(axis=1)
    return weights / total[:, None], maximum + np.log(total)


def hard_keys(name, n, d, seed=0):
    """Keys (n, d) of a kind that is hard on codes."""
    random = np.random.RandomState(seed)
    keys = random.standard_normal((n, d))
    if name == "near ties":
        keys = keys[:1] + 1e-5 * keys
    elif name == "an outlying dimension":
        keys[:, d // 2] *= 1e4
    elif name == "zero rows":
        keys[::3] = 0
    elif name == "duplicates":
        keys = keys[random.randint(0, max(1, n // 4), n)]
    elif name == "denormal":
        keys *= 1e-40
    elif name == "tiny and large":
        keys *= 10.0 ** random.randint(-40, 3, (n, 1))
    elif name == "1e30":
        keys *= 1e30
    elif name == "one direction":
        keys = np.abs(keys) * random.uniform(0.5, 1, (n, 1))
    return keys.astype(np.float32)


KINDS = (
    "normal",
    "near ties",
    "an outlying dimension",
    "zero rows",
    "duplicates",
    "denormal",
    "tiny and large",
    "1e30",
    "one direction",
)
