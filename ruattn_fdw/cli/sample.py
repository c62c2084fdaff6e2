"""The sample of ``examples/data``, and how it gets into a database."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

import ruattn_fdw

FOLDER = Path(ruattn_fdw.__file__).parent / "examples" / "data"
TABLES = {
    "documents": "CREATE TABLE documents (id bigint PRIMARY KEY, title text, body text, embedding real[])",
    "questions": "CREATE TABLE questions (id int PRIMARY KEY, question text, embedding real[])",
    "edges": "CREATE TABLE edges"
    " (source bigint, target bigint, kind text, PRIMARY KEY (source, target, kind));"
    " CREATE INDEX ON edges (target)",
}
TYPES = {
    "documents": ["int8", "text", "text", "float4[]"],
    "questions": ["int4", "text", "float4[]"],
    "edges": ["int8", "int8", "text"],
}


@dataclass(frozen=True)
class Sample:
    """Documents (id, title, body) with embeddings (n, d), questions (id, text) with embeddings (q, d), and
    edges between documents (source, target, kind).
    """

    documents: list[list[str]]
    embeddings: NDArray[np.float32]
    questions: list[list[str]]
    question_embeddings: NDArray[np.float32]
    edges: list[list[str]]

    def rows(self, table: str) -> list[list[Any]]:
        """The rows of one of the tables, as they are copied."""
        if table == "edges":
            return [[int(source), int(target), kind] for source, target, kind in self.edges]
        if table == "questions":
            return _with_vectors(self.questions, self.question_embeddings)
        return _with_vectors(self.documents, self.embeddings)


def read_sample() -> Sample:
    """The sample that the package carries."""
    with gzip.open(FOLDER / "documents.tsv.gz", "rt", encoding="utf-8") as file:
        documents = _fields(file)
    embeddings = np.load(FOLDER / "documents.f16.npy").astype(np.float32)
    questions = _fields((FOLDER / "questions.tsv").read_text().splitlines())
    edges = _fields((FOLDER / "edges.tsv").read_text().splitlines())
    return Sample(documents, embeddings, questions, np.load(FOLDER / "questions.npy"), edges)


def missing_tables(connection: psycopg.Connection[Any]) -> list[str]:
    """Those of the sample's tables that are not there; a demo of an earlier version has fewer."""
    names = connection.execute(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL", [list(TABLES)]
    )
    return [name for (name,) in names]


def load_sample(connection: psycopg.Connection[Any], sample: Sample, advance: Callable[[], object]) -> None:
    """Create what is missing of the tables together; ``advance`` is called after each row."""
    tables = missing_tables(connection)
    with connection.transaction(), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(TABLES[table].encode())
            with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)".encode()) as copy:
                copy.set_types(TYPES[table])
                for row in sample.rows(table):
                    copy.write_row(row)
                    advance()
    connection.execute(f"VACUUM ANALYZE {', '.join(tables)}".encode())


def _fields(lines: Iterable[str]) -> list[list[str]]:
    return [line.rstrip("\n").split("\t") for line in lines]


def _with_vectors(texts: list[list[str]], embeddings: NDArray[np.float32]) -> list[list[Any]]:
    return [
        [int(number), *rest, embedding]
        for (number, *rest), embedding in zip(texts, embeddings.tolist(), strict=True)
    ]


if __name__ == "__main__":
    with psycopg.connect(autocommit=True) as session:
        load_sample(session, read_sample(), lambda: None)
