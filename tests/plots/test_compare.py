from collections.abc import Callable

from matplotlib.figure import Figure

from ruattn_fdw.asking import Connection, Search
from ruattn_fdw.plots import compare
from ruattn_fdw.tables.mha_search import SEARCH

Make, Legible = Callable[..., Search], Callable[[Figure], list[str]]


def test_a_list_is_the_ranking_of_its_mechanism(pictures: Connection, labelled: Make) -> None:
    found = compare.read(
        pictures, labelled(SEARCH, table_name="documents", query_id=7, attention_type="cosine", k=4)
    )
    rows = pictures.execute(
        "SELECT id, score FROM mha_search WHERE table_name = 'documents' AND query_id = 7"
        " AND attention_type = 'cosine' AND k = 4 ORDER BY rank"
    ).fetchall()
    assert [(row_id, score) for row_id, _, score in found.rows] == rows
    assert (found.mechanism, found.settings) == ("cosine", "1 head, temperature 0.1")


def test_lines_join_what_is_in_two_lists(legible: Legible) -> None:
    first = compare.Ranking("one", [(1, "owl", 0.5), (2, "crow", 0.3), (3, "wren", 0.2)], "1 head")
    other = compare.Ranking("another", [(3, "wren", 0.9), (4, "rook", 0.05), (1, "owl", 0.05)], "8 heads")
    figure = compare.draw([first, other], "birds, asked by a vector.")
    texts = legible(figure)
    [axes] = figure.axes
    ends = sorted(tuple(line.get_ydata()) for line in axes.lines)
    assert ends == [(-2.5, -0.5), (-0.5, -2.5)]
    assert "8 heads; 2 of 3 as in one" in texts


def test_long_labels_stay_in_their_list(legible: Legible) -> None:
    rows = [(row_id, "WWWWWWWWWW " * 9, 0.000123) for row_id in range(12)]
    legible(compare.draw([compare.Ranking(name, rows, "1 head, temperature 0.05") for name in "abc"], "q"))
