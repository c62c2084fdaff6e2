"""What a SELECT is put into: statements around it, and which of these gives the answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Context:
    """Statements with {q} for the SELECT, {types} and {values} of its parameters.

    answer: the statement whose rows are the answer, None where none says whether there are any. nested: these
    rows are one, NULL, false or 0 where the SELECT is empty. rows: they are those of the SELECT itself.
    """

    texts: tuple[str, ...]
    answer: int | None = -1
    nested: bool = False
    rows: bool = False
    prepared: bool = False

    def statements(self, select: str, types: str, values: str) -> list[str]:
        """The statements over a SELECT."""
        return [
            text.replace("{q}", select).replace("{types}", types).replace("{values}", values)
            for text in self.texts
        ]


PLAIN = Context(("{q}",), rows=True)
CONTEXTS = (
    *(
        Context((f"EXPLAIN {options} {{q}}",), answer=None)
        for options in ("", "(VERBOSE)", "(ANALYZE)", "(ANALYZE, VERBOSE, FORMAT JSON)",
        "(COSTS OFF, FORMAT YAML)", "(ANALYZE, BUFFERS, FORMAT XML)")
    ),
    Context(("WITH q AS ({q}) SELECT * FROM q",)),
    Context(("WITH q AS MATERIALIZED ({q}) SELECT * FROM q UNION ALL SELECT * FROM q",)),
    Context(("SELECT * FROM ({q}) q",)),
    Context(("SELECT * FROM (SELECT * FROM ({q}) r OFFSET 0) q",)),
    Context(("SELECT EXISTS ({q})",), nested=True),
    Context(("SELECT (SELECT q::text FROM ({q}) q LIMIT 1) IS NOT NULL",), nested=True),
    Context(("SELECT cardinality(ARRAY(SELECT q::text FROM ({q}) q))",), nested=True),
    Context(("SELECT count(*) FROM ({q}) q",), nested=True),
    Context(("PREPARE p{types} AS {q}", "EXECUTE p{values}", "DEALLOCATE p"), answer=-2, prepared=True),
    Context(
        ("SET LOCAL plan_cache_mode = force_generic_plan", "PREPARE p{types} AS {q}", "EXECUTE p{values}",
         "EXPLAIN EXECUTE p{values}", "EXECUTE p{values}", "DEALLOCATE p"),
        answer=-2, prepared=True,
    ),
    Context(("DECLARE c CURSOR FOR {q}", "FETCH 2 FROM c", "FETCH ALL FROM c", "CLOSE c"), answer=-3),
    Context(
        ("DECLARE c SCROLL CURSOR FOR {q}", "FETCH 2 FROM c", "SAVEPOINT s", "FETCH ALL FROM c",
        "ROLLBACK TO s",
         "FETCH FIRST FROM c", "MOVE BACKWARD ALL IN c", "FETCH 3 FROM c"),
        answer=-7,
    ),
    Context(("DECLARE c CURSOR WITH HOLD FOR {q}", "FETCH 1 FROM c"), answer=-1),
    Context(("SAVEPOINT s", "DECLARE c CURSOR FOR {q}", "FETCH 1 FROM c", "ROLLBACK TO s", "SELECT 1"),
    answer=-3),
    Context(("CREATE TEMP TABLE made AS {q}", "SELECT count(*) FROM made"), nested=True),
    Context(("CREATE TEMP VIEW seen AS {q}", "SELECT count(*) FROM seen"), nested=True),
    Context(("CREATE MATERIALIZED VIEW seen AS {q}", "SELECT count(*) FROM seen"), nested=True),
    Context(("COPY ({q}) TO STDOUT",)),
    Context(("COPY ({q}) TO STDOUT (FORMAT binary)",), answer=None),
    Context(("UPDATE one u SET title = q::text FROM ({q}) q",), answer=None),
    Context(("DELETE FROM one USING ({q}) q",), answer=None),
    Context(("INSERT INTO one (title) SELECT q::text FROM ({q}) q",), answer=None),
    Context(("({q}) UNION ALL ({q})",)),
    Context(("({q}) EXCEPT ALL ({q})",), answer=None),
    Context(("SELECT q.* FROM generate_series(1, 2) g CROSS JOIN LATERAL ({q}) q",)),
    Context(("SELECT q FROM documents d LEFT JOIN ({q}) q ON true WHERE d.id < 3",), answer=None),
    Context(("SELECT q FROM documents d FULL JOIN ({q}) q ON true",), answer=None),
    Context(("SELECT d.id, (SELECT q::text FROM ({q}) q LIMIT 1) FROM documents d WHERE d.id < 3",),
    answer=None),
    Context(("DO $do$ DECLARE r record; BEGIN FOR r IN {q} LOOP NULL; END LOOP; END $do$",), answer=None),
    Context(("{q}", "UPDATE documents SET embedding = vector_of(id + 1) WHERE id = 2", "{q}")),
    Context(("{q}", "SAVEPOINT s", "DELETE FROM documents WHERE id > 20", "{q}", "ROLLBACK TO s", "{q}")),
    Context(("SAVEPOINT s", "{q}", "ROLLBACK TO s", "{q}")),
    Context(("CREATE FUNCTION asked() RETURNS SETOF record LANGUAGE sql AS $f$ {q} $f$",
    "SELECT count(asked())"), nested=True),
)  # fmt: skip
