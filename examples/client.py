"""Vectors made in Python, searched in PostgreSQL, on the sample that `ruattn demo` loads:

    .venv/bin/python examples/client.py "$(.venv/bin/ruattn server uri)"

psycopg passes a numpy array on as the list that `tolist` makes of it; PostgreSQL takes that for a vector.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Found = list[tuple[int, str, float]]

SEARCH = """
SELECT d.id, d.title, s.score
FROM   mha_search s JOIN documents d USING (id)
WHERE  s.table_name = 'documents' AND s.query = %(query)s
       AND s.attention_type = 'cosine' AND s.temperature = 0.05 AND s.k = %(k)s
ORDER  BY s.score DESC
"""


def search(connection: psycopg.Connection[Any], query: Vector, k: int = 5) -> Found:
    """The k documents to which a vector attends most: (id, title, score)."""
    return connection.execute(SEARCH, {"query": query.tolist(), "k": k}).fetchall()


def embeddings(connection: psycopg.Connection[Any], table: str) -> tuple[list[int], Vector]:
    """The ids of a table and its embeddings (n, d). Binary results spare the text form of every number."""
    statement = psycopg.sql.SQL("SELECT id, embedding FROM {} ORDER BY id").format(
        psycopg.sql.Identifier(table)
    )
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(statement).fetchall()
    return [row_id for row_id, _ in rows], np.array([vector for _, vector in rows], np.float32)


def attend(query: Vector, keys: Vector, temperature: float = 0.05) -> Vector:
    """The same weights by numpy, over keys (n, d): a softmax of cosines."""
    logits = keys @ query / (np.linalg.norm(keys, axis=1) * np.linalg.norm(query) * temperature)
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


def show(heading: str, found: Found) -> None:
    """Print one answer."""
    print(heading)
    for _, title, score in found:
        print(f"  {score:.4f}  {title}")


def main(uri: str, database: str = "demo") -> None:
    """Search for a question, for the sum of two, and compute a score once more with numpy."""
    with psycopg.connect(uri, dbname=database) as connection:
        _, questions = embeddings(connection, "questions")
        person, frying = questions[2], questions[3]
        found = search(connection, person)
        show("a person who writes computer programs", found)
        # Look at the first: a vector is a direction of meaning, and a person plus frying in oil is a cook.
        show("... and to cook food in hot oil", search(connection, person + frying))
        # Look at the scores: they are shares of the attention over all 4,000 documents, and exact.
        ids, keys = embeddings(connection, "documents")
        weights = attend(person, keys)
        best, title, score = found[0]
        print(f"{title}: {score:.6f} by PostgreSQL, {weights[ids.index(best)]:.6f} by numpy")


if __name__ == "__main__":
    main(sys.argv[1])
