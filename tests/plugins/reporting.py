"""What a run says of itself: which servers there are, how many tests ran on each, a server's log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from ruattn_fdw.server.server import Server
from tests.hosts import BUNDLED
from tests.plugins.options import HOST, INSTALLATIONS, OPTIONAL, has_assertions, has_extension, is_preloaded
from tests.plugins.selection import PRELOADED

LOG_LINES = 40
# the name of the property of a report that says where the test ran
RAN_ON = "server"
NO_BROWSER = (
    "none, so the tests in one are left out; to run them: apt-get install chromium, "
    "python3 ruattn_fdw/server/bootstrap.py browser, --browser=/usr/bin/chromium"
)


def pytest_report_header(config: pytest.Config) -> list[str]:
    lines = []
    elsewhere = f"in tests/{PRELOADED}" if config.stash[HOST] is BUNDLED else "no"
    for item in config.stash[INSTALLATIONS].values():
        optional = [f"{name}: {'yes' if has_extension(item, name) else 'no'}" for name in OPTIONAL.values()]
        optional.append(f"assertions: {'yes' if has_assertions(item) else 'no'}")
        optional.append(
            f"random queries: {'with' if has_extension(item, 'postgres_fdw') else 'without'} shards"
        )
        optional.append(f"preloaded: {'yes' if is_preloaded(config, item) else elsewhere}")
        lines.append(f"server: {item}, {item.bindir}; host: {config.option.host}; {'; '.join(optional)}")
    lines.append(f"tests at a real scale use {config.option.wordnet or 'the shipped sample'}")
    return [*lines, f"browser: {config.option.browser or NO_BROWSER}"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    server = getattr(item, "funcargs", {}).get("server")
    if server is not None:
        report.user_properties.append((RAN_ON, str(server.installation.pg_config)))
        if report.failed:
            report.sections.extend(_logs(item))
    return report


def _logs(item: pytest.Item) -> Iterator[tuple[str, str]]:
    """A title and the end of the log of each server that the test used."""
    used = {value: name for name, value in item.funcargs.items() if isinstance(value, Server)}
    for server, name in used.items():
        yield f"the end of the log of {name}, {server.installation}", server.log_tail(LOG_LINES)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many tests ran on which server and host."""
    reports = [
        report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, ())
    ]
    on = Counter(dict(report.user_properties).get(RAN_ON) for report in reports)
    servers = {str(item.pg_config): str(item) for item in config.stash[INSTALLATIONS].values()}
    parts = [*(f"{on[path]} on {name}" for path, name in servers.items()), f"{on[None]} without a server"]
    ran = f"{len(reports)} tests ran: {', '.join(parts)}"
    terminalreporter.write_line(f"{ran}; host: {config.option.host}")
