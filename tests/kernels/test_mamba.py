"""selective_ssm with the weights of a block of Mamba."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import InvalidOption, InvalidShape
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.registry import find
from ruattn_fdw.kernels.trained import trained
from test_golden import load

SSM = find("selective_ssm")


def weights(seed: int, inputs: int, channels: int, states: int, ranks: int, length: int = 4) -> dict:
    random = np.random.RandomState(seed)
    shapes = {
        "in_proj": (inputs, 2 * channels),
        "conv1d": (channels, length),
        "x_proj": (channels, ranks + 2 * states),
        "dt_proj": (ranks, channels),
        "A_log": (channels, states),
        "b_in_proj": (2 * channels,),
        "b_conv1d": (channels,),
        "b_dt_proj": (channels,),
        "D": (channels,),
        "out_proj": (channels, 5),
        "b_out_proj": (5,),
    }
    return {name: (random.standard_normal(shape) / 2).astype(np.float32) for name, shape in shapes.items()}


def silu(x):
    return x / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(x))


def inputs_of(w, sequence):
    """x and gate of the rows of a sequence, one by one."""
    channels, length = w["conv1d"].shape
    entered = [row @ w["in_proj"] + w["b_in_proj"] for row in sequence]
    rows = []
    for t in range(len(sequence)):
        total = w["b_conv1d"].copy()
        for back in range(min(length, t + 1)):
            total += w["conv1d"][:, length - 1 - back] * entered[t - back][:channels]
        rows.append(silu(total))
    return np.array(rows), np.array([row[channels:] for row in entered])


def block(tensors, query, rows):
    """Weights of the rows, and the output, for a query in place of the last of them."""
    w = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    ranks, states = len(w["dt_proj"]), w["A_log"].shape[1]
    x, _ = inputs_of(w, rows)
    chosen = x @ w["x_proj"]
    steps = softplus(chosen[:, :ranks] @ w["dt_proj"] + w["b_dt_proj"])
    writing = chosen[:, ranks : ranks + states]
    asked, gate = (found[-1] for found in inputs_of(w, [*rows[:-1], query]))
    reading = (asked @ w["x_proj"])[ranks + states :]
    decay = -np.exp(w["A_log"])
    alpha = np.array(
        [
            (np.exp(decay * steps[j + 1 :].sum(axis=0)[:, None]) * reading * writing[j]).sum(axis=1)
            * steps[j]
            for j in range(len(rows))
        ]
    )
    left = ((alpha * x).sum(axis=0) + w["D"] * asked) * silu(gate)
    return alpha.mean(axis=1), left @ w["out_proj"] + w["b_out_proj"]


@pytest.fixture(scope="module")
def vectors():
    random = np.random.RandomState(3)
    return random.standard_normal((7, 6)).astype(np.float32), random.standard_normal((90, 6)).astype(
        np.float32
    )


@pytest.fixture(scope="module")
def order():
    """An order of the 90 rows that is not that of the array."""
    return Order(np.random.RandomState(4).permutation(90) * 1.5, np.arange(90))


@pytest.mark.parametrize(("channels", "states", "length"), [(10, 4, 4), (1, 1, 1), (600, 16, 2)])
@pytest.mark.parametrize("at", [-0.5, 0.0, 2.0, 60.2, None])
def test_it_agrees_with_its_twin(vectors, order, channels, states, length, at):
    queries, keys = vectors
    tensors = weights(5, 6, channels, states, 2, length)
    mechanism, place = trained(SSM, tensors), order.at(at)
    rows = np.argsort(place.ranks)[: place.query_rank + 1]
    found = attend(mechanism, queries[0], keys, positions=place)
    np.testing.assert_array_equal(np.isnan(found.logit), ~np.isin(np.arange(90), rows))
    [made] = outputs(Settings(mechanism, 6), queries, keys, None, place=lambda _: place)
    assert made.empty.all() == (not len(rows))
    if len(rows):
        expected = [block(tensors, query.astype(float), list(keys[rows].astype(float))) for query in queries]
        np.testing.assert_allclose(found.score[rows], expected[0][0], rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(found.score, np.nan_to_num(found.logit))
        np.testing.assert_allclose(made.output, [output for _, output in expected], rtol=1e-4, atol=1e-5)
    assert found.lse is None
    assert np.isnan(made.entropy).all()


def test_queries_may_stand_anywhere(vectors, order):
    queries, keys = vectors
    tensors = weights(6, 6, 10, 4, 2)
    ranks = [30, 89, 0, 30, 31, -1, 88]
    places = [order.at(rank * 1.5) for rank in ranks]
    [made] = outputs(Settings(trained(SSM, tensors), 6), queries, keys, None, place=places.__getitem__)
    by_rank = keys[np.argsort(places[0].ranks)].astype(float)
    for row, rank in enumerate(ranks):
        assert made.empty[row] == (rank < 0)
        if rank >= 0:
            _, expected = block(tensors, queries[row].astype(float), list(by_rank[: rank + 1]))
            np.testing.assert_allclose(made.output[row], expected, rtol=1e-4, atol=1e-5)


def test_it_agrees_with_the_block_of_transformers():
    golden = load("mamba_block")
    hidden = golden["hidden"].astype(np.float32)
    names = {"in_proj": "in_proj.weight", "x_proj": "x_proj.weight", "dt_proj": "dt_proj.weight"}
    names |= {"out_proj": "out_proj.weight", "A_log": "A_log", "D": "D"}
    names |= {f"b_{name}": f"{name}.bias" for name in ("in_proj", "conv1d", "dt_proj", "out_proj")}
    tensors = {name: golden[stored].T if "proj" in name else golden[stored] for name, stored in names.items()}
    tensors["conv1d"] = golden["conv1d.weight"][:, 0]
    mechanism = trained(SSM, {name: np.float32(tensor) for name, tensor in tensors.items()})
    order = Order(np.arange(63.0), np.arange(63))
    [made] = outputs(Settings(mechanism, 12), hidden, hidden, None, place=order.at_key)
    np.testing.assert_allclose(made.output, golden["output"], atol=1e-5)
    found = attend(mechanism, hidden[-1], hidden, positions=order.at())
    np.testing.assert_allclose(found.score, golden["weights"], atol=1e-6)


def test_the_parts_that_may_be_missing(vectors, order):
    queries, keys = vectors
    tensors = weights(7, 6, 10, 4, 2)
    least = {name: tensors[name] for name in ("in_proj", "conv1d", "x_proj", "dt_proj", "A_log")}
    full = least | {name: np.zeros_like(t) for name, t in tensors.items() if name not in least}
    full["out_proj"], full["b_out_proj"] = np.eye(10, dtype=np.float32), np.zeros(10, np.float32)
    both = []
    for these in (least, full):
        mechanism = trained(SSM, these)
        both += outputs(Settings(mechanism, 6), queries, keys, None, place=lambda _: order.at())
    np.testing.assert_allclose(both[0].output, both[1].output, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("A_log", (10,), r"A_log has the shape \(10,\), it must be \(channels, states\)"),
        ("conv1d", (10, 1, 4), r"conv1d has the shape \(10, 1, 4\), it must be \(channels, length\)"),
        ("in_proj", (6, 19), r"in_proj has the shape \(6, 19\), axis 2 must be 20 long"),
        ("x_proj", (10, 11), r"x_proj has the shape \(10, 11\), axis 2 must be 10 long"),
        ("dt_proj", (2, 9), r"dt_proj has the shape \(2, 9\), A_log \(10, 4\)"),
        ("D", (9,), r"D has the shape \(9,\), A_log \(10, 4\)"),
        ("b_out_proj", (6,), r"b_out_proj has the shape \(6,\), out_proj \(10, 5\)"),
    ],
)
def test_shapes_that_do_not_go_together(name, shape, message):
    tensors = weights(8, 6, 10, 4, 2) | {name: np.zeros(shape, np.float32)}
    with pytest.raises(InvalidShape, match=message):
        trained(SSM, tensors)


def test_what_it_does_not_take(vectors, order):
    queries, keys = vectors
    tensors = weights(9, 6, 10, 4, 2)
    mechanism = trained(SSM, tensors)
    with pytest.raises(InvalidOption, match="selective_ssm needs conv1d, x_proj, dt_proj, A_log"):
        trained(SSM, {"in_proj": tensors["in_proj"]})
    with pytest.raises(InvalidShape, match="vectors have 5 dimensions, in_proj takes 6"):
        attend(mechanism, queries[0, :5], keys[:, :5], positions=order.at())
    with pytest.raises(InvalidOption, match="num_heads is 2, selective_ssm takes whole vectors"):
        attend(mechanism, queries[0], keys, positions=order.at(), num_heads=2)
    with pytest.raises(InvalidOption, match="values are given, selective_ssm with a model makes its own"):
        list(outputs(Settings(mechanism, 6), queries, keys, keys, place=lambda _: order.at()))


class CanceledError(Exception):
    """What the checkpoint of a canceled caller raises."""


def search(mechanism, queries, keys, place, checkpoint):
    attend(mechanism, queries[0], keys, positions=place, checkpoint=checkpoint)


def run(mechanism, queries, keys, place, checkpoint):
    settings = Settings(mechanism, 6)
    list(outputs(settings, queries, keys, None, place=lambda _: place, checkpoint=checkpoint))


@pytest.mark.parametrize("what", [search, run])
def test_it_can_be_canceled_between_stretches_of_rows(vectors, order, what):
    mechanism = trained(SSM, weights(10, 6, 600, 16, 2))
    calls = []

    def checkpoint():
        calls.append(None)
        if len(calls) == 2:
            raise CanceledError

    with pytest.raises(CanceledError):
        what(mechanism, *vectors, order.at(), checkpoint)
