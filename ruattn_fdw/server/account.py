"""Who runs the server: PostgreSQL refuses root, so root hands it to an unprivileged account."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruattn_fdw.server.errors import ServerError

NAME = "pgserver"


@dataclass(frozen=True)
class Account:
    """The account that runs a server. ``switch``: whether it is another than the caller's own."""

    name: str
    uid: int
    gid: int
    home: str
    switch: bool

    def run(
        self, command: Sequence[str], cwd: Path, variables: Mapping[str, str] | None = None, **keywords: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run ``command`` as this account; standard input is closed, the environment is a small fixed one.

        The environment is fixed but for ``variables``, so that a server behaves the same whoever starts it:
        an inherited PGOPTIONS, PYTHONPATH or thread count would otherwise reach every backend.
        """
        if self.switch:
            keywords |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        environment = {"PATH": os.defpath, "HOME": self.home, "LC_ALL": "C.UTF-8", **(variables or {})}
        keywords |= {"cwd": cwd, "env": environment, "stdin": subprocess.DEVNULL, "umask": 0o077}
        return subprocess.run(list(command), text=True, check=False, **keywords)


def _account(entry: pwd.struct_passwd, switch: bool) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, switch)


def server_account() -> Account:
    """The caller's own account; for root ``pgserver``, created where it is missing."""
    if os.geteuid() != 0:
        try:
            return _account(pwd.getpwuid(os.geteuid()), switch=False)
        except KeyError:
            raise ServerError(f"user id {os.geteuid()} has no account, and PostgreSQL needs one") from None
    try:
        return _account(pwd.getpwnam(NAME), switch=True)
    except KeyError:
        _create()
        return _account(pwd.getpwnam(NAME), switch=True)


def _create() -> None:
    useradd = shutil.which("useradd", path=f"{os.defpath}:/usr/sbin:/sbin")
    if useradd is None:
        raise ServerError(
            f"there is no useradd to create {NAME}, which runs PostgreSQL for root",
            "apt-get install -y passwd",
        )
    nothing = ["--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
    command = [useradd, "--system", "--user-group", *nothing, NAME]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # somebody else may have created it in the same moment
    if done.returncode and "already exists" not in done.stderr:
        raise ServerError(f"useradd could not create the account {NAME}: {done.stderr.strip()}")


def blocked_at(path: Path, account: Account | None) -> Path | None:
    """The first file or folder on the way to ``path`` that ``account`` (None: any other) may not read.

    Folders on the way need search permission, the last one read permission. None where all is readable.
    """
    resolved = path.resolve()
    for step in [*reversed(resolved.parents), resolved]:
        wanted = stat.S_IROTH if step == resolved else stat.S_IXOTH
        try:
            if not _grants(step.stat(), wanted, account):
                return step
        except (FileNotFoundError, PermissionError):
            return step
    return None


def _grants(status: os.stat_result, wanted: int, account: Account | None) -> bool:
    if account is not None and status.st_uid == account.uid:
        wanted <<= 6
    elif account is not None and status.st_gid == account.gid:
        wanted <<= 3
    return bool(status.st_mode & wanted)
