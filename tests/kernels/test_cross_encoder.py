"""A cross-encoder's logits against its twin, and pairs in batches. Skipped without the extra `rerank`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cross_encoder_twin import logit
from ruattn_fdw.kernels.errors import InvalidModel, OutOfDomain
from ruattn_fdw.kernels.neural import rerank, sequences
from ruattn_fdw.kernels.neural.cross_encoder import CrossEncoder
from ruattn_fdw.kernels.neural.load import load

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra rerank is not installed")
tokenizers = pytest.importorskip("tokenizers", reason="the extra rerank is not installed")

QUERY = "a bird of prey"
WORDS = ["a", "long", "legged", "bird", "of", "prey", "hunts", "small", "animals", "in", "warm", "regions"]


@pytest.fixture(scope="module")
def encoder(rerank_models: Path) -> CrossEncoder:
    found = load(rerank_models / "overlap")
    assert isinstance(found, CrossEncoder)
    return found


@pytest.fixture(scope="module")
def tokenizer(rerank_models: Path) -> Any:
    return tokenizers.Tokenizer.from_file(str(rerank_models / "overlap" / "tokenizer.json"))


def texts(n: int) -> list[str]:
    """Texts of many lengths, of none and of thousands of tokens too."""
    random = np.random.RandomState(1)
    lengths = [0, 3000, *random.randint(1, 90, n)][:n]
    return [" ".join(random.choice(WORDS, length)) for length in lengths]


@pytest.mark.parametrize("n", [1, 63, 150])
@pytest.mark.parametrize("threads", [1, 2])
def test_it_agrees_with_its_twin(rerank_models: Path, tokenizer: Any, n: int, threads: int) -> None:
    found, cut = load(rerank_models / "overlap", threads).score(QUERY, texts(n))
    tokenizer.enable_truncation(512)
    read = [tokenizer.encode(QUERY, text) for text in texts(n)]
    np.testing.assert_allclose(found, [logit(pair.ids, pair.type_ids) for pair in read], atol=1e-5)
    assert cut == min(n - 1, 1)


def test_no_texts(encoder: CrossEncoder) -> None:
    logits, cut = encoder.score(QUERY, [])
    assert (logits.shape, logits.dtype, cut) == ((0,), np.float32, 0)


def test_the_order_of_the_texts_does_not_matter(encoder: CrossEncoder) -> None:
    some = texts(100)
    forward, _ = encoder.score(QUERY, some)
    backward, _ = encoder.score(QUERY, some[::-1])
    np.testing.assert_array_equal(forward, backward[::-1])


def test_longer_pairs_are_cut_and_counted(encoder: CrossEncoder, tokenizer: Any) -> None:
    fits, too_long = "bird " * 20, "bird " * 21
    length = len(tokenizer.encode(QUERY, fits).ids)
    logits, cut = encoder.score(QUERY, [fits, too_long], max_length=length)
    assert cut == 1
    assert logits[0] == logits[1]


def test_a_batch_holds_pairs_of_one_length_filled_up(tokenizer: Any) -> None:
    tokenizer.enable_truncation(512)
    read = sequences.Sequences(512)
    for row, text in enumerate(texts(150)):
        read.add(1000 + row, tokenizer.encode(QUERY, text))
    found = list(sequences.batches(read, pad=7))
    assert sorted(np.concatenate([batch.rows for batch in found]).tolist()) == list(range(1000, 1150))
    assert sum(batch.cut for batch in found) == 1
    for batch in found:
        assert batch.ids.shape[1] % sequences.STEP == 0
        assert batch.ids.size <= sequences.TOKENS
        lengths = batch.mask.sum(axis=1)
        assert (lengths > batch.ids.shape[1] - sequences.STEP).all()
        assert (batch.ids[batch.mask == 0] == 7).all()
        assert (batch.segments <= batch.mask).all()


class CanceledError(Exception):
    """What the checkpoint of a canceled caller raises."""


def test_an_interrupt_stops_the_model_and_is_raised(rerank_models: Path) -> None:
    begun = time.monotonic()

    def interrupted() -> bool:
        return time.monotonic() - begun > 0.2

    def checkpoint() -> None:
        if interrupted():
            raise CanceledError

    slow = load(rerank_models / "slow")
    begun = time.monotonic()
    with pytest.raises(CanceledError):
        slow.score(QUERY, ["text"], None, checkpoint, interrupted)
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("labels", "gives 16 x 2 numbers for each pair, not one"),
        ("two", "gives 2 numbers for each pair, not one"),
    ],
)
def test_what_gives_no_relevance_is_refused(rerank_models: Path, name: str, message: str) -> None:
    with pytest.raises(InvalidModel, match=message):
        load(rerank_models / name).score(QUERY, ["some text"])


def test_best_rows_and_equal_ones_by_id() -> None:
    logits, ids = np.array([1, 3, 3, 2], np.float32), np.array([4, 9, 7, 1])
    assert rerank.best(logits, ids, None).tolist() == [2, 1, 3, 0]
    assert rerank.best(logits, ids, 2).tolist() == [2, 1]


def test_a_score_that_is_no_number_is_refused_with_its_row() -> None:
    with pytest.raises(OutOfDomain, match="gets the score nan") as caught:
        rerank.best(np.array([1, 2, np.nan], np.float32), np.arange(3), 1)
    assert caught.value.row == 2


def test_the_sigmoid_neither_overflows_nor_turns_back() -> None:
    logits = np.array([-1e4, -90, -2, 0, 3, 90, 1e4], np.float32)
    scores = rerank.activated(logits, "sigmoid")
    np.testing.assert_allclose(scores[2:5], 1 / (1 + np.exp(-logits[2:5])), rtol=1e-6)
    assert (np.diff(scores) >= 0).all()
    assert (scores[0], scores[-1]) == (0, 1)
