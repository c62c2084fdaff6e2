"""Random queries over the foreign tables, made of what these declare and of what mechanisms there are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from ruattn_fdw.kernels import registry
from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.kernels.moe import gate
from ruattn_fdw.kernels.neural import rerank

from ruattn_fdw.declaration import Parameter, Table
from ruattn_fdw.tables import TABLES
from tests.fuzz import contexts, forms
from tests.fuzz.choices import Choice, value
from tests.fuzz.own_tables import owned
from tests.fuzz.pieces import Piece, quoted
from tests.fuzz.query import Clause, Query
from tests.fuzz.sharded import over_shards
from tests.fuzz.world import MODELS, RERANKERS, Relation

OWN_OPTIONS = {"moe_route": gate.ROUTE_OPTIONS, "neural_rerank": rerank.OPTIONS}
"""Of the tables whose options are not those of a mechanism."""
SETTINGS = (
    "enable_nestloop = off", "enable_hashjoin = off", "enable_mergejoin = off", "enable_material = off",
    "enable_seqscan = off", "enable_sort = off", "plan_cache_mode = force_generic_plan", "work_mem = '64kB'",
    "join_collapse_limit = 1", "from_collapse_limit = 1", "ruattn_fdw.threads = 2",
    "ruattn_fdw.max_memory = '1MB'",
    "search_path = other, public", "search_path = ''", "row_security = off", "role = fuzz_reader",
    "transaction_isolation = 'serializable'", "transaction_read_only = on", "constraint_exclusion = on",
    "enable_memoize = off", "geqo_threshold = 2", "extra_float_digits = -15",
    "transform_null_equals = on", "DateStyle = 'German'", "ruattn_fdw.features = 'attention'",
    "cursor_tuple_fraction = 1",
)  # fmt: skip
LIMITS = (
    "LIMIT 1",
    "LIMIT 3 OFFSET 1",
    "LIMIT 0",
    "OFFSET 30",
    "FETCH FIRST 2 ROWS ONLY",
    "FOR UPDATE",
    "FOR SHARE OF t",
)


def once(clauses: Sequence[Clause]) -> tuple[Clause, ...]:
    """The clauses, of which only the first runs the table many times."""
    many = [clause for clause in clauses if clause.form is forms.MANY]
    return tuple(replace(c, form=forms.EQUALS) if c in many[1:] else c for c in clauses)


class Grammar:
    """Makes queries over the relations, of shards too where the world has such."""

    def __init__(self, relations: Sequence[Relation], shards: bool = False) -> None:
        self.relations, self.shards = relations, shards
        self.indexable = [
            relation.name for relation in relations if re.fullmatch(r"[a-z_]+(\.[a-z_]+)?", relation.name)
        ]

    def query(self, random: Random) -> Query:
        """A query: one that should be answered, with more or less that is bad or odd put in."""
        tables = [table.declaration for table in TABLES.values()]
        [table] = random.choices(tables, [1 + len(table.parameters) for table in tables])
        mechanism = self._mechanism(random, table)
        bad = random.choice([0.0, 0.0, 0.1, 0.3])
        choice = Choice(
            mechanism,
            OWN_OPTIONS.get(table.name, mechanism.parameters),
            self.relations,
            RERANKERS if table.name == "neural_rerank" else MODELS,
        )
        clauses = tuple(
            self._clause(random, parameter, choice, bad)
            for parameter in self._given(random, table, mechanism, bad)
        )
        query = Query(table, mechanism, once(clauses))
        for part in (self._own, self._targets, self._around):
            query = part(random, query)
        return over_shards(random, query) if self.shards else query

    def _mechanism(self, random: Random, table: Table) -> Mechanism:
        taking = [m for m in registry.MECHANISMS if table.name in m.operations]
        return random.choice(taking if taking and random.random() < 0.95 else list(registry.MECHANISMS))

    def _given(self, random: Random, table: Table, mechanism: Mechanism, bad: float) -> list[Parameter]:
        """The parameters of a sound query, and at times one more or one less."""
        groups = [group for group in table.groups if random.random() > bad / 10]
        names = {random.choice(group) for group in groups}
        if table.name == "mha_search" and mechanism.weigh_sets is None:
            names = {name if name != "queries" else "query" for name in names}
        needed = any(
            option.default is None and isinstance(option.range, tuple) for option in mechanism.parameters
        )
        wanted = {"attention_type": 0.95, "options": 0.9 if needed else 0.4, "k": 0.3}
        if mechanism.ordered is not None or (table.name == "sliding_attention" and "table_name" in names):
            wanted["order_column"] = 0.9
        rare = {"model": 0.05, "position": 0.05, "order_column": 0.02, "candidates": 0.15, "num_heads": 0.3}
        alternatives = {name for group in table.groups for name in group}
        for parameter in table.parameters:
            chance = wanted.get(
                parameter.name, bad / 4 if parameter.name in alternatives else rare.get(parameter.name, 0.1)
            )
            if random.random() < chance:
                names.add(parameter.name)
        return [parameter for parameter in table.parameters if parameter.name in names]

    def _clause(self, random: Random, parameter: Parameter, choice: Choice, bad: float) -> Clause:
        kinds = forms.BAD if random.random() < bad / 5 else forms.GOOD
        form = forms.EQUALS if random.random() < 0.6 else random.choice(kinds)
        first, second = (value(random, parameter, choice, random.random() < bad) for _ in range(2))
        if "{w}" not in form.text + form.outer:
            second = Piece("")
        return Clause(parameter.name, parameter.type, form, first, second)

    def _own(self, random: Random, query: Query) -> Query:
        return owned(random, query) if query.table.parameters and random.random() < 0.25 else query

    def _targets(self, random: Random, query: Query) -> Query:
        names = [f't."{column.name}"' for column in query.table.columns()]
        targets = random.choice([
            "t.*", "t.*", "t.*", "t.*", "count(*)", ", ".join(random.sample(names, min(3, len(names)))),
            "1 AS one",
            "t", "t.tableoid, t.ctid", "row_to_json(t) AS j", f"max({names[0]}), count({names[1]})", "",
            f"{names[0]}, row_number() OVER (ORDER BY {names[1]})", "DISTINCT t.*", "*",
            "generate_series(1, 2), t.*",
        ])  # fmt: skip
        if query.options is not None and random.random() < 0.8:
            targets = random.choice(["t.*", "count(*)"])
        return replace(query, targets=targets)

    def _around(self, random: Random, query: Query) -> Query:
        """Filters, joins, order, limit, settings and the context."""
        results = [column for column in query.table.results if column.type in ("bigint", "real", "integer")]
        changes: dict[str, Any] = {}
        if results and random.random() < 0.15:
            column = random.choice(results).name
            texts = (
                f't."{column}" > 0.01',
                f't."{column}" IS NOT NULL',
                f't."{column}" IN (1, 2)',
                "false",
                f'NOT t."{column}" = 3',
            )
            changes["filters"] = (*query.filters, random.choice(texts))
        if results and random.random() < 0.1:
            kind = random.choice(["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
            on = random.choice([f'd.id = t."{random.choice(results).name}"', "true"])
            changes["join"] = f" {kind} {random.choice(['documents', 'nothing'])} d ON {on}"
        if random.random() < 0.2:
            column = random.choice(list(query.table.columns())).name
            changes["order"] = f'ORDER BY t."{column}"' + random.choice(["", " DESC", " DESC NULLS LAST"])
        if random.random() < 0.2:
            changes["limit"] = random.choice(LIMITS)
        if "t.*" not in query.targets:
            changes = {name: value for name, value in changes.items() if name not in ("order", "limit")}
        if random.random() < 0.2:
            changes["settings"] = tuple(random.sample(SETTINGS, random.choice([1, 1, 2])))
        if random.random() < 0.05:
            changes["before"] = (random.choice([self._index, self._import])(random),)
        changes["context"] = random.choice(contexts.CONTEXTS) if random.random() < 0.5 else contexts.PLAIN
        return replace(query, **changes)

    def _import(self, random: Random) -> str:
        schema = random.choice(["public", "other", "nowhere", "pg_catalog"])
        chosen = ", ".join(sorted({random.choice(self.indexable) for _ in range(2)} - {"a.b.c"}))
        only = random.choice(["", f" LIMIT TO ({chosen})", f" EXCEPT ({chosen})"])
        into = random.choice(["found", "found", "nowhere"])
        return f"IMPORT FOREIGN SCHEMA {schema}{only} FROM SERVER ruattn INTO {into}"

    def _index(self, random: Random) -> str:
        given = {
            "attention_type": random.choice([*(m.name for m in registry.MECHANISMS), "x"]),
            "num_heads": random.choice(["1", "2", "8", "3", "0", "x"]),
            "head_dim": random.choice(["8", "4", "3", "0"]),
            "dtype": random.choice(["float32", "float16", "bfloat16", "int8", "int4", "x"]),
            "nothing": "1",
        }
        chosen = [name for name in given if random.random() < (0.3 if name != "nothing" else 0.02)]
        options = ", ".join(f"{name} = {quoted(given[name])}" for name in chosen)
        table = random.choice(["documents", random.choice(self.indexable)])
        columns = random.choice([*["embedding"] * 8, "id", "embedding, n", "(embedding[1:2])"])
        include = random.choice(["", " INCLUDE (id)", " INCLUDE (n)"])
        where = random.choice([*[""] * 9, " WHERE id > 3"])
        with_options = f" WITH ({options})" if options else ""
        return f"CREATE INDEX ON {table} USING ruvector_attention ({columns}){include}{with_options}{where}"
