"""What can be asked of a run, and what it says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from ruattn_fdw.server.errors import ServerError
from ruattn_fdw.server.hostbuild import pg_setting
from ruattn_fdw.server.installation import Installation, find
from tests.hosts import BUNDLED, HOSTS, MULTICORN, Host, read_conditions

WORDNET = Path(__file__).resolve().parents[3] / "shared" / "data" / "wordnet"

INSTALLATIONS = pytest.StashKey[dict[str, Installation]]()
HOST = pytest.StashKey[Host]()


class Tested(NamedTuple):
    """A server to test on, and whether its interpreter starts before it forks."""

    installation: Installation
    preloaded: bool


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
        help="a server of --pg whose interpreter starts before it forks for all tests: sessions start faster",
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
    group.addoption("--fuzz-seed", type=int, metavar="SEED", help="repeat the random queries of that seed")
    group.addoption(
        "--fuzz-queries", type=int, default=20_000, metavar="N", help="queries of the long run of random ones"
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


# a test that uses one of these fixtures runs on servers that have the extension
OPTIONAL = {"plpython": "plpython3u", "pgvector": "vector", "postgres_fdw": "postgres_fdw"}


def has_extension(installation: Installation, name: str) -> bool:
    """Whether the server comes with that extension."""
    return Path(pg_setting(installation.pg_config, "sharedir"), "extension", f"{name}.control").exists()


def has_assertions(installation: Installation) -> bool:
    """Whether the server was built with assertions."""
    return "--enable-cassert" in pg_setting(installation.pg_config, "configure")


def is_preloaded(config: pytest.Config, installation: Installation) -> bool:
    """Whether that server is to start the interpreter before it forks."""
    found = config.stash[INSTALLATIONS]
    return any(found[name] == installation for name in config.option.preload)
