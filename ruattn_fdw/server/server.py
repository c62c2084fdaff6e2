"""One PostgreSQL server on one data folder: reached by a Unix socket only, never by TCP."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from ruattn_fdw.server.account import Account, blocked_at, server_account
from ruattn_fdw.server.errors import ServerError
from ruattn_fdw.server.hostbuild import make_folder
from ruattn_fdw.server.installation import Installation

PORT = 5432
USER = "postgres"
CONFIG = "ruattn.conf"
# sun_path holds 108 bytes, the last one NUL; the lock file beside the socket adds ".lock"
LONGEST_SOCKET = 107
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "max_connections": "50",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "log_line_prefix": "%m [%p] ",
}


class Server:
    """A server of ``installation`` on the folder ``data``, run by an unprivileged account.

    As root that is ``pgserver``, which owns the data folder; else the caller. ``variables`` are added to the
    environment of its processes.
    """

    def __init__(
        self, data: Path, installation: Installation, variables: Mapping[str, str] | None = None
    ) -> None:
        self.data = Path(os.path.abspath(data))
        self.installation = installation
        self.variables = dict(variables or {})

    @property
    def account(self) -> Account:
        """The account that runs the server."""
        return server_account()

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.data / "server.log"

    @property
    def socket_folder(self) -> Path:
        """Where the socket lies: in the data folder, or under /tmp where that path is too long for a socket.

        Also where it holds a comma, which libpq takes for a list of hosts.
        """
        socket = self.data / f".s.PGSQL.{PORT}"
        if len(os.fsencode(socket)) <= LONGEST_SOCKET and "," not in str(socket):
            return self.data
        return Path("/tmp", "ruattn-" + hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12])

    def uri(self, database: str = USER) -> str:
        """The connection URI of ``database``."""
        host = quote(str(self.socket_folder), safe="")
        return f"postgresql://{USER}@/{quote(database, safe='')}?host={host}&port={PORT}"

    def environment(self) -> dict[str, str]:
        """What a libpq program needs in its environment to reach this server."""
        return {"PGHOST": str(self.socket_folder), "PGPORT": str(PORT), "PGUSER": USER, "PGDATABASE": USER}

    def running(self) -> bool:
        """Whether the server runs."""
        if not (self.data / "PG_VERSION").exists():
            return False
        return self._pg_ctl("status", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0

    def start(self, settings: Mapping[str, str] | None = None) -> None:
        """Start the server, creating the data folder where it is missing. Does nothing where it runs already.

        settings : added to the server's configuration, for example ``{"fsync": "off"}``.
        """
        self._check_reach()
        if self._is_new():
            self._initdb()
        self._check_origin()
        if self.running():
            return
        self._make_socket_folder()
        self._configure({**SETTINGS, **self.installation.settings(), **(settings or {})})
        # A pipe held by the postmaster would keep whoever reads it waiting for the server's whole life.
        outcome = self._pg_ctl(
            "start",
            "-w",
            "-t",
            "60",
            "-s",
            "-l",
            str(self.log),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if outcome:
            raise ServerError(f"the server did not start; the end of {self.log}:\n{self.log_tail(15)}")

    def stop(self) -> None:
        """Stop the server, ending its sessions. Does nothing where it does not run."""
        if not self.running():
            return
        if self._pg_ctl(
            "stop", "-w", "-m", "fast", "-s", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ):
            raise ServerError(f"the server did not stop; the end of {self.log}:\n{self.log_tail(15)}")
        if self.socket_folder != self.data:
            shutil.rmtree(self.socket_folder, ignore_errors=True)

    def log_tail(self, lines: int) -> str:
        """The last lines of the log, an empty string where there is none."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _pg_ctl(self, action: str, *arguments: str, stdout: int, stderr: int) -> int:
        command = [self.installation.program("pg_ctl"), action, "-D", str(self.data), *arguments]
        return self.account.run(
            command, cwd=self.data, variables=self.variables, stdout=stdout, stderr=stderr
        ).returncode

    def _check_reach(self) -> None:
        account = self.account
        if not account.switch:
            return
        existing = next(path for path in self.data.parents if path.exists())
        for path in (existing, Path(self.installation.program("postgres"))):
            blocked = blocked_at(path, account)
            if blocked is not None:
                raise ServerError(
                    f"the account {account.name}, which runs the server for root, cannot read {blocked}, "
                    f"so it cannot use {self.data if path == existing else path}"
                )

    def _is_new(self) -> bool:
        if (self.data / "PG_VERSION").exists():
            return False
        if self.data.exists() and (not self.data.is_dir() or any(self.data.iterdir())):
            raise ServerError(f"{self.data} is neither empty nor a PostgreSQL data folder")
        return True

    def _check_origin(self) -> None:
        found, wanted = (self.data / "PG_VERSION").read_text().strip(), str(self.installation.major)
        if found != wanted:
            raise ServerError(f"{self.data} holds data of PostgreSQL {found}, not {wanted}")
        if not (self.data / CONFIG).exists():
            raise ServerError(f"{self.data} was not made by ruattn: it holds no {CONFIG}")

    def _initdb(self) -> None:
        account = self.account
        make_folder(self.data.parent)
        self.data.mkdir(mode=0o700, exist_ok=True)
        if account.switch:
            os.chown(self.data, account.uid, account.gid)
        command = [
            self.installation.program("initdb"), "-D", str(self.data), "--auth=trust", f"--username={USER}",
            "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions",
        ]  # fmt: skip
        done = account.run(command, cwd=self.data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise ServerError(f"initdb failed in {self.data}:\n{done.stdout.strip()}")
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(f"include = '{CONFIG}'\n")
        self._configure({})

    def _make_socket_folder(self) -> None:
        folder, account = self.socket_folder, self.account
        if folder == self.data:
            return
        try:
            folder.mkdir(mode=0o700)
            os.chown(folder, account.uid, account.gid)
        except FileExistsError:
            status = folder.lstat()
            # /tmp is everybody's: a folder that another account put there could listen in
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != account.uid or status.st_mode & 0o077:
                raise ServerError(
                    f"{folder} is not a private folder of {account.name}", f"rm -r {folder}"
                ) from None

    def _configure(self, settings: Mapping[str, str]) -> None:
        lines = [f"{name} = {literal(value)}\n" for name, value in settings.items()]
        lines.append(f"unix_socket_directories = {literal(folder_list(self.socket_folder))}\n")
        ours = self.data / CONFIG
        # created anew: the server's account could have put a link there for root to write through
        ours.unlink(missing_ok=True)
        descriptor = os.open(ours, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:
            file.writelines(lines)
            if self.account.switch:
                os.fchown(descriptor, self.account.uid, self.account.gid)


def literal(value: str) -> str:
    """``value`` as a string of postgresql.conf."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def folder_list(folder: Path) -> str:
    """``folder`` as the one element of a list setting; quoted, since names may hold commas and spaces."""
    return '"' + str(folder).replace('"', '""') + '"'
