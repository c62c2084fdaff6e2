"""``--sanitize``: all C code compiled so that a wrong access ends its process."""

from __future__ import annotations

import os
import runpy
import site
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

import hypothesis
import pytest

from tests.plugins.options import INSTALLATIONS

COMPILER = "cc -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
LIBRARIES = ("libasan.so", "libubsan.so")
BOOTSTRAP = Path(__file__).parents[2] / "ruattn_fdw" / "server" / "bootstrap.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("ruattn").addoption(
        "--sanitize", action="store_true", help="compile all C code with the address and undefined sanitizers"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.option.sanitize:
        hypothesis.settings.register_profile("sanitize", deadline=None)
        hypothesis.settings.load_profile("sanitize")


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Run it all in another environment, since the sanitizers have to be in a process from its start."""
    if not config.option.sanitize or os.environ.get("CC") == COMPILER:
        return None
    os.environ["CC"] = COMPILER
    with tempfile.TemporaryDirectory(prefix="ruattn-test-") as folder:
        python = environment(Path(folder))
        # a process that ends at once says why where it is seen
        run = [str(python), *sys.orig_argv[1:], "--capture=sys"]
        return subprocess.run(run, env={**os.environ, **variables(config)}, check=False).returncode


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave no such library in a server's own folders; one process takes it out for all workers."""
    if session.config.option.sanitize and not hasattr(session.config, "workerinput"):
        for installation in session.config.stash[INSTALLATIONS].values():
            installation.uninstall()


def environment(folder: Path) -> Path:
    """The interpreter of an environment with the package compiled by $CC, and all else of this one."""
    folder.chmod(0o755)
    venv.create(folder, symlinks=True)
    packages = sysconfig.get_path("purelib", "posix_prefix", {"base": str(folder)})
    Path(packages, "others.pth").write_text("\n".join(site.getsitepackages()))
    python = folder / "bin" / "python"
    runpy.run_path(str(BOOTSTRAP))["install_package"](python, ["embedded", "test"])
    return python


def variables(config: pytest.Config) -> dict[str, str]:
    """What processes need in their environment, those of servers too.

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
        "PYTHONMALLOC": "malloc",
    }
