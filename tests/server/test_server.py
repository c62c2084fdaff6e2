import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.account import server_account
from ruattn_fdw.server.errors import ServerError
from ruattn_fdw.server.installation import Installation
from ruattn_fdw.server.server import Server, folder_list, literal


@pytest.fixture
def make(public_folder: Path, installation: Installation) -> Iterator[Callable[[str], Server]]:
    """Makes servers on data folders below ``public_folder`` and stops them."""
    made: list[Server] = []

    def server_on(name: str) -> Server:
        made.append(Server(public_folder / name, installation))
        return made[-1]

    yield server_on
    for server in made:
        server.stop()


def scalar(server: Server, query: str) -> Any:
    with psycopg.connect(server.uri()) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_its_life(make: Callable[[str], Server]) -> None:
    server = make("data")
    assert not server.running()
    server.stop()
    server.start({"fsync": "off"})
    started = scalar(server, "SELECT pg_postmaster_start_time()")
    server.start({"fsync": "off"})
    assert scalar(server, "SELECT pg_postmaster_start_time()") == started
    assert server.running()
    server.stop()
    assert not server.running()
    server.start()
    assert scalar(server, "SELECT current_setting('fsync')") == "on"


@pytest.mark.parametrize(
    "name", ["with space, comma and 100%", "quote'd", "long" * 50], ids=["space", "quote", "long"]
)
def test_awkward_data_folders(make: Callable[[str], Server], name: str) -> None:
    server = make(name)
    server.start()
    assert scalar(server, "SELECT current_setting('data_directory')") == str(server.data)


def test_it_is_private(make: Callable[[str], Server]) -> None:
    server = make("long" * 50)
    server.start()
    assert server.socket_folder.stat().st_mode & 0o077 == 0
    assert server.data.stat().st_mode & 0o077 == 0
    assert scalar(server, "SELECT current_setting('listen_addresses')") == ""
    server.stop()
    assert not server.socket_folder.exists()


def test_a_socket_folder_of_somebody_else_is_refused(make: Callable[[str], Server]) -> None:
    server = make("long" * 50)
    server.socket_folder.mkdir()
    server.socket_folder.chmod(0o777)
    try:
        with pytest.raises(ServerError, match="not a private folder"):
            server.start()
    finally:
        server.socket_folder.rmdir()


def test_the_callers_environment_does_not_reach_it(
    make: Callable[[str], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=1MB")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    server = make("data")
    server.start()
    monkeypatch.delenv("PGOPTIONS")
    environment = scalar(server, "SELECT pg_read_binary_file('/proc/self/environ')")
    assert b"PYTHONPATH" not in environment
    assert scalar(server, "SELECT current_setting('work_mem')") == "4MB"


def test_both_extensions_are_there_for_the_asking(server: Server) -> None:
    assert scalar(server, "SELECT count(*) FROM pg_available_extensions WHERE name = 'ruattn_fdw'") == 1


def test_data_of_another_version_is_refused(make: Callable[[str], Server]) -> None:
    server = make("data")
    server.data.mkdir()
    (server.data / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(ServerError, match=rf"data of PostgreSQL 9\.6, not {server.installation.major}"):
        server.start()


def test_data_that_ruattn_did_not_make_is_refused(make: Callable[[str], Server]) -> None:
    server = make("data")
    server.data.mkdir()
    (server.data / "PG_VERSION").write_text(f"{server.installation.major}\n")
    with pytest.raises(ServerError, match="was not made by ruattn"):
        server.start()


def test_its_configuration_is_not_written_through_a_link(
    make: Callable[[str], Server], public_folder: Path
) -> None:
    server = make("data")
    server.start()
    server.stop()
    victim = public_folder / "victim"
    victim.write_text("precious")
    (server.data / "ruattn.conf").unlink()
    (server.data / "ruattn.conf").symlink_to(victim)
    server.start()
    assert victim.read_text() == "precious"


def test_a_folder_with_other_things_in_it_is_left_alone(make: Callable[[str], Server]) -> None:
    server = make("data")
    server.data.mkdir()
    (server.data / "precious").touch()
    with pytest.raises(ServerError, match="neither empty nor a PostgreSQL data folder"):
        server.start()
    assert os.listdir(server.data) == ["precious"]


def test_root_cannot_use_a_folder_that_the_account_cannot_enter(
    make: Callable[[str], Server], public_folder: Path
) -> None:
    public_folder.chmod(0o700)
    server = make("data")
    if server_account().switch:
        with pytest.raises(ServerError, match=f"cannot read {public_folder}"):
            server.start()
    else:
        server.start()
        assert server.running()


def test_a_server_that_does_not_start_shows_its_log(make: Callable[[str], Server]) -> None:
    with pytest.raises(ServerError, match="no_such_library"):
        make("data").start({"shared_preload_libraries": "no_such_library"})


def test_quoting_of_settings() -> None:
    assert literal("it's a \\ path") == "'it''s a \\\\ path'"
    assert folder_list(Path('/a "b", c')) == '"/a ""b"", c"'


def test_the_socket_path_fits_at_the_limit(installation: Installation) -> None:
    data = Path("/tmp", "x" * (107 - len("/tmp//.s.PGSQL.5432")))
    assert Server(data, installation).socket_folder == data
    with socket.socket(socket.AF_UNIX) as probe, pytest.raises(FileNotFoundError):
        probe.connect(str(data / ".s.PGSQL.5432"))
    assert Server(data.with_name(data.name + "x"), installation).socket_folder != data
