"""A database with a few vectors and links between them, made once, and what is asked of every picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from ruattn_fdw.asking import Connection, Search, find_relation
from ruattn_fdw.declaration import Table
from ruattn_fdw.server.server import Server

DATABASE = "pictures"
# labels that a formatter or a drawing of formulas would trip over; the column's name too
DOCUMENTS = """
CREATE TABLE documents (id integer PRIMARY KEY, "100% title" text, embedding real[]);
INSERT INTO documents
SELECT i, 'document ' || i || ' costs $' || i || '_{ and 5%s',
       ARRAY[cos(i), sin(i), cos(2*i), sin(2*i), cos(3*i), sin(3*i), cos(4*i), sin(4*i)]::real[]
FROM generate_series(1, 40) i;
UPDATE documents SET "100% title" = NULL WHERE id = 33;
CREATE TABLE links AS
SELECT i AS source, j AS target FROM generate_series(1, 40) i, generate_series(1, 40) j
WHERE j - i IN (1, 2, 7) OR (i = 1 AND j % 4 = 0);
CREATE TABLE named (id text PRIMARY KEY, title text, embedding real[]);
INSERT INTO named VALUES ('owl', 'an owl', '{1,0}');
ANALYZE documents, links, named;
"""
LABEL = "100% title"


@pytest.fixture(scope="session")
def pictures_uri(server: Server) -> Iterator[str]:
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {DATABASE} TEMPLATE ruattn_template".encode())
        with psycopg.connect(server.uri(DATABASE), autocommit=True) as connection:
            connection.execute(DOCUMENTS)
        yield server.uri(DATABASE)
        admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def pictures(pictures_uri: str) -> Iterator[Connection]:
    with psycopg.connect(pictures_uri, autocommit=True) as connection:
        yield connection


@pytest.fixture
def labelled(pictures: Connection) -> Callable[..., Search]:
    """A search of a table whose rows are named by the column with the odd name."""

    def make(table: Table, **values: Any) -> Search:
        return Search(table, values, find_relation(pictures, "documents"), LABEL)

    return make


def _beyond(axis: Axis) -> set[Text]:
    """Labels of ticks that are not drawn, for they lie outside of what is shown."""
    low, high = sorted(axis.get_view_interval())
    return {tick.label1 for tick in axis.majorTicks if not low <= tick.get_loc() <= high}


@pytest.fixture
def legible() -> Callable[[Figure], list[str]]:
    """The texts of a picture, none of which lies over another or leaves the page."""

    def check(figure: Figure) -> list[str]:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        hidden = {label for axis in figure.findobj(Axis) for label in _beyond(axis)}
        visible = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
        shown = [text for text in visible if text not in hidden]
        texts = [text.get_text() for text in shown]
        low, high = np.array(
            [text.get_window_extent(canvas.get_renderer()).get_points() for text in shown]
        ).swapaxes(0, 1)
        assert (low > -1).all(), texts
        assert (high < figure.bbox.max + 1).all(), texts
        # two boxes meet where they overlap both from left to right and from below to above
        meet = ((low[:, None] + 1 < high) & (low + 1 < high[:, None])).all(axis=2)
        np.fill_diagonal(meet, False)
        assert not meet.any(), [(texts[one], texts[other]) for one, other in np.argwhere(meet)]
        return texts

    return check
