"""Views of a table's rows are answered from that table's copy, for the rows that they show just now."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from checks import QUERY, Question, cache_use

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Agree = Callable[..., list[int]]

ALL = list(range(1, 13))
EVEN = ALL[1::2]

SHOWN = {
    "filter": ("SELECT * FROM docs WHERE id % 2 = 0", EVEN),
    "all": ("TABLE docs", ALL),
    "other names": ("SELECT place AS id, id AS place, vec FROM docs WHERE id % 2 = 0", EVEN),
    "subquery": ("SELECT * FROM docs d WHERE EXISTS (SELECT FROM chosen c WHERE c.doc = d.id)", [2, 3]),
    "join": ("SELECT d.id, d.place, d.vec FROM chosen c JOIN docs d ON d.id = c.doc", [2, 2, 3]),
    "left join": ("SELECT d.id, d.place, d.vec FROM chosen c LEFT JOIN docs d ON d.id = c.doc", [2, 2, 3]),
    "joined on the right": ("SELECT d.id, place, vec FROM docs d LEFT JOIN chosen ON doc = id", [*ALL, 2]),
    "limit": ("SELECT * FROM docs ORDER BY place DESC, note LIMIT 3", [10, 11, 12]),
    "order by an expression": ("SELECT * FROM docs ORDER BY -place OFFSET 10", [1, 2]),
    "window": ("SELECT *, row_number() OVER (ORDER BY id) FROM docs", ALL),
    "sample": ("SELECT * FROM docs TABLESAMPLE bernoulli (100)", ALL),
    "cte": ("WITH c AS (SELECT doc FROM chosen) SELECT * FROM docs WHERE id IN (TABLE c)", [2, 3]),
}
READ_AFRESH = {
    "a view of a view": ("SELECT * FROM every", ALL),
    "groups": ("SELECT id, min(place) AS place, vec FROM docs GROUP BY id, vec", ALL),
    "grouping sets": (
        "SELECT coalesce(id, 0) AS id, 1 AS place, vec FROM docs GROUP BY GROUPING SETS ((id, vec), (id))",
        ALL,
    ),
    "distinct": ("SELECT DISTINCT ON (place % 3) * FROM docs ORDER BY place % 3, id", [1, 2, 3]),
    "union": ("SELECT * FROM docs WHERE id < 3 UNION ALL SELECT * FROM docs WHERE id > 10", [1, 2, 11, 12]),
    "an expression": ("SELECT id, place, array_cat(vec, '{}') AS vec FROM docs", ALL),
    "ids of another table": ("SELECT doc AS id, place, vec FROM chosen JOIN docs ON doc = id", [2, 2, 3]),
    "set-returning": ("SELECT id, place, vec, generate_series(1, 2) FROM docs WHERE id < 3", [1, 1, 2, 2]),
}


def made(session: Connection, definition: str, options: str = "") -> None:
    session.execute("CREATE TABLE IF NOT EXISTS chosen (doc int)")
    session.execute("TRUNCATE chosen; INSERT INTO chosen VALUES (2), (3), (2), (99)")
    session.execute("CREATE OR REPLACE VIEW every AS SELECT * FROM docs")
    session.execute(f"CREATE VIEW shown {options} AS {definition}".encode())


def use(session: Connection) -> str:
    return cache_use(session, Question("mha_search", QUERY, 2).statement("shown", "shown", "vec"))


@pytest.mark.parametrize("kind", SHOWN)
def test_views_of_one_table(docs: Connection, connect: Connect, agree: Agree, kind: str) -> None:
    definition, ids = SHOWN[kind]
    made(docs, definition)
    for session in (docs, connect()):
        assert sorted(agree(session, "shown")) == sorted(ids)
        assert use(session) == "hit"
    docs.execute("UPDATE docs SET vec = vec || '{}'::real[] WHERE id = 2; DELETE FROM docs WHERE id = 3")
    for session in (docs, connect()):
        agree(session, "shown")
    docs.execute("UPDATE docs SET vec = NULL WHERE id = 2; INSERT INTO docs SELECT 3, 3, '', vec FROM docs")
    for session in (docs, connect()):
        agree(session, "shown")


@pytest.mark.parametrize("kind", READ_AFRESH)
def test_other_views_are_read_afresh(docs: Connection, agree: Agree, kind: str) -> None:
    definition, ids = READ_AFRESH[kind]
    made(docs, definition)
    for _ in range(2):
        assert agree(docs, "shown") == ids
    assert use(docs) == "none (a view)"


def test_what_a_view_hides_is_not_even_read(docs: Connection, agree: Agree) -> None:
    made(docs, "SELECT * FROM docs WHERE id <= 12")
    docs.execute("INSERT INTO docs VALUES (13, 1, '', '{NaN}'), (NULL, 1, '', '{1,2}'), (14, 1, '', '{{1}}')")
    for _ in range(2):
        assert agree(docs, "shown") == ALL
    assert use(docs) == "hit"


def test_a_view_that_changes(docs: Connection, connect: Connect, agree: Agree) -> None:
    made(docs, "SELECT id, place, vec FROM docs WHERE id < 4")
    other = connect()
    assert agree(other, "shown") == ALL[:3]
    docs.execute("CREATE OR REPLACE VIEW shown AS SELECT id, place, vec FROM docs WHERE id > 10")
    assert agree(other, "shown") == [11, 12]
    docs.execute("CREATE TABLE papers AS SELECT id + 50 AS id, place, vec FROM docs")
    docs.execute("CREATE OR REPLACE VIEW shown AS SELECT id, place, vec FROM papers WHERE id < 54")
    assert agree(other, "shown") == [51, 52, 53]


def test_own_writes_and_old_snapshots(docs: Connection, connect: Connect, agree: Agree) -> None:
    made(docs, "SELECT * FROM docs WHERE place < 7")
    for level in ("REPEATABLE READ", "SERIALIZABLE"):
        held = connect()
        held.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
        assert agree(held, "shown") == ALL[:6]
        docs.execute("BEGIN; UPDATE docs SET place = 7, vec = '{1,2,3,4,5,6,7,8}' WHERE id = 1")
        assert agree(docs, "shown") == ALL[1:6]
        assert agree(connect(), "shown") == agree(held, "shown") == ALL[:6]
        docs.execute("COMMIT")
        assert agree(held, "shown") == ALL[:6]
        assert agree(connect(), "shown") == ALL[1:6]
        docs.execute("UPDATE docs SET place = 1 WHERE id = 1")


def test_who_may_read_the_view_alone(docs: Connection, connect: Connect, agree: Agree) -> None:
    docs.execute("DROP ROLE IF EXISTS ruattn_guest; CREATE ROLE ruattn_guest")
    made(docs, "SELECT * FROM docs WHERE note = current_setting('app.note', true)", "WITH (security_barrier)")
    docs.execute("UPDATE docs SET note = (id % 2)::text")
    try:
        docs.execute("GRANT SELECT ON shown TO ruattn_guest")
        guest = connect()
        guest.execute("SET ROLE ruattn_guest")
        for note, ids in (("0", EVEN), ("1", ALL[::2]), ("2", [])):
            guest.execute("SELECT set_config('app.note', %s, false)", [note])
            for _ in range(2):
                assert agree(guest, "shown") == ids
        docs.execute("REVOKE SELECT (id, place, vec) ON docs FROM ruattn_guest")
        docs.execute("REVOKE SELECT ON shown FROM ruattn_guest")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            agree(guest, "shown")
    finally:
        docs.execute("DROP OWNED BY ruattn_guest; DROP ROLE ruattn_guest")


def test_row_security_beneath_a_view(
    own_server: Server, docs: Connection, connect: Connect, agree: Agree
) -> None:
    """A view reads with the rights of its owner, one with security_invoker with those of the caller."""
    docs.execute("DROP ROLE IF EXISTS ruattn_guest; CREATE ROLE ruattn_guest")
    try:
        docs.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON docs USING (id < 5)")
        docs.execute("GRANT SELECT ON docs TO ruattn_guest")
        made(docs, "SELECT * FROM docs WHERE id % 2 = 0")
        docs.execute("GRANT SELECT ON shown TO ruattn_guest")
        guest = connect()
        guest.execute("SET ROLE ruattn_guest")
        for _ in range(2):
            assert agree(guest, "shown") == agree(docs, "shown") == EVEN
        if own_server.installation.major >= 15:
            docs.execute("ALTER VIEW shown SET (security_invoker = true)")
            for _ in range(2):
                assert agree(guest, "shown") == [2, 4]
                assert agree(docs, "shown") == EVEN
        assert use(guest) == "hit"
    finally:
        docs.execute("DROP OWNED BY ruattn_guest; DROP ROLE ruattn_guest")


def test_a_view_of_partitions(db: Connection, connect: Connect, agree: Agree) -> None:
    db.execute("""
        CREATE TABLE docs (id int, place int, vec real[]) PARTITION BY RANGE (id);
        CREATE TABLE low PARTITION OF docs FOR VALUES FROM (0) TO (10);
        CREATE TABLE high PARTITION OF docs FOR VALUES FROM (10) TO (20);
        INSERT INTO docs SELECT i, i, ARRAY[i, 1, 2, 3, 4, 5, 6, i * i]::real[] FROM generate_series(1, 19) i
    """)
    made(db, "SELECT * FROM docs WHERE id % 2 = 0")
    for session in (db, connect()):
        assert agree(session, "shown") == list(range(2, 19, 2))
        assert use(session) == "hit"
    db.execute("ALTER TABLE docs DETACH PARTITION low")
    assert agree(db, "shown") == list(range(10, 19, 2))
