"""The relations that queries are made over: sound ones, odd ones and broken ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

DIMENSIONS = 8
MODELS = ("layer", "gate", "graph")
"""Sets of weights."""
RERANKERS = ("minilm", "minilm", "minilm", "two", "embedder", "not_a_number")
"""Models for texts, those that are of use more often."""


class Relation(NamedTuple):
    """A name for a parameter; `empties`: a search over it may be empty, as SQL has it."""

    name: str
    empties: bool = False


# inside of the unit ball, no two alike, so that every mechanism takes them
VECTOR = "ARRAY[cos(i), sin(i), cos(2*i), sin(2*i), cos(3*i), sin(3*i), cos(5*i), sin(5*i)]::float8[]"
ELEMENTS = f"unnest({VECTOR}) WITH ORDINALITY u(x, o)"
SCALED = f"(SELECT array_agg(x * (0.2 + 0.01 * i) ORDER BY o)::real[] FROM {ELEMENTS})"

SOUND = f"""
CREATE FUNCTION vector_of(i int) RETURNS real[] LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT {SCALED}; END;
CREATE TABLE documents (id int PRIMARY KEY, title text, embedding real[], n int, at timestamptz,
                        weight float8, flag boolean);
INSERT INTO documents SELECT i, 'document ' || i, vector_of(i), 50 - i,
  timestamptz '2024-01-01 00:00Z' + i * interval '1 hour', 1 + i / 10.0, i % 2 = 0 FROM generate_series(1,
  24) i;
CREATE TABLE links (source int, target int, weight float8);
INSERT INTO links SELECT i, (i * 7 + j) % 24 + 1, i / 10.0 FROM generate_series(1, 24) i, generate_series(1,
  3) j;
CREATE TABLE doubles AS SELECT id, title, embedding::float8[] AS embedding, n, at, weight, flag FROM
  documents;
CREATE TABLE wide_ids AS SELECT 3000000000 + id AS id, title, embedding, n, at, weight, flag FROM documents;
CREATE TABLE text_ids AS SELECT 'it''s "' || id AS id, title, embedding, n, at, weight, flag FROM documents;
CREATE TABLE uuid_ids AS SELECT md5(id::text)::uuid AS id, title, embedding, n, at, weight, flag FROM
  documents;
CREATE VIEW shown AS SELECT * FROM documents WHERE id > 3;
CREATE VIEW guarded WITH (security_barrier) AS SELECT * FROM documents WHERE id > 0;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM documents;
CREATE TABLE parts (LIKE documents) PARTITION BY RANGE (id);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (MINVALUE) TO (10);
CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (10) TO (MAXVALUE);
INSERT INTO parts SELECT * FROM documents;
CREATE TABLE parent (LIKE documents);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent SELECT * FROM documents WHERE id < 12;
INSERT INTO child SELECT * FROM documents WHERE id >= 12;
CREATE SCHEMA other;
CREATE SCHEMA found;
CREATE TABLE other.documents AS SELECT * FROM documents;
CREATE TABLE "Odd ""name; --" AS SELECT * FROM documents;
CREATE TABLE indexed (LIKE documents INCLUDING ALL);
INSERT INTO indexed SELECT * FROM documents;
CREATE INDEX ON indexed USING ruvector_attention (embedding) INCLUDE (id)
  WITH (attention_type = 'cosine', num_heads = 2, head_dim = 4);
CREATE TABLE coded (LIKE documents INCLUDING ALL);
INSERT INTO coded SELECT * FROM documents;
CREATE INDEX ON coded USING ruvector_attention (embedding) WITH (dtype = 'int8');
CREATE TABLE halved (LIKE documents INCLUDING ALL);
INSERT INTO halved SELECT * FROM documents;
CREATE INDEX ON halved USING ruvector_attention (embedding) WITH (dtype = 'float16');
CREATE UNLOGGED TABLE unlogged AS SELECT * FROM documents;
CREATE TABLE one AS SELECT * FROM documents WHERE id = 1;
CREATE TABLE same AS SELECT id, title, vector_of(1) AS embedding, n, at, weight, flag FROM documents;
CREATE TABLE sparse_rows AS SELECT id, title, CASE WHEN flag THEN embedding END AS embedding, n, at, weight,
  flag
  FROM documents;
CREATE TABLE generated (gone int, id int GENERATED ALWAYS AS IDENTITY, title text, gone_too real[],
  n int, at timestamptz, weight float8, flag boolean, embedding real[] GENERATED ALWAYS AS (vector_of(n))
  STORED);
ALTER TABLE generated DROP COLUMN gone, DROP COLUMN gone_too;
INSERT INTO generated (title, n) SELECT title, id FROM documents;
CREATE TABLE later (id int, title text, n int, at timestamptz, weight float8, flag boolean);
INSERT INTO later SELECT id, title, n, at, weight, flag FROM documents;
ALTER TABLE later ADD COLUMN embedding real[] DEFAULT vector_of(3);
CREATE TABLE k (id int, query int, table_name text, k int, score real, embedding real[], n int, weight
  float8);
INSERT INTO k SELECT id, id, title, id, 0.5, embedding, n, weight FROM documents;
CREATE TABLE token_sets AS SELECT id, title, n, weight, embedding, ARRAY[embedding, vector_of(id + 1)] AS
  tokens
  FROM documents;
DO $$ BEGIN EXECUTE 'CREATE TABLE many (id int, embedding real[], n int, weight float8, ' ||
  (SELECT string_agg(format('c%s smallint', i), ', ') FROM generate_series(1, 1596) i) || ')'; END $$;
INSERT INTO many (id, embedding, n, weight) SELECT id, embedding, n, weight FROM documents;
CREATE FOREIGN TABLE own (id int, score real, query attention_vector, k int) SERVER ruattn
  OPTIONS (operation 'mha_search', table_name 'documents');
CREATE VIEW searched AS SELECT m.id, d.title, d.embedding, d.n, d.at, d.weight, d.flag
  FROM mha_search m JOIN documents d USING (id) WHERE m.table_name = 'documents' AND m.query_id = 1;
INSERT INTO ruattn_weights (name, tensor, shape, data)
SELECT 'layer', tensor, '{{8,8}}', ARRAY(SELECT sin(i)::real FROM generate_series(1, 64) i)
FROM unnest('{{W_q,W_k,W_v,W_o}}'::text[]) tensor;
INSERT INTO ruattn_weights (name, tensor, shape, data)
SELECT 'gate', 'gate', '{{4,8}}', ARRAY(SELECT cos(i)::real FROM generate_series(1, 32) i);
INSERT INTO ruattn_weights (name, tensor, shape, data)
SELECT 'graph', tensor, shape::int[], ARRAY(SELECT cos(i)::real FROM generate_series(1, size) i)
FROM (VALUES ('W_l', '{{8,8}}', 64), ('W_r', '{{8,8}}', 64), ('a', '{{2,4}}', 8)) s(tensor, shape, size);
"""

ODD = """
CREATE TABLE nothing (LIKE documents);
CREATE TABLE nulls AS SELECT id, title, NULL::real[] AS embedding, n, at, weight, flag FROM documents;
CREATE VIEW hidden AS SELECT * FROM documents WHERE false;
CREATE TABLE twice AS SELECT 1 + id % 5 AS id, title, embedding, n, at, weight, flag FROM documents;
CREATE TABLE null_ids AS SELECT nullif(id, 3) AS id, title, embedding, n, at, weight, flag FROM documents;
CREATE TABLE not_numbers AS SELECT id, title,
  CASE id WHEN 5 THEN '{NaN,0,0,0,0,0,0,0}' ELSE embedding END AS embedding, n, at, weight, flag FROM
  documents;
CREATE TABLE infinite AS SELECT id, title,
  CASE id WHEN 5 THEN '{Infinity,0,0,0,0,0,0,0}' ELSE embedding END AS embedding, n, at, weight, flag FROM
  documents;
CREATE TABLE holes AS SELECT id, title,
  CASE id WHEN 5 THEN '{NULL,0,0,0,0,0,0,0}' ELSE embedding END AS embedding, n, at, weight, flag FROM
  documents;
CREATE TABLE ragged AS SELECT id, title, embedding[1 : 4 + id % 3] AS embedding, n, at, weight, flag FROM
  documents;
CREATE TABLE hollow AS SELECT id, title, '{}'::real[] AS embedding, n, at, weight, flag FROM documents;
CREATE TABLE shifted AS SELECT id, title, ('[0:7]=' || embedding::text)::real[] AS embedding, n, at, weight,
  flag
  FROM documents;
CREATE TABLE planes AS SELECT id, title, ARRAY[embedding] AS embedding, n, at, weight, flag FROM documents;
CREATE TABLE zeros AS SELECT id, title, array_fill(0::real, '{8}') AS embedding, n, at, weight, flag FROM
  documents;
CREATE TABLE huge AS SELECT id, title, array_fill(1e38::real, '{8}') AS embedding, n, at, weight, flag FROM
  documents;
CREATE TABLE tiny AS SELECT id, title, array_fill(1e-45::real, '{8}') AS embedding, n, at, weight, flag FROM
  documents;
CREATE TABLE beyond AS SELECT id, title, array_fill(1e300::float8, '{8}') AS embedding, n, at, weight, flag
  FROM documents;
CREATE TABLE wide AS SELECT id, title, array_fill(0.001::real, '{16384}') AS embedding, n, at, weight, flag
  FROM documents WHERE id < 4;
CREATE TABLE narrow AS SELECT id, title, embedding[1:1] AS embedding, n, at, weight, flag FROM documents;
CREATE TABLE texts AS SELECT id, title, embedding::text AS embedding, n, at, weight, flag FROM documents;
CREATE TABLE no_ids AS SELECT title, embedding, n, at, weight, flag FROM documents;
CREATE TABLE two_vectors AS SELECT *, embedding AS other FROM documents;
CREATE TABLE no_numbers AS SELECT id, title, embedding, 'NaN'::float8 AS n, 'infinity'::timestamptz AS at,
  'NaN'::float8 AS weight, flag FROM documents;
CREATE TABLE no_columns ();
CREATE VIEW broken AS SELECT id, title, embedding, n / (id - id) AS n, at, weight, flag FROM documents;
CREATE VIEW by_itself AS SELECT id, vector_of(1) AS embedding, 1 AS n, 1.0::float8 AS weight FROM own
  WHERE query = '{1,0,0,0,0,0,0,0}';
CREATE FOREIGN TABLE recursive (id int, score real, query attention_vector, embedding real[], n int, weight
  float8)
  SERVER ruattn OPTIONS (operation 'mha_search', table_name 'recursive');
CREATE TABLE secret AS SELECT * FROM documents;
CREATE TABLE ruled AS SELECT * FROM documents;
ALTER TABLE ruled ENABLE ROW LEVEL SECURITY;
CREATE POLICY low_ids ON ruled USING (id < 6);
CREATE SEQUENCE numbers;
CREATE TYPE pair AS (id int, embedding real[]);
CREATE TABLE disagreeing (LIKE documents INCLUDING ALL);
INSERT INTO disagreeing SELECT * FROM documents;
CREATE INDEX ON disagreeing USING ruvector_attention (embedding) WITH (attention_type = 'cosine');
CREATE INDEX ON disagreeing USING ruvector_attention (embedding) WITH (attention_type = 'linear');
CREATE TABLE stray (source int, target int, weight float8);
INSERT INTO stray VALUES (1, 99), (99, 1), (1, 1), (NULL, 1), (2, 3);
CREATE TABLE text_links AS SELECT source::text, target::text, weight FROM links;
CREATE TABLE src_links AS SELECT source::int8 AS src, target::int2 AS dst, weight FROM links;
"""

ROLE = "fuzz_reader"
GRANTS = f"""
GRANT SELECT ON ALL TABLES IN SCHEMA public, other TO {ROLE};
GRANT USAGE ON SCHEMA other TO {ROLE};
REVOKE ALL ON secret FROM {ROLE};
"""

PGVECTOR = """
CREATE EXTENSION vector;
CREATE EXTENSION ruattn_fdw_pgvector;
CREATE TABLE vectors AS SELECT id, title, embedding::vector(8) AS embedding, n, at, weight, flag FROM
  documents;
CREATE TABLE halves AS SELECT id, title, embedding::vector(8)::halfvec(8) AS embedding, n, at, weight, flag
  FROM documents;
"""

SOUND_NAMES = [
    "documents", "doubles", "wide_ids", "text_ids", "uuid_ids", "shown", "guarded", "kept", "parts",
    "parent", "child",
    "other.documents", "public.documents", '"Odd ""name; --"', "indexed", "coded", "halved", "unlogged",
    "one", "same",
    "sparse_rows", "generated", "later", "k", "many", "searched", "twice", "token_sets", "src_links", "links",
]  # fmt: skip
ODD_NAMES = [
    "null_ids", "not_numbers", "infinite", "holes", "ragged", "hollow", "shifted", "planes", "zeros",
    "huge", "tiny",
    "beyond", "wide", "narrow", "texts", "no_ids", "two_vectors", "no_numbers", "no_columns", "broken",
    "by_itself",
    "recursive", "own", "mha_search", "attention_types", "attention_score", "secret", "numbers", "pair",
    "disagreeing",
    "text_links", "documents_pkey", "indexed_embedding_id_idx", "pg_class", "pg_catalog.pg_class",
    "information_schema.tables", "no such", "", "a.b.c", "a.b.c.d", ".", '"',
    "documents; DROP TABLE documents",
    "postgres.public.documents", "ruattn_weights", "vectors", "halves", "dokuments", "DOCUMENTS", "x" * 100,
    "1", "é",
]  # fmt: skip
EMPTY_NAMES = ["nothing", "nulls", "hidden", "ruled", "pg_temp.documents", "stray"]


def fill(connection: psycopg.Connection[Any], pgvector: bool) -> None:
    """Make all relations that last."""
    if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [ROLE]).rowcount:
        connection.execute(f"CREATE ROLE {ROLE} LOGIN".encode())
    for script in (SOUND, ODD, GRANTS, PGVECTOR if pgvector else ""):
        connection.execute(script.encode())
    connection.execute("ANALYZE documents")


def make(
    connection: psycopg.Connection[Any], other: psycopg.Connection[Any], pgvector: bool
) -> list[Relation]:
    """Make all relations, and one in the other session; gives the names that queries may have."""
    fill(connection, pgvector)
    other.execute("CREATE TEMP TABLE theirs AS SELECT * FROM documents")
    connection.execute("CREATE TEMP TABLE mine AS SELECT * FROM documents")
    found = other.execute(
        "SELECT relnamespace::regnamespace || '.theirs' FROM pg_class WHERE relname = 'theirs'"
    )
    [(theirs,)] = found.fetchall()
    [(toast,)] = connection.execute(
        "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 'documents'::regclass"
    ).fetchall()
    return [
        *map(Relation, [*SOUND_NAMES, "mine", *(["vectors", "halves"] if pgvector else [])]),
        *map(Relation, [*ODD_NAMES, theirs, toast]),
        *(Relation(name, empties=True) for name in EMPTY_NAMES),
    ]
