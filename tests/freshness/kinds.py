"""The kinds of table that a walk changes, and what it finds beside the table."""

from __future__ import annotations

from dataclasses import dataclass

READER = "freshness_reader"


@dataclass(frozen=True)
class Variant:
    """A kind of table. make: its definition, with {columns}; children: what is attached or inherits.

    pace: how many steps of a hundred it takes in a walk, less where each takes longer.
    """

    name: str
    make: str
    children: tuple[str, ...] = ()
    child: str = ""
    attach: str = ""
    detach: str = ""
    dimensions: int = 8
    pace: int = 100


SETUP = f"""
DO $$ BEGIN CREATE ROLE {READER}; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER};
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN NEW.note := NEW.note || '.'; RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON docs
    FOR EACH ROW WHEN (length(NEW.note) < 20) EXECUTE FUNCTION touched();
CREATE FUNCTION negated(anyarray) RETURNS anyarray LANGUAGE sql
    AS $$ SELECT array_agg(-x ORDER BY n) FROM unnest($1) WITH ORDINALITY u (x, n) $$;
CREATE TABLE other (id int);
INSERT INTO other VALUES (1)
"""

PARTITION = "PARTITION OF {table} FOR VALUES IN ({number})"
ROW_SECURITY = """
CREATE TABLE docs ({columns});
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY others ON docs USING (id % 3 <> current_setting('app.hidden')::int)
"""

VARIANTS = (
    Variant("plain", "CREATE TABLE docs ({columns})"),
    Variant("keyed", "CREATE TABLE docs ({columns}, PRIMARY KEY (id)) WITH (fillfactor = 50)"),
    Variant("unlogged", "CREATE UNLOGGED TABLE docs ({columns})"),
    Variant(
        "partitioned",
        "CREATE TABLE docs ({columns}) PARTITION BY LIST (shard)",
        children=("docs0", "docs1", "docs2"),
        child=f"CREATE TABLE {{child}} {PARTITION}",
        attach="ALTER TABLE {table} ATTACH PARTITION {child} FOR VALUES IN ({number})",
        detach="ALTER TABLE {table} DETACH PARTITION {child}",
    ),
    Variant(
        "inheritance",
        "CREATE TABLE docs ({columns})",
        children=("docs0", "docs1"),
        child="CREATE TABLE {child} () INHERITS ({table})",
        attach="ALTER TABLE {child} INHERIT {table}",
        detach="ALTER TABLE {child} NO INHERIT {table}",
    ),
    Variant("row_security", ROW_SECURITY),
    Variant("toasted", "CREATE TABLE docs ({columns})", dimensions=800, pace=20),
)
