"""Twins and kernels against implementations that are not ours; tests/golden/make.py made the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.core.flash_v2 import flash_attention
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
    queries, keys = golden["query"].astype(np.float64), golden["keys"].astype(np.float64)
    output, lse = flash_attention(queries, keys, golden["values"], block_size_q=3, block_size_kv=block)
    np.testing.assert_allclose(output, golden["output"], rtol=0, atol=1e-15)
    np.testing.assert_allclose(lse, golden["lse"], rtol=0, atol=2e-15)


@pytest.mark.parametrize("row", range(5))
def test_flash_weights_make_the_output_of_torch(row):
    golden = load("flash_v2")
    weights = attend(find("flash_v2"), golden["query"][row], golden["keys"])
    np.testing.assert_allclose(weights.score @ golden["values"], golden["output"][row], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(weights.lse, golden["lse"][row], rtol=1e-12)
