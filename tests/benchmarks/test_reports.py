from __future__ import annotations

import io
import json
from pathlib import Path

import picture
import pytest
import report
import workload
from rich.console import Console
from workload import Outcome, Timing, Workload, outcome

from .samples import small


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload, "PAUSE", 0)


def printed(result: Outcome) -> str:
    console = Console(file=io.StringIO(), width=160)
    report.show(console, result)
    return console.file.getvalue()  # type: ignore[attr-defined]


def growing() -> Outcome:
    timings = [Timing.of("ours", [size / 1000.0], size) for size in (1000, 10_000)]
    return Outcome(Workload("growth", []), timings)


def flowing() -> Outcome:
    timings = [
        Timing("ours, 2 threads", 4.0 * many, 3.0, 9.0 * many, size, (3.0, 5.0), "ours", many, 250.0)
        for size in (1000, 10_000)
        for many in (1, 10)
    ]
    return Outcome(Workload("flow", []), timings)


def test_the_table_shows_ratio_speed_up_recall_and_goal() -> None:
    text = printed(outcome(small()))
    [ours] = [line for line in text.splitlines() if "ours" in line]
    assert [cell.strip() for cell in ours.split("│")[-5:-1]] == ["3.00", "4.00", "1.000", "ratio <= 4"]
    assert "speed-up: over peer" in text


def test_a_red_workload_shows_its_fault_and_no_number() -> None:
    text = printed(outcome(small("mha_search differs from float64")))
    assert "mha_search differs from float64; not timed, no ratios" in " ".join(text.split())
    assert "median" not in text
    assert "speed-up" not in text


def test_a_missing_peer_is_named_in_one_line() -> None:
    assert "NOT MEASURED: other\n" in printed(outcome(small()))


def test_growth_is_shown_as_a_power_of_the_rows() -> None:
    assert "1.00" in printed(growing())
    assert report.power_of_rows(growing().timings[:1]) is None


def test_connections_are_shown_with_their_rate() -> None:
    assert "250.0" in printed(flowing())


def test_json_holds_all_that_the_table_shows() -> None:
    shown = json.loads(json.dumps(report.as_json(outcome(small()))))
    ours = shown["timings"][0]
    wanted = {
        "name": "ours",
        "median": 6,
        "low": 6,
        "high": 6,
        "quartiles": [6, 6],
        "ratio": 3,
        "speed_up": 4,
    }
    assert {key: ours[key] for key in wanted} == wanted
    assert (ours["base"], ours["goal"], ours["recall"], ours["kind"]) == ("limit", "ratio <= 4", 1, "ours")
    assert (shown["wrong"], shown["rival"], shown["notes"]) == ("", "peer", ["NOT MEASURED: other"])


def test_json_of_a_red_workload_has_its_fault_and_no_timings() -> None:
    shown = report.as_json(outcome(small("differs")))
    assert (shown["wrong"], shown["timings"]) == ("differs", [])


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_picture_has_a_panel_for_every_kind_of_outcome(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"figures.{ending}"
    picture.draw([outcome(small()), growing(), flowing(), outcome(small("red"))], ["a machine"], file)
    start = file.read_bytes()[:200]
    assert start.startswith(b"\x89PNG") if ending == "png" else b"<?xml" in start
