"""A cancel takes effect at once wherever a search is, and the session goes on afterwards."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

Connect = Callable[..., Connection[Any]]

# a machine that runs other tests at the same time may be late, 100 ms is what it takes alone
LATEST = 0.4
ROWS = 400_000
COUNT = (
    "SELECT count(head_scores) FROM mha_search WHERE table_name = 'big' AND query_id = 1 AND num_heads = 16"
)

# of 4,096 rows all nearest thousand are looked for, and then the cut: little of it reads or gives out rows
CUT = (
    "SELECT count(score) FROM mha_search WHERE table_name = 'big' AND query_id = 1 "
    "AND attention_type = 'mincut_gated' AND options = '{\"knn\": 1024}' "
    "AND candidates = ARRAY(SELECT generate_series(1, 4096::bigint))"
)

# it fits components to other rows each time, which takes most of the time
WIDE = (
    "SELECT count(score) FROM mha_search WHERE table_name = 'wide' AND query_id = 1 "
    "AND attention_type = '{}' AND candidates = ARRAY(SELECT id::bigint FROM wide WHERE random() > 0.01)"
)


@pytest.fixture
def session(big: str) -> Iterator[Connection[Any]]:
    """A session whose interpreter runs already."""
    with psycopg.connect(big, autocommit=True) as connection:
        assert connection.execute(COUNT).fetchall() == [(ROWS,)]
        yield connection


def measured(session: Connection[Any]) -> tuple[float, float, float]:
    """The seconds that a search reads, computes and gives out rows."""
    statement = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {COUNT}"
    explained = session.execute(statement.encode()).fetchall()[0][0][0]
    plan = explained["Plan"]
    while "Plans" in plan:
        plan = plan["Plans"][0]
    read, kernel = (plan[f"{phase} Time"] / 1000 for phase in ("Read", "Kernel"))
    return read, kernel, explained["Execution Time"] / 1000 - read - kernel


@pytest.fixture
def phases(session: Connection[Any]) -> dict[str, float]:
    """The seconds after the start at which a search is half way through each of its phases, or before it.

    The fastest of several runs: a cancel that comes early still hits the search, a late one would miss it.
    """
    read, kernel, emit = (min(times) for times in zip(*(measured(session) for _ in range(4)), strict=True))
    return {"read": read / 2, "kernel": read + kernel / 2, "emit": read + kernel + emit / 2}


def canceled(session: Connection[Any], asked: Callable[[], float], search: str = COUNT) -> float:
    """Run the search until it is canceled; the seconds from the cancel to its effect."""
    with pytest.raises(psycopg.errors.QueryCanceled) as caught:
        session.execute(search.encode())
    done = time.monotonic()
    assert caught.value.sqlstate == "57014"
    return done - asked()


def await_search(other: Connection[Any], pid: int) -> None:
    """Until that session runs a statement: a cancel that comes before it is lost."""
    deadline = time.monotonic() + 20
    while not other.execute(
        "SELECT FROM pg_stat_activity WHERE pid = %s AND state = 'active'", [pid]
    ).rowcount:
        assert time.monotonic() < deadline, "the search never began"


@pytest.mark.slow
def test_statement_timeout_in_every_phase(session: Connection[Any], phases: dict[str, float]) -> None:
    for phase, seconds in phases.items():
        session.execute(f"SET statement_timeout = {max(1, round(seconds * 1000))}".encode())
        start = time.monotonic()
        late = canceled(session, lambda start=start, seconds=seconds: start + seconds)  # type: ignore[misc]
        assert late < LATEST, phase
        session.execute("SET statement_timeout = 0")
        assert session.execute(f"SELECT count(*) FROM ({COUNT}) s".encode()).fetchall() == [(1,)]


@pytest.mark.slow
def test_pg_cancel_backend_in_every_phase(
    big: str, session: Connection[Any], phases: dict[str, float]
) -> None:
    pid = session.info.backend_pid
    with psycopg.connect(big, autocommit=True) as other:
        for phase, seconds in phases.items():
            asked: list[float] = []

            def cancel(seconds: float = seconds, asked: list[float] = asked) -> None:
                await_search(other, pid)
                time.sleep(seconds)
                asked.append(time.monotonic())
                other.execute("SELECT pg_cancel_backend(%s)", [pid])

            thread = threading.Thread(target=cancel)
            thread.start()
            late = canceled(session, lambda asked=asked: asked[0])  # type: ignore[misc]
            thread.join()
            assert late < LATEST, phase
        assert session.execute(COUNT).fetchall() == [(ROWS,)]


def canceled_at_shares(session: Connection[Any], search: str, shares: tuple[float, ...]) -> None:
    """Let the search be canceled after these shares of the time that it takes."""
    took = []
    for _ in range(2):
        start = time.monotonic()
        session.execute(search.encode())
        took.append(time.monotonic() - start)
    for share in shares:
        seconds = round(share * min(took), 3)
        session.execute(f"SET statement_timeout = '{seconds}s'".encode())
        start = time.monotonic()
        late = canceled(session, lambda start=start, seconds=seconds: start + seconds, search)  # type: ignore[misc]
        assert late < LATEST, share
        session.execute("SET statement_timeout = 0")


@pytest.mark.slow
def test_statement_timeout_while_a_cut_is_sought(session: Connection[Any]) -> None:
    canceled_at_shares(session, CUT, (0.2, 0.6))


@pytest.mark.slow
@pytest.mark.parametrize("mechanism", ["multi_head_latent", "sheaf"])
def test_statement_timeout_while_components_are_fitted(db: Connection[Any], mechanism: str) -> None:
    db.execute(
        "CREATE TABLE wide AS SELECT n AS id, array_agg(random()::real) AS embedding "
        "FROM generate_series(1, 1700) n, generate_series(1, 1600) GROUP BY n"
    )
    db.commit()
    canceled_at_shares(db, WIDE.format(mechanism), (0.4, 0.6))


def test_a_timeout_during_the_first_search_of_a_session_leaves_it_usable(big: str) -> None:
    for milliseconds in (1, 20, 80, 200):
        with psycopg.connect(big, autocommit=True) as session:
            session.execute(f"SET statement_timeout = {milliseconds}".encode())
            with pytest.raises(psycopg.errors.QueryCanceled):
                session.execute(COUNT)
            session.execute("SET statement_timeout = 0")
            assert session.execute(COUNT).fetchall() == [(ROWS,)]


def test_a_timeout_caught_in_plpgsql(session: Connection[Any]) -> None:
    session.execute("SET statement_timeout = 50")
    with pytest.raises(psycopg.errors.QueryCanceled):
        session.execute(
            f"DO $$ BEGIN PERFORM * FROM ({COUNT}) s; EXCEPTION WHEN OTHERS THEN NULL; END $$".encode()
        )
    session.execute(
        f"DO $$ BEGIN PERFORM * FROM ({COUNT}) s; EXCEPTION WHEN query_canceled THEN NULL; END $$".encode()
    )
    session.execute("SET statement_timeout = 0")
    assert session.execute(COUNT).fetchall() == [(ROWS,)]


def test_terminate_during_a_search(big: str, session: Connection[Any]) -> None:
    with psycopg.connect(big, autocommit=True) as other:
        terminate = threading.Timer(
            0.1, lambda: other.execute("SELECT pg_terminate_backend(%s)", [session.info.backend_pid])
        )
        terminate.start()
        with pytest.raises(psycopg.errors.AdminShutdown):
            session.execute(COUNT)
        terminate.join()
        assert other.execute(COUNT).fetchall() == [(ROWS,)]


def test_waiting_for_a_locked_source_ends_at_lock_timeout_and_statement_timeout(
    big: str, session: Connection[Any]
) -> None:
    with psycopg.connect(big) as holder:
        holder.execute("LOCK TABLE big IN ACCESS EXCLUSIVE MODE")
        for setting, sqlstate in (("lock_timeout", "55P03"), ("statement_timeout", "57014")):
            session.execute(f"SET {setting} = 50".encode())
            start = time.monotonic()
            with pytest.raises(psycopg.Error) as caught:
                session.execute(COUNT)
            assert caught.value.sqlstate == sqlstate
            assert time.monotonic() - start < 0.05 + LATEST
            session.execute(f"SET {setting} = 0".encode())
        holder.rollback()
    assert session.execute(COUNT).fetchall() == [(ROWS,)]


def test_a_client_that_is_gone_ends_its_search(big: str) -> None:
    with psycopg.connect(big, autocommit=True) as other:
        client = psycopg.connect(big, autocommit=True)
        client.execute("SET client_connection_check_interval = 20")
        pid = client.info.backend_pid
        client.pgconn.send_query(
            f"SELECT count(*) FROM generate_series(1, 100) g, LATERAL ({COUNT} AND k = g) s".encode()
        )
        time.sleep(0.2)
        client.close()
        deadline = time.monotonic() + 5
        while other.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).rowcount:
            assert time.monotonic() < deadline
            time.sleep(0.02)
