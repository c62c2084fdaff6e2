from pathlib import Path

import pytest

from ruattn_fdw.server import hostbuild
from ruattn_fdw.server.errors import ServerError
from ruattn_fdw.server.installation import Installation

MODULE = '#include "postgres.h"\n#include "fmgr.h"\n#include <Python.h>\nPG_MODULE_MAGIC;\n'


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host of one small file, in a folder with a space in its name."""
    folder = tmp_path / "a host"
    folder.mkdir()
    (folder / "module.c").write_text(MODULE)
    monkeypatch.setattr(hostbuild, "SOURCES", folder)
    return folder


@pytest.fixture
def library(sources: Path, installation: Installation, tmp_path: Path) -> Path:
    output = tmp_path / "library with space.so"
    hostbuild.compile_host(installation.pg_config, output)
    return output


def fake_pg_config(folder: Path, includedir: Path) -> Path:
    script = folder / "pg_config"
    script.write_text(
        f'#!/bin/sh\ncase $1 in --version) echo "PostgreSQL 15.1";; *) echo "{includedir}";; esac\n'
    )
    script.chmod(0o755)
    return script


def test_a_fresh_library_is_current(library: Path, installation: Installation) -> None:
    assert hostbuild.is_current(library, installation.pg_config)


def test_a_changed_header_makes_it_stale(library: Path, sources: Path, installation: Installation) -> None:
    (sources / "host.h").write_text("/* new */\n")
    assert not hostbuild.is_current(library, installation.pg_config)


def test_another_interpreter_makes_it_stale(
    library: Path, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/opt/other/bin/python3")
    assert not hostbuild.is_current(library, installation.pg_config)


def test_a_new_library_does_not_touch_the_file_that_backends_have_mapped(
    library: Path, sources: Path, installation: Installation
) -> None:
    before = library.stat().st_ino
    (sources / "module.c").write_text(MODULE + "/* new */\n")
    hostbuild.compile_host(installation.pg_config, library)
    assert library.stat().st_ino != before


def test_a_warning_is_an_error_with_the_compilers_words(sources: Path, installation: Installation) -> None:
    (sources / "module.c").write_text(MODULE + "static int unused;\n")
    with pytest.raises(ServerError, match=r"does not compile(.|\n)*unused"):
        hostbuild.compile_host(installation.pg_config, sources / "out.so")
    assert not (sources / "out.so").exists()


def test_missing_server_headers_name_their_package(sources: Path, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"postgres\.h") as caught:
        hostbuild.compile_host(fake_pg_config(tmp_path, tmp_path), tmp_path / "out.so")
    assert caught.value.remedy == "apt-get install -y postgresql-server-dev-15"


def test_a_missing_compiler_is_named(
    sources: Path, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    with pytest.raises(ServerError, match="no-such-compiler is not on PATH") as caught:
        hostbuild.compile_host(installation.pg_config, sources / "out.so")
    assert caught.value.remedy == "apt-get install -y gcc"


def test_what_install_puts_in_uninstall_takes_out(
    sources: Path, installation: Installation, tmp_path: Path
) -> None:
    libdir, sharedir = tmp_path / "lib", tmp_path / "share"
    (sharedir / "extension").mkdir(parents=True)
    foreign = sharedir / "extension" / "vector.control"
    foreign.touch()
    assert hostbuild.install(installation.pg_config, libdir, sharedir)
    assert (libdir / "ruattn_fdw.so").exists()
    assert (sharedir / "extension" / "ruattn_fdw.control").exists()
    removed = hostbuild.uninstall(libdir, sharedir)
    assert len(removed) > 2
    assert [path for path in tmp_path.glob("[ls]*/**/*") if path.is_file() and path.parent != sources] == [
        foreign
    ]


def test_a_second_install_changes_nothing(sources: Path, installation: Installation, tmp_path: Path) -> None:
    def state() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "share").rglob("*.*")}

    hostbuild.install(installation.pg_config, tmp_path / "lib", tmp_path / "share")
    before = state()
    assert not hostbuild.install(installation.pg_config, tmp_path / "lib", tmp_path / "share")
    assert state() == before


def test_install_takes_out_scripts_that_no_longer_exist(
    sources: Path, installation: Installation, tmp_path: Path
) -> None:
    old = tmp_path / "share" / "extension" / "ruattn_fdw--0.0.1.sql"
    old.parent.mkdir(parents=True)
    old.touch()
    hostbuild.install(installation.pg_config, tmp_path / "lib", tmp_path / "share")
    assert not old.exists()


def test_a_folder_of_another_account_is_named_with_its_owner(
    sources: Path, installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "share" / "extension"
    folder.mkdir(parents=True)
    # root may write everywhere
    monkeypatch.setattr("os.access", lambda path, mode: path != folder)
    with pytest.raises(ServerError) as caught:
        hostbuild.install(installation.pg_config, tmp_path / "lib", tmp_path / "share")
    said = caught.value.message
    assert said.startswith(f"no permission to write {folder}/ruattn_fdw")
    assert said.endswith(f": run this as {folder.owner()}, who owns {folder}")


def test_an_owner_without_a_name_is_named_by_its_number(
    sources: Path, installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "share" / "extension"
    folder.mkdir(parents=True)

    def nameless(path: Path) -> str:
        raise KeyError(f"getpwuid(): uid not found: {path.stat().st_uid}")

    monkeypatch.setattr("os.access", lambda path, mode: path != folder)
    monkeypatch.setattr(Path, "owner", nameless)
    with pytest.raises(ServerError) as caught:
        hostbuild.install(installation.pg_config, tmp_path / "lib", tmp_path / "share")
    assert f"run this as the user with the number {folder.stat().st_uid}, who owns" in caught.value.message
