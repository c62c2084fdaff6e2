from __future__ import annotations

import sys

import pytest
import run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["overhed"], "unknown workload overhed"),
        (["--picture", "a.gif"], "a picture is .png or .svg, not a.gif"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_runs(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    monkeypatch.setattr(run.bench_server, "server", lambda: pytest.fail("a server was started"))
    with pytest.raises(SystemExit):
        run.main()
    assert said in capsys.readouterr().err
