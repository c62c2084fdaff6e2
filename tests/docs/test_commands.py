"""The shell lines of the documentation are commands that there are, with arguments that they take."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ruattn_fdw.cli.main import parser
from ruattn_fdw.cli.servers import psql

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "examples/README.md", *sorted(map(str, ROOT.glob("docs/*.md")))]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def commands(program: str) -> Iterator[list[str]]:
    """The arguments of each call of the program."""
    for document in DOCUMENTS:
        for block in BLOCK.findall((ROOT / document).read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words and Path(words[0]).name == program:
                    yield words[1:]


@pytest.mark.parametrize("words", list(commands("make")), ids=" ".join)
def test_every_target_of_make_is_there(words: list[str]) -> None:
    assert words
    assert words[0] in TARGETS


@pytest.mark.parametrize("words", list(commands("ruattn")), ids=" ".join)
def test_the_command_takes_what_the_documentation_gives_it(words: list[str]) -> None:
    options, rest = parser(words[0]).parse_known_args(words)
    # what psql takes is its own matter
    assert options.run is psql or not rest
