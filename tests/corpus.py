"""Real embeddings, and rows of them as COPY takes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ruattn_fdw.cli.sample import read_sample


class Corpus(NamedTuple):
    """Embeddings (n, 384) of the rows with ids 1 to n, and of the questions."""

    embeddings: NDArray[np.float32]
    questions: NDArray[np.float32]


def read_corpus(wordnet: Path | None) -> Corpus:
    """The embeddings in a folder of WordNet's, else those of the shipped sample."""
    if wordnet is None:
        sample = read_sample()
        return Corpus(sample.embeddings, sample.question_embeddings.astype(np.float32))
    questions = [question["embedding"] for question in json.loads((wordnet / "queries.json").read_text())]
    embeddings = np.load(wordnet / "embeddings.f16.npy").astype(np.float32)
    return Corpus(embeddings, np.array(questions, np.float32))


def binary_rows(embeddings: NDArray[np.float32]) -> bytes:
    """Rows (id integer, embedding real[]) as COPY ... (FORMAT BINARY) takes them."""
    element = np.dtype([("length", ">i4"), ("value", ">f4")])
    row = np.dtype([
        ("fields", ">i2"), ("id_length", ">i4"), ("id", ">i4"), ("array_length", ">i4"), ("header", ">i4", 5),
        ("elements", element, embeddings.shape[1]),
    ])  # fmt: skip
    rows = np.zeros(len(embeddings), row)
    rows["fields"], rows["id_length"], rows["id"] = 2, 4, np.arange(1, len(embeddings) + 1)
    rows["array_length"] = 20 + element.itemsize * embeddings.shape[1]
    # dimensions, has NULLs, type real, length, lower bound
    rows["header"] = (1, 0, 700, embeddings.shape[1], 1)
    rows["elements"]["length"], rows["elements"]["value"] = 4, embeddings
    return rows.tobytes()
