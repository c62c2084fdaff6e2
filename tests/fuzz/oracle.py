"""What must hold of an answer, or of an error, to a query of the grammar."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

import ruattn_fdw
from tests.fuzz import forms
from tests.fuzz.alike import LIMITS, check_alike, says_shard
from tests.fuzz.functions import Call
from tests.fuzz.query import Query
from tests.fuzz.sharded import asked_shards, lacks_an_answer
from tests.fuzz.twins import CHECKS, check_prefix, floats

# the names of files of ours that PostgreSQL has too tell nothing
HOST_FILES = {path.name for path in Path(ruattn_fdw.__file__).with_name("host").glob("*.c")} - {
    "explain.c",
    "table.c",
}
ALLOWED = re.compile(
    r"22...|42P01|42703|42704|42501|42804|0A000|53200|5400.|57014|HV00.|F0000|58030|2BP01|42809|55000|42P17|3F000"
)
"""The states of errors of ours: those of DESIGN.md, and PostgreSQL's own for objects and types."""
FINDS_FAULTS = "ruvector_attention_index_check"
"""What gives a row for each fault."""
NEEDS_NO_HINT = re.compile(r"53200|57014")


class Failure(NamedTuple):
    """What is wrong: its kind, and the message without what changes from query to query."""

    kind: str
    what: str

    @classmethod
    def of(cls, kind: str, text: str) -> Failure:
        """A failure as others of the same cause look."""
        return cls(kind, re.sub(r"[0-9][0-9.e+-]*|\"[^\"]*\"|'[^']*'", "#", text)[:200])


@dataclass(frozen=True)
class Outcome:
    """Rows with their columns' names, or an error."""

    names: Sequence[str] = ()
    rows: Sequence[tuple[Any, ...]] = ()
    error: psycopg.Error | None = None
    lost: bool = False

    @property
    def records(self) -> list[dict[str, Any]]:
        """Rows as values by column."""
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]


def judge(query: Query, outcome: Outcome) -> Failure | None:
    """What is wrong with this outcome, None where nothing is."""
    if outcome.error is not None:
        return judge_failed(outcome) or judge_blame(query, outcome.error)
    if query.refused:
        return Failure.of("accepted", " ".join(c.form.text for c in query.clauses if not c.form.legal))
    if query.context.answer is None:
        return None
    if is_empty(query, outcome) and not query.empties and not never_empty(query):
        return Failure.of("empty", query.table.name)
    if outcome.rows and lacks_an_answer(query) and is_plain(query):
        return Failure.of("answered", f"{query.table.name} without all of the shards")
    return judge_rows(query, outcome) if is_plain(query) else None


def judge_call(call: Call, outcome: Outcome) -> Failure | None:
    """What is wrong with the outcome of a function's call."""
    if outcome.error is not None:
        return judge_failed(outcome)
    # the type itself holds what users put there, as real[] does
    computed = not call.function.name.startswith("attention_vector")
    if computed and any(
        not math.isfinite(number) for row in outcome.rows for value in row for number in floats(value)
    ):
        return Failure.of("numbers", f"{call.function.name} is not finite")
    if (
        not call.context.rows
        or call.empties
        or call.function.void
        or call.function.name == FINDS_FAULTS
        or (outcome.rows and any(value is not None for value in outcome.rows[0]))
    ):
        return None
    return Failure.of("empty", call.function.name)


def judge_failed(outcome: Outcome) -> Failure | None:
    """Whether statements may fail so."""
    assert outcome.error is not None
    return Failure.of("crash", str(outcome.error)) if outcome.lost else judge_error(outcome.error)


def judge_error(error: psycopg.Error) -> Failure | None:
    """Whether an error is one that a user may see."""
    state, text = error.sqlstate or "", "\n".join(filter(None, (str(error), error.diag.message_detail)))
    if state.startswith("XX") or not state or "Traceback" in text or "handler failed" in text:
        return Failure.of("internal", f"{state} {error.diag.message_primary}")
    if state == "57014" or "syntax error" in text:
        return Failure.of("timeout" if state == "57014" else "syntax", text)
    if error.diag.source_file not in HOST_FILES:
        return None
    if not ALLOWED.fullmatch(state):
        return Failure.of("state", f"{state} {error.diag.message_primary}")
    if not error.diag.message_hint and not NEEDS_NO_HINT.match(state):
        return Failure.of("hint", f"{state} {error.diag.message_primary}")
    return None


def is_empty(query: Query, outcome: Outcome) -> bool:
    """Whether the SELECT gave no row, seen through its context."""
    if query.context.nested or query.targets == "count(*)":
        return not outcome.rows or not outcome.rows[0][0]
    return not outcome.rows


def never_empty(query: Query) -> bool:
    """Whether the rows say nothing of whether the table gave any: an aggregate makes a row of none."""
    return query.targets.startswith("max(")


def is_plain(query: Query, several: bool = False) -> bool:
    """Whether the answer is that of one run of the table, or of several, whole and as it comes."""
    plain = (
        query.context.rows
        and query.targets == "t.*"
        and not (query.filters or query.join or query.order or query.limit)
    )
    return plain and not any(
        (clause.form.several and not several) or clause.form.empties for clause in query.clauses
    )


def judge_rows(query: Query, outcome: Outcome) -> Failure | None:
    """What the twins say of the rows of one run."""
    for check in CHECKS:
        wrong = check(query, outcome.records)
        if wrong is not None:
            return Failure.of(check.__name__, f"{query.table.name}: {wrong}")
    return None


def judge_prefix(query: Query, outcome: Outcome, whole: Outcome) -> Failure | None:
    """Whether the answer with k is the beginning of the one without."""
    wrong = None if whole.error is not None else check_prefix(query, outcome.records, whole.records)
    return None if wrong is None else Failure.of("check_prefix", f"{query.table.name}: {wrong}")


def judge_blame(query: Query, error: psycopg.Error) -> Failure | None:
    """Whether an error that came from a shard names it."""
    remote = "remote SQL command" in (error.diag.context or "") or str(error.sqlstate).startswith("08")
    if remote and asked_shards(query) and not says_shard(error):
        return Failure.of("unnamed", f"{error.sqlstate} {error.diag.message_primary}")
    return None


def judge_shards(query: Query, outcome: Outcome, whole: Outcome) -> Failure | None:
    """Whether shards gave what one table with all their rows gives."""
    # of rows by several clauses the plan says the order
    several = [clause.form for clause in query.clauses if clause.form.several]
    plain = is_plain(query, several=len(several) < 2 and forms.MANY not in several)
    if outcome.error is not None:
        refused = plain and whole.error is None and not says_shard(outcome.error)
        text = f"{outcome.error.sqlstate} {outcome.error.diag.message_primary}"
        return Failure.of("refused", text) if refused else None
    if whole.error is not None:
        # where it may not run, nobody is asked
        allowed = not plain or str(whole.error.sqlstate).startswith(LIMITS)
        return None if allowed else Failure.of("accepted by shards", str(whole.error.diag.message_primary))
    if plain:
        wrong = check_alike(query, outcome.records, whole.records)
        return None if wrong is None else Failure.of("shards", f"{query.table.name}: {wrong}")
    if len(outcome.rows) != len(whole.rows) or is_empty(query, outcome) != is_empty(query, whole):
        return Failure.of("shards", f"{query.table.name}: another number of rows")
    return None
