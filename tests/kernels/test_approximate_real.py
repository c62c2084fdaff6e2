"""On real embeddings few keys are read (`--wordnet DIR`, else the shipped sample)."""

from __future__ import annotations

import numpy as np
import pytest
from approximate_cases import DTYPES, Approximate

from ruattn_fdw.cli.sample import read_sample


@pytest.fixture(scope="module")
def embeddings(request):
    folder = request.config.option.wordnet
    stored = read_sample().embeddings if folder is None else np.load(folder / "embeddings.f16.npy")
    keys = stored.astype(np.float32)
    return keys / np.linalg.norm(keys, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def stored(embeddings):
    return {dtype: Approximate(embeddings, dtype) for dtype in DTYPES}


@pytest.mark.parametrize("row", [5, 1234])
@pytest.mark.parametrize(("heads", "temperature"), [(1, 1.0), (8, 1.0), (8, 10.0)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_ten_of_many_rows_need_few_exact_keys(stored, embeddings, dtype, heads, temperature, row):
    approximate, approximate.read = stored[dtype], 0
    query = embeddings[row] + embeddings[row + 7]
    approximate.assert_as_float32(query, 10, num_heads=heads, temperature=temperature)
    assert approximate.read <= 100
