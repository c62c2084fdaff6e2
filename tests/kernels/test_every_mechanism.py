"""What must hold for each mechanism of the registry that answers one query, whatever it computes."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidOption, UnknownOption
from ruattn_fdw.kernels.mechanism import parse_options
from ruattn_fdw.kernels.options import Interval
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.ranking import ranked
from ruattn_fdw.kernels.registry import MECHANISMS

SINGLE = [mechanism for mechanism in MECHANISMS if "mha_search" in mechanism.operations]
# what a mechanism cannot do without
NEEDED = {"additive": {"init": "identity"}, "gat": {"init": "seeded"}, "sliced_wasserstein": {"token_dim": 4}}
every = pytest.mark.parametrize("mechanism", SINGLE, ids=lambda m: m.name)


def sample(n, d=24, seed=1):
    """A query and n keys inside the unit ball."""
    random = np.random.RandomState(seed)
    vectors = random.standard_normal((n + 1, d))
    vectors *= random.uniform(0.3, 0.9, (n + 1, 1)) / np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors.astype(np.float32)
    return vectors[0], vectors[1:]


def attended(mechanism, query, keys, places=None, **settings):
    """The weights of the newest query over keys whose positions are `places`."""
    places = np.arange(len(keys)) if places is None else places
    order = Order(places.astype(np.float64), places)
    options = {**NEEDED.get(mechanism.name, {}), **settings.pop("options", {})}
    return attend(mechanism, query, keys, options=options, positions=order.at(), num_heads=1, **settings)


@every
@pytest.mark.parametrize("n", [1, 2, 63, 500])
def test_the_weights_are_of_their_kind(mechanism, n):
    weights = attended(mechanism, *sample(n))
    masked = np.isnan(weights.logit)
    assert np.isfinite(weights.score).all()
    assert (weights.score[masked] == 0).all()
    if mechanism.weight_kind == "S":
        assert weights.lse is None
        return
    assert (weights.score >= 0).all()
    if masked.all():
        assert mechanism.name == "lsh"  # no key may fall into the query's bucket
    else:
        np.testing.assert_allclose(weights.score.sum(dtype=np.float64), 1, rtol=1e-5)


@every
def test_the_order_of_the_rows_makes_no_difference(mechanism):
    query, keys = sample(200)
    permuted = np.random.RandomState(3).permutation(200)
    before = attended(mechanism, query, keys)
    after = attended(mechanism, query, keys[permuted], permuted)
    np.testing.assert_allclose(after.score, before.score[permuted], rtol=2e-5, atol=1e-9)
    np.testing.assert_array_equal(np.isnan(after.logit), np.isnan(before.logit)[permuted])


@every
def test_equal_rows_share_alike_and_rank_by_id(mechanism):
    query, keys = sample(60)
    if mechanism.ordered is not None:
        return
    keys[:] = keys[0]
    weights = attended(mechanism, query, keys)
    seen = weights.score[~np.isnan(weights.logit)]
    if mechanism.name not in ("top_k", "topology_gated"):  # which cut even through equal rows
        np.testing.assert_array_equal(seen, seen[:1].repeat(len(seen)))
    ids = np.random.RandomState(5).permutation(60)
    order = np.concatenate(list(ranked(weights, ids)))
    shown = np.lexsort((ids, np.isnan(weights.logit), -weights.score))
    np.testing.assert_array_equal(order, shown)


@every
@pytest.mark.parametrize("part", ["query", "keys", "both"])
def test_zero_vectors_are_no_nan(mechanism, part):
    query, keys = sample(40)
    if part != "keys":
        query[:] = 0
    if part != "query":
        keys[::2] = 0
    weights = attended(mechanism, query, keys)
    assert np.isfinite(weights.score).all()
    assert np.isfinite(weights.logit[~np.isnan(weights.logit)]).all()


@every
def test_no_rows_give_no_weights(mechanism):
    query, keys = sample(1)
    weights = attended(mechanism, query, keys[:0])
    assert weights.score.shape == weights.logit.shape == (0,)


@every
def test_inputs_are_left_as_they_were(mechanism):
    query, keys = sample(50)
    before = query.copy(), keys.copy()
    attended(mechanism, query, keys)
    np.testing.assert_array_equal(query, before[0])
    np.testing.assert_array_equal(keys, before[1])


@every
def test_a_cancel_is_noticed(mechanism):
    class CancelledError(Exception):
        pass

    def cancel():
        raise CancelledError

    with pytest.raises(CancelledError):
        attended(mechanism, *sample(500), checkpoint=cancel)


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.name)
def test_an_unknown_option_lists_the_valid_ones(mechanism):
    with pytest.raises(UnknownOption, match=f"{mechanism.name} has no option 'colour'") as caught:
        parse_options(mechanism, {"colour": 1})
    assert all(option.name in str(caught.value.hint) for option in mechanism.parameters)


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.name)
def test_every_option_refuses_what_is_out_of_its_range(mechanism):
    for option in mechanism.parameters:
        wrong = {"a": 1} if option.type is str else "x"
        with pytest.raises(InvalidOption, match=option.name):
            parse_options(mechanism, {option.name: wrong})
        if option.type is list:
            with pytest.raises(InvalidOption, match=rf"{option.name} is .*must be an array of 3"):
                parse_options(mechanism, {option.name: [1, 2, -3]})
        elif isinstance(option.range, Interval):
            below = option.range.low if option.range.low_open else option.range.low - 1
            with pytest.raises(InvalidOption, match=rf"{option.name} is .*must lie in"):
                parse_options(mechanism, {option.name: option.type(below)})
        elif isinstance(option.range, tuple):
            with pytest.raises(InvalidOption, match=rf"{option.name} is 'x', it must be one of"):
                parse_options(mechanism, {option.name: "x"})
