"""Compile the bundled host for one server and one interpreter, and put the extension into that server.

No PGXS: its makefiles break on a path with a space in it. The commands are plain lists, so any path works.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ruattn_fdw
from ruattn_fdw.server.errors import ServerError

SOURCES = Path(ruattn_fdw.__file__).parent / "host"
LIBRARY = "ruattn_fdw.so"
SCRIPTS = ("ruattn_fdw.control", "ruattn_fdw--*.sql", "ruattn_fdw_*.control", "ruattn_fdw_*--*.sql")
FLAGS = [
    "-std=gnu99", "-O2", "-fPIC", "-fno-strict-aliasing", "-fwrapv",
    "-Wall", "-Wextra", "-Werror",
    "-Wmissing-prototypes", "-Wdeclaration-after-statement", "-Wno-unused-parameter", "-Wno-sign-compare",
]  # fmt: skip
# since this version the server's macros export what they declare, whatever the default visibility is
MARKS_EXPORTS = 16


def pg_setting(pg_config: Path, name: str) -> str:
    """What ``pg_config --name`` prints."""
    try:
        done = subprocess.run([str(pg_config), f"--{name}"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ServerError(f"{pg_config} does not answer --{name}: {error}") from error
    return done.stdout.strip()


def pg_major(pg_config: Path) -> int:
    """The server's major version, for example 18."""
    version = pg_setting(pg_config, "version").split()[1]
    return int("".join(c if c.isdigit() else " " for c in version).split()[0])


def interpreter() -> Path:
    """The running interpreter, its folder resolved: ``.venv`` may be a link that the server cannot follow."""
    executable = Path(sys.executable)
    return executable.parent.resolve() / executable.name


def compiler() -> list[str]:
    """``$CC``, else ``cc``, as a command; a ServerError where there is none."""
    command = shlex.split(os.environ.get("CC", "")) or ["cc"]
    if shutil.which(command[0]) is None:
        raise ServerError(f"there is no C compiler: {command[0]} is not on PATH", "apt-get install -y gcc")
    return command


def compile_flags(pg_config: Path) -> list[str]:
    """Flags for every object file; a ServerError where headers are missing."""
    server_headers = Path(pg_setting(pg_config, "includedir-server"))
    python_headers = Path(sysconfig.get_path("include"))
    if not (server_headers / "postgres.h").exists():
        raise ServerError(
            f"the server's headers are missing: there is no {server_headers / 'postgres.h'}",
            f"apt-get install -y postgresql-server-dev-{pg_major(pg_config)}",
        )
    if not (python_headers / "Python.h").exists():
        raise ServerError(
            f"Python's headers are missing: there is no {python_headers / 'Python.h'}",
            "apt-get install -y python3-dev",
        )
    # -isystem: warnings are errors for our sources, not for what other projects' headers do
    hidden = ["-fvisibility=hidden"] if pg_major(pg_config) >= MARKS_EXPORTS else []
    return [
        *FLAGS,
        *hidden,
        *shlex.split(pg_setting(pg_config, "cppflags")),
        "-isystem", str(server_headers),
        "-isystem", str(python_headers),
        f"-DRUATTN_PYTHON={json.dumps(str(interpreter()))}",
        f"-DRUATTN_VERSION={json.dumps(ruattn_fdw.__version__)}",
    ]  # fmt: skip


def link_flags(pg_config: Path) -> list[str]:
    """Flags that link the running interpreter's shared library."""
    folder, version = sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDVERSION")
    if not sysconfig.get_config_var("Py_ENABLE_SHARED"):
        raise ServerError(
            f"{interpreter()} was built without a shared libpython", "apt-get install -y python3-dev"
        )
    # where all symbols are visible, ours must not resolve to the server's own of the same name
    local = [] if pg_major(pg_config) >= MARKS_EXPORTS else ["-Wl,-Bsymbolic"]
    return ["-shared", *local, f"-L{folder}", f"-Wl,-rpath,{folder}", f"-lpython{version}"]


def fingerprint(pg_config: Path) -> str:
    """A hash of all that the library is made from: sources, flags, interpreter, server version."""
    digest = hashlib.sha256()
    for path in sorted([*SOURCES.glob("*.c"), *SOURCES.glob("*.h")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    made_with = [
        *compile_flags(pg_config),
        *link_flags(pg_config),
        sys.version,
        pg_setting(pg_config, "version"),
    ]
    digest.update("\0".join(made_with).encode())
    return "ruattn-build:" + digest.hexdigest()


def is_current(library: Path, pg_config: Path) -> bool:
    """Whether ``library`` was built from the present sources for this interpreter and server."""
    return library.exists() and fingerprint(pg_config).encode() in library.read_bytes()


def _run(command: list[str], text: str | None = None) -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerError(f"the host does not compile:\n{shlex.join(command)}\n{done.stderr.strip()}")
    sys.stderr.write(done.stderr)


def compile_host(pg_config: Path, output: Path) -> None:
    """Compile ``host/*.c`` for the server of ``pg_config`` into the shared library ``output``.

    The library carries its own fingerprint as a string, which is how a later run knows whether it is current.
    Raises ServerError where a compiler or header is missing, or with the compiler's own words.
    """
    sources = sorted(SOURCES.glob("*.c"))
    if not sources:
        raise ServerError(f"there are no C sources in {SOURCES}")
    build = [*compiler(), *compile_flags(pg_config), "-c"]
    with tempfile.TemporaryDirectory() as scratch:
        objects = [Path(scratch, source.stem + ".o") for source in sources]
        commands = [[*build, str(s), "-o", str(o)] for s, o in zip(sources, objects, strict=True)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(_run, commands))
        mark = Path(scratch, "fingerprint.o")
        _run([*compiler(), "-fPIC", "-c", "-x", "c", "-o", str(mark), "-"],
             f'const char ruattn_build[] = "{fingerprint(pg_config)}";\n')  # fmt: skip
        linked = Path(scratch, LIBRARY)
        _run([*compiler(), *map(str, [*objects, mark]), *link_flags(pg_config), "-o", str(linked)])
        _place(linked.read_bytes(), output, 0o755)


def _place(content: bytes, target: Path, mode: int) -> None:
    """Write by rename: a running backend keeps the library that it has mapped."""
    if target.exists() and target.read_bytes() == content:
        return
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        fresh.write_bytes(content)
        fresh.chmod(mode)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def write_scripts(directory: Path) -> None:
    """Write control files and SQL scripts into ``directory``, and take out those that no longer exist."""
    from ruattn_fdw.ddl import write_extension

    with tempfile.TemporaryDirectory() as scratch:
        write_extension(Path(scratch))
        written = {path.name: path.read_bytes() for path in Path(scratch).iterdir()}
    for path in installed_scripts(directory):
        if path.name not in written:
            path.unlink()
    for name, content in written.items():
        _place(content, directory / name, 0o644)


def installed_scripts(directory: Path) -> list[Path]:
    """The extension's control files and scripts that lie in ``directory``."""
    return sorted({path for pattern in SCRIPTS for path in directory.glob(pattern)})


def make_folder(folder: Path) -> None:
    """Create ``folder`` and its missing parents, readable by the server's account whatever the umask is."""
    missing = [path for path in [folder, *folder.parents] if not path.exists()]
    for path in reversed(missing):
        path.mkdir()
        path.chmod(0o755)


def install(pg_config: Path, libdir: Path, sharedir: Path) -> bool:
    """Put the library into ``libdir`` and the extension's scripts into ``sharedir``/extension.

    Compiles only what is not current. Returns whether it compiled.
    """
    library = libdir / LIBRARY
    try:
        make_folder(libdir)
        make_folder(sharedir / "extension")
        stale = not is_current(library, pg_config)
        if stale:
            compile_host(pg_config, library)
        write_scripts(sharedir / "extension")
    except PermissionError as error:
        raise _not_ours("write", Path(error.filename)) from error
    return stale


def _not_ours(what: str, path: Path) -> ServerError:
    """The error of a file that another account may write or remove."""
    folder = next(folder for folder in path.parents if folder.exists())
    try:
        owner = folder.owner()
    except KeyError:
        owner = f"the user with the number {folder.stat().st_uid}"
    return ServerError(f"no permission to {what} {path}: run this as {owner}, who owns {folder}")


def uninstall(libdir: Path, sharedir: Path) -> list[Path]:
    """Take the extension's files out of a server; returns what was removed."""
    found = [path for path in [libdir / LIBRARY, *installed_scripts(sharedir / "extension")] if path.exists()]
    try:
        for path in found:
            path.unlink()
    except PermissionError as error:
        raise _not_ours("remove", Path(error.filename)) from error
    return found
