"""The mechanism that CONTRIBUTING.md adds as an example works, in a copy of the package."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import ruattn_fdw

ROOT = Path(__file__).parents[2]
LISTED = re.compile(r"^MECHANISMS\b.*?^\)\n", re.MULTILINE | re.DOTALL)
STEP = re.compile(r"^\d+\. `([\w/.]+)`:.*?\n   ```python\n(.*?)^   ```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def files() -> dict[str, str]:
    """The code of each step, by the name of the file that it belongs into."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    return {name: textwrap.dedent(code) for name, code in STEP.findall(text)}


def test_the_example_passes_its_own_test(files: dict[str, str], tmp_path: Path) -> None:
    package = tmp_path / "ruattn_fdw"
    ignored = shutil.ignore_patterns("host", "__pycache__")
    shutil.copytree(Path(ruattn_fdw.__file__).parent, package, ignore=ignored)
    [mechanism, registry, test] = files
    (package / mechanism).write_text(files[mechanism])
    text = (package / registry).read_text()
    found = LISTED.search(text)
    assert found is not None
    (package / registry).write_text(f"{text[: found.end()]}\n{files[registry]}{text[found.end() :]}")
    (tmp_path / "test_it.py").write_text(files[test])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    run = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (run.returncode, "3 passed" in run.stdout) == (0, True), run.stdout + run.stderr
