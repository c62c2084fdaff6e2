"""Ids of some of the rows of an array."""

import numpy as np
import pytest
from ruattn_fdw.kernels.ids import SomeIds


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_ids_are_those_of_the_rows_that_are_present(dtype):
    ids = SomeIds(np.array([7, 5, 5, 9, -(2**63)], np.int64), np.array([0, 2, 4], dtype))
    assert len(ids) == 3
    assert ids[:].tolist() == [7, 5, -(2**63)]
    assert ids[np.array([2, 0])].tolist() == [-(2**63), 7]
    assert ids[1] == 5
