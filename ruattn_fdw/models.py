"""The models that the administrator offers for reranking: those of the setting `ruattn_fdw.rerank_models`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ruattn_fdw import host_api, memory
from ruattn_fdw.errors import CONFIGURATION, NO_SUCH_OBJECT, NOT_SUPPORTED, AttentionError, choices
from ruattn_fdw.kernels.errors import InvalidModel
from ruattn_fdw.kernels.neural.load import TextModel, load
from ruattn_fdw.kernels.neural.network import MODEL_FILE, TOKENIZER_FILE
from ruattn_fdw.kernels.neural.sentence_encoder import CONFIG_FILES
from ruattn_fdw.threads import THREADS

SETTING = "ruattn_fdw.rerank_models"
LIBRARIES = ("onnxruntime", "tokenizers")


class File(NamedTuple):
    """A file of a model, as it was when the model was loaded."""

    path: Path
    inode: int
    size: int
    changed: int


class Loaded(NamedTuple):
    """A model in memory, with what it was loaded from."""

    files: tuple[File, ...]
    threads: int
    encoder: TextModel


class Models:
    """The models that this process has in memory, by name."""

    def __init__(self) -> None:
        self._loaded: dict[str, Loaded] = {}

    def get(self, name: str) -> tuple[TextModel, bool]:
        """The model of this name, and whether it had to be loaded: at first, or since something changed."""
        offered = folders()
        self._loaded = {known: model for known, model in self._loaded.items() if known in offered}
        with model_errors(name):
            folder = find(name)
            files = _files(folder)
            kept = self._loaded.get(name)
            if kept is not None and kept[:2] == (files, THREADS.count):
                return kept.encoder, False
            size = sum(file.size for file in files)
            memory.check_memory(f'the files of model "{name}"', size, "name a smaller model")
            self._loaded.pop(name, None)
            encoder = load(folder, THREADS.count)
        self._loaded[name] = Loaded(files, THREADS.count, encoder)
        return encoder, True


MODELS = Models()


def folders() -> dict[str, Path]:
    """The folder of each model by its name."""
    words = (word.strip() for word in host_api.text_setting("rerank_models").split(","))
    pairs = (word.partition("=") for word in words if word)
    return {name: Path(folder) for name, _, folder in pairs}


def find(name: str) -> Path:
    """The folder of the model of this name."""
    offered = folders()
    if name in offered:
        return offered[name]
    raise AttentionError(
        f'there is no model "{name}"',
        sqlstate=NO_SUCH_OBJECT,
        hint=choices(name, offered, "models") if offered else f"An administrator lists models in {SETTING}.",
    )


def missing_libraries() -> list[str]:
    """What the interpreter lacks to run models."""
    return [library for library in LIBRARIES if find_spec(library) is None]


def install_command() -> str:
    """What an administrator runs to have these libraries."""
    return f"{host_api.text_setting('python')} -m pip install {' '.join(LIBRARIES)}"


@contextmanager
def model_errors(name: str) -> Iterator[None]:
    """Say of a model what its kernel says."""
    try:
        yield
    except InvalidModel as error:
        raise AttentionError(
            f'model "{name}" {error.message}', sqlstate=NOT_SUPPORTED, hint=error.hint
        ) from error
    except ImportError as error:
        raise AttentionError(
            "neural reranking needs onnxruntime and tokenizers, which are not installed",
            sqlstate=NOT_SUPPORTED,
            detail=f"Python says: {error}.",
            hint="An administrator installs them; ruattn_diag() tells him the command.",
        ) from error
    except OSError as error:
        raise AttentionError(
            f'cannot read model "{name}": {Path(error.filename or "").name}: {error.strerror}',
            sqlstate=CONFIGURATION,
            hint=f"{SETTING} names a folder, in which the server's account must be able to read "
            f"{MODEL_FILE} and {TOKENIZER_FILE}.",
        ) from error


def _files(folder: Path) -> tuple[File, ...]:
    """The files of a model; weights may lie in some beside `model.onnx` whose names begin like that."""
    configuration = [folder / name for name in CONFIG_FILES if (folder / name).exists()]
    paths = [*sorted(folder.glob(f"{MODEL_FILE}*")), folder / TOKENIZER_FILE, *configuration]
    facts = [(path, path.stat()) for path in paths]
    return tuple(File(path, stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in facts)
