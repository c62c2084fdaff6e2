"""The registry: every entry is complete, and every spelling of a name finds it."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest
from plain import TWINS
from ruattn_fdw.kernels.errors import UnknownMechanism
from ruattn_fdw.kernels.registry import MECHANISMS, find, json_schema, spelling

HERE = Path(__file__).parent


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.name)
def test_every_entry_says_what_it_is(mechanism):
    for field in ("family", "feature", "complexity", "memory", "best_for", "formula", "reference"):
        assert getattr(mechanism, field).strip()
    assert mechanism.operations
    assert mechanism.weight_kind in {"D", "D0", "S"}
    assert all(option.help.endswith(".") for option in mechanism.parameters)
    json.dumps(json_schema(mechanism), allow_nan=False)


def test_every_entry_has_a_twin_or_tests_of_its_own():
    names = {mechanism.name for mechanism in MECHANISMS}
    assert set(TWINS) <= names
    tests = "".join(path.read_text() for path in HERE.glob("test_*.py"))
    assert {name for name in names - set(TWINS) if f'"{name}"' not in tests} == set()


def test_no_two_mechanisms_share_a_spelling():
    owners = defaultdict(set)
    for mechanism in MECHANISMS:
        for name in (mechanism.name, *mechanism.aliases):
            owners[spelling(name)].add(mechanism.name)
    assert {name: found for name, found in owners.items() if len(found) > 1} == {}


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.name)
def test_every_name_and_alias_is_found_in_any_case(mechanism):
    for name in (mechanism.name, *mechanism.aliases):
        for written in (name, name.upper(), name.replace("_", "-"), name.replace("_", " "), f" {name} "):
            assert find(written).name == mechanism.name


def test_an_alias_may_stand_for_options():
    defaults = {option.name: option.default for option in find("BigBird").parameters}
    assert find("bigbird").name == "sparse"
    assert defaults["pattern"] == "bigbird"
    assert {option.name: option.default for option in find("sparse").parameters}["pattern"] == "strided"


def test_camel_case_is_found():
    assert find("ScaledDot").name == "scaled_dot"
    assert find("DotProductAttention").name == "scaled_dot"
    assert find("MultiHead").name == "multi_head"


def test_default_heads_and_temperature():
    assert [m.name for m in MECHANISMS if m.multi_head_family] == [
        "multi_head",
        "grouped_query",
        "multi_head_latent",
    ]
    assert find("multi_head").default_num_heads == 8
    assert find("scaled_dot").default_num_heads == 1
    assert find("scaled_dot").default_temperature == 1.0
    assert find("cosine").default_temperature == 0.1
    assert find("linear").default_temperature is None


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownMechanism, match="unknown attention mechanism 'multihed'") as caught:
        find("multihed")
    assert caught.value.hint == "Did you mean multi_head?"


@pytest.mark.parametrize("name", ["", "zzzz", "x" * 10_000_000])
def test_a_name_like_no_other_lists_all(name):
    with pytest.raises(UnknownMechanism) as caught:
        find(name)
    assert caught.value.hint == f"Known mechanisms: {', '.join(m.name for m in MECHANISMS)}."
    assert len(caught.value.message) < 200
