"""A query over one foreign table: what it is made of, and its SQL."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ruattn_fdw.kernels.mechanism import Mechanism

from ruattn_fdw.declaration import Table
from tests.fuzz import contexts
from tests.fuzz.choices import USUAL
from tests.fuzz.forms import Form
from tests.fuzz.pieces import Piece, quoted

OTHERWISE = ("role", "search_path", "row_security", "constraint_exclusion")
"""Settings under which other rows are seen, or PostgreSQL proves that there are none."""


@dataclass(frozen=True)
class Clause:
    """A column compared with a value in some form; `other` is a second value, where the form has one."""

    column: str
    type: str
    form: Form
    value: Piece
    other: Piece

    @property
    def empties(self) -> bool:
        """Whether an answer may be empty for it."""
        return self.form.empties or self.value.empties or self.other.empties

    @property
    def outer(self) -> str:
        """The FROM item that has the value."""
        return self.form.outer.format(v=self.value.sql, w=self.other.sql, t=self.type)

    def text(self, number: int, prepared: bool) -> str:
        """As SQL; `number` names the FROM item or the parameter that the value is in."""
        given = self.value.sql
        if self.form.outer:
            given = f"o{number}.x"
        elif self.form.parameter and prepared:
            given = f"${number}"
        return self.form.text.format(c=f't."{self.column}"', v=given, w=self.other.sql, t=self.type)


@dataclass(frozen=True)
class Query:
    """A query over one foreign table, in a context."""

    table: Table
    mechanism: Mechanism
    clauses: tuple[Clause, ...]
    name: str = ""
    options: tuple[tuple[str, str], ...] | None = None
    columns: tuple[str, ...] = ()
    targets: str = "t.*"
    filters: tuple[str, ...] = ()
    join: str = ""
    order: str = ""
    limit: str = ""
    settings: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    context: contexts.Context = contexts.PLAIN

    @property
    def answer(self) -> int | None:
        """The statement of the answer, from the end."""
        return self.context.answer

    @property
    def empties(self) -> bool:
        """Whether an empty answer may be right."""
        given = {clause.column for clause in self.clauses} | {name for name, _ in self.options or ()}
        hides = self.mechanism.visible is not None or self.mechanism.ordered is not None
        masked = hides and {"k", "position"} & given
        masked = masked or ("candidates" in given and not self._has_usual_ids)
        return (
            any(clause.empties for clause in self.clauses)
            or bool(self.filters or self.join or masked)
            or ("0" in self.limit or "OFFSET" in self.limit)
            or any(word in setting for word in OTHERWISE for setting in self.settings)
            or self.table.name == "attention_stats"
        )

    @property
    def _has_usual_ids(self) -> bool:
        """Whether all relations have the ids that candidates are made of."""
        named = [c.value.sql.strip("'") for c in self.clauses if c.column.endswith("table_name")]
        named += [text for name, text in self.options or () if name.endswith("table_name")]
        return all(name.removeprefix("public.") in USUAL for name in named)

    @property
    def refused(self) -> bool:
        """Whether a clause is in a form that must be refused."""
        columns = {parameter.name for parameter in self.table.parameters}
        illegal = any(not clause.form.legal and clause.column in columns for clause in self.clauses)
        return illegal and not self.empties

    @property
    def core(self) -> str:
        """The SELECT."""
        return self._select(prepared=False)

    def _select(self, prepared: bool) -> str:
        numbered = list(enumerate(self.clauses, 1))
        outer = [f"{c.outer} o{n}(x)" for n, c in numbered if c.form.outer]
        sources = ", ".join([*outer, f"{self.name or self.table.name} t{self.join}"])
        where = [*(clause.text(number, prepared) for number, clause in numbered), *self.filters]
        condition = f" WHERE {' AND '.join(where)}" if where else ""
        tail = "".join(f" {part}" for part in (self.order, self.limit) if part)
        return f"SELECT {self.targets} FROM {sources}{condition}{tail}"

    def statements(self) -> list[str]:
        """All of them, in their order; that of the answer is at `answer` from the end."""
        numbers = [number for number, clause in enumerate(self.clauses, 1) if clause.form.parameter]
        if self.context.prepared and numbers:
            # PostgreSQL numbers parameters without gaps
            chosen = tuple(c for c in self.clauses if c.form.parameter) + tuple(
                c for c in self.clauses if not c.form.parameter
            )
            ordered = replace(self, clauses=chosen)
            types = ", ".join(clause.type for clause in chosen[: len(numbers)])
            values = ", ".join(clause.value.sql for clause in chosen[: len(numbers)])
            made = self.context.statements(ordered._select(prepared=True), f"({types})", f"({values})")
        else:
            made = self.context.statements(self.core, "", "")
        return [
            *(f"SET LOCAL {setting}" for setting in self.settings),
            *self._definition(),
            *self.before,
            *made,
        ]

    def _definition(self) -> list[str]:
        if self.options is None:
            return []
        options = ", ".join(f"{name} {quoted(text)}" for name, text in self.options)
        columns = ", ".join(self.columns)
        return [f"CREATE FOREIGN TABLE {self.name} ({columns}) SERVER ruattn OPTIONS ({options})"]
