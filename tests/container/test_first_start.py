"""What the first start of a container refuses, and what it runs instead of a server."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.container

Make = Callable[[], Any]


def test_without_a_password_it_does_not_start(container: Make) -> None:
    done = container().run()
    assert done.returncode == 1
    assert "set POSTGRES_PASSWORD" in done.stderr


def test_a_word_that_is_neither_yes_nor_no_is_an_error(container: Make) -> None:
    done = container().run(POSTGRES_PASSWORD="x", RUATTN_TEMPLATE="maybe")
    assert done.returncode == 1
    assert 'RUATTN_TEMPLATE is "maybe"' in done.stderr


def test_a_secret_that_cannot_be_read_is_named(container: Make) -> None:
    done = container().run(POSTGRES_PASSWORD_FILE="/nope")
    # podman without systemd complains before it
    last = done.stderr.splitlines()[-1]
    assert (done.returncode, last) == (1, "POSTGRES_PASSWORD_FILE is /nope, which cannot be read")


def test_everybody_may_come_in_where_that_was_asked_for(container: Make) -> None:
    trusting = container()
    trusting.start([], POSTGRES_HOST_AUTH_METHOD="trust")
    assert "lets everybody in" in trusting.log()
    assert trusting.inside("bash", "-c", 'psql -h $(hostname -i) -U postgres -Atc "SELECT 1"').stdout == "1\n"


def test_a_first_start_that_failed_is_not_taken_for_a_whole_one(
    container: Make, scripts: Callable[[dict[str, str]], str]
) -> None:
    broken = container()
    done = broken.run(options=[scripts({"1.sql": "SELECT 1/0"})], POSTGRES_PASSWORD="x")
    assert done.returncode != 0
    assert "division by zero" in done.stderr
    again = broken.call("start", "--attach", broken.name, check=False)
    assert again.returncode == 1
    assert "the first start did not reach its end" in again.stderr


def test_another_command_is_run_as_it_is(container: Make) -> None:
    assert container().run("--version").stdout.startswith("postgres (PostgreSQL) 17")
    assert container().run("python3", "-c", "print(6 * 7)").stdout == "42\n"
