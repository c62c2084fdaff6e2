"""A database with the table `corpus`."""

from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.tables.own.tables import CORPUS, Failure


@pytest.fixture
def db(db: Connection[Any]) -> Connection[Any]:
    db.execute(CORPUS)
    return db


@pytest.fixture
def fails(db: Connection[Any]) -> Failure:
    """Runs a statement that must fail and gives its error."""

    def run(statement: str) -> psycopg.Error:
        with pytest.raises(psycopg.Error) as caught:
            db.execute(statement.encode())
        return caught.value

    return run
