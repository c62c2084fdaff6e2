"""Commands that serve until they are interrupted."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(
    words: Sequence[str | Path], folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Runs such a command, gives the second line that it prints, interrupts it; it must end with code 0.

    Where the tests run in the background of a shell interrupts are ignored, and so by what they start.
    """
    command = ["env", "--default-signal=INT", *words]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            _, address = process.stdout.readline(), process.stdout.readline()
            yield address
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
        finally:
            process.kill()
