"""A container as its user meets it: health, first query, passwords, scripts, stopping and starting again."""

import re
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.container

SEARCH = """
    SELECT d.title FROM mha_search s JOIN documents d USING (id)
    WHERE s.table_name = 'documents' AND s.query = (SELECT embedding FROM questions WHERE id = 6)
          AND s.temperature = 0.002 AND s.k = 3
"""


@pytest.fixture(scope="module")
def shop(container: Callable[[], Any], scripts: Callable[[dict[str, str]], str]) -> Any:
    """A container with all that can be asked for at the first start."""
    mount = scripts(
        {
            "1.sql": "CREATE TABLE steps AS SELECT 1 AS step",
            "2.sh": 'psql -c "INSERT INTO steps VALUES (2)"',
            "password": "secret\n",
        }
    )
    made = container()
    made.start(
        [mount],
        POSTGRES_USER="ann",
        POSTGRES_PASSWORD_FILE="/docker-entrypoint-initdb.d/password",
        POSTGRES_DB="shop",
        RUATTN_TEMPLATE="yes",
        RUATTN_SAMPLE="yes",
    )
    return made


@pytest.fixture
def ask(shop: Any) -> Callable[..., str]:
    """Runs SQL in a database of the container, over its socket, and gives the rows, one a line."""

    def run(sql: str, database: str = "shop") -> str:
        done = shop.inside("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "ann", "-d", database, "-c", sql)
        return str(done.stdout).strip()

    return run


def test_the_query_of_its_log_answers(shop: Any, ask: Callable[..., str]) -> None:
    shown = re.search(r"^A first query, in psql -U ann -d shop:\n((?:    .*\n)+)", shop.log(), re.MULTILINE)
    assert shown
    assert ask(f"SET client_min_messages = error; {shown[1]}") == "0.07778175"


def test_the_sample_answers(ask: Callable[..., str]) -> None:
    assert "antibacterial" in ask(SEARCH)


def test_scripts_ran_in_their_order_in_the_database(ask: Callable[..., str]) -> None:
    assert ask("SELECT array_agg(step ORDER BY ctid) FROM steps") == "{1,2}"


def test_new_databases_have_the_extension(ask: Callable[..., str]) -> None:
    ask("CREATE DATABASE later")
    assert int(ask("SELECT count(*) FROM attention_types", "later")) > 40


def test_pgvectors_types_are_there(ask: Callable[..., str]) -> None:
    ask("CREATE EXTENSION vector; CREATE EXTENSION ruattn_fdw_pgvector")
    assert (
        ask("SELECT score FROM attention_score WHERE query = '[3,4]'::vector AND key = '{0,1}'") == "2.828427"
    )


def test_nothing_is_left_to_mend(ask: Callable[..., str]) -> None:
    assert ask("SELECT item FROM ruattn_diag() WHERE NOT ok") == ""
    assert ask("SHOW shared_preload_libraries") == "ruattn_fdw"


@pytest.mark.parametrize(("password", "code"), [("secret", 0), ("wrong", 2)])
def test_the_network_needs_the_password(shop: Any, password: str, code: int) -> None:
    query = f'PGPASSWORD={password} psql -h $(hostname -i) -U ann shop -c "SELECT 1"'
    assert shop.inside("bash", "-c", query, check=False).returncode == code


def test_the_server_is_not_root_and_no_compiler_is_there(shop: Any) -> None:
    assert shop.inside("stat", "--format=%U", "/proc/1").stdout == "postgres\n"
    assert shop.inside("sh", "-c", "command -v cc gcc make", check=False).stdout == ""


def test_it_stops_cleanly_and_keeps_its_data(shop: Any, ask: Callable[..., str]) -> None:
    shop.call("stop", "-t", "60", shop.name)
    assert shop.log().rstrip().endswith("database system is shut down")
    shop.call("start", shop.name)
    shop.wait()
    assert ask("SELECT count(*) FROM steps") == "2"
    assert "antibacterial" in ask(SEARCH)
    assert shop.log().count("first start: ") == 3
