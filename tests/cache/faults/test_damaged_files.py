"""A file that was damaged or replaced never changes an answer and never ends a session."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Ask = Callable[..., str]
Give = Callable[[Path], Path]


def truncated(path: Path, part: float) -> None:
    os.truncate(path, int(path.stat().st_size * part))


def flipped(path: Path, place: float, bit: int) -> None:
    """A bit of a word of 64, so far into the file."""
    with path.open("r+b") as file:
        offset = int((path.stat().st_size - 8) * place) // 8 * 8
        file.seek(offset)
        word = int.from_bytes(file.read(8), "little")
        file.seek(offset)
        file.write((word ^ 1 << bit).to_bytes(8, "little"))


def garbage(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(b"\xa5" * size)


def grown(path: Path) -> None:
    os.truncate(path, path.stat().st_size + 4096)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "truncated to nothing": lambda path: truncated(path, 0),
    "truncated to its header": lambda path: os.truncate(path, 100),
    "truncated to a third": lambda path: truncated(path, 1 / 3),
    "truncated by a byte": lambda path: os.truncate(path, path.stat().st_size - 1),
    "grown": grown,
    "garbage": garbage,
    "removed": Path.unlink,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is(stored: Path, docs: Connection, connect: Connect, ask: Ask, damage: str) -> None:
    DAMAGES[damage](stored)
    new = connect()
    ask(new)
    if damage != "garbage":
        ask(docs)
    for session in (docs, new, connect()):
        ask(session)
        assert ask(session) == "hit"


# in what the file says of itself, of its rows, and in their vectors
PLACES = [0, 1e-4, 0.05, 0.1, 0.2, 0.25, 0.3, 0.6, 0.9]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("bit", [0, 62])
def test_a_bit_that_flipped_before_a_session_first_looks(
    stored: Path, docs: Connection, connect: Connect, ask: Ask, place: float, bit: int
) -> None:
    # so that the file is not taken as a whole
    docs.execute("DELETE FROM docs WHERE id % 400 = 0")
    flipped(stored, place, bit)
    session = connect()
    for _ in range(2):
        assert ask(session) in ("built", "hit", "refreshed")


def test_a_symbolic_link(stored: Path, docs: Connection, connect: Connect, ask: Ask, tmp_path: Path) -> None:
    """To a good copy of itself, then to a file that is none of ours."""
    elsewhere = stored.with_name("elsewhere")
    victim = stored.with_name("victim")
    victim.write_text("precious")
    try:
        for target in (elsewhere, victim):
            if target is elsewhere:
                stored.rename(elsewhere)
            else:
                stored.unlink()
            stored.symlink_to(target)
            for session in (connect(), docs):
                ask(session)
                assert ask(session) == "hit"
            assert not stored.is_symlink()
        assert victim.read_text() == "precious"
    finally:
        elsewhere.unlink()
        victim.unlink()


def test_a_hard_link(stored: Path, docs: Connection, connect: Connect, ask: Ask) -> None:
    other = stored.with_name("other")
    os.link(stored, other)
    try:
        for session in (connect(), docs):
            ask(session)
        assert stored.stat().st_nlink == 1
        assert ask(docs) == "hit"
    finally:
        other.unlink()


@pytest.mark.parametrize("mode", [0o644, 0o606, 0o660, 0o000])
def test_permissions_that_are_not_its_own(
    stored: Path, docs: Connection, connect: Connect, ask: Ask, mode: int
) -> None:
    stored.chmod(mode)
    for session in (connect(), docs):
        ask(session)
    new = connect()
    ask(new)
    assert ask(new) == "hit"
    assert stored.stat().st_mode & 0o777 == 0o600


def test_another_owner(stored: Path, docs: Connection, connect: Connect, ask: Ask) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(stored, 0, 0)
    for session in (connect(), docs):
        ask(session)
        assert ask(session) == "hit"
    assert stored.stat().st_uid != 0


@pytest.mark.parametrize("kind", ["folder", "pipe", "empty"])
def test_something_else_in_its_place(
    stored: Path, docs: Connection, connect: Connect, ask: Ask, give: Give, kind: str
) -> None:
    """A pipe that nobody writes to would keep who opens it waiting."""
    stored.unlink()
    {"folder": Path.mkdir, "pipe": os.mkfifo, "empty": Path.touch}[kind](stored)
    give(stored)
    new = connect(options="-c statement_timeout=5s")
    for session in (new, docs):
        ask(session)
        ask(session)


def test_the_file_of_another_table(
    stored: Path, docs: Connection, connect: Connect, files: Callable[[], set[Path]], ask: Ask, give: Give
) -> None:
    docs.execute("CREATE TABLE others AS SELECT id, (SELECT array_agg(-x) FROM unnest(v) x) AS v FROM docs")
    before = files()
    ask(docs, "others")
    (other,) = files() - before
    aside = stored.with_name("aside")
    stored.rename(aside)
    other.rename(stored)
    aside.rename(other)
    for session in (connect(), docs):
        for table in ("docs", "others") * 2:
            ask(session, table)
    other.unlink()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE docs SET v = (SELECT array_agg(-x) FROM unnest(v) x) WHERE id % 2 = 0",
        "DELETE FROM docs WHERE id > 1000",
        "VACUUM FULL docs",
        "ALTER TABLE docs ALTER v TYPE real[] USING v || v[1:0]",
        "TRUNCATE docs; INSERT INTO docs SELECT n, ARRAY[n, 2, 3, 4]::real[] FROM generate_series(1, 9) n",
    ],
)
@pytest.mark.parametrize("index", [False, True], ids=["no index", "index"])
def test_a_copy_of_it_from_before_a_change(
    docs: Connection,
    connect: Connect,
    files: Callable[[], set[Path]],
    ask: Ask,
    give: Give,
    change: str,
    index: bool,
) -> None:
    if index:
        docs.execute("CREATE INDEX ON docs USING ruvector_attention (v) INCLUDE (id)")
    before = files()
    ask(docs)
    (stored,) = files() - before
    old = stored.with_name("old")
    shutil.copyfile(stored, old)
    docs.execute(change.encode())
    ask(docs)
    give(old).rename(stored)
    for session in (connect(), docs):
        for _ in range(2):
            ask(session)
    for path in files() - before:
        path.unlink()
