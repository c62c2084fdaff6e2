"""The sample of ``examples/data``, and how it gets into a database."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

import ruattn_fdw

FOLDER = Path(ruattn_fdw.__file__).parent / "examples" / "data"
TABLES = """
CREATE TABLE documents (id bigint PRIMARY KEY, title text, body text, embedding real[]);
CREATE TABLE questions (id int PRIMARY KEY, question text, embedding real[]);
"""


@dataclass(frozen=True)
class Sample:
    """Documents (id, title, body) with embeddings (n, d), and questions (id, text) with embeddings (q, d)."""

    documents: list[list[str]]
    embeddings: NDArray[np.float32]
    questions: list[list[str]]
    question_embeddings: NDArray[np.float32]


def read_sample() -> Sample:
    """The sample that the package carries."""
    with gzip.open(FOLDER / "documents.tsv.gz", "rt", encoding="utf-8") as file:
        documents = [line.rstrip("\n").split("\t") for line in file]
    questions = [line.split("\t") for line in (FOLDER / "questions.tsv").read_text().splitlines()]
    embeddings = np.load(FOLDER / "documents.f16.npy").astype(np.float32)
    return Sample(documents, embeddings, questions, np.load(FOLDER / "questions.npy"))


def is_loaded(connection: psycopg.Connection[Any]) -> bool:
    """Whether the sample's tables are there."""
    row = connection.execute("SELECT to_regclass('documents') IS NOT NULL").fetchone()
    return row is not None and bool(row[0])


def load_sample(connection: psycopg.Connection[Any], sample: Sample, advance: Callable[[], object]) -> None:
    """Create ``documents`` and ``questions`` together; ``advance`` is called after each document."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(TABLES)
        _copy(
            cursor,
            "documents",
            ["int8", "text", "text", "float4[]"],
            _rows(sample.documents, sample.embeddings),
            advance,
        )
        _copy(
            cursor,
            "questions",
            ["int4", "text", "float4[]"],
            _rows(sample.questions, sample.question_embeddings),
        )
    connection.execute("VACUUM ANALYZE documents, questions")


def _rows(texts: list[list[str]], embeddings: NDArray[np.float32]) -> Iterator[list[Any]]:
    for (number, *rest), embedding in zip(texts, embeddings, strict=True):
        yield [int(number), *rest, embedding.tolist()]


def _copy(
    cursor: psycopg.Cursor[Any],
    table: str,
    types: list[str],
    rows: Iterator[list[Any]],
    advance: Callable[[], object] = lambda: None,
) -> None:
    with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)".encode()) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
            advance()


if __name__ == "__main__":
    with psycopg.connect(autocommit=True) as session:
        load_sample(session, read_sample(), lambda: None)
