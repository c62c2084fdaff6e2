"""A cross-encoder of a single layer: its weights, and what it computes, written for reading.

Word vectors are random, and longer for rarer tokens: a query's tokens attend to the same ones of a text.
"""

import numpy as np

VOCABULARY, WIDTH, HEADS = 1000, 32, 2
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
HIDDEN = -1e4
SCALE, SHIFT = 8.0, -4.0


def weights() -> dict[str, np.ndarray]:
    """Word vectors (tokens, width); projections of queries, keys, values and output (width, width)."""
    random = np.random.RandomState(5)
    words = random.standard_normal((VOCABULARY, WIDTH))
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    words *= np.log(np.arange(VOCABULARY) + 1)[:, None] / 2
    words[: len(SPECIAL)] = 0
    turn = np.linalg.qr(random.standard_normal((WIDTH, WIDTH)))[0]
    found = {"words": words, "query": 4 * turn, "key": turn, "value": turn, "output": turn.T}
    return {name: np.ascontiguousarray(array, np.float32) for name, array in found.items()}


def logit(ids: list[int], segments: list[int]) -> float:
    """The relevance of one pair without any padding, in float64."""
    w = {name: array.astype(np.float64) for name, array in weights().items()}
    x = w["words"][ids]
    second = np.array(segments) == 1
    heads = []
    for h in range(HEADS):
        part = slice(h * WIDTH // HEADS, (h + 1) * WIDTH // HEADS)
        q, k, v = ((x @ w[name])[:, part] for name in ("query", "key", "value"))
        s = q @ k.T / np.sqrt(WIDTH // HEADS) + np.where(second, 0, HIDDEN)
        a = np.exp(s - s.max(axis=1, keepdims=True))
        heads.append(a / a.sum(axis=1, keepdims=True) @ v)
    attended = np.concatenate(heads, axis=1) @ w["output"]
    found = (x * attended).sum(axis=1)[~second].sum()
    wanted = (x * x).sum(axis=1)[~second].sum() + 1e-6
    return float(SCALE * found / wanted + SHIFT)
