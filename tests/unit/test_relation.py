"""Which relation and which of its columns a search reads."""

import pytest

from ruattn_fdw.errors import AttentionError
from ruattn_fdw.source.relation import resolve


def columns(**kinds):
    return [(name, kind, kind) for name, kind in kinds.items()]


def test_the_primary_key_and_the_only_vector_column_are_chosen(host):
    host.column_list = columns(id="integer", number="integer", vec="vector")
    host.key_column = "number"
    source = resolve("documents", None, None)
    assert (source.id_column, source.vector_column) == ("number", "vec")
    assert source.description == "public.documents (number, vec)"


def test_without_a_primary_key_the_column_id_is_chosen(host):
    host.key_column = None
    assert resolve("documents", None, None).id_column == "id"


def test_with_neither_the_integer_columns_are_listed(host):
    host.key_column = None
    host.column_list = columns(number="integer", vec="vector")
    with pytest.raises(
        AttentionError, match='documents has no single-column primary key and no column "id"'
    ) as caught:
        resolve("documents", None, None)
    assert caught.value.hint == "Give id_column; integer columns are: number."


@pytest.mark.parametrize("wanted", [None, "key"])
def test_an_id_that_is_no_integer_is_refused(host, wanted):
    host.column_list = [("key", "uuid", "other"), ("vec", "vector", "vector")]
    host.key_column = "key"
    message = r"documents\.key has type uuid, the ids of this table have type bigint"
    with pytest.raises(AttentionError, match=message) as caught:
        resolve("documents", wanted, None)
    assert caught.value.sqlstate == "0A000"
    assert "an id column of type uuid" in caught.value.hint


def test_an_id_of_another_type_is_taken_where_the_table_has_it(host):
    host.column_list = [("key", "uuid", "other"), ("vec", "vector", "vector")]
    host.key_column = "key"
    assert resolve("documents", None, None, "uuid").id_type == ("uuid", "pg_catalog")


def test_a_column_of_sets_comes_first_where_sets_are_wanted(host):
    host.column_list = columns(id="integer", vec="vector", tokens="vector[]")
    assert resolve("documents", None, None).vector_column == "vec"
    assert resolve("documents", None, None, sets=True).vector_column == "tokens"
    with pytest.raises(AttentionError, match="several vectors in each row") as caught:
        resolve("documents", None, "tokens")
    assert "max_sim" in caught.value.hint


def test_an_empty_column_name_is_a_name_that_does_not_exist(host):
    with pytest.raises(AttentionError, match='column "" of relation "documents" does not exist'):
        resolve("documents", "", None)


def test_several_vector_columns_are_named(host):
    host.column_list = columns(id="integer", a="vector", b="halfvec", c="double precision[]")
    with pytest.raises(AttentionError, match="documents has 3 vector columns: a, b, c") as caught:
        resolve("documents", None, None)
    assert caught.value.hint == "Say which: vector_column = 'a'."
    assert resolve("documents", None, "b").vector_column == "b"


def test_no_vector_column_says_which_types_would_do(host):
    host.column_list = columns(id="integer", title="text")
    with pytest.raises(AttentionError, match="documents has no column of a vector type") as caught:
        resolve("documents", None, None)
    assert "halfvec" in caught.value.hint


def test_a_column_that_is_no_vector_is_refused_with_its_type(host):
    with pytest.raises(AttentionError, match=r"documents\.title has type text, no vector type"):
        resolve("documents", None, "title")


def test_a_missing_column_proposes_the_nearest(host):
    with pytest.raises(
        AttentionError, match='column "embeding" of relation "documents" does not exist'
    ) as caught:
        resolve("documents", None, "embeding")
    assert caught.value.sqlstate == "42703"
    assert 'Perhaps you meant "embedding".' in caught.value.hint


@pytest.mark.parametrize(
    ("name", "proposal"),
    [
        ("Documnts", 'Perhaps you meant "documents".'),
        ("public.documnts", 'Perhaps you meant "documents".'),
        ("letters", 'Perhaps you meant "archive.letters".'),
        ("zzz", "Names resolve in the search_path, or write schema.table."),
    ],
)
def test_a_missing_relation_proposes_the_nearest(host, name, proposal):
    with pytest.raises(AttentionError, match=f'relation "{name}" does not exist') as caught:
        resolve(name, None, None)
    assert caught.value.sqlstate == "42P01"
    assert caught.value.hint == proposal


@pytest.mark.parametrize(
    ("schema", "kind", "what"),
    [
        ("public", "i", "public.documents is an index"),
        ("public", "S", "public.documents is a sequence"),
        ("public", "c", "public.documents is a composite type"),
        ("pg_toast", "t", "pg_toast.documents belongs to the system catalogue"),
        ("pg_catalog", "r", "pg_catalog.documents belongs to the system catalogue"),
        ("information_schema", "v", "information_schema.documents belongs to the system catalogue"),
    ],
)
def test_what_is_no_source_is_named(host, schema, kind, what):
    host.info = (100, schema, "documents", kind, 0.0)
    with pytest.raises(AttentionError, match=what) as caught:
        resolve("documents", None, None)
    assert caught.value.sqlstate == "22023"


@pytest.mark.parametrize("kind", "rpmvf")
def test_every_relation_with_rows_is_a_source(host, kind):
    host.info = (100, "public", "documents", kind, -1.0)
    assert resolve("documents", None, None).rows is None
