import os
import pwd
from pathlib import Path

import pytest

from ruattn_fdw.server.account import Account, blocked_at, server_account


@pytest.fixture
def folder(public_folder: Path) -> Path:
    home = public_folder / "home"
    home.mkdir()
    home.chmod(0o755)
    (home / "file").touch()
    (home / "file").chmod(0o644)
    return home


def stranger() -> Account:
    return Account("stranger", uid=54321, gid=54321, home="/", switch=True)


def test_a_file_that_everybody_can_read_is_not_blocked(folder: Path) -> None:
    assert blocked_at(folder / "file", stranger()) is None
    assert blocked_at(folder / "file", None) is None


def test_a_private_folder_on_the_way_is_named(folder: Path) -> None:
    folder.chmod(0o700)
    assert blocked_at(folder / "file", stranger()) == folder
    assert blocked_at(folder / "file", None) == folder


def test_the_owner_and_the_group_count(folder: Path) -> None:
    folder.chmod(0o710)
    status = folder.stat()
    owner = Account("owner", status.st_uid, 54321, "/", switch=False)
    member = Account("member", 54321, status.st_gid, "/", switch=False)
    assert blocked_at(folder / "file", owner) is None
    assert blocked_at(folder / "file", member) is None


def test_a_missing_file_is_named(folder: Path) -> None:
    assert blocked_at(folder / "nothing" / "file", None) == folder / "nothing"


def test_a_link_is_followed(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder / "file")
    folder.chmod(0o700)
    assert blocked_at(link, None) == folder


def test_the_server_never_runs_as_root() -> None:
    account = server_account()
    assert account.uid != 0
    assert account.switch == (os.geteuid() == 0)
    assert pwd.getpwnam(account.name).pw_uid == account.uid
