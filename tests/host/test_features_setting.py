"""Who may narrow `ruattn_fdw.features`, with which words, and when that takes effect."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from ruattn_fdw.kernels.mechanism import FEATURES

from ruattn_fdw.cli import doctor

Connect = Callable[..., Connection[Any]]
Failure = Callable[..., psycopg.Error]

AVAILABLE = "SELECT DISTINCT feature FROM attention_types WHERE available ORDER BY 1"


def features(connection: Connection[Any]) -> list[str]:
    """The features of the mechanisms that can be used."""
    return [feature for (feature,) in connection.execute(AVAILABLE)]


@pytest.fixture
def session(db: Connection[Any]) -> Connection[Any]:
    """A superuser's session with the library loaded."""
    assert features(db) == sorted(FEATURES)
    return db


@pytest.fixture
def user(session: Connection[Any], connect: Connect) -> Iterator[Callable[..., Connection[Any]]]:
    """Opens sessions of an ordinary user, in a database that its administrator narrowed."""
    session.execute("CREATE ROLE ruattn_user LOGIN")
    session.execute("ALTER DATABASE test SET ruattn_fdw.features = attention, flash")
    opened: list[Connection[Any]] = []

    def log_in(**keywords: Any) -> Connection[Any]:
        opened.append(connect(user="ruattn_user", **keywords))
        return opened[-1]

    yield log_in
    for connection in opened:
        connection.close()
    session.execute("DROP OWNED BY ruattn_user; DROP ROLE ruattn_user")


@pytest.mark.parametrize("feature", FEATURES)
def test_each_feature_is_a_word_of_the_setting(session: Connection[Any], feature: str) -> None:
    session.execute(f"SET ruattn_fdw.features = {feature}".encode())
    assert features(session) == [feature]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'flash, moe'", ["flash", "moe"]),
        ("'flash', 'moe'", ["flash", "moe"]),
        ("E'  flash ,\\n\\tMoE '", ["flash", "moe"]),
        ("FLASH", ["flash"]),
        ("'flash,flash'", ["flash"]),
        ("'All'", sorted(FEATURES)),
        ("'flash, all'", sorted(FEATURES)),
    ],
)
def test_how_a_list_is_written(session: Connection[Any], value: str, expected: list[str]) -> None:
    session.execute(f"SET ruattn_fdw.features = {value}".encode())
    assert features(session) == expected


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("'flash, hyperbolik'", 'There is no feature "hyperbolik".'),
        ("'flash moe'", 'There is no feature "flash moe".'),
        ("'flas'", 'There is no feature "flas".'),
        ("'flash2'", 'There is no feature "flash2".'),
        ("'größe'", 'There is no feature "größe".'),
        ("''", "An element of the list is empty."),
        ("'  '", "An element of the list is empty."),
        ("'flash,,moe'", "An element of the list is empty."),
        ("'flash, '", "An element of the list is empty."),
    ],
)
def test_a_bad_list_is_refused_with_the_valid_words(
    session: Connection[Any], failure: Failure, value: str, detail: str
) -> None:
    error = failure(session, f"SET ruattn_fdw.features = {value}")
    assert error.sqlstate == "22023"
    assert error.diag.message_detail == detail
    assert error.diag.message_hint == f"Valid features: {', '.join([*FEATURES, 'all'])}."
    assert features(session) == sorted(FEATURES)


def test_reset_brings_all_back(session: Connection[Any]) -> None:
    session.execute("SET ruattn_fdw.features = moe")
    assert features(session) == ["moe"]
    session.execute("RESET ruattn_fdw.features")
    assert features(session) == sorted(FEATURES)


def test_a_database_is_narrowed(user: Connect) -> None:
    assert features(user()) == ["attention", "flash"]


def test_a_role_is_narrowed(session: Connection[Any], user: Connect) -> None:
    session.execute("ALTER ROLE ruattn_user IN DATABASE test SET ruattn_fdw.features = 'moe'")
    assert features(user()) == ["moe"]


def test_an_ordinary_user_may_not_widen(user: Connect, failure: Failure) -> None:
    session = user()
    assert features(session) == ["attention", "flash"]
    for statement in (
        "SET ruattn_fdw.features = 'all'",
        "SET LOCAL ruattn_fdw.features = 'all'",
        "SELECT set_config('ruattn_fdw.features', 'all', false)",
        "ALTER ROLE ruattn_user SET ruattn_fdw.features = 'all'",
        "ALTER SYSTEM SET ruattn_fdw.features = 'all'",
        "RESET ruattn_fdw.features",
    ):
        assert failure(session, statement).sqlstate == "42501", statement
    assert features(session) == ["attention", "flash"]


@pytest.mark.starts_python
def test_nor_before_the_library_is_loaded(user: Connect) -> None:
    session = user()
    session.execute("SET ruattn_fdw.features = 'all'")
    assert features(session) == ["attention", "flash"]


@pytest.mark.starts_python
@pytest.mark.parametrize("value", ["all", "attention", "", "nonsense"])
def test_nor_by_an_option_of_the_login(user: Connect, value: str) -> None:
    session = user(options=f"-c ruattn_fdw.features={value}")
    with pytest.raises(psycopg.Error) as caught:
        features(session)
    assert caught.value.sqlstate == "55P02"
    assert caught.value.diag.message_primary == "the value given for ruattn_fdw.features was refused"
    assert session.closed


@pytest.mark.starts_python
def test_a_misspelt_word_that_nobody_checked_makes_nothing_available(user: Connect, connect: Connect) -> None:
    connect().execute(
        "ALTER DATABASE test SET ruattn_fdw.features = 'flsh'"
    )  # the library is not loaded here
    session = user()
    with pytest.raises(psycopg.errors.CantChangeRuntimeParam):
        features(session)


def test_a_superuser_may_by_an_option_of_the_login(user: Connect, connect: Connect) -> None:
    assert features(connect()) == ["attention", "flash"]
    assert features(connect(options="-c ruattn_fdw.features=moe")) == ["moe"]


def test_the_doctor_sees_no_problem_in_a_feature_that_is_off(session: Connection[Any]) -> None:
    session.execute("SET ruattn_fdw.features = moe")
    finding = doctor.test_query(session)
    assert finding.ok
    assert "switched off" in finding.value


def test_a_running_session_is_narrowed_by_a_reload(session: Connection[Any]) -> None:
    session.execute("PREPARE kept AS SELECT ruvector_attention_score('{0.1}', '{0.2}', 'poincare')")
    assert session.execute("EXECUTE kept").fetchall()
    try:
        session.execute("ALTER SYSTEM SET ruattn_fdw.features = attention, moe")
        session.execute("SELECT pg_reload_conf()")
        deadline = time.monotonic() + 10
        while features(session) != ["attention", "moe"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            session.execute("EXECUTE kept")
    finally:
        session.execute("ALTER SYSTEM RESET ruattn_fdw.features")
        session.execute("SELECT pg_reload_conf()")
