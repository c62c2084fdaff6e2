import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ruattn_fdw.cli import doctor
from ruattn_fdw.cli.install import has_multicorn
from ruattn_fdw.cli.main import main
from ruattn_fdw.cli.servers import default_data
from ruattn_fdw.server.account import Account
from ruattn_fdw.server.errors import ServerError
from ruattn_fdw.server.installation import Installation


@pytest.fixture
def data(public_folder: Path) -> Iterator[str]:
    """A data folder for the embedded server, which is stopped in the end."""
    folder = str(public_folder / "data")
    yield folder
    main(["server", "stop", "--data", folder])


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_server_start_prints_the_uri_last(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "start", "--data", data]) == 0
    first = lines(capsys)
    assert main(["server", "start", "--data", data]) == 0
    main(["server", "uri", "--data", data])
    assert lines(capsys)[-1] == first[-1]
    assert first[-1].startswith("postgresql://postgres@/postgres?host=")


def test_status_is_an_exit_code(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "status", "--data", data]) == 3
    main(["server", "start", "--data", data])
    assert main(["server", "status", "--data", data]) == 0
    assert "PostgreSQL 18" in lines(capsys)[-1]


def test_psql_without_a_server_is_one_sentence(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "psql", "--data", data, "-c", "SELECT 1"]) == 1
    assert capsys.readouterr().err.splitlines()[0] == f"ruattn: no server runs on {data}"


def test_psql_gets_its_arguments_and_the_way_to_the_server(
    data: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def show(program: str, arguments: list[str], environment: dict[str, str]) -> None:
        print(json.dumps([Path(program).name, arguments[1:], environment["PGHOST"]]))

    monkeypatch.setattr("os.execve", show)
    main(["server", "start", "--data", data])
    main(["server", "psql", "--data", data, "demo", "-c", "SELECT 1"])
    assert json.loads(lines(capsys)[-1]) == ["psql", ["demo", "-c", "SELECT 1"], data]


def test_unknown_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["server", "start", "--frobnicate"])
    assert "unrecognized arguments: --frobnicate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "listed"),
    [
        ([], "put the extension into a server"),
        (["server"], "open psql on the server"),
        (["plot"], "the nodes that a node of a graph attends to"),
        (["weights"], "list the tensors of a set"),
    ],
)
def test_a_command_of_several_says_which_there_are(
    command: list[str], listed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 2
    assert listed in capsys.readouterr().err


def test_install_names_a_pg_config_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--pg-config", "/nowhere/pg_config"]) == 1
    assert capsys.readouterr().err == "ruattn: there is no pg_config at /nowhere/pg_config\n"


def test_data_lies_below_xdg_data_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    assert default_data(18) == Path("/somewhere/ruattn-fdw/data-18")


def test_doctor_is_content_with_a_running_server(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["server", "start", "--data", data])
    code = main(["doctor", "--data", data])
    report = lines(capsys)
    assert code == 0, "\n".join(report)
    assert any(line.startswith("ok      test query") for line in report)


def test_doctor_names_what_the_account_cannot_read(
    public_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public_folder.chmod(0o700)
    monkeypatch.setattr(doctor, "needed_paths", lambda: [public_folder / "file"])
    stranger = Account("stranger", uid=54321, gid=54321, home="/", switch=True)
    [finding] = doctor.readable(stranger)
    assert not finding.ok
    assert finding.value == f"stranger cannot read {public_folder}"
    assert finding.advice is not None


def test_doctor_goes_on_after_an_error_and_counts_it(
    data: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> list[str]:
        raise ServerError("there is no C compiler", "apt-get install -y gcc")

    monkeypatch.setattr("ruattn_fdw.server.hostbuild.compiler", fail)
    assert main(["doctor", "--data", data]) == 1
    report = "\n".join(lines(capsys))
    assert "PROBLEM error: there is no C compiler\n        mend it with: apt-get install -y gcc" in report
    assert "server: does not run" in report


@pytest.mark.parametrize("there", [True, False])
def test_a_server_with_multicorn2_is_known(tmp_path: Path, there: bool) -> None:
    pg_config = tmp_path / "pg_config"
    pg_config.write_text(f"#!/bin/sh\necho {tmp_path}\n")
    pg_config.chmod(0o755)
    (tmp_path / "extension").mkdir()
    if there:
        (tmp_path / "extension" / "multicorn.control").touch()
    installation = Installation(pg_config, 15, tmp_path, tmp_path, tmp_path, own_folders=False)
    assert has_multicorn(installation) == there
