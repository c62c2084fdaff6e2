"""The function ruattn_diag: what it looks at, what it finds wrong, and what it keeps to itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

import ruattn_fdw

Connection = psycopg.Connection[Any]

ITEMS = (
    "package extension host postgresql python interpreter environment numpy blas scipy numexpr kernels"
    " threads features max_memory preload copies copies_folder copies_size largest_copy statistics"
    " rerank_models pgvector plpython"
)


def diagnosis(connection: Connection) -> dict[str, tuple[str, bool, str | None]]:
    """(value, ok, advice) of each item."""
    found = connection.execute("SELECT * FROM ruattn_diag()").fetchall()
    return {item: (value, ok, advice) for item, value, ok, advice in found}


@pytest.fixture
def stranger(db: Connection) -> Iterator[Connection]:
    """The connection as a role without rights."""
    db.execute("CREATE ROLE diag_stranger")
    db.execute("SET ROLE diag_stranger")
    yield db
    db.execute("RESET ROLE; DROP ROLE diag_stranger")


@pytest.mark.bundled
def test_all_is_well(db: Connection) -> None:
    found = diagnosis(db)
    assert list(found) == ITEMS.split()
    assert {item: row for item, row in found.items() if not row[1] or row[2]} == {}
    assert {found[item][0] for item in ("package", "extension", "host")} == {ruattn_fdw.__version__}
    assert found["postgresql"][0] == db.execute("SHOW server_version").fetchall()[0][0]
    assert "openblas" in found["blas"][0]


@pytest.mark.bundled
def test_a_script_of_another_version_is_found(db: Connection) -> None:
    with db.transaction(force_rollback=True):
        db.execute("UPDATE pg_extension SET extversion = '0.0.9' WHERE extname = 'ruattn_fdw'")
        assert diagnosis(db)["extension"] == ("0.0.9", False, "Run: ALTER EXTENSION ruattn_fdw UPDATE")


@pytest.mark.bundled
def test_without_room_for_copies_it_says_what_that_costs(db: Connection) -> None:
    db.execute("SET ruattn_fdw.cache_size = 0")
    value, ok, advice = diagnosis(db)["copies"]
    assert (value, ok) == ("not kept: ruattn_fdw.cache_size is 0", False)
    assert advice is not None


@pytest.mark.bundled
def test_more_threads_than_processors_are_found(db: Connection) -> None:
    db.execute("SET ruattn_fdw.threads = 256")
    value, ok, _ = diagnosis(db)["threads"]
    assert (value, ok) == (f"256, of {len(os.sched_getaffinity(0))} processors", False)


@pytest.mark.bundled
def test_paths_and_files_are_for_those_who_may_read_all_settings(stranger: Connection) -> None:
    found = diagnosis(stranger)
    for_some = {
        "interpreter",
        "environment",
        "copies_folder",
        "copies_size",
        "largest_copy",
        "statistics",
        "rerank_models",
    }
    assert set(ITEMS.split()) - set(found) == for_some
    texts = [text for value, _, advice in found.values() for text in (value, advice or "")]
    assert not [text for text in texts if sys.prefix in text or text.startswith("/")]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        stranger.execute("SHOW ruattn_fdw.python")
    stranger.execute("RESET ROLE; GRANT pg_read_all_settings TO diag_stranger; SET ROLE diag_stranger")
    assert list(diagnosis(stranger)) == ITEMS.split()


@pytest.mark.usefixtures("pgvector")
def test_it_says_how_pgvector_stands(db: Connection) -> None:
    assert diagnosis(db)["pgvector"][0].endswith(", not in this database")
    db.execute("CREATE EXTENSION vector")
    assert "without ruattn_fdw_pgvector" in diagnosis(db)["pgvector"][0]
    db.execute("CREATE EXTENSION ruattn_fdw_pgvector")
    assert f"with ruattn_fdw_pgvector {ruattn_fdw.__version__}" in diagnosis(db)["pgvector"][0]


@pytest.mark.usefixtures("plpython")
def test_plpython_shares_the_interpreter(db: Connection) -> None:
    assert diagnosis(db)["plpython"] == ("shares the interpreter", True, None)
