"""Which searches keys in fewer bits are for."""

from __future__ import annotations

import pytest
from ruattn_fdw.kernels.best import serves
from ruattn_fdw.kernels.mechanism import parse_options
from ruattn_fdw.kernels.ranking import EXACT
from ruattn_fdw.kernels.registry import MECHANISMS, find

SERVED = {"multi_head", "scaled_dot", "flash_v2", "cross"}


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.name)
def test_a_softmax_of_dot_products_with_every_key_is_served(mechanism):
    options = {option.name: option.default for option in mechanism.parameters}
    assert serves(mechanism, options, 10) == (mechanism.name in SERVED)


@pytest.mark.parametrize(("k", "served"), [(None, False), (1, True), (EXACT, True), (EXACT + 1, False)])
def test_only_the_first_rows_are_served(k, served):
    assert serves(find("multi_head"), parse_options(find("multi_head"), {}), k) == served
