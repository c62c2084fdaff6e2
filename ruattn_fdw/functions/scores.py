"""Functions that score pairs."""

from __future__ import annotations

from ruattn_fdw.functions.declaration import VECTOR, Argument, Function
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.tables.attention_score import SCORE, score_pair


def attention_score(query: object, key: object, attention_type: str) -> float:
    """The logit of one pair."""
    return score_pair(Arguments(SCORE, {}, {"query": query, "key": key, "attention_type": attention_type}))


FUNCTIONS = (
    Function(
        name="ruvector_attention_score",
        help="The attention logit of one query and one key (a softmax over one key would always be 1).",
        arguments=(
            Argument("query", VECTOR),
            Argument("key", VECTOR),
            Argument("attention_type", "text", "'scaled_dot'"),
        ),
        returns="real",
        run=attention_score,
    ),
)
