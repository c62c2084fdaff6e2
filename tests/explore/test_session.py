import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
import pytest

from ruattn_fdw.cli.database import connect_to_read
from ruattn_fdw.explore.server import PageServer
from ruattn_fdw.explore.session import Session

Ask = Callable[..., tuple[int, dict[str, Any]]]


def test_the_session_cannot_write_and_ends_long_statements(explored: str) -> None:
    session = Session(partial(connect_to_read, explored))
    with session.transaction() as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("30s",)
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("repeatable read",)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("DELETE FROM documents")
    session.close()


def test_a_role_reads_what_it_may(serve: Callable[..., PageServer], ask: Ask) -> None:
    page = serve("explore_reader")
    _, catalogue = ask(page, "catalogue")
    assert catalogue["role"] == "explore_reader"
    assert [relation["name"] for relation in catalogue["relations"]] == ["documents"]
    status, answer = ask(page, "search", values={"table_name": "secret", "query": "[1,2]"})
    assert (status, answer["message"]) == (400, "permission denied for table secret")


def test_a_role_that_does_not_exist_is_named(explored: str) -> None:
    with pytest.raises(psycopg.Error, match='role "nobody" does not exist'):
        Session(partial(connect_to_read, explored, "nobody"))


def test_a_session_that_the_server_ended_is_replaced(
    explored: str, serve: Callable[..., PageServer], ask: Ask
) -> None:
    page = serve()
    with page.session.transaction() as connection:
        process = connection.info.backend_pid
    with psycopg.connect(explored, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
    status, answer = ask(page, "catalogue")
    assert status == 400
    assert "terminating connection" in answer["message"]
    assert ask(page, "catalogue")[0] == 200


def test_what_a_function_sets_does_not_let_the_next_transaction_write(explored: str) -> None:
    session = Session(partial(connect_to_read, explored))
    with session.transaction() as connection:
        connection.execute("SELECT set_config('default_transaction_read_only', 'off', false)")
    with session.transaction() as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM documents")
    session.close()


def test_a_statement_is_cancelled_from_another_request(page: PageServer, ask: Ask) -> None:
    with page.session.transaction() as connection:
        timer = threading.Timer(0.2, ask, [page, "cancel"])
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(20)")
        timer.join()
    assert ask(page, "catalogue")[0] == 200
