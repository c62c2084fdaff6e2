from __future__ import annotations

import inspect
import struct

import bench_server
import numpy as np
import peers
import pytest
from peers import Peer, exact
from workloads import WORKLOADS
from workloads.search import expected_ids


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_says_what_it_measures(name: str) -> None:
    made = WORKLOADS[name]
    assert made.__name__ == name
    assert inspect.getdoc(made)
    assert inspect.getdoc(inspect.getmodule(made))


def test_a_peer_that_is_not_there_is_noted_and_the_others_are_kept() -> None:
    def absent_library() -> list[Peer]:
        raise ImportError("No module named 'absent'")

    def present() -> list[Peer]:
        return [Peer("present", lambda number: [number])]

    notes: list[str] = []
    assert [peer.name for peer in peers.gathered([absent_library, present], notes)] == ["present"]
    assert notes == ["NOT MEASURED: absent library: No module named 'absent'"]


def test_recall_is_the_share_of_the_nearest_that_a_peer_finds() -> None:
    rows = np.eye(200, 16, dtype=np.float32) + np.arange(200, dtype=np.float32)[:, None] / 1000
    best = exact.nearest(rows, 3, 10)
    assert best[0] == 4
    half = Peer("half", lambda number: exact.nearest(rows, number, 10)[:5])
    assert exact.recall(half, rows, [3, 4], 10) == 0.5
    assert exact.recall(Peer("no ids", lambda _: None), rows, [3], 10) is None


def test_the_peers_own_formula_agrees_with_the_expected_answer() -> None:
    rows = bench_server.generated(500, 48)
    [written] = exact.numpy_heads(rows, 10, 8)
    assert written.answer(0) == expected_ids(rows)


def test_rows_are_laid_out_as_binary_copy_wants_them() -> None:
    data = bench_server._copy_data(np.array([[1.5, -2.0]], np.float32), 7).tobytes()
    expected = struct.pack(">hiqi5i", 2, 8, 7, 36, 1, 0, 700, 2, 1)
    assert data == expected + struct.pack(">ifif", 4, 1.5, 4, -2.0)
