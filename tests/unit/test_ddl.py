"""The extension's files."""

import re

import pytest

import ruattn_fdw
from ruattn_fdw import ddl
from ruattn_fdw.functions import FUNCTIONS
from ruattn_fdw.functions.declaration import VECTOR_TYPES
from ruattn_fdw.multicorn.types import check_types
from ruattn_fdw.tables import TABLES


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    directory = tmp_path_factory.mktemp("extension")
    ddl.write_extension(directory)
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_all_extensions_are_written(files):
    version = ruattn_fdw.__version__
    names = ("ruattn_fdw", "ruattn_fdw_multicorn", "ruattn_fdw_pgvector")
    assert {name for name in files if name.count("--") < 2} == {
        f"{name}{end}" for name in names for end in (".control", f"--{version}.sql")
    }
    assert "requires = 'multicorn'" in files["ruattn_fdw_multicorn.control"]
    assert f"default_version = '{version}'" in files["ruattn_fdw.control"]
    assert "requires = 'ruattn_fdw, vector'" in files["ruattn_fdw_pgvector.control"]


def test_scripts_refuse_to_be_sourced(files):
    for name, text in files.items():
        if name.endswith(".sql"):
            assert re.search(r"^\\echo Use \"(CREATE|ALTER) EXTENSION \w+.*\\quit$", text, re.MULTILINE)


def test_every_created_object_has_a_comment(files):
    for text in (text for name, text in files.items() if name.endswith(".sql") and name.count("--") == 1):
        created = re.findall(
            r"^CREATE (?:FOREIGN )?(FUNCTION|TYPE|CAST|OPERATOR|TABLE|SERVER)\b", text, re.MULTILINE
        )
        commented = re.findall(
            r"^COMMENT ON (?:FOREIGN )?(FUNCTION|TYPE|CAST|OPERATOR|TABLE|SERVER)\b", text, re.MULTILINE
        )
        created.remove("TYPE") if "TYPE" in created else None  # the shell type comes first
        families = len(re.findall(r"^COMMENT ON OPERATOR FAMILY", text, re.MULTILINE))
        assert len(commented) - families == len(created)


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_declared_in_order_and_commented(name):
    table = TABLES[name].declaration
    sql = ddl.create_table(table)
    body = sql[sql.index("(\n") : sql.index("\n)")]
    assert re.findall(r"^    (\w+) ", body, re.MULTILINE) == [column.name for column in table.columns()]
    for column in table.columns():
        assert f"COMMENT ON COLUMN {name}.{column.name} IS '" in sql
    assert f"GRANT SELECT ON {name} TO PUBLIC;" in sql


def test_comments_say_what_a_column_is():
    sql = ddl.create_table(TABLES["mha_search"].declaration)
    assert "mha_search.score IS 'RESULT: " in sql
    assert "mha_search.table_name IS 'PARAMETER (required): " in sql
    assert "mha_search.query IS 'PARAMETER (one of query, query_id, queries): " in sql
    assert "mha_search.attention_type IS 'PARAMETER (default multi_head): " in sql


def test_no_parameter_has_a_type_that_ends_multicorn2(files):
    script = files[f"ruattn_fdw_multicorn--{ruattn_fdw.__version__}.sql"]
    for handler in TABLES.values():
        sql = script[script.index(f"CREATE FOREIGN TABLE {handler.declaration.name} (") :]
        types = dict(re.findall(r"^    (\w+) (.+?),?$", sql[: sql.index("\n)")], re.MULTILINE))
        check_types(handler.declaration, types)
        assert list(types) == [column.name for column in handler.declaration.columns()]


def test_a_function_of_vectors_has_an_overload_for_each_vector_type():
    sql = ddl.create_function(FUNCTIONS["ruvector_attention_score"], VECTOR_TYPES)
    for type_name in VECTOR_TYPES:
        assert f"(query {type_name}, key {type_name}, attention_type text DEFAULT 'scaled_dot')" in sql


def test_quotes_are_doubled():
    assert ddl.literal("it's") == "'it''s'"
