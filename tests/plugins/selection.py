"""Which tests run on which server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts import BUNDLED, BUNDLED_FOLDERS, HOSTS
from tests.plugins.options import (
    HOST,
    INSTALLATIONS,
    OPTIONAL,
    Tested,
    has_assertions,
    has_extension,
    is_preloaded,
)

TESTS = Path(__file__).parents[1]
ON_ONE_SERVER = ("docs", "explore", "plots")
"""Folders of tests about what asks the tables from outside: of several servers the first is enough."""
PRELOADED = "tables"
"""The folder of tests about answers, most of which take less than the start of an interpreter."""


@pytest.fixture
def plpython() -> None:
    """Marks a test as one for servers with plpython3u."""


@pytest.fixture(scope="session")
def pgvector() -> None:
    """Marks a test as one for servers with pgvector."""


@pytest.fixture
def assertions() -> None:
    """Marks a test as one for servers built with assertions."""


@pytest.fixture(scope="session")
def postgres_fdw() -> None:
    """Marks a test as one for servers with postgres_fdw."""


def folder_of(item: pytest.Item) -> str:
    """The folder in ``tests`` that the test lies in."""
    return item.path.relative_to(TESTS).parts[0]


def lacks_an_extension(item: pytest.Item) -> bool:
    """Whether the test needs an extension that its server has not."""
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return False
    needed = [OPTIONAL[name] for name in OPTIONAL if name in item.fixturenames]
    return any(not has_extension(item.callspec.params["server"].installation, name) for name in needed)


def lacks_assertions(item: pytest.Item) -> bool:
    """Whether the test needs assertions that its server was built without."""
    if not isinstance(item, pytest.Function) or "assertions" not in item.fixturenames:
        return False
    return not has_assertions(item.callspec.params["server"].installation)


def is_about_starting(item: pytest.Function) -> bool:
    """Whether the test is about sessions that start the interpreter."""
    return bool(item.get_closest_marker("starts_python")) or "interpreter_with" in item.fixturenames


def is_started_before(item: pytest.Item) -> bool:
    """Whether the test is about sessions that start the interpreter, which its server has done before."""
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return False
    return is_about_starting(item) and bool(item.callspec.params["server"].preloaded)


def lacks_a_browser(item: pytest.Item) -> bool:
    """Whether the test needs a browser and none is given."""
    return "browser" in getattr(item, "fixturenames", ()) and item.config.option.browser is None


def is_about_another_host(item: pytest.Item) -> bool:
    """Whether the test is about another host than the one tested; one without a server is about none."""
    host = item.config.stash[HOST]
    if any(item.get_closest_marker(other) for other in HOSTS if other != host.name):
        return True
    runs_on_any = "server" in getattr(item, "fixturenames", ()) and folder_of(item) not in BUNDLED_FOLDERS
    return host is not BUNDLED and not runs_on_any


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect, and so count, the tests that their server has nothing for, or no browser is there for."""
    reasons = (
        lacks_an_extension,
        lacks_assertions,
        is_started_before,
        lacks_a_browser,
        is_about_another_host,
    )
    without = [item for item in items if any(reason(item) for reason in reasons)]
    if without:
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # pytest 8 does not follow a module's own `db` to the one that it extends
    if "db" in metafunc.fixturenames and "server" not in metafunc.fixturenames:
        metafunc.fixturenames.append("server")
    if "server" in metafunc.fixturenames:
        tested = servers_for(metafunc.definition)
        ids = [f"pg{each.installation.major}" for each in tested]
        metafunc.parametrize("server", tested, ids=ids, indirect=True, scope="session")


def servers_for(test: pytest.Function) -> list[Tested]:
    """The servers that the test is to run on."""
    config, folder = test.config, folder_of(test)
    found = list(config.stash[INSTALLATIONS].values())
    at_once = folder == PRELOADED and config.stash[HOST] is BUNDLED and not is_about_starting(test)
    tested = [Tested(each, at_once or is_preloaded(config, each)) for each in found]
    return tested[:1] if folder in ON_ONE_SERVER else tested
