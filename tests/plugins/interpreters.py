"""Interpreters and models for servers to load."""

from __future__ import annotations

import shutil
import site
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[1] / "models"


@pytest.fixture(scope="session")
def rerank_models() -> Iterator[Path]:
    """A folder, which the server's account can read, with a folder for each model of `tests/models`."""
    root = Path(tempfile.mkdtemp(prefix="ruattn-test-"))
    root.chmod(0o755)
    for model in MODELS.glob("*.onnx"):
        (root / model.stem).mkdir()
        shutil.copy(model, root / model.stem / "model.onnx")
        shutil.copy(MODELS / "tokenizer.json", root / model.stem)
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def rerank_setting(rerank_models: Path) -> str:
    """The setting that offers these models, each by the name of its folder; `minilm` is `overlap`."""
    offered = [f"{folder.name}={folder}" for folder in sorted(rerank_models.iterdir())]
    return ", ".join([*offered, f"minilm={rerank_models / 'overlap'}"])


@pytest.fixture(scope="session")
def interpreter_with() -> Iterator[Callable[[Path, str], Path]]:
    """Makes an interpreter for `ruattn_fdw.python` that has one more module and first runs a statement."""
    made: list[Path] = []

    def make(module: Path, statement: str) -> Path:
        root = Path(tempfile.mkdtemp(prefix="ruattn-test-"))
        made.append(root)
        root.chmod(0o755)
        packages = root / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        packages.mkdir(parents=True)
        (root / "bin").mkdir()
        base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
        (root / "bin" / "python").symlink_to(base)
        (root / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
        # each with the folders that its own .pth files name
        others = [f"import site; site.addsitedir({folder!r})" for folder in site.getsitepackages()]
        (packages / f"{module.stem}.pth").write_text("\n".join([*others, statement]) + "\n")
        shutil.copy(module, packages)
        return root / "bin" / "python"

    yield make
    for root in made:
        shutil.rmtree(root)
