"""The table `attention_score`: the logit of one query and one key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ruattn_fdw.declaration import Parameter, Result, Table
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.handler import AttentionTable, Batch
from ruattn_fdw.kernels import registry
from ruattn_fdw.kernels.pairs import Pairs
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.tables import shared

SCORE = Table(
    name="attention_score",
    help="The attention logit of one query and one key.",
    results=(
        Result("score", "real", "logit of the pair, since a softmax over one key would always be 1"),
        Result("logit", "real", "the same value"),
    ),
    parameters=(
        Parameter("query", "attention_vector", "vector that asks", required=True),
        Parameter("key", "attention_vector", "vector that answers, as long as the query", required=True),
        shared.attention_type("scaled_dot"),
        shared.num_heads(default=1),
        shared.TEMPERATURE,
        shared.OPTIONS,
    ),
    example="SELECT score FROM attention_score WHERE query = '{1, 0}' AND key = '{0.6, 0.8}'",
)


def prepare(arguments: Arguments) -> Pairs:
    """These arguments made ready for pairs of vectors as wide as their query."""
    mechanism = shared.settle_mechanism(arguments, SCORE.name, None)
    settings = shared.kernel_settings(mechanism, arguments)
    with shared.kernel_errors():
        return Pairs(mechanism, arguments["query"], **settings)


def score_pair(arguments: Arguments) -> float:
    """The logit under these arguments."""
    query, key = arguments["query"], arguments["key"]
    if query.shape != key.shape:
        raise AttentionError(
            f"query has {query.shape[0]} dimensions, key has {key.shape[0]}",
            hint="Both must come from the same model.",
        )
    pairs = prepare(arguments)
    with shared.kernel_errors():
        return pairs.of(query)(key)


class AttentionScore(AttentionTable):
    """One row: the logit."""

    declaration = SCORE

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """Score the pair."""
        with report.timing("kernel"):
            logit = score_pair(arguments)
        report.scored(registry.find(arguments["attention_type"]).name, 0, 1)
        return iter([Batch(1, {"score": (logit,), "logit": (logit,)})])

    def explanation(self, arguments: Arguments) -> list[tuple[str, object]]:
        """Mechanism and parameters in effect."""
        return [shared.explain_mechanism(arguments, SCORE.name, None), ("Parameters", arguments.summary())]
