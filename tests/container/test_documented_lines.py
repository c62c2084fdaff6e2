"""The lines of docker in the documentation run as they are written, but for names and ports."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

import pytest

from tests.container.conftest import IMAGE, OPTIONS, Container
from tests.docs.shell import ROOT, lines_of
from tests.docs.test_blocks import blocks_of

pytestmark = pytest.mark.container


def words_of(line: str, name: str) -> list[str]:
    """The arguments of docker in a line, where its reader's container and volume have another name."""
    program, *words = shlex.split(line)
    assert program == "docker"
    others = {"ruattn": name, "-it": "-i", "5432:5432": "127.0.0.1::5432"}
    return [others.get(word, word.replace("ruattn:/", f"{name}:/")) for word in words]


def run(words: Sequence[str], container: Container) -> None:
    """Run one line to its end, a container until its server is ready."""
    command, *others = words
    if command == "build":
        # run.sh built it
        assert others == ["-t", IMAGE, "."]
        container.call("image", "inspect", IMAGE)
    elif command == "run":
        given = [] if "--name" in words else [f"--name={container.name}"]
        container.call("run", *OPTIONS, *given, *others)
        container.wait()
    else:
        container.call(*words)


@pytest.mark.parametrize("page", ["README.md", "docs/container.md"])
def test_lines_of_docker(container: Callable[[], Container], page: str) -> None:
    used = [named := container()]
    try:
        for kind, block in blocks_of((ROOT / page).read_text()):
            for line in lines_of(block) if kind == "docker" else ():
                words = words_of(line, named.name)
                if words[0] == "run" and "--name" not in words:
                    used.append(container())
                run(words, named if named.name in words else used[-1])
    finally:
        for one in used:
            one.call("rm", "--force", "--volumes", one.name, check=False)
        named.call("volume", "rm", "--force", named.name, check=False)
    assert len(used) > 1
