"""Twins and kernels against implementations that are not ours; tests/golden/make.py made the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.registry import find
from twins import TWINS

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = {
    "scaled_dot": ("scaled_dot", {}),
    "scaled_dot_scale": ("scaled_dot", {"scale": 0.3}),
    "multi_head": ("multi_head", {"num_heads": 8}),
    "cosine": ("cosine", {"temperature": 0.07}),
}


def load(name):
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.mark.parametrize("case", CASES)
def test_twin_agrees_with_torch_to_float64(case):
    name, given = CASES[case]
    golden = load(case)
    expected = TWINS[name](golden["query"], golden["keys"], **given)
    np.testing.assert_allclose(expected.score, golden["weights"], rtol=0, atol=1e-15)
    if "head_weights" in golden:
        np.testing.assert_allclose(expected.head_scores, golden["head_weights"], rtol=0, atol=2e-15)
    if "lse" in golden:
        np.testing.assert_allclose(expected.lse, np.atleast_1d(golden["lse"]), rtol=1e-15)


@pytest.mark.parametrize("case", CASES)
def test_kernel_agrees_with_torch_to_float32(case):
    name, given = CASES[case]
    golden = load(case)
    direct = {key: value for key, value in given.items() if key != "scale"}
    options = {key: value for key, value in given.items() if key == "scale"}
    weights = attend(find(name), golden["query"], golden["keys"], options=options, **direct)
    np.testing.assert_allclose(weights.score, golden["weights"], rtol=1e-5)
    if "lse" in golden:
        np.testing.assert_allclose(weights.lse, np.atleast_1d(golden["lse"]), rtol=1e-12)


@pytest.mark.parametrize("block", range(1, 64))
def test_flash_output_agrees_with_torch_for_every_block_size(block):
    golden = load("flash_v2")
    options = {"block_size_q": 3, "block_size_kv": block}
    settings = Settings(find("flash_v2"), golden["keys"].shape[1], options=options)
    [found] = outputs(settings, golden["query"], golden["keys"], golden["values"].astype(np.float32))
    np.testing.assert_allclose(found.output, golden["output"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.lse[:, 0], golden["lse"], rtol=1e-6)


@pytest.mark.parametrize("row", range(5))
def test_flash_weights_make_the_output_of_torch(row):
    golden = load("flash_v2")
    weights = attend(find("flash_v2"), golden["query"][row], golden["keys"])
    np.testing.assert_allclose(weights.score @ golden["values"], golden["output"][row], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(weights.lse, golden["lse"][row], rtol=1e-12)


ORDERED = {
    "causal": ("causal", {}),
    "sliding_window": ("sliding_window", {"window_size": 9}),
    "sparse_strided": ("sparse", {"stride": 8}),
    "sparse_fixed": ("sparse", {"pattern": "fixed", "stride": 8, "summary": 2}),
}


@pytest.mark.parametrize("case", ORDERED)
def test_masks_of_sequences_agree_with_torch(case):
    name, options = ORDERED[case]
    golden = load(case)
    order = Order(np.arange(len(golden["keys"]), dtype=np.float64), np.arange(len(golden["keys"])))
    for row, query in enumerate(golden["keys"]):
        weights = attend(find(name), query, golden["keys"], options=options, positions=order.at_key(row))
        np.testing.assert_allclose(weights.score, golden["weights"][row], rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("row", range(5))
def test_linear_agrees_with_torch(row):
    golden = load("linear")
    twin = TWINS["linear"](golden["query"][row], golden["keys"])
    np.testing.assert_allclose(twin.score, golden["weights"][row], rtol=1e-14)
    weights = attend(find("linear"), golden["query"][row], golden["keys"])
    np.testing.assert_allclose(weights.score, golden["weights"][row], rtol=1e-5)
    np.testing.assert_allclose(weights.shown_logit(np.arange(63)), golden["kernel"][row], rtol=1e-6)


@pytest.mark.parametrize("entropy", [True, False])
@pytest.mark.parametrize("name", ["linear", "flash_v2"])
def test_outputs_agree_with_torch(name, entropy):
    golden = load(name)
    values = golden["values"].astype(np.float32)
    settings = Settings(find(name), 64)
    [block] = outputs(settings, golden["query"], golden["keys"], values, entropy=entropy)
    np.testing.assert_allclose(block.output, golden["output"], rtol=1e-5, atol=1e-6)
