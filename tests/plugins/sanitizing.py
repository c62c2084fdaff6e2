"""``--sanitize``: the host's C code compiled so that a wrong access ends its process."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.plugins.options import INSTALLATIONS

COMPILER = "cc -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
LIBRARIES = ("libasan.so", "libubsan.so")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("ruattn").addoption(
        "--sanitize", action="store_true", help="compile the host with the address and undefined sanitizers"
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.option.sanitize:
        os.environ["CC"] = COMPILER
        _uninstall(session.config)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.option.sanitize:
        _uninstall(session.config)


def _uninstall(config: pytest.Config) -> None:
    """Take out the library, which does not say how it was compiled; one process does so for all workers."""
    if not hasattr(config, "workerinput"):
        for installation in config.stash[INSTALLATIONS].values():
            installation.uninstall()


def variables(config: pytest.Config) -> dict[str, str]:
    """What a server's processes need in their environment.

    What Python keeps to its end is no leak, tests ask for memory that is not there, and SIGBUS is the host's.
    """
    if not config.option.sanitize:
        return {}
    found = [
        subprocess.check_output(["cc", f"-print-file-name={name}"], text=True).strip() for name in LIBRARIES
    ]
    return {
        "LD_PRELOAD": ":".join(found),
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1:handle_sigbus=0",
        "UBSAN_OPTIONS": "print_stacktrace=1:abort_on_error=1",
    }
