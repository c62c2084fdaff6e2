"""A database with users' own foreign tables goes through pg_dump and back."""

from __future__ import annotations

import subprocess
from typing import Any

import psycopg

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]

OWN = """
CREATE TABLE corpus (doc uuid PRIMARY KEY, title text, embedding real[]);
INSERT INTO corpus
SELECT md5(i::text)::uuid, 'it''s ' || i, ARRAY[cos(i), sin(i)]::real[] FROM generate_series(1, 9) i;
CREATE SCHEMA attn;
IMPORT FOREIGN SCHEMA public LIMIT TO (corpus) FROM SERVER ruattn INTO attn;
CREATE FOREIGN TABLE nearest (doc uuid, title text, score real, query attention_vector, candidates uuid[])
SERVER ruattn OPTIONS (operation 'mha_search', table_name 'corpus', id_column 'doc', num_heads '1', k '3',
         locked 'true', options '{}', query '{1,0}');
ALTER FOREIGN TABLE nearest OPTIONS (DROP query);
CREATE VIEW best AS SELECT title, score FROM nearest WHERE query = '{0,1}' AND score > 0.1;
CREATE INDEX attn ON corpus USING ruvector_attention (embedding) INCLUDE (doc)
WITH (attention_type = 'cosine', num_heads = 2, dtype = 'int8');
CREATE TABLE asked (id int PRIMARY KEY, query attention_vector);
INSERT INTO asked VALUES (1, '{0.5,0.25}');
INSERT INTO ruattn_weights (name, tensor, shape, data, fitted_rows)
VALUES ('mine', 'W_q', '{2,2}', '{0,1,1,0}', 7);
CREATE FOREIGN TABLE mirrored (doc uuid, score real, query attention_vector)
SERVER ruattn OPTIONS (operation 'mha_search', table_name 'corpus', id_column 'doc', num_heads '1',
         model 'mine')
"""
QUESTIONS = (
    "SELECT * FROM ruattn_weights",
    "SELECT doc, score FROM mirrored WHERE query = '{1,0}'",
    "SELECT * FROM best",
    "SELECT title, doc FROM attn.corpus WHERE query = '{1,1}' AND num_heads = 2 AND k = 4",
    "SELECT asked.id, title FROM asked JOIN nearest USING (query)",
    "SELECT foreign_table_name, option_name, option_value FROM information_schema.foreign_table_options"
    " WHERE foreign_table_name = 'nearest' ORDER BY option_name",
    'SELECT "index", vector_column, attention_type, num_heads, dtype FROM attention_indexes',
)


def dump(server: Server, database: str) -> str:
    command = [server.installation.program("pg_dump"), "--no-owner", server.uri(database)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_dump_and_restore(server: Server, database: str, db: Connection) -> None:
    db.execute(OWN)
    before = [db.execute(question.encode()).fetchall() for question in QUESTIONS]
    assert all(before)
    script = dump(server, database)
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE restored TEMPLATE template0")
        try:
            command = [
                server.installation.program("psql"),
                "-qX",
                "-v",
                "ON_ERROR_STOP=1",
                server.uri("restored"),
            ]
            subprocess.run(command, input=script, text=True, check=True, capture_output=True)
            with psycopg.connect(server.uri("restored"), autocommit=True) as restored:
                after = [restored.execute(question.encode()).fetchall() for question in QUESTIONS]
            assert after == before
            plain = [line for line in script.splitlines() if "restrict" not in line]
            again = [line for line in dump(server, "restored").splitlines() if "restrict" not in line]
            assert again == plain
        finally:
            admin.execute("DROP DATABASE restored WITH (FORCE)")
