from __future__ import annotations

import pytest
import workload
from workload import Contender, Figure, Timing, Workload, measure, outcome, ratios, speed_ups

from .samples import of, small


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload, "PAUSE", 0)


def test_ratios_are_to_the_base_and_speed_ups_over_the_rival() -> None:
    result = outcome(small())
    assert ratios(result) == [3, 12, 1]
    assert speed_ups(result) == [4, 1, 12]


def test_without_a_base_ratios_are_to_the_last() -> None:
    result = outcome(Workload("plain", [of(3), of(2)], rounds=1))
    assert ratios(result) == [1.5, 1]
    assert speed_ups(result) == [None, None]


def test_nothing_is_timed_where_an_answer_is_wrong() -> None:
    timed = []
    bad = small("differs from float64")
    bad.contenders = [Contender("ours", lambda: timed.append(1))]
    result = outcome(bad)
    assert (result.wrong, result.timings, timed) == ("differs from float64", [], [])


def test_an_assertion_without_a_message_is_red_too() -> None:
    def check() -> None:
        raise AssertionError

    assert outcome(Workload("silent", [of(1)], check=check)).wrong


def test_timings_of_a_wrong_answer_give_no_ratio() -> None:
    good = outcome(small())
    red = workload.Outcome(good.workload, good.timings, wrong="differs")
    assert ratios(red) == [None] * 3
    assert speed_ups(red) == [None] * 3


def test_a_workload_that_times_itself_is_checked_too() -> None:
    def timings() -> list[Timing]:
        raise AssertionError("of 30 rows differs")

    assert outcome(Workload("self", [], timings=timings)).wrong == "of 30 rows differs"


def test_a_figure_that_must_be_nought_and_is_not_is_red() -> None:
    figures = [Figure("stale", 1, "", "0"), Figure("errors", 0, "", "0"), Figure("p50", 3, "ms")]
    assert outcome(Workload("load", [], figures=lambda: figures)).wrong == "stale"


def test_contenders_take_turns() -> None:
    order: list[str] = []
    contenders = [Contender(name, lambda name=name: order.append(name)) for name in "abc"]
    measure(Workload("turns", contenders, rounds=2))
    assert order == list("abc") * 3


def test_a_warm_contender_runs_once_more_before_each_timed_run() -> None:
    order: list[str] = []
    contenders = [Contender(name, lambda name=name: order.append(name)) for name in "ab"]
    measure(Workload("turns", contenders, rounds=1, repeat=True))
    assert order == list("aabb") * 2


def test_contenders_of_one_name_are_told_apart() -> None:
    timings = measure(Workload("twins", [Contender("a", lambda: 1.0), Contender("a", lambda: 9.0)], rounds=1))
    assert [timing.median for timing in timings] == [1, 9]


def test_the_spread_is_extremes_and_quartiles() -> None:
    timing = Timing.of("a", [5.0, 1.0, 2.0, 3.0, 4.0])
    assert (timing.low, timing.quartiles, timing.median, timing.high) == (1, (2, 4), 3, 5)
