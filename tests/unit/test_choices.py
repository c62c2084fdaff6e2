"""Parameters with few values: truth values, and texts that must be one of several."""

import pytest

from ruattn_fdw.declaration import Parameter
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.values import read

FLAG = Parameter("self_loops", "boolean", "whether each node is its own neighbour")
WAY = Parameter("direction", "text", "how edges are followed", among=("in", "out"))


@pytest.mark.parametrize("value", [True, "true", "ON", "yes"])
def test_truth_in_every_spelling(value: object) -> None:
    assert read(FLAG, value) is True


@pytest.mark.parametrize("value", [False, "false", "Off", "no"])
def test_falsehood_in_every_spelling(value: object) -> None:
    assert read(FLAG, value) is False


@pytest.mark.parametrize("value", ["maybe", 1, ""])
def test_anything_else_is_no_truth_value(value: object) -> None:
    with pytest.raises(AttentionError, match="self_loops must be of type boolean, got") as caught:
        read(FLAG, value)
    assert caught.value.hint


def test_a_text_is_one_of_those_allowed() -> None:
    assert read(WAY, "out") == "out"
    with pytest.raises(AttentionError, match='direction must be one of in, out, got "up"') as caught:
        read(WAY, "up")
    assert caught.value.hint == "direction: how edges are followed."
