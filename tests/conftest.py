"""Real servers for the suite: one for each ``--pg``, on a throw-away data folder, for the whole session."""

from __future__ import annotations

import re
import shutil
import site
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.errors import ServerError
from ruattn_fdw.server.hostbuild import pg_setting
from ruattn_fdw.server.installation import Installation, find
from ruattn_fdw.server.server import Server
from tests.hosts import BUNDLED, BUNDLED_FOLDERS, HOSTS, MULTICORN, Committing, Host, empty, read_conditions

Connection = psycopg.Connection[Any]

# nothing here outlives the run, so nothing needs to survive a crash
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
PRELOADED = {"shared_preload_libraries": "ruattn_fdw"}
CRASH = re.compile(r"terminated by signal|PANIC:|server process .* exited with exit code|TRAP:|Sanitizer")
TEMPLATE = "ruattn_template"
LOG_LINES = 40
MODELS = Path(__file__).parent / "models"
WORDNET = Path(__file__).resolve().parents[2] / "shared" / "data" / "wordnet"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ruattn")
    group.addoption(
        "--pg",
        action="append",
        metavar="PG",
        help="--pg=18 or --pg=16 (embedded) or --pg=/path/to/pg_config",
    )
    group.addoption(
        "--preload",
        action="append",
        default=[],
        metavar="PG",
        help="a server of --pg whose interpreter starts before it forks: new sessions are then faster",
    )
    group.addoption(
        "--host", choices=HOSTS, default=BUNDLED.name, help="the FDW host to test (default: bundled)"
    )
    group.addoption(
        "--wordnet",
        type=Path,
        default=WORDNET if WORDNET.exists() else None,
        metavar="DIR",
        help="the WordNet embeddings for tests at a real scale, which else use the shipped sample",
    )
    group.addoption(
        "--browser", metavar="PATH", help="a Chromium for the tests of ruattn explore in a browser"
    )
    group.addoption(
        "--engine",
        default="docker",
        metavar="COMMAND",
        help="what runs the image that make test-container built",
    )
    group.addoption("--freshness-seed", type=int, metavar="SEED", help="repeat the walks of that seed")
    group.addoption(
        "--freshness-steps",
        type=int,
        default=10_000,
        metavar="N",
        help="steps of the long walks, shared by the kinds of table, with each kind of index",
    )


def pytest_configure(config: pytest.Config) -> None:
    host = config.stash[HOST] = HOSTS[config.option.host]
    try:
        found = config.stash[INSTALLATIONS] = {name: find(name) for name in config.option.pg or ["18"]}
    except ServerError as error:
        raise pytest.UsageError(str(error)) from error
    for installation in found.values():
        if host.requires is not None and not has_extension(installation, host.requires):
            raise pytest.UsageError(f"--host={host.name}: {installation.bindir} has no {host.requires}")
    if host is MULTICORN:
        read_conditions()


INSTALLATIONS = pytest.StashKey[dict[str, Installation]]()
HOST = pytest.StashKey[Host]()


# a test that uses one of these fixtures runs on servers that have the extension
OPTIONAL = {"plpython": "plpython3u", "pgvector": "vector"}


@pytest.fixture
def plpython() -> None:
    """Marks a test as one for servers with plpython3u."""


@pytest.fixture(scope="session")
def pgvector() -> None:
    """Marks a test as one for servers with pgvector."""


def has_extension(installation: Installation, name: str) -> bool:
    """Whether the server comes with that extension."""
    return Path(pg_setting(installation.pg_config, "sharedir"), "extension", f"{name}.control").exists()


def is_preloaded(config: pytest.Config, installation: Installation) -> bool:
    """Whether that server is to start the interpreter before it forks."""
    found = config.stash[INSTALLATIONS]
    return any(found[name] == installation for name in config.option.preload)


NO_BROWSER = (
    "none, so the tests in one are left out; to run them: apt-get install chromium, "
    "python3 ruattn_fdw/server/bootstrap.py browser, --browser=/usr/bin/chromium"
)


def pytest_report_header(config: pytest.Config) -> list[str]:
    lines = []
    for item in config.stash[INSTALLATIONS].values():
        optional = [f"{name}: {'yes' if has_extension(item, name) else 'no'}" for name in OPTIONAL.values()]
        optional.append(f"preloaded: {'yes' if is_preloaded(config, item) else 'no'}")
        lines.append(f"server: {item}, {item.bindir}; host: {config.option.host}; {'; '.join(optional)}")
    lines.append(f"tests at a real scale use {config.option.wordnet or 'the shipped sample'}")
    return [*lines, f"browser: {config.option.browser or NO_BROWSER}"]


def lacks_an_extension(item: pytest.Item) -> bool:
    """Whether the test needs an extension that its server has not."""
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return False
    needed = [OPTIONAL[name] for name in OPTIONAL if name in item.fixturenames]
    return any(not has_extension(item.callspec.params["server"], name) for name in needed)


def is_started_before(item: pytest.Item) -> bool:
    """Whether the test is about sessions that start the interpreter, which its server has done before."""
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return False
    about = item.get_closest_marker("starts_python") or "interpreter_with" in item.fixturenames
    return bool(about) and is_preloaded(item.config, item.callspec.params["server"])


def lacks_a_browser(item: pytest.Item) -> bool:
    """Whether the test needs a browser and none is given."""
    return "browser" in getattr(item, "fixturenames", ()) and item.config.option.browser is None


def is_about_another_host(item: pytest.Item) -> bool:
    """Whether the test is about another host than the one tested; one without a server is about none."""
    host = item.config.stash[HOST]
    if any(item.get_closest_marker(other) for other in HOSTS if other != host.name):
        return True
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    runs_on_any = "server" in getattr(item, "fixturenames", ()) and folder not in BUNDLED_FOLDERS
    return host is not BUNDLED and not runs_on_any


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect, and so count, the tests that their server has nothing for, or no browser is there for."""
    reasons = (lacks_an_extension, is_started_before, lacks_a_browser, is_about_another_host)
    without = [item for item in items if any(reason(item) for reason in reasons)]
    if without:
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # pytest 8 does not follow a module's own `db` to the one that it extends
    if "db" in metafunc.fixturenames and "server" not in metafunc.fixturenames:
        metafunc.fixturenames.append("server")
    if "server" in metafunc.fixturenames:
        found = metafunc.config.stash[INSTALLATIONS].values()
        ids = [f"pg{item.major}" for item in found]
        metafunc.parametrize("server", list(found), ids=ids, indirect=True, scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say on which host the tests ran."""
    ran = sum(len(terminalreporter.stats.get(outcome, ())) for outcome in ("passed", "failed"))
    terminalreporter.write_line(f"{ran} tests ran; host: {config.option.host}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    server = getattr(item, "funcargs", {}).get("server")
    if report.failed and server is not None:
        report.sections.append((f"the end of the log of {server.installation}", server.log_tail(LOG_LINES)))
    return report


@pytest.fixture(scope="session")
def fdw_host(request: pytest.FixtureRequest) -> Host:
    """The host that the tests run on."""
    return request.config.stash[HOST]


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, fdw_host: Host) -> Iterator[Server]:
    """A running server with the extension installed; its log must show no crash when the session ends."""
    installation: Installation = request.param
    installation.install()
    running = Server(Path(tempfile.mkdtemp(prefix="ruattn-test-")), installation, fdw_host.variables)
    try:
        running.start({**SETTINGS, **(PRELOADED if is_preloaded(request.config, installation) else {})})
        with psycopg.connect(running.uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE}".encode())
        with psycopg.connect(running.uri(TEMPLATE), autocommit=True) as connection:
            connection.execute(fdw_host.create.encode())
        yield running
        running.stop()
        crashes = [
            line for line in running.log.read_text(errors="replace").splitlines() if CRASH.search(line)
        ]
        assert not crashes, f"{installation} crashed:\n" + "\n".join(crashes)
    finally:
        running.stop()
        shutil.rmtree(running.data, ignore_errors=True)


@pytest.fixture(scope="session")
def drop_database() -> Callable[[Connection, str], None]:
    """Drops a database, ending the sessions that are still in it."""

    def drop(admin: Connection, name: str) -> None:
        # DROP looks every 100 ms whether a session that was just closed is gone, which takes a few ms
        deadline = time.monotonic() + 0.1
        while admin.execute("SELECT FROM pg_stat_activity WHERE datname = %s", [name]).rowcount:
            if time.monotonic() > deadline:
                break
            time.sleep(0.001)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    return drop


@pytest.fixture(scope="session")
def lasting(server: Server, fdw_host: Host) -> Iterator[Connection | None]:
    """Where a session's first search costs much, the connection of all tests, to the database `test`."""
    if fdw_host is BUNDLED:
        yield None
        return
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE test TEMPLATE {TEMPLATE}".encode())
    with Committing.connect(server.uri("test"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def database(
    server: Server, drop_database: Callable[[Connection, str], None], lasting: Connection | None
) -> Iterator[str]:
    """The name of a fresh database with the extension."""
    name = "test"
    if lasting is not None:
        yield name
        empty(lasting)
        return
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}".encode())
        yield name
        drop_database(connection, name)


@pytest.fixture
def connect(server: Server, database: str) -> Iterator[Callable[..., Connection]]:
    """Opens connections to the fresh database, autocommit unless told otherwise, and closes them all."""
    opened: list[Connection] = []

    def open_connection(**keywords: Any) -> Connection:
        opened.append(psycopg.connect(server.uri(database), **{"autocommit": True, **keywords}))
        return opened[-1]

    yield open_connection
    for connection in opened:
        connection.close()


@pytest.fixture
def db(connect: Callable[..., Connection], lasting: Connection | None) -> Connection:
    """An autocommit connection to a fresh database with the extension."""
    return connect() if lasting is None else lasting


@pytest.fixture
def failure() -> Callable[..., psycopg.Error]:
    """Runs a statement that must fail and gives its error."""

    def run(connection: Connection, statement: str, *values: Any) -> psycopg.Error:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(statement.encode(), values or None)
        return caught.value

    return run


BIG = """
CREATE TABLE big AS
SELECT row_number() OVER () AS id, v
FROM (SELECT array_agg(sin(n * 64 + d)::real) AS v
      FROM generate_series(1, 1000) n, generate_series(1, 64) d GROUP BY n) s,
     generate_series(1, 400)
"""


@pytest.fixture(scope="module")
def big(server: Server) -> Iterator[str]:
    """The URI of a database with `big`, 400,000 rows: its search takes long enough to be hit anywhere."""
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE big TEMPLATE ruattn_template")
        with psycopg.connect(server.uri("big"), autocommit=True) as connection:
            connection.execute(BIG)
        yield server.uri("big")
        admin.execute("DROP DATABASE big WITH (FORCE)")


@pytest.fixture(scope="session")
def rerank_models() -> Iterator[Path]:
    """A folder, which the server's account can read, with a folder for each model of `tests/models`."""
    root = Path(tempfile.mkdtemp(prefix="ruattn-test-"))
    root.chmod(0o755)
    for model in MODELS.glob("*.onnx"):
        (root / model.stem).mkdir()
        shutil.copy(model, root / model.stem / "model.onnx")
        shutil.copy(MODELS / "tokenizer.json", root / model.stem)
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def rerank_setting(rerank_models: Path) -> str:
    """The setting that offers these models, each by the name of its folder; `minilm` is `overlap`."""
    offered = [f"{folder.name}={folder}" for folder in sorted(rerank_models.iterdir())]
    return ", ".join([*offered, f"minilm={rerank_models / 'overlap'}"])


@pytest.fixture(scope="session")
def interpreter_with() -> Iterator[Callable[[Path, str], Path]]:
    """Makes an interpreter for `ruattn_fdw.python` that has one more module and first runs a statement."""
    made: list[Path] = []

    def make(module: Path, statement: str) -> Path:
        root = Path(tempfile.mkdtemp(prefix="ruattn-test-"))
        made.append(root)
        root.chmod(0o755)
        packages = root / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        packages.mkdir(parents=True)
        (root / "bin").mkdir()
        base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
        (root / "bin" / "python").symlink_to(base)
        (root / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
        lines = [*site.getsitepackages(), statement]
        (packages / f"{module.stem}.pth").write_text("\n".join(lines) + "\n")
        shutil.copy(module, packages)
        return root / "bin" / "python"

    yield make
    for root in made:
        shutil.rmtree(root)
