"""Which value is in effect: the query's, the OPTION's, the default."""

import numpy as np
import pytest

from ruattn_fdw.errors import AttentionError
from ruattn_fdw.parameters import Arguments, read_options
from ruattn_fdw.tables.mha_search import SEARCH
from ruattn_fdw.values import Unknown


def test_a_qual_wins_over_an_option_and_an_option_over_the_default():
    fixed = read_options(SEARCH, {"operation": "mha_search", "attention_type": "cosine", "k": "3"})
    arguments = Arguments(SEARCH, fixed, {"k": 5})
    assert (arguments["k"], arguments["attention_type"], arguments["num_heads"]) == (5, "cosine", None)
    assert Arguments(SEARCH, {}, {})["attention_type"] == "multi_head"


def test_options_are_read_as_typed_values():
    fixed = read_options(SEARCH, {"num_heads": "4", "temperature": "0.5", "candidates": "{1,2}"})
    assert fixed["num_heads"] == 4
    assert fixed["temperature"] == 0.5
    assert fixed["candidates"].tolist() == [1, 2]


def test_an_unknown_option_lists_the_valid_ones_and_the_nearest():
    with pytest.raises(AttentionError, match='invalid option "num_head"') as caught:
        read_options(SEARCH, {"num_head": "4"})
    assert caught.value.sqlstate == "HV00D"
    assert 'Perhaps you meant "num_heads".' in caught.value.hint
    assert "candidates" in caught.value.hint


def test_a_qual_on_one_alternative_replaces_an_option_on_the_other():
    fixed = read_options(SEARCH, {"table_name": "documents", "query_id": "4"})
    arguments = Arguments(SEARCH, fixed, {"query": np.ones(2, np.float32)})
    arguments.require_groups()
    assert arguments["query_id"] is None


def test_alternatives_cannot_be_given_together():
    arguments = Arguments(SEARCH, {}, {"table_name": "t", "query": "{1}", "query_id": 1})
    with pytest.raises(AttentionError, match="query and query_id are both given") as caught:
        arguments.require_groups()
    assert caught.value.hint.startswith("For example: SELECT")


def test_a_missing_group_names_its_members():
    with pytest.raises(
        AttentionError, match='mha_search needs the parameter "query" or "query_id"'
    ) as caught:
        Arguments(SEARCH, {}, {"table_name": "t"}).require_groups()
    assert caught.value.sqlstate == "0A000"


def test_parameters_show_the_very_value_that_was_given():
    given = "[1, 2]"
    arguments = Arguments(SEARCH, {}, {"query": given})
    assert arguments.shown["query"] is given
    assert arguments["query"].tolist() == [1, 2]


def test_a_settled_default_is_shown_and_does_not_replace_a_value():
    arguments = Arguments(SEARCH, {}, {"k": 5})
    arguments.settle("num_heads", 8)
    arguments.settle("k", 9)
    assert (arguments.shown["num_heads"], arguments["k"]) == (8, 5)


def test_the_summary_gives_sizes_and_expressions():
    quals = {
        "query": np.ones(384, np.float32),
        "k": Unknown("$1"),
        "candidates": np.arange(3),
        "temperature": 0.05,
        "options": '{"scale": 2}',
    }
    assert Arguments(SEARCH, {}, quals).summary() == (
        "query = 384 floats, k = $1, temperature = 0.05, attention_type = multi_head, "
        'candidates = 3 integers, options = {"scale": 2}'
    )
