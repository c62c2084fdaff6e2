"""The end of a server by kill -9, and its next start."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from ruattn_fdw.server.server import Server


def children_of(pid: int) -> list[int]:
    """The processes that were started by `pid` and still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def crash(server: Server, settings: Mapping[str, str]) -> None:
    """End the server as `end` does, and start it again."""
    end(server)
    server.start(settings)


def end(server: Server) -> None:
    """End the postmaster and all its processes with SIGKILL."""
    lock_file = server.data / "postmaster.pid"
    postmaster = int(lock_file.read_text().split()[0])
    # stopped first, so that it cannot start a process that is not in the list
    os.kill(postmaster, signal.SIGSTOP)
    # and killed last: who sees that it is gone rolls back first, which is not how a machine dies
    processes = [*children_of(postmaster), postmaster]
    for pid in processes:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while any(_runs(pid) for pid in processes):
        assert time.monotonic() < deadline, f"processes {processes} do not end"
        time.sleep(0.005)
    # where nobody reaps the dead, the server takes them for running
    for path in (lock_file, server.socket_folder / ".s.PGSQL.5432.lock"):
        path.unlink()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
