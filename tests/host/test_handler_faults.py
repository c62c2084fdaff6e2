"""A handler that fails is an ERROR: the session goes on, the traceback is in the log only."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ruattn_fdw.server.server import Server

HERE = Path(__file__).parent
# only in the server: the suite's own list of tables is what the extension's scripts are made of
REGISTER = "import faulty, ruattn_fdw.tables; ruattn_fdw.tables.TABLES['faulty'] = faulty.Faulty"
STAGES = ("plan", "start", "next", "explain")
GOOD = [(1, "a", [1, 1]), (2, None, [1, 1]), (3, "c", [1, 1])]


@pytest.fixture(scope="module")
def faulty() -> ModuleType:
    """The module that the server's Python loads, loaded here for its lists."""
    spec = importlib.util.spec_from_file_location("faulty", HERE / "faulty.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def interpreter(interpreter_with: Callable[[Path, str], Path]) -> Path:
    """The interpreter of an environment of its own, which adds `faulty` to the packages of this one."""
    return interpreter_with(HERE / "faulty.py", REGISTER)


@pytest.fixture
def session(
    connect: Callable[..., Connection[Any]], documents: Connection[Any], interpreter: Path
) -> Connection[Any]:
    """A session with the foreign table `faulty`."""
    session = connect()
    session.execute(f"SET ruattn_fdw.python = '{interpreter}'".encode())
    session.execute(
        "CREATE FOREIGN TABLE faulty (n int, t text, v real[], fault text)"
        " SERVER ruattn OPTIONS (operation 'faulty')"
    )
    return session


def run(session: Connection[Any], fault: str, statement: str = "SELECT n, t, v FROM faulty") -> psycopg.Error:
    """The error of a query with that fault, after which the session works."""
    with pytest.raises(psycopg.Error) as caught:
        session.execute(f"{statement} WHERE fault = '{fault}'".encode())
    assert session.execute("SELECT n, t, v FROM faulty WHERE fault = 'none'").fetchall() == GOOD
    return caught.value


@pytest.mark.parametrize("stage", STAGES)
def test_whatever_is_raised_is_an_error(session: Connection[Any], faulty: ModuleType, stage: str) -> None:
    statement = "EXPLAIN SELECT n FROM faulty" if stage == "explain" else "SELECT n FROM faulty"
    for name in faulty.RAISED:
        error = run(session, f"{stage}: {name}", statement)
        assert error.sqlstate == ("53200" if name == "memory" else "XX000"), name


def test_messages_name_the_exception_and_keep_the_traceback_in_the_log(
    session: Connection[Any], server: Server
) -> None:
    for fault, message in {
        "exception": "attention handler failed with ZeroDivisionError: division by zero",
        "system exit": "attention handler failed with SystemExit: 3",
        "keyboard interrupt": "attention handler failed with KeyboardInterrupt: ",
    }.items():
        error = run(session, f"next: {fault}")
        assert error.diag.message_primary == message
        assert (error.diag.message_detail, error.diag.message_hint) == (None, None)
        assert "faulty.py" not in str(error)
    log = server.log.read_text(errors="replace")
    assert "Traceback (most recent call last)" in log
    assert 'faulty.py", line' in log


def test_every_wrong_column_is_an_error(session: Connection[Any], faulty: ModuleType) -> None:
    for name in faulty.COLUMNS:
        assert run(session, name).sqlstate in ("XX000", "22003", "22P02", "22021"), name


def test_a_wrong_number_of_rows_or_columns_is_an_error(session: Connection[Any]) -> None:
    for fault in ("more rows than columns have", "negative rows", "a column is missing"):
        assert run(session, fault).sqlstate == "XX000", fault


def test_absurd_figures_of_a_plan(session: Connection[Any]) -> None:
    assert session.execute("SELECT n, t, v FROM faulty WHERE fault = 'costs'").fetchall() == GOOD
    assert run(session, "explained", "EXPLAIN SELECT n FROM faulty").sqlstate == "XX000"


def test_an_error_can_be_caught_in_plpgsql(session: Connection[Any], faulty: ModuleType) -> None:
    session.execute("""
        CREATE FUNCTION caught(wanted text) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM n, t, v FROM faulty WHERE fault = wanted;
            RETURN 'fine';
        EXCEPTION WHEN OTHERS THEN
            RETURN SQLSTATE;
        END $$
    """)
    session.execute("BEGIN")
    for name in [*faulty.COLUMNS, *(f"next: {name}" for name in faulty.RAISED)]:
        assert session.execute("SELECT caught(%s)", [name]).fetchall() != [("fine",)], name
        assert session.execute("SELECT caught('none')").fetchall() == [("fine",)]
    session.execute("COMMIT")
