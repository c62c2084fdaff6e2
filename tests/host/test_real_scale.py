"""Real embeddings at their real number (`--wordnet DIR`, else the shipped sample), against float64."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from psycopg import Connection

from ruattn_fdw.server.server import Server
from tests.corpus import Corpus, binary_rows, read_corpus

TIE = 1e-6
TEMPERATURE = 0.05
HEADS = {"scaled_dot": 1, "multi_head": 8, "flash_v2": 1, "cosine": 8}


@pytest.fixture(scope="module")
def corpus(request: pytest.FixtureRequest) -> Corpus:
    return read_corpus(request.config.option.wordnet)


@pytest.fixture(scope="module")
def loaded(server: Server, corpus: Corpus) -> Iterator[Connection[Any]]:
    """A database with the embeddings as real[] in `reals`."""
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE real_scale TEMPLATE ruattn_template")
        with psycopg.connect(server.uri("real_scale"), autocommit=True) as connection:
            connection.execute("CREATE TABLE reals (id int PRIMARY KEY, embedding real[])")
            with connection.cursor().copy("COPY reals FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8) + binary_rows(corpus.embeddings) + b"\xff\xff")
            yield connection
        admin.execute("DROP DATABASE real_scale WITH (FORCE)")


@pytest.fixture(scope="module")
def vectors(pgvector: None, loaded: Connection[Any]) -> Connection[Any]:
    """The database with the embeddings as vector(384) in `vectors` too."""
    loaded.execute(
        "CREATE EXTENSION vector; CREATE TABLE vectors (id int PRIMARY KEY, embedding vector(384))"
    )
    loaded.execute("INSERT INTO vectors SELECT id, embedding::vector FROM reals")
    return loaded


def expected(corpus: Corpus, question: NDArray[np.float32], mechanism: str) -> NDArray[np.float64]:
    """The score of every row in float64."""
    heads = HEADS[mechanism]
    score = np.zeros(len(corpus.embeddings))
    slices = np.split(question.astype(np.float64), heads)
    for query, keys in zip(slices, np.split(corpus.embeddings, heads, axis=1), strict=True):
        logits = keys.astype(np.float64) @ query
        if mechanism == "cosine":
            logits /= np.linalg.norm(keys.astype(np.float64), axis=1) * np.linalg.norm(query)
        else:
            logits /= np.sqrt(len(query))
        weights = np.exp((logits - logits.max()) / TEMPERATURE)
        score += weights / weights.sum() / heads
    return score


def check(rows: list[tuple[Any, ...]], score: NDArray[np.float64]) -> None:
    """The rows (id, score) are the best ones: the first 10 exactly, the others up to ties."""
    order = np.argsort(-score, kind="stable")[: len(rows)]
    ids = np.array([row[0] for row in rows])
    assert ids[:10].tolist() == (order[:10] + 1).tolist()
    assert len(set(ids.tolist())) == len(ids)
    np.testing.assert_allclose(score[ids - 1], score[order], rtol=TIE)
    np.testing.assert_allclose([row[1] for row in rows], score[ids - 1], rtol=1e-5)


STATEMENT = (
    "SELECT id, score FROM mha_search WHERE table_name = %s AND query = %s::real[] AND attention_type = %s"
    " AND num_heads = %s AND temperature = %s AND k = 1000"
)


@pytest.mark.slow
@pytest.mark.parametrize("mechanism", list(HEADS))
def test_the_best_rows_of_real_embeddings(loaded: Connection[Any], corpus: Corpus, mechanism: str) -> None:
    assert len(corpus.questions) >= 10
    for question in corpus.questions:
        parameters = ["reals", question.tolist(), mechanism, HEADS[mechanism], TEMPERATURE]
        rows = loaded.execute(STATEMENT, parameters).fetchall()
        assert len(rows) == 1000
        check(rows, expected(corpus, question, mechanism))


@pytest.mark.slow
def test_a_vector_column_gives_the_same_rows_to_the_last_bit(
    vectors: Connection[Any], corpus: Corpus
) -> None:
    for question in corpus.questions:
        reals, packed = (
            vectors.execute(STATEMENT, [table, question.tolist(), "multi_head", 8, TEMPERATURE]).fetchall()
            for table in ("reals", "vectors")
        )
        assert len(reals) == 1000
        assert reals == packed


@pytest.mark.slow
def test_scores_of_all_rows_sum_to_one(loaded: Connection[Any], corpus: Corpus) -> None:
    row = loaded.execute(
        "SELECT count(*), sum(score::float8) FROM mha_search"
        " WHERE table_name = 'reals' AND query = %s::real[]",
        [corpus.questions[0].tolist()],
    ).fetchone()
    assert row is not None
    assert row == (len(corpus.embeddings), pytest.approx(1, rel=1e-5))
