"""The native softmax and ranking, against the same in numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruattn_fdw.kernels.native import rank
from ruattn_fdw.kernels.ranking import best_of_logits
from ruattn_fdw.kernels.softmax import State, state_and_reach, state_of


def twin(ids, logits, whole):
    """The order, the scores and the logits of all rows, best first."""
    weights = np.exp(logits - whole.maximum[:, None]) / whole.total[:, None]
    score, logit = weights.mean(axis=0), logits.mean(axis=0)
    with np.errstate(divide="ignore"):
        below = logit - 100 - max(0, logit.max()) * (1 + 2.0**-20)
        key = logit if len(logits) == 1 else np.where(score < 2.0**-126, below, np.log(score))
    order = np.lexsort((ids, -logit.astype(np.float32), -key))
    return order, score[order], logit[order], weights[:, order]


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("n", [1, 2, 63, 1000])
@pytest.mark.parametrize("size", [0.1, 10, 1000])
def test_it_agrees_with_its_twin(heads, n, size):
    random = np.random.RandomState(n)
    logits, ids = size * random.standard_normal((heads, n)), random.permutation(n)
    whole = state_of(logits)
    np.testing.assert_array_equal(whole.maximum, logits.max(axis=1))
    np.testing.assert_allclose(whole.total, np.exp(logits - logits.max(axis=1)[:, None]).sum(axis=1))
    order, score, logit, weights = twin(ids, logits, whole)
    rows, k = np.arange(n) + 5, max(1, n // 2)
    answer = best_of_logits(rows, ids, logits, whole, k)
    np.testing.assert_array_equal(answer.rows, rows[order[:k]])
    np.testing.assert_allclose(answer.score, score[:k], rtol=1e-6, atol=1e-37)
    np.testing.assert_allclose(answer.logit, logit[:k], rtol=1e-6)
    np.testing.assert_allclose(answer.lse, whole.lse)
    np.testing.assert_allclose(answer.head_scores, weights[:, :k], rtol=1e-6, atol=1e-37)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 1 + 2.0**-40]), st.integers(0, 3)), min_size=1))
def test_ties_go_to_the_smaller_id(pairs):
    logits, ids = np.array([[logit for logit, _ in pairs]]), np.array([number for _, number in pairs])
    whole = state_of(logits)
    answer = best_of_logits(np.arange(len(pairs)), ids, logits, whole, len(pairs))
    wanted = sorted(pairs, key=lambda pair: (-pair[0], pair[1]))
    assert [pairs[row] for row in answer.rows] == wanted
    assert (np.diff(answer.score) <= 0).all()


@pytest.mark.parametrize("heads", [1, 3])
def test_rows_without_a_logit_come_last_in_the_order_of_their_ids(heads):
    logits, ids = np.zeros((heads, 300)), np.random.RandomState(0).permutation(300)
    logits[0, ids % 3 == 0] = np.nan
    answer = best_of_logits(None, ids, logits, State(np.zeros(heads), np.ones(heads)), 300)
    assert ids[answer.rows].tolist() == sorted(range(300), key=lambda number: (number % 3 == 0, number))


def test_no_k_is_more_than_there_are_rows():
    logits = np.zeros((2, 3))
    answer = best_of_logits(np.arange(3), np.arange(3), logits, state_of(logits), 10)
    assert answer.rows.tolist() == [0, 1, 2]
    np.testing.assert_allclose(answer.score, 1 / 3)


@pytest.mark.parametrize(("logit", "reach"), [(-7.0, 7), (7.0, 7), (-np.inf, np.inf), (np.nan, np.nan)])
def test_the_reach_is_the_largest_magnitude(logit, reach):
    logits = np.array([[1.0, 2.0, 3.0], [logit, 0.0, 5.0]])
    np.testing.assert_equal(state_and_reach(logits)[1], reach)


def test_a_logit_that_is_no_number_shows_in_the_softmax():
    assert np.isnan(state_of(np.array([[1, np.nan, 2.0]])).total).all()


def test_under_a_larger_whole_scores_are_smaller():
    logits, whole = np.array([[0.0, 1.0]]), State(np.array([3.0]), np.array([1.0]))
    answer = best_of_logits(np.arange(2), np.arange(2), logits, whole, 2)
    np.testing.assert_allclose(answer.score, np.exp([-2, -3]), rtol=1e-6)


@pytest.mark.parametrize("wrong", range(9))
def test_arrays_that_do_not_fit_are_refused(wrong):
    floats = np.empty((1, 2), np.float32)
    given = [np.zeros((2, 4)), np.zeros((1, 4), int), np.ones((1, 2)), np.ones((1, 2))]
    given += [np.empty((1, 2), int), floats, floats.copy(), np.empty((2, 2), np.float32), np.empty((1, 2))]
    rank.best(*given)
    given[wrong] = np.zeros((3, 5), given[wrong].dtype)
    with pytest.raises(ValueError, match="do not fit"):
        rank.best(*given)


def test_a_state_without_room_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        rank.state(np.zeros((2, 4)), np.zeros((1, 2)), np.zeros((1, 1)))


def certain(logits, whole, doubt, k):
    """Whether rows in order are told apart, whatever their weights are, which are off by a doubt a head."""
    weights = np.exp(logits - whole.maximum[:, None]) / whole.total[:, None]
    scores = weights.mean(axis=0)
    order = np.argsort(-scores)
    for place in range(1, len(order)):
        a, b = order[min(place, k) - 1], order[place]
        apart = np.abs(scores[a] - scores[b]) > (doubt * np.abs(weights[:, a] - weights[:, b])).mean()
        seen = scores[[a, b]] * (1 - doubt.max()) > 2.0**-126
        gone = scores[[a, b]] * (1 + doubt.max()) < 2.0**-126
        told = (seen.all() and apart) or ((seen[0] or gone[0]) and gone[1])
        if not told and (logits[:, a] != logits[:, b]).any():
            return False
    return True


@pytest.mark.parametrize("size", [1e-9, 1.0, 30.0, 300.0])
@pytest.mark.parametrize("k", [1, 3, 10])
def test_an_order_is_settled_where_no_doubt_can_change_it(size, k):
    answers = []
    for seed in range(60):
        random = np.random.RandomState(seed)
        logits = size * random.standard_normal((3, 12))
        logits[:, 5] = logits[:, 2]
        doubt = 10.0 ** random.uniform(-9, 0, 3)
        whole = state_of(logits)
        answers.append(rank.settled(logits, whole.maximum[None], whole.total[None], doubt[None], k))
        assert answers[-1] == certain(logits, whole, doubt, k)
    assert size != 1.0 or 0 < sum(answers) < len(answers)


def test_nothing_is_settled_by_what_is_no_number():
    logits, whole = np.array([[1.0, 2.0], [1.0, 2.0]]), State(np.array([2.0, 2.0]), np.ones(2))
    for doubt in ([0.0, np.nan], [np.nan, 0.0]):
        assert not rank.settled(logits, whole.maximum[None], whole.total[None], np.array([doubt]), 1)
    with pytest.raises(ValueError, match="do not fit"):
        rank.settled(logits, whole.maximum[None], whole.total[None], np.zeros((1, 3)), 1)
