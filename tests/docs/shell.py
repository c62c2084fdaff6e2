"""Runs the shell lines of the documentation: for its reader's server and files it takes those of the test."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ruattn_fdw.server.hostbuild import LIBRARY
from ruattn_fdw.server.installation import Installation
from ruattn_fdw.server.server import Server
from tests.serving import serving

ROOT = Path(__file__).parents[2]
Parse = Callable[[list[str]], tuple[argparse.Namespace, list[str]]]


def trained_layers() -> dict[str, np.ndarray]:
    """An attention layer and a block of Mamba, of random numbers, for vectors as long as the sample's."""
    random = np.random.RandomState(0)
    channels, states, ranks, wide = 16, 4, 2, 384

    def draw(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) / 20).astype(np.float32)

    layer = ("self.query", "self.key", "self.value", "output.dense")
    mixer = {
        "in_proj.weight": draw(2 * channels, wide),
        "conv1d.weight": draw(channels, 1, 4),
        "x_proj.weight": draw(ranks + 2 * states, channels),
        "dt_proj.weight": draw(channels, ranks),
        "A_log": draw(channels, states),
        "out_proj.weight": draw(wide, channels),
    }
    return {
        **{f"encoder.layer.0.attention.{name}.weight": draw(wide, wide) for name in layer},
        **{f"backbone.layers.0.mixer.{name}": weight for name, weight in mixer.items()},
    }


def pg_config(folder: Path, installation: Installation) -> Path:
    """The pg_config of a server that has folders of its own, with a library that is current."""
    (folder / "lib").mkdir(parents=True)
    shutil.copy(installation.libdir / LIBRARY, folder / "lib")
    program = folder / "pg_config"
    program.write_text(
        f"""#!/bin/sh
        case "$1" in
            --pkglibdir) echo "{folder}/lib" ;;
            --sharedir) echo "{folder}/share" ;;
            *) exec "{installation.pg_config}" "$@" ;;
        esac"""
    )
    program.chmod(0o755)
    return program


def lines_of(block: str) -> Iterator[str]:
    """The lines of a block that are commands, continued ones as one."""
    for line in block.replace("\\\n", " ").splitlines():
        if shlex.split(line, comments=True):
            yield line


def program_of(line: str) -> str:
    """The name of the program that a line runs."""
    words = shlex.split(line, comments=True)
    return "pip" if words[1:3] == ["-m", "pip"] else Path(words[0]).name


class Shell:
    """A folder like that of a checkout, and a shell in it that reaches the test's server."""

    def __init__(self, folder: Path, server: Server, database: str, models: Path, parse: Parse) -> None:
        """models: a folder with ONNX models; parse: gives pytest's options, and unknown ones."""
        self._folder, self._parse = folder, parse
        programs = [Path(sys.prefix, "bin"), server.installation.bindir]
        path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
        self._environment = {**os.environ, **server.environment(), "PGDATABASE": database, "PATH": path}
        self._stand_ins = {
            "ruattn server psql": f"ruattn server psql --data {server.data}",
            "ruattn server uri": f"ruattn server uri --data {server.data}",
            "/usr/lib/postgresql/15/bin/pg_config": str(pg_config(folder / "elsewhere", server.installation)),
            "/srv/models/minilm": str(models / "overlap"),
            "/srv/models/large": str(models / "two"),
            # what an extra wants is there or not, whatever a registry says
            "pip install": "pip install --dry-run --no-index",
        }
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / "examples").symlink_to(ROOT / "examples")
        save_file(trained_layers(), folder / "model.safetensors")

    def run(self, block: str) -> None:
        """Run a block, line by line; each must succeed."""
        for line in lines_of(block):
            program = program_of(line)
            assert program in PROGRAMS, f"no test runs {program}: {line}"
            PROGRAMS[program](self, line)

    def execute(self, line: str) -> None:
        """The line itself, by bash."""
        for theirs, ours in self._stand_ins.items():
            line = line.replace(theirs, ours)
        done = subprocess.run(
            ["bash", "-euc", line],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{line}\n{said}"
        assert "does not provide the extra" not in said, said

    def serve(self, line: str) -> None:
        """A command that serves until it is interrupted; an address is the last line that it prints."""
        with serving(shlex.split(line), self._folder, self._environment) as address:
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/.*\n", address)

    def ruattn(self, line: str) -> None:
        """A command of ours."""
        (self.serve if "ruattn explore" in line else self.execute)(line)

    def make(self, line: str) -> None:
        """A target: make itself says what it would run with these arguments, which takes minutes."""
        words = shlex.split(line, comments=True)
        done = subprocess.run([*words, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, "bootstrap.py" in done.stdout) == (0, True), done.stdout + done.stderr
        given = [word.partition("=")[2] for word in words if "=" in word]
        assert all(value in done.stdout for value in given), done.stdout

    def pytest(self, line: str) -> None:
        """A part of this suite: options that it has, of files that are there."""
        options, unknown = self._parse(shlex.split(line, comments=True)[1:])
        assert not unknown, line
        assert all((ROOT / name).exists() for name in options.file_or_dir), line


PROGRAMS: dict[str, Callable[[Shell, str], None]] = {
    "make": Shell.make,
    "pip": Shell.execute,
    "psql": Shell.execute,
    "pytest": Shell.pytest,
    "python": Shell.execute,
    "ruattn": Shell.ruattn,
}
