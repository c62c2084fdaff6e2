"""The maximum flow over edges of nearest nodes, and the smallest of its minimum cuts."""

from __future__ import annotations

import numpy as np
import pytest
from graph_twins import minimum_cut
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.graph import maximum_flow
from ruattn_fdw.kernels.graph.maximum_flow import Flow, filled, linked
from ruattn_fdw.kernels.native import flow as native
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order
from scipy.sparse.csgraph import maximum_flow as flow_of_scipy

HARDLY, LARGE = 3, 2**30 - 1
"""Capacities with many ties and zeros, and the largest."""


class Case:
    """n nodes with edges to k of them, capacities of these, and of the edges of source and sink."""

    def __init__(self, n, k, most, seed, groups=1):
        random = np.random.RandomState(seed)
        self.rows = np.empty((n, k), np.int64)
        for node in range(n):
            others = [other for other in range(n) if other != node and (other - node) % groups == 0]
            self.rows[node] = random.permutation(others)[:k]
        self.capacities = random.randint(-1, most + 1, (n, k)).astype(np.int32)
        self.supply, self.drain = random.randint(0, most + 1, (2, n)) * random.randint(0, 2, (2, n))

    def flow(self):
        links = linked(self.rows, uninterrupted)
        return Flow(
            links, filled(links, self.capacities, uninterrupted), np.stack([self.supply, 0 * self.supply])
        )

    def edges(self):
        """{(i, j): capacity} one way each, the source n and the sink n + 1."""
        n, found = len(self.rows), {}
        for i in reversed(range(n)):
            for j, capacity in zip(self.rows[i].tolist(), self.capacities[i].tolist(), strict=True):
                if capacity >= 0:
                    found |= {(i, j): capacity, (j, i): capacity}
        found |= {(n, i): int(supply) for i, supply in enumerate(self.supply)}
        return found | {(i, n + 1): int(drain) for i, drain in enumerate(self.drain)}


def value_of(edges, side, n):
    """The capacity of the edges that leave a side (n,) with the source."""
    inside = {*np.flatnonzero(side).tolist(), n}
    return sum(capacity for (i, j), capacity in edges.items() if i in inside and j not in inside)


CASES = [
    (1, 0, 1),
    (2, 1, 1),
    (3, 1, 1),
    (3, 2, 1),
    (12, 3, 1),
    (12, 3, 3),
    (40, 2, 1),
    (40, 39, 1),
    (60, 6, 4),
]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("most", [HARDLY, 1000, LARGE])
@pytest.mark.parametrize(("n", "k", "groups"), CASES)
def test_it_agrees_with_its_twin(n, k, groups, most, seed):
    case = Case(n, k, most, seed, groups)
    value, side = minimum_cut(case.edges(), n, n + 1)
    found = case.flow().raised(case.drain, uninterrupted).side
    assert set(np.flatnonzero(found)) == side - {n}
    assert value_of(case.edges(), found, n) == value


@pytest.mark.parametrize("most", [HARDLY, 2**20])
@pytest.mark.parametrize("k", [3, 20, 200])
def test_it_agrees_with_scipy(k, most):
    case = Case(500, k, most, seed=k)
    edges = case.edges()
    data = np.array(list(edges.values()), np.int32)
    matrix = csr_array((data, np.array(list(edges)).T), shape=(502, 502))
    flow = flow_of_scipy(matrix, 500, 501)
    left = matrix - flow.flow
    left.eliminate_zeros()
    reached = breadth_first_order(left, 500, return_predecessors=False)
    found = case.flow().raised(case.drain, uninterrupted).side
    assert set(np.flatnonzero(found)) == set(reached.tolist()) - {500}
    assert value_of(edges, found, 500) == flow.flow_value


@pytest.mark.parametrize("seed", range(10))
def test_it_goes_on_wherever_it_was_interrupted(monkeypatch, seed):
    case = Case(50, 5, 10, seed)
    whole = case.flow().raised(case.drain, uninterrupted)
    monkeypatch.setattr(maximum_flow, "_WORK", 1)
    calls = []
    found = case.flow().raised(case.drain, lambda: calls.append(1))
    np.testing.assert_array_equal(found.side, whole.side)
    assert len(calls) > 50


@pytest.mark.parametrize("seed", range(5))
def test_a_flow_that_is_raised_step_by_step_is_the_whole_one(seed):
    case = Case(60, 6, 30, seed)
    flow, start = case.flow(), case.flow()
    for drain in range(1, 13):
        flow = flow.raised(1, uninterrupted)
        np.testing.assert_array_equal(flow.side, start.raised(drain, uninterrupted).side)


def test_what_is_wanted_of_a_flow_leaves_it_as_it_was():
    case = Case(60, 6, 30, 0)
    flow = case.flow()
    first = flow.raised(2, uninterrupted).side
    flow.raised(5, uninterrupted)
    np.testing.assert_array_equal(flow.raised(2, uninterrupted).side, first)


def test_the_edges_of_source_and_sink_may_be_larger_than_32_bits():
    links = linked(np.array([[1], [0]]), uninterrupted)
    residual = filled(links, np.full((2, 1), LARGE, np.int32), uninterrupted)
    flow = Flow(links, residual, np.array([[2**60, 0], [0, 0]]))
    side = flow.raised(np.array([2**60 - LARGE, 2**60]), uninterrupted).side
    np.testing.assert_array_equal(side, [False, False])
    side = flow.raised(np.array([2**60 - LARGE - 1, 2**60]), uninterrupted).side
    np.testing.assert_array_equal(side, [True, False])


def test_a_capacity_that_could_not_be_added_up_is_refused():
    links = linked(np.array([[1], [0]]), uninterrupted)
    with pytest.raises(ValueError, match="a capacity is too large"):
        filled(links, np.full((2, 1), LARGE + 1, np.int32), uninterrupted)


@pytest.mark.parametrize("rows", [[[1], [2]], [[1], [-1]], [[0], [0]]])
def test_rows_that_are_no_other_nodes_are_refused(rows):
    links = maximum_flow.Links(
        np.array([[0, 2], [1, 3]]), np.zeros((1, 4), np.int32), np.zeros((1, 4), np.int32)
    )
    with pytest.raises(ValueError, match="a node has another one nearest that there is not"):
        native.scatter(*links, np.array(rows), 0, 2)


def test_a_node_that_is_nearest_twice_is_refused():
    with pytest.raises(ValueError, match="a node has the same one nearest twice"):
        linked(np.array([[1, 2], [2, 2], [0, 1]]), uninterrupted)


def test_arrays_that_do_not_fit_are_refused():
    links = linked(np.array([[1], [0]]), uninterrupted)
    short, wide = np.zeros((1, 3), np.int32), np.zeros((2, 2), np.int64)
    with pytest.raises(ValueError, match=r"rows .* do not fit"):
        native.scatter(*links, wide, 0, 2)
    with pytest.raises(ValueError, match=r"capacities .* do not fit"):
        native.fill(*links, wide.astype(np.int32), links.heads.copy(), 0, 2)
    with pytest.raises(ValueError, match=r"bounds .* do not fit"):
        native.pair(links.bounds, short, short, np.zeros((1, 2), np.int32), 0, 2)
    with pytest.raises(ValueError, match="do not fit"):
        native.fill(*links, np.zeros((2, 1), np.int32), short, 0, 2)
    with pytest.raises(ValueError, match="do not fit"):
        native.advance(
            *links, short, wide, np.zeros((4, 2), np.int64), np.zeros((1, native.STATE), np.int64), 1
        )
    with pytest.raises(ValueError, match="first and end are no part of the nodes"):
        native.pair(*links, np.zeros((1, 2), np.int32), 0, 3)
