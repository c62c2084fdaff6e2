"""What WITH (...) of an attention index may declare, and what it refuses to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from .conftest import problems, stats

Connection = psycopg.Connection[Any]
Failure = Callable[..., psycopg.Error]

CREATE = "CREATE INDEX made ON documents USING ruvector_attention (embedding)"


def test_the_statement_of_the_manual(documents: Connection) -> None:
    options = "attention_type = 'flash', num_heads = 2, head_dim = 2, dtype = 'int8'"
    documents.execute(f"{CREATE} INCLUDE (id) WITH ({options})".encode())
    assert documents.execute("SELECT reloptions FROM pg_class WHERE relname = 'made'").fetchall() == [
        (["attention_type=flash", "num_heads=2", "head_dim=2", "dtype=int8"],)
    ]


@pytest.mark.parametrize(
    ("option", "sqlstate", "message"),
    [
        ("attention_type = 'cosin'", "22023", "unknown attention mechanism 'cosin'"),
        ("attention_type = ''", "22023", "unknown attention mechanism ''"),
        ("num_heads = 0", "22023", 'value 0 out of bounds for option "num_heads"'),
        ("num_heads = 2147483648", "22023", "invalid value for integer option"),
        ("head_dim = -1", "22023", 'value -1 out of bounds for option "head_dim"'),
        ("head_dim = 'wide'", "22023", 'invalid value for integer option "head_dim": wide'),
        ("dtype = 'float64'", "22023", 'invalid value for enum option "dtype": float64'),
        ("heads = 8", "22023", 'unrecognized parameter "heads"'),
        ("num_heads = 3", "22000", 'documents.embedding has 4 dimensions, index "made" declares 3 heads'),
        ("head_dim = 3", "22000", 'documents.embedding has 4 dimensions, index "made" declares heads of 3'),
        ("num_heads = 2, head_dim = 3", "22000", 'index "made" declares 2 heads of 3, which is 6'),
        ("num_heads = 2147483647, head_dim = 2147483647", "22000", "which is 4611686014132420609"),
    ],
)
def test_a_wrong_declaration_is_refused(
    documents: Connection, failure: Failure, option: str, sqlstate: str, message: str
) -> None:
    error = failure(documents, f"{CREATE} WITH ({option})")
    assert error.diag.sqlstate == sqlstate
    assert message in str(error.diag.message_primary)


def test_an_unknown_mechanism_comes_with_the_nearest_name(documents: Connection, failure: Failure) -> None:
    assert (
        failure(documents, f"{CREATE} WITH (attention_type = 'cosin')").diag.message_hint
        == "Did you mean cosine?"
    )


def test_a_misfit_in_the_table_is_located(documents: Connection, failure: Failure) -> None:
    documents.execute("INSERT INTO documents VALUES (0, 0, '{1,2,3}')")
    error = failure(documents, f"{CREATE} WITH (num_heads = 2)")
    ctid = documents.execute("SELECT ctid::text FROM documents WHERE id = 0").fetchall()[0][0]
    assert error.diag.message_detail == f"The row's ctid is {ctid}."


def test_an_existing_index_can_be_declared_anew(documents: Connection, failure: Failure) -> None:
    documents.execute("ALTER INDEX attn SET (num_heads = 2, attention_type = 'cosine')")
    assert failure(documents, "ALTER INDEX attn SET (attention_type = 'cosin')").diag.sqlstate == "22023"
    documents.execute("INSERT INTO documents VALUES (0, 0, '{1,2}'), (0, 0, NULL)")
    for value, message in (
        ("{1,2,3}", "has 3 dim"),
        ("{}", "has 0 dim"),
        ("{{1,2},{3,4}}", "more than one array"),
    ):
        error = failure(documents, "INSERT INTO documents VALUES (0, 0, %s)", value)
        assert error.diag.sqlstate == "22000"
        assert message in str(error.diag.message_primary)
    documents.execute("ALTER INDEX attn RESET (num_heads)")
    documents.execute("INSERT INTO documents VALUES (0, 0, '{1,2,3}')")


def test_a_toasted_vector_is_measured_too(db: Connection, failure: Failure) -> None:
    db.execute("CREATE TABLE documents (embedding real[])")
    db.execute("INSERT INTO documents SELECT array_agg(random()) FROM generate_series(1, 4000)")
    db.execute("INSERT INTO documents SELECT array_agg(1) FROM generate_series(1, 4000)")
    assert "has 4000 dimensions" in str(failure(db, f"{CREATE} WITH (num_heads = 3)").diag.message_primary)
    db.execute(f"{CREATE} WITH (num_heads = 4, head_dim = 1000)".encode())
    db.execute("INSERT INTO documents SELECT embedding FROM documents")
    assert stats(db, "made").entries == 4


@pytest.mark.usefixtures("pgvector")
def test_a_column_of_fixed_dimensions_is_checked_without_a_row(db: Connection, failure: Failure) -> None:
    db.execute("CREATE EXTENSION ruattn_fdw_pgvector CASCADE")
    db.execute("CREATE TABLE documents (embedding vector(768))")
    error = failure(db, f"{CREATE} WITH (num_heads = 7)")
    assert error.diag.sqlstate == "22023"
    assert (
        error.diag.message_primary == 'documents.embedding has 768 dimensions, index "made" declares 7 heads'
    )
    db.execute(f"{CREATE} WITH (num_heads = 8, head_dim = 96)".encode())


@pytest.mark.parametrize(
    ("form", "sqlstate", "message"),
    [
        ("(embedding) WHERE id > 3", "0A000", "cannot be partial"),
        ("((embedding || embedding))", "0A000", "cannot be on an expression"),
        ("(embedding, id)", "0A000", "does not support multicolumn indexes"),
        ("(id)", "42704", "has no default operator class"),
        ("(embedding DESC)", "0A000", "does not support ASC/DESC options"),
    ],
)
def test_other_forms_are_refused(
    documents: Connection, failure: Failure, form: str, sqlstate: str, message: str
) -> None:
    error = failure(documents, f"CREATE INDEX made ON documents USING ruvector_attention {form}")
    assert error.diag.sqlstate == sqlstate
    assert message in str(error.diag.message_primary)


def test_it_cannot_be_unique(documents: Connection, failure: Failure) -> None:
    error = failure(documents, CREATE.replace("INDEX", "UNIQUE INDEX", 1))
    assert error.diag.sqlstate == "0A000"


def test_an_operator_class_for_another_type_is_of_no_use(documents: Connection, failure: Failure) -> None:
    documents.execute("CREATE OPERATOR CLASS int_ops FOR TYPE int USING ruvector_attention AS STORAGE int")
    error = failure(documents, "CREATE INDEX made ON documents USING ruvector_attention (id int_ops)")
    assert error.diag.sqlstate == "42804"
    query = (
        "SELECT amvalidate(oid) FROM pg_opclass WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = %s)"
    )
    found = documents.execute(query.encode(), ("ruvector_attention",)).fetchall()
    assert sorted(found) == [(False,), (True,), (True,)]


def test_what_the_wrapper_makes(documents: Connection) -> None:
    made = documents.execute(
        "SELECT ruvector_create_attention_index('documents', 'embedding', 'flash', 2, head_dim := 2,"
        " dtype := 'float16', include := '{id,note}')::text"
    ).fetchall()[0][0]
    definition = documents.execute("SELECT pg_get_indexdef(%s::regclass)", (made,)).fetchall()[0][0]
    assert definition == (
        "CREATE INDEX documents_embedding_idx ON public.documents USING ruvector_attention (embedding)"
        " INCLUDE (id, note) WITH (attention_type=flash, num_heads='2', head_dim='2', dtype=float16)"
    )
    assert problems(documents, made) == []
    documents.execute("SELECT ruvector_drop_attention_index(%s)", (made,))
    assert documents.execute("SELECT to_regclass(%s)", (made,)).fetchall() == [(None,)]


def test_the_wrapper_takes_awkward_names(documents: Connection) -> None:
    documents.execute('CREATE SCHEMA "a ""b"')
    documents.execute('CREATE TABLE "a ""b"."T; x" ("V ""w" real[], "Id" int)')
    documents.execute('SET search_path = "a ""b", public')
    made = documents.execute(
        "SELECT ruvector_create_attention_index(%s, %s, include := %s, index_name := %s)::oid",
        ('"T; x"', 'V "w', ["Id"], 'I " x'),
    ).fetchall()[0][0]
    documents.execute("SELECT ruvector_drop_attention_index(%s::regclass)", (made,))


def test_the_wrapper_refuses(documents: Connection, failure: Failure) -> None:
    create = "SELECT ruvector_create_attention_index"
    assert failure(documents, f"{create}('nowhere', 'embedding')").diag.sqlstate == "42P01"
    assert failure(documents, f"{create}('documents', 'vec')").diag.sqlstate == "42703"
    assert failure(documents, f"{create}(NULL, 'embedding')").diag.sqlstate == "22004"
    assert (
        failure(documents, f"{create}('documents', 'embedding', include := '{{NULL}}')").diag.sqlstate
        == "22004"
    )
    assert failure(documents, f"{create}('documents', 'embedding', 'cosin')").diag.sqlstate == "22023"
    documents.execute("CREATE INDEX plain ON documents (id)")
    for name in ("plain", "documents"):
        assert failure(documents, "SELECT ruvector_drop_attention_index(%s)", name).diag.sqlstate == "42809"


def test_rights_are_the_callers(documents: Connection, failure: Failure) -> None:
    documents.execute("CREATE ROLE index_guest")
    try:
        documents.execute("SET ROLE index_guest")
        statements = (
            "SELECT ruvector_create_attention_index('documents', 'embedding')",
            "SELECT ruvector_drop_attention_index('attn')",
            "SELECT ruvector_attention_index_stats('attn')",
            "SELECT ruvector_attention_index_check('attn')",
        )
        assert [failure(documents, s).diag.sqlstate for s in statements] == ["42501"] * 4
        documents.execute("RESET ROLE")
        documents.execute("GRANT SELECT ON documents TO index_guest")
        documents.execute("SET ROLE index_guest")
        assert stats(documents).entries == 3000
    finally:
        documents.execute("RESET ROLE")
        documents.execute("DROP OWNED BY index_guest")
        documents.execute("DROP ROLE index_guest")


def test_only_attention_indexes_have_something_to_show(documents: Connection, failure: Failure) -> None:
    documents.execute("CREATE INDEX plain ON documents (id)")
    for function in ("stats", "check"):
        for name in ("plain", "documents"):
            error = failure(documents, f"SELECT * FROM ruvector_attention_index_{function}(%s)", name)
            assert error.diag.sqlstate == "42809"
        error = failure(documents, f"SELECT * FROM ruvector_attention_index_{function}(1)")
        assert (error.diag.sqlstate, error.diag.message_primary) == ("42704", "there is no index with OID 1")


PLANS = (
    "SELECT * FROM documents WHERE embedding = '{1,1,2,3}'",
    "SELECT id FROM documents WHERE embedding IS NULL",
    "SELECT embedding FROM documents ORDER BY embedding LIMIT 3",
    "SELECT count(*) FROM documents",
    "SELECT a.id FROM documents a JOIN documents b USING (embedding)",
    "UPDATE documents SET id = 1 WHERE note = 3",
)


def test_no_plan_uses_it_nor_changes_for_it(documents: Connection) -> None:
    documents.execute("ANALYZE documents")

    def plans() -> list[Any]:
        return [documents.execute(f"EXPLAIN {query}".encode()).fetchall() for query in PLANS]

    with_it = plans()
    documents.execute("SET enable_seqscan = off")
    assert "attn" not in str(plans())
    documents.execute("RESET enable_seqscan")
    documents.execute("DROP INDEX attn")
    assert plans() == with_it
