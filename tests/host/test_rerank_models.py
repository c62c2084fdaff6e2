"""Models in a backend: who offers them, cancels, signals, threads, an interpreter without the libraries."""

from __future__ import annotations

import os
import signal
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

pytest.importorskip("onnxruntime", reason="the extra rerank is not installed")
pytest.importorskip("tokenizers", reason="the extra rerank is not installed")

Connect = Callable[..., Connection[Any]]
Failure = Callable[..., psycopg.Error]

LATEST = 0.4
"""Seconds after which a cancel must have its effect, on a machine that runs other tests too."""


def rerank(model: str) -> str:
    query = "SELECT id FROM neural_rerank WHERE table_name = 'articles' AND query_text = 'x' AND model ="
    return f"{query} '{model}'"


@pytest.fixture
def session(db: Connection[Any], rerank_setting: str) -> Iterator[Connection[Any]]:
    """A superuser's session with `articles`, the models offered and the libraries loaded."""
    db.execute("CREATE TABLE articles AS SELECT i AS id, 'text ' || i AS body FROM generate_series(1, 5) i")
    db.execute("GRANT SELECT ON articles TO PUBLIC")
    db.execute(f"SET ruattn_fdw.rerank_models = '{rerank_setting}'".encode())
    assert len(db.execute(rerank("overlap").encode()).fetchall()) == 5
    return db


def tasks(session: Connection[Any]) -> list[Path]:
    return list(Path(f"/proc/{session.info.backend_pid}/task").iterdir())


def blocked(task: Path) -> set[int]:
    """The signals that a thread does not take."""
    mask = next(line for line in (task / "status").read_text().splitlines() if line.startswith("SigBlk"))
    return {number for number in range(1, 65) if int(mask.split()[1], 16) >> (number - 1) & 1}


@pytest.mark.parametrize("threads", [1, 2])
def test_a_cancel_takes_effect_while_the_model_runs(session: Connection[Any], threads: int) -> None:
    session.execute(f"SET ruattn_fdw.threads = {threads}; SET statement_timeout = 300".encode())
    start = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        session.execute(rerank("slow").encode())
    assert time.monotonic() - start < 0.3 + LATEST
    session.execute("SET statement_timeout = 0")
    assert len(session.execute(rerank("overlap").encode()).fetchall()) == 5


def while_the_model_runs(session: Connection[Any], connect: Connect, look: Callable[[], None]) -> None:
    """Look from outside while `slow` runs, then end that session."""
    with connect() as other:

        def end() -> None:
            try:
                look()
            finally:
                other.execute("SELECT pg_terminate_backend(%s)", [session.info.backend_pid])

        timer = threading.Timer(0.5, end)
        timer.start()
        with pytest.raises(psycopg.errors.AdminShutdown):
            session.execute(rerank("slow").encode())
        timer.join()
        assert other.execute("SELECT 1").fetchall() == [(1,)]


def test_its_threads_take_none_of_the_servers_signals_and_the_session_can_be_ended(
    session: Connection[Any], connect: Connect
) -> None:
    session.execute("SET ruattn_fdw.threads = 3")
    masks: list[set[int]] = []
    main = str(session.info.backend_pid)
    while_the_model_runs(
        session, connect, lambda: masks.extend(blocked(t) for t in tasks(session) if t.name != main)
    )
    assert len(masks) >= min(3, len(os.sched_getaffinity(0)))
    wanted = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM, signal.SIGQUIT, signal.SIGHUP}
    assert all(wanted <= mask for mask in masks)


def test_nothing_runs_on_after_the_answer(session: Connection[Any]) -> None:
    deadline = time.monotonic() + 2
    while len(tasks(session)) > 1:
        assert time.monotonic() < deadline, "a thread of the libraries, such as one that reports their use"
        time.sleep(0.02)


def test_a_bad_list_is_refused(session: Connection[Any], failure: Failure) -> None:
    for value, detail in {
        "minilm": '"minilm" is not of the form name=/folder.',
        "=/folder": '"=/folder" is not of the form name=/folder.',
        "minilm=": '"minilm=" is not of the form name=/folder.',
        "minilm=models": '"minilm=models" is not of the form name=/folder.',
        "a=/x,,b=/y": '"" is not of the form name=/folder.',
        "a=/x, b=/y, a=/z": 'There are two models "a".',
    }.items():
        error = failure(session, f"SET ruattn_fdw.rerank_models = '{value}'")
        assert (error.sqlstate, error.diag.message_detail) == ("22023", detail)
        assert error.diag.message_hint == "List models as name=/folder, name2=/folder2."


@pytest.fixture
def user(session: Connection[Any], connect: Connect) -> Iterator[Connection[Any]]:
    """An ordinary user's session."""
    session.execute("CREATE ROLE ruattn_user LOGIN")
    with connect(user="ruattn_user") as connection:
        yield connection
    session.execute("DROP ROLE ruattn_user")


def test_an_ordinary_user_neither_sets_nor_sees_the_folders(user: Connection[Any], failure: Failure) -> None:
    assert failure(user, rerank("overlap")).sqlstate == "42704"
    for statement in ("SHOW ruattn_fdw.rerank_models", "SET ruattn_fdw.rerank_models = 'mine=/tmp'"):
        assert failure(user, statement).sqlstate == "42501"


@pytest.mark.starts_python
def test_nor_before_the_library_is_loaded(user: Connection[Any], failure: Failure) -> None:
    user.execute("SET ruattn_fdw.rerank_models = 'mine=/tmp'")
    error = failure(user, rerank("mine"))
    assert (error.sqlstate, error.diag.message_primary) == ("42704", 'there is no model "mine"')


def test_an_interpreter_without_the_libraries(
    session: Connection[Any],
    connect: Connect,
    failure: Failure,
    interpreter_with: Callable[[Path, str], Path],
    rerank_setting: str,
) -> None:
    bare = interpreter_with(
        Path(sysconfig.get_path("purelib"), "threadpoolctl.py"),
        "import sys; sys.modules['onnxruntime'] = None",
    )
    other = connect()
    other.execute(f"SET ruattn_fdw.python = '{bare}'".encode())
    other.execute(f"SET ruattn_fdw.rerank_models = '{rerank_setting}'".encode())
    error = failure(other, rerank("overlap"))
    assert error.sqlstate == "0A000"
    assert (
        error.diag.message_primary
        == "neural reranking needs onnxruntime and tokenizers, which are not installed"
    )
    command = f"{bare} -m pip install onnxruntime tokenizers"
    # the interpreter's path is nothing for everybody
    assert str(bare) not in str(error)
    assert "ruattn_diag()" in str(error.diag.message_hint)
    diagnosis = "SELECT value, ok, advice FROM ruattn_diag() WHERE item = 'rerank_models'"
    assert other.execute(diagnosis.encode()).fetchall()[0][1:] == (False, f"Run: {command}")
    assert session.execute(diagnosis.encode()).fetchall()[0][1:] == (True, None)
