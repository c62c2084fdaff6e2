import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ruattn_fdw.server import bootstrap


def interpreter(folder: Path, answer: object) -> str:
    """A stand-in for python3 that answers the probe with ``answer``."""
    folder.mkdir(exist_ok=True)
    script = folder / "python3"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
    script.chmod(0o755)
    return str(script)


def probe(
    missing: list[str], version: tuple[int, int] = (3, 11), reads: tuple[str, ...] = ()
) -> dict[str, object]:
    return {"version": version, "missing": missing, "reads": reads}


def test_an_interpreter_that_can_be_embedded_is_picked(
    public_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = interpreter(public_folder / "old", probe([], version=(3, 9)))
    bare = interpreter(public_folder / "bare", probe(["a shared libpython"]))
    good = interpreter(public_folder / "good", probe([]))
    monkeypatch.setattr(bootstrap, "candidates", lambda: ["/nowhere/python3", old, bare, good][1:])
    assert bootstrap.pick_interpreter() == good


def test_what_is_missing_is_named_with_one_command(
    public_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = interpreter(public_folder, probe(["Python's headers", "the modules venv and ensurepip"]))
    monkeypatch.setattr(bootstrap, "candidates", lambda: [bare])
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(SystemExit):
        bootstrap.pick_interpreter()
    assert (
        capsys.readouterr().out.splitlines()[-1].endswith("apt-get install -y python3-dev python3-venv gcc")
    )


def test_without_any_python_all_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "candidates", list)
    with pytest.raises(SystemExit):
        bootstrap.pick_interpreter()
    assert "apt-get install -y python3 python3-dev python3-venv" in capsys.readouterr().out


def test_root_passes_over_an_interpreter_in_a_private_home(
    public_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = public_folder / "home"
    python = interpreter(home, probe([], reads=(str(home / "python3"),)))
    home.chmod(0o700)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert bootstrap.faults(python) == [f"the server's account cannot read {home / 'python3'}"]
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert bootstrap.faults(python) == []


def test_the_running_interpreter_has_no_faults() -> None:
    assert bootstrap.faults(sys.executable) == []


def test_roots_environment_lies_where_the_account_can_enter(
    public_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "CHECKOUT", public_folder)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert bootstrap.environment_folder() == public_folder / ".venv"
    public_folder.chmod(0o700)
    assert bootstrap.environment_folder().parent == bootstrap.SHARED
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert bootstrap.environment_folder() == public_folder / ".venv"


@pytest.mark.parametrize("owner", [0, 1000])
def test_root_leaves_the_environment_of_another_account_alone(
    owner: int, public_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = public_folder / "shared"
    monkeypatch.setattr(bootstrap, "CHECKOUT", public_folder / "checkout")
    monkeypatch.setattr(bootstrap, "SHARED", shared)
    monkeypatch.setattr(bootstrap, "faults", lambda python: [])
    theirs = public_folder / "checkout" / ".venv"
    theirs.mkdir(parents=True)
    (public_folder / "checkout").chmod(0o700)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    folder = bootstrap.environment_folder()
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    real = Path.lstat

    def owned(path: Path) -> object:
        found = real(path)
        return SimpleNamespace(st_mode=found.st_mode, st_uid=owner if path == theirs else found.st_uid)

    monkeypatch.setattr(Path, "lstat", owned)
    assert bootstrap.make_environment() == folder / "bin" / "python"
    assert theirs.is_symlink() == (owner == 0)
    assert Path(bootstrap.command()).resolve() == (folder / "bin" / "ruattn").resolve()


def test_the_stamp_changes_with_the_sources_only(
    public_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "CHECKOUT", public_folder)
    (public_folder / "host").mkdir()
    source = public_folder / "host" / "module.c"
    source.write_text("int one;")
    before = bootstrap.source_hash()
    (public_folder / "notes").touch()
    (public_folder / "host" / "__pycache__").mkdir()
    (public_folder / "host" / "__pycache__" / "x.pyc").touch()
    assert bootstrap.source_hash() == before
    source.write_text("int two;")
    assert bootstrap.source_hash() != before


def test_it_runs_by_path_with_the_standard_library_alone() -> None:
    script = Path(bootstrap.__file__)
    code = f"import runpy; runpy.run_path({str(script)!r}, run_name='bootstrap')"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_first_candidate_is_the_one_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    monkeypatch.setenv("PYTHON", shell)
    found = bootstrap.candidates()
    assert found[0] == shell
    assert len(found) == len(set(found))
    assert all(os.access(path, os.X_OK) for path in found)
