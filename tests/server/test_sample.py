import importlib.util
from types import ModuleType

import numpy as np
import pytest

from ruattn_fdw.cli.sample import FOLDER, Sample, read_sample


@pytest.fixture(scope="module")
def content() -> Sample:
    return read_sample()


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_sample", FOLDER.parent / "make_sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 4 * 2**20


def test_texts_and_embeddings_belong_together(content: Sample) -> None:
    assert content.embeddings.shape == (len(content.documents), 384)
    assert content.question_embeddings.shape == (len(content.questions), 384)
    ids = [int(document[0]) for document in content.documents]
    assert ids == sorted(set(ids))
    assert all(len(document) == 3 and all(document) for document in content.documents)


def test_edges_lead_from_document_to_document(content: Sample, maker: ModuleType) -> None:
    ids = {document[0] for document in content.documents}
    assert len(content.edges) > 300
    assert all({source, target} <= ids for source, target, _ in content.edges)
    assert {kind for *_, kind in content.edges} == set(maker.KINDS.values())


def test_edges_of_chosen_documents_are_kept_one_way(maker: ModuleType) -> None:
    lines = ["1\t@\t2\n", "2\t~\t1\n", "1\t@\t3\n", "2\t&\t1\n"]
    assert [*maker.edges_within(lines, {"1", "2"})] == ["1\t2\tkind of\n", "2\t1\tsimilar to\n"]


def test_embeddings_have_unit_norm(content: Sample) -> None:
    for embeddings in (content.embeddings, content.question_embeddings):
        np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-3)


def test_every_question_has_a_good_answer(content: Sample) -> None:
    best = (content.question_embeddings @ content.embeddings.T).max(axis=1)
    assert best.min() > 0.5


def test_the_nearest_rows_of_each_question_are_chosen(maker: ModuleType) -> None:
    rng = np.random.default_rng(7)
    embeddings = rng.normal(size=(9000, 8)).astype(np.float32)
    questions = rng.normal(size=(3, 8)).astype(np.float32)
    rows = maker.choose(embeddings, questions)
    assert len(rows) == maker.ROWS == len(set(rows))
    for question in questions:
        assert set(np.argsort(-(embeddings @ question))[: maker.NEAREST]) <= set(rows)
    assert rows.min() == 0
    assert rows.max() == 8999
