"""The k best keys of each of many queries, selected while the blocks of products are in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from .arrays import F32, F64, Checkpoint, Floats, Rows, uninterrupted
from .attend import attend, refuse_normaliser
from .batch import ManyQueries, Settings, check_queries, too_small, weigh_batch, within_range
from .batch import longest_key as longest
from .errors import InvalidOption
from .ids import Ids
from .keyset import KeySet, as_keyset
from .native import sweep as native
from .ranking import ranked
from .weights import Weights

QUERIES = 1024
"""Queries of a block: enough for a matrix product at full speed."""

KEYS = 1024
"""Keys of a block: its products with a block of queries stay in the cache."""

_ROOM = 2048
"""Products of some queries with a block of keys that reach the bar, before they are looked for again."""

_RANGE = 40.0
"""Logits within it can be exponentiated as they are, without subtracting a maximum."""

_MOST = 1024
"""The largest k that is selected from the products."""


@dataclass
class Answers:
    """Rows of the answer, query after query, best first within each.

    query (r,), row (r,): indexes of query and key. rank (r,): from 1 in each query. lse (r, H).
    """

    query: Rows
    row: Rows
    score: F32
    logit: F32
    rank: Rows
    lse: F64


def nearest(
    settings: Settings,
    queries: F32,
    keys: F32 | KeySet,
    ids: Ids,
    k: int | None,
    *,
    normaliser: Floats | None = None,
    columns: Mapping[str, F64] | None = None,
    threads: int = 1,
    checkpoint: Checkpoint = uninterrupted,
) -> Iterator[Answers]:
    """The k best of keys (n, d) for each of queries (m, d), all keys where k is None; ids (n,) decide ties.

    normaliser (m * H,) takes the place of each query's log-sum-exp; columns is as for `attend`. Never holds
    more than one block of queries by one block of keys, but for mechanisms that weigh all queries together.
    """
    check_queries(settings, queries, keys)
    if settings.mechanism.weigh_batch is not None:
        refuse_normaliser(settings.mechanism, normaliser)
        yield from _all_at_once(settings, queries, as_keyset(keys).dense(), ids, k, columns, checkpoint)
        return
    given = _checked_normaliser(normaliser, len(queries), settings.heads)
    fast = k is not None and _selects(settings, queries, keys, k)
    for start in range(0, len(queries) if len(keys) else 0, QUERIES):
        block = slice(start, start + QUERIES)
        part = None if given is None else given[block]
        found = None
        if fast and k is not None:
            found = _Selection(settings, queries[block], keys, ids, k, threads, checkpoint).answers(part)
        if found is not None:
            found.query += start
            yield found
            continue
        for place in range(start, min(start + QUERIES, len(queries))):
            one = None if given is None else given[place]
            weights = attend(
                settings.mechanism,
                queries[place],
                keys,
                ids=ids,
                **settings.for_attend,
                normaliser=one,
                columns=columns,
                checkpoint=checkpoint,
            )
            yield from _in_order(weights, place, ids, k, checkpoint)


def _all_at_once(
    settings: Settings,
    queries: F32,
    keys: F32,
    ids: Ids,
    k: int | None,
    columns: Mapping[str, F64] | None,
    checkpoint: Checkpoint,
) -> Iterator[Answers]:
    """The answers of a mechanism that weighs all queries together."""
    if len(queries) and len(keys):
        weights = weigh_batch(settings, queries, keys, columns, checkpoint)
        for place in range(len(queries)):
            yield from _in_order(weights.of_query(place), place, ids, k, checkpoint)


def _checked_normaliser(normaliser: Floats | None, m: int, heads: int) -> F64 | None:
    if normaliser is None:
        return None
    if normaliser.size != m * heads:
        raise InvalidOption(
            f"normaliser has {normaliser.size} values, {m} queries with {heads} heads each need {m * heads}",
            "Give the log-sum-exp of each head of each query, query after query.",
        )
    return normaliser.astype(np.float64).reshape(m, heads)


def _selects(settings: Settings, queries: F32, keys: F32 | KeySet, k: int) -> bool:
    """Whether the answer comes out of matrix products: one head, few rows for each query, logits in range."""
    few = settings.heads == 1 and k <= min(_MOST, max(1, len(keys) // 8)) and len(queries) > 1
    return few and within_range(settings, queries, keys, _RANGE)


def _in_order(
    weights: Weights, place: int, ids: Ids, k: int | None, checkpoint: Checkpoint
) -> Iterator[Answers]:
    """The rows of the query at an index, best first."""
    heads = len(weights.head_scores)
    lse = np.full(heads, np.nan) if weights.lse is None else weights.lse
    start = 1
    for rows in ranked(weights, ids, k, checkpoint):
        size = len(rows)
        yield Answers(
            np.full(size, place),
            rows,
            weights.score[rows],
            weights.shown_logit(rows),
            np.arange(start, start + size),
            np.tile(lse, (size, 1)),
        )
        start += size


class _Selection:
    """One block of queries: candidates that are no worse than the k best so far by more than rounding."""

    def __init__(
        self,
        settings: Settings,
        queries: F32,
        keys: F32 | KeySet,
        ids: Ids,
        k: int,
        threads: int,
        checkpoint: Checkpoint,
    ) -> None:
        self._threads = threads
        self._keys, self._ids, self._k, self._checkpoint = keys, ids, min(k, len(keys)), checkpoint
        self._kernel = settings.mechanism.kernel
        self._many = ManyQueries(settings, queries, np.float32)
        self._slack = self._many.rounding(longest(settings, keys)).astype(np.float32)
        self._best = np.full((len(queries), self._k), -np.inf, np.float32)
        self._found: list[tuple[Rows, Rows, F32]] = []
        self._kept = 0
        self._most = 64 * self._k * len(queries) + 65536
        self._total = np.zeros(len(queries))

    def answers(self, normaliser: F64 | None) -> Answers | None:
        """The answers of the block; None where too many keys are alike to be told apart here."""
        tile = np.empty((1, len(self._many), KEYS), np.float32)
        for start in range(0, len(self._keys), KEYS):
            self._select(self._products(start, tile), start)
            if self._kept > self._most and not self._prune():
                return None
            self._checkpoint()
        return self._finish(normaliser)

    def _products(self, start: int, tile: F32) -> F32:
        """The products (m, c) with the keys from an index on, as many as a tile (1, m, KEYS) has room for."""
        block = self._keys[start : start + KEYS]
        part = tile[:, :, : len(block)]
        self._many.products(block, part)
        products: F32 = part[0]
        return products

    def _threshold(self) -> F32:
        result: F32 = self._best.min(axis=1) - 2 * self._slack
        return result

    def _select(self, products: F32, start: int) -> None:
        """Keep what may be among the k best, raise the bar, and add up each query's masses."""
        if start == 0:
            width = min(self._k, products.shape[1])
            cut = products.shape[1] - width
            self._best[:, :width] = np.partition(products, cut, axis=1)[:, cut:]
        hits = self._hits(products)
        if not len(hits):
            return
        queries, columns = np.divmod(hits, products.shape[1])
        values = products[queries, columns]
        self._found.append((queries, columns + start, values))
        self._kept += len(hits)
        if start:
            self._raise_bar(queries, values)

    def _hits(self, products: F32) -> Rows:
        """Where products (m, c) reach the bar, query by query; adds up the masses of all."""
        m, threshold = len(products), self._threshold()
        sums, counts = np.empty((1, m)), np.empty((1, -(-m // native.QUERIES_OF_A_BLOCK)), np.int64)
        hits = np.empty((counts.shape[1], _ROOM), np.int64)
        native.tile(products, threshold[None], sums, hits, counts, self._kernel, self._threads)
        self._total += sums[0]
        if counts.max() > _ROOM:
            return np.flatnonzero(products >= threshold[:, None])
        found: Rows = hits[np.arange(_ROOM) < counts[0][:, None]]
        return found

    def _raise_bar(self, queries: Rows, values: F32) -> None:
        """Merge the values of these queries, in ascending order of query, into the k best of each."""
        touched, first, counts = np.unique(queries, return_index=True, return_counts=True)
        wide = np.full((len(touched), self._k + int(counts.max())), -np.inf, np.float32)
        wide[:, : self._k] = self._best[touched]
        line = np.repeat(np.arange(len(touched)), counts)
        wide[line, self._k + np.arange(len(queries)) - np.repeat(first, counts)] = values
        cut = wide.shape[1] - self._k
        self._best[touched] = np.partition(wide, cut, axis=1)[:, cut:]

    def _prune(self) -> bool:
        """Drop candidates that the bar has passed; False if that leaves too many."""
        queries, rows, values = (np.concatenate(parts) for parts in zip(*self._found, strict=True))
        stays = values >= self._threshold()[queries]
        self._found = [(queries[stays], rows[stays], values[stays])]
        self._kept = int(stays.sum())
        return self._kept <= self._most // 2

    def _finish(self, normaliser: F64 | None) -> Answers | None:
        """The k best by exact products, whose masses also settle the totals."""
        if not self._prune():
            return None
        queries, rows, values = self._found[0]
        exact = self._many.exact(queries, self._keys[rows])[:, 0]
        order = np.lexsort((self._ids[rows], -exact, queries))
        rank = np.arange(len(queries)) - np.searchsorted(queries[order], queries[order], side="left")
        chosen = order[rank < self._k]
        queries, rows, exact, values = queries[chosen], rows[chosen], exact[chosen], values[chosen]
        masses = self._masses(exact)
        corrections = masses - self._masses(values.astype(np.float64))
        total = self._total + np.bincount(queries, corrections, minlength=len(self._total))
        lse = np.log(total) if normaliser is None else normaliser[:, 0]
        logs = np.log(exact) if self._kernel else exact
        return Answers(
            queries,
            rows,
            _scores(logs, lse[queries]),
            exact.astype(np.float32),
            rank[rank < self._k] + 1,
            lse[queries][:, None],
        )

    def _masses(self, products: F64) -> F64:
        return products if self._kernel else np.exp(products)


def _scores(logs: F64, lse: F64) -> F32:
    with np.errstate(over="ignore"):
        scores: F32 = np.exp(logs - lse).astype(np.float32)
    if not np.isfinite(scores).all():
        place = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise too_small(lse[place], logs[place])
    return scores
