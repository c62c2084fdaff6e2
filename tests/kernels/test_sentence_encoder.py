"""An encoder of sentences against its twin, and what its folder says. Skipped without the extra `rerank`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruattn_fdw.kernels.errors import InvalidModel
from ruattn_fdw.kernels.neural.load import load

pytest.importorskip("onnxruntime", reason="the extra rerank is not installed")
tokenizers = pytest.importorskip("tokenizers", reason="the extra rerank is not installed")

QUERY = "a bird of prey"
TEXTS = ["a small bird", "", "a tool with a flat blade and a handle", "bird of prey " * 300, QUERY]
LENGTH = 64


@pytest.fixture
def folder(rerank_models: Path, tmp_path: Path) -> Path:
    """A folder of the model `tokens`, to which more may be written."""
    return Path(shutil.copytree(rerank_models / "tokens", tmp_path / "model"))


def numbers(folder: Path, text: str, length: int) -> list[int]:
    tokenizer: Any = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(length)
    return list(tokenizer.encode(text).ids)


def by_mean(ids: list[int]) -> np.ndarray:
    return np.mean([(1, np.sqrt(number)) for number in ids], axis=0)


def by_first(ids: list[int]) -> np.ndarray:
    return np.array([1, np.sqrt(ids[0])])


def by_largest(ids: list[int]) -> np.ndarray:
    return np.array([1, np.sqrt(max(ids))])


def cosines(folder: Path, vector: Any, length: int) -> list[float]:
    asked, *answers = (vector(numbers(folder, text, length)) for text in (QUERY, *TEXTS))
    return [asked @ a / np.linalg.norm(asked) / np.linalg.norm(a) for a in answers]


def write(folder: Path, name: str, content: object) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("pooling", "vector", "kind"),
    [
        (None, by_mean, "mean of the tokens"),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, by_mean, "mean of the tokens"),
        ({"pooling_mode_cls_token": True, "word_embedding_dimension": 2}, by_first, "first token"),
        ({"pooling_mode": "cls", "embedding_dimension": 2}, by_first, "first token"),
    ],
)
def test_vectors_of_tokens_are_pooled_as_the_folder_says(
    folder: Path, pooling: object, vector: Any, kind: str
) -> None:
    if pooling:
        write(folder, "1_Pooling/config.json", pooling)
    encoder = load(folder)
    assert encoder.kind == f"sentence encoder, {kind}"
    found, cut = encoder.score(QUERY, TEXTS, LENGTH)
    np.testing.assert_allclose(found, cosines(folder, vector, LENGTH), atol=1e-6)
    assert cut == 1


def test_the_vector_of_a_whole_text_is_taken_where_there_is_one(rerank_models: Path) -> None:
    encoder = load(rerank_models / "texts")
    assert encoder.kind == "sentence encoder, vectors of the model"
    found, _ = encoder.score(QUERY, TEXTS, LENGTH)
    np.testing.assert_allclose(found, cosines(rerank_models / "texts", by_largest, LENGTH), atol=1e-6)


def test_texts_are_as_long_as_the_folder_says(folder: Path) -> None:
    write(folder, "sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": False})
    found, cut = load(folder).score(QUERY, TEXTS)
    np.testing.assert_allclose(found, cosines(folder, by_mean, 32), atol=1e-6)
    assert cut == 1


def test_no_texts(folder: Path) -> None:
    found, cut = load(folder).score(QUERY, [])
    assert (found.shape, cut) == ((0,), 0)


def test_a_text_without_a_token_has_no_cosine(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    write(folder, "tokenizer.json", tokenizer | {"post_processor": None})
    found, _ = load(folder).score(QUERY, ["", QUERY])
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("modules.json", [{"type": "sentence_transformers.models.Dense"}], "has the module .*models.Dense"),
        ("modules.json", ["Transformer", 3], "has the module 3"),
        ("modules.json", {}, "modules.json holds {}"),
        ("1_Pooling/config.json", {"pooling_mode_lasttoken": True}, "pools by pooling_mode_lasttoken"),
        ("1_Pooling/config.json", {"pooling_mode": "max"}, "pools by max"),
        (
            "1_Pooling/config.json",
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
            "pools by pooling_mode_cls_token, pooling_mode_mean_tokens",
        ),
        ("sentence_bert_config.json", {"max_seq_length": "256"}, "max_seq_length is '256'"),
    ],
)
def test_a_folder_that_asks_for_more_is_refused(
    folder: Path, name: str, content: object, message: str
) -> None:
    write(folder, name, content)
    with pytest.raises(InvalidModel, match=message) as caught:
        load(folder)
    assert caught.value.hint


def test_a_file_that_is_no_json_is_named(folder: Path) -> None:
    (folder / "modules.json").write_text("{")
    with pytest.raises(InvalidModel, match=r"cannot be loaded: modules\.json: Expecting"):
        load(folder)
