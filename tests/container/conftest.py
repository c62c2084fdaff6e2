"""Containers of the image that run.sh built, run by the engine that it found."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

IMAGE = "ruattn-fdw"
# Podman asks for more than every machine grants, and looks for the image in registries
OPTIONS = ["--ulimit=nofile=8192:8192", "--ulimit=nproc=8192:8192", "--pull=never"]
PATIENCE = 90
CHECK = "{{json .Config.Healthcheck.Test}}"

Done = subprocess.CompletedProcess[str]


class Container:
    """A container of the image, to be started by ``run``."""

    def __init__(self, engine: list[str]) -> None:
        self.engine = engine
        self.name = f"ruattn-test-{uuid.uuid4().hex[:12]}"

    def call(self, *command: str, check: bool = True) -> Done:
        """Run a command of the engine."""
        done = subprocess.run([*self.engine, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def run(self, *command: str, options: list[str] | None = None, **environment: str) -> Done:
        """``docker run``, which may fail."""
        given = [*(options or []), *(f"--env={name}={value}" for name, value in environment.items())]
        return self.call("run", f"--name={self.name}", *OPTIONS, *given, IMAGE, *command, check=False)

    def start(self, options: list[str], **environment: str) -> None:
        """Run it in the background until it is healthy."""
        done = self.run(options=["--detach", *options], **environment)
        assert done.returncode == 0, done.stderr
        self.wait()

    def wait(self) -> None:
        """Until its health check, run here as an engine does, succeeds."""
        kind, check = json.loads(self.call("inspect", f"--format={CHECK}", self.name).stdout)
        assert kind == "CMD-SHELL"
        deadline = time.monotonic() + PATIENCE
        while self.inside("sh", "-c", check, check=False).returncode:
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.3)

    def inside(self, *command: str, check: bool = True) -> Done:
        """Run a command in the container."""
        return self.call("exec", self.name, *command, check=check)

    def log(self) -> str:
        """All that it has written."""
        done = self.call("logs", self.name)
        return done.stdout + done.stderr


@pytest.fixture(scope="session")
def container(request: pytest.FixtureRequest) -> Iterator[Callable[[], Container]]:
    """Makes containers, which are removed at the end with their volumes."""
    made: list[Container] = []

    def make() -> Container:
        made.append(Container(str(request.config.option.engine).split()))
        return made[-1]

    yield make
    for one in made:
        one.call("rm", "--force", "--volumes", one.name, check=False)


@pytest.fixture(scope="session")
def scripts() -> Iterator[Callable[[dict[str, str]], str]]:
    """Writes files for the first start, and gives the option that mounts them."""
    made: list[Path] = []

    def write(files: dict[str, str]) -> str:
        folder = Path(tempfile.mkdtemp(prefix="ruattn-test-"))
        made.append(folder)
        # the server's account in the container is nobody's here
        folder.chmod(0o755)
        for name, text in files.items():
            (folder / name).write_text(text)
        return f"--volume={folder}:/docker-entrypoint-initdb.d:ro"

    yield write
    for folder in made:
        shutil.rmtree(folder)
