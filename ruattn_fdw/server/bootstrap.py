"""Make the environment of a checkout: `.venv` with the package, its host and a test server built into it.

    python3 ruattn_fdw/server/bootstrap.py [EXTRA ...]
    python3 ruattn_fdw/server/bootstrap.py --command      (prints the path of its `ruattn`)

Run by path, by whatever python3 is at hand, before anything is installed: the standard library only. It picks
an interpreter that a server can embed, says what is missing with the one command that installs it, and does
nothing where all is current.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
SHARED = Path("/var/lib/ruattn-fdw")
SOURCES = (
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
    "ruattn_fdw",
    "kernels",
    "host",
    "sql",
    "examples",
)
OLDEST = [3, 10]
# each missing thing, and the Debian package that brings it
PACKAGES = {
    "Python 3.10 or newer": "python3",
    "Python's headers": "python3-dev",
    "a shared libpython": "python3-dev",
    "the modules venv and ensurepip": "python3-venv",
    "a C compiler": "gcc",
}
PROBE = """
import importlib.util, json, os, sys, sysconfig
def found(name): return importlib.util.find_spec(name) is not None
library = os.path.join(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("LDLIBRARY") or "")
headers = os.path.join(sysconfig.get_path("include"), "Python.h")
missing = []
if not os.path.exists(headers): missing.append("Python's headers")
if ".so" not in library or not os.path.exists(library): missing.append("a shared libpython")
if not (found("venv") and found("ensurepip")): missing.append("the modules venv and ensurepip")
json.dump({"version": list(sys.version_info[:2]), "missing": missing,
           "reads": [os.path.realpath(sys.executable), os.__file__, os.path.realpath(library)]}, sys.stdout)
"""


def say(text: str) -> None:
    """Print a line at once, so that it stands before what a child process prints."""
    print(text, flush=True)


def others_can_read(path: Path) -> bool:
    """Whether an account without privileges can read ``path``: search its folders, read itself."""
    path = path.resolve()
    try:
        on_the_way = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)
        return on_the_way and bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def candidates() -> list[str]:
    """Interpreters to try, the one asked for or running first, the system's own last."""
    names = ["python3", *(f"python3.{minor}" for minor in range(14, 9, -1))]
    system = [f"{folder}/{name}" for folder in ("/usr/bin", "/usr/local/bin") for name in names]
    found = [os.environ.get("PYTHON", ""), sys.executable, *map(shutil.which, names), *system]
    return list(dict.fromkeys(path for path in found if path and os.access(path, os.X_OK)))


def faults(python: str) -> list[str]:
    """What ``python`` lacks to be embedded in a server, as keys of PACKAGES or sentences."""
    done = subprocess.run([python, "-I", "-c", PROBE], capture_output=True, text=True, check=False)
    if done.returncode:
        return ["it does not run"]
    probe = json.loads(done.stdout)
    if probe["version"] < OLDEST:
        return ["Python 3.10 or newer"]
    hidden = [path for path in map(Path, probe["reads"]) if path.exists() and not others_can_read(path)]
    if os.geteuid() == 0 and hidden:
        return [f"the server's account cannot read {hidden[0]}"]
    return list(probe["missing"])


def pick_interpreter() -> str:
    """The first interpreter that will do; exits with what is missing and how to install it."""
    found = {python: faults(python) for python in candidates()}
    usable = [python for python, lacks in found.items() if not lacks]
    has_compiler = shutil.which((shlex.split(os.environ.get("CC", "")) or ["cc"])[0]) is not None
    if usable and has_compiler:
        return usable[0]
    for python, lacks in found.items():
        say(f"{python}: {', '.join(lacks) or 'fine'}")
    lacking = [] if has_compiler else ["a C compiler"]
    if not usable:
        mendable = [lacks for lacks in found.values() if all(fault in PACKAGES for fault in lacks)]
        lacking = [*min(mendable, key=len, default=["Python 3.10 or newer", *list(PACKAGES)[1:4]]), *lacking]
    packages = list(dict.fromkeys(PACKAGES[fault] for fault in lacking))
    say(f"missing: {', '.join(lacking)}; on Debian and Ubuntu install it with")
    say(f"    {'' if os.geteuid() == 0 else 'sudo '}apt-get install -y {' '.join(packages)}")
    sys.exit(1)


def environment_folder() -> Path:
    """Where the environment lies: ``.venv``, or for root a folder that the server's account can enter."""
    if os.geteuid() != 0 or others_can_read(CHECKOUT):
        return CHECKOUT / ".venv"
    name = hashlib.sha256(os.fsencode(CHECKOUT)).hexdigest()[:12]
    return SHARED / f"env-{name}"


def make_environment() -> Path:
    """Create the environment where it is missing or broken, link ``.venv`` to it, return its interpreter.

    A ``.venv`` of another account stays: a server of that account may run on what is in it.
    """
    folder, link = environment_folder(), CHECKOUT / ".venv"
    python = folder / "bin" / "python"
    if not (python.exists() and not faults(str(python))):
        base = pick_interpreter()
        say(f"making an environment in {folder} with {base}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder == link and link.is_symlink():
            link.unlink()
        subprocess.run([base, "-m", "venv", "--clear", str(folder)], check=True)
    if folder != link and not (link.exists() and link.lstat().st_uid != os.geteuid()):
        link_to(folder, link)
    return python


def link_to(folder: Path, link: Path) -> None:
    """Let ``link`` lead to the environment, whatever it was before."""
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        shutil.rmtree(link)
    link.symlink_to(folder)


def command() -> str:
    """The path of ``ruattn``: where root built it beside another account's ``.venv``, it is not in that."""
    folder, link = environment_folder(), CHECKOUT / ".venv"
    if link.resolve() == folder.resolve():
        return os.path.relpath(link / "bin" / "ruattn")
    return str(folder / "bin" / "ruattn")


def source_files() -> list[Path]:
    """All that a build reads."""
    found = (path for name in SOURCES for path in [CHECKOUT / name, *CHECKOUT.joinpath(name).rglob("*")])
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def source_hash() -> str:
    """A hash of all that a build reads."""
    digest = hashlib.sha256()
    for path in source_files():
        digest.update(os.fsencode(path.relative_to(CHECKOUT)) + b"\0" + path.read_bytes())
    return digest.hexdigest()


def install_package(python: Path, extras: list[str]) -> None:
    """``pip install`` a copy of the sources: in place, pip would leave a build folder with stale modules."""
    with tempfile.TemporaryDirectory() as scratch:
        for path in source_files():
            copy = Path(scratch, path.relative_to(CHECKOUT))
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        say(f"installing ruattn-fdw with {', '.join(extras)}, which takes a minute")
        target = f"{scratch}[{','.join(extras)}]"
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", target]
        if subprocess.run(pip, cwd=scratch, check=False).returncode:
            sys.exit("pip could not install the package; its own words are above")


def read_stamp(stamp: Path) -> dict[str, Any]:
    """What the environment was last built from."""
    if not stamp.exists():
        return {"sources": "", "extras": []}
    return dict(json.loads(stamp.read_text()))


def main(extras: list[str]) -> None:
    """Bring the environment up to date with the checkout and ``extras``."""
    os.umask(0o022)
    python = make_environment()
    stamp = python.parent.parent / "ruattn-build.json"
    built = read_stamp(stamp)
    extras = sorted({*built["extras"], *extras})
    wanted = {"sources": source_hash(), "extras": extras}
    if built != wanted:
        install_package(python, extras)
        subprocess.run([str(python), "-m", "ruattn_fdw.server"], check=True, cwd="/")
        stamp.write_text(json.dumps(wanted))
    say(f"ready: {command()}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--command"]:
        print(command())
    else:
        main(sys.argv[1:] or ["embedded"])
