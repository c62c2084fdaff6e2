from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure

from ruattn_fdw.asking import Connection, Search
from ruattn_fdw.plots import canvas, heads
from ruattn_fdw.tables.mha_search import SEARCH

Make, Legible = Callable[..., Search], Callable[[Figure], list[str]]


def test_rows_and_columns_are_those_of_the_search(pictures: Connection, labelled: Make) -> None:
    search = labelled(SEARCH, table_name="documents", query_id=7, num_heads=4, k=5)
    found = heads.read(pictures, search)
    rows = pictures.execute(
        'SELECT d."100% title", s.head_scores, s.score FROM mha_search s JOIN documents d USING (id)'
        " WHERE s.table_name = 'documents' AND s.query_id = 7 AND s.num_heads = 4 AND s.k = 5 ORDER BY s.rank"
    ).fetchall()
    assert found.labels == [label for label, _, _ in rows]
    np.testing.assert_array_equal(found.weights, [weights for _, weights, _ in rows])
    np.testing.assert_array_equal(found.scores, [score for _, _, score in rows])
    assert found.asked.startswith(
        "multi_head, 4 heads, temperature 1. documents, asked by row 7 (document 7 "
    )


@pytest.mark.parametrize(("num_heads", "k"), [(8, 20), (2, 1), (1, 1)])
def test_the_map_shows_each_weight(
    pictures: Connection, labelled: Make, legible: Legible, num_heads: int, k: int
) -> None:
    found = heads.read(
        pictures, labelled(SEARCH, table_name="documents", query_id=7, num_heads=num_heads, k=k)
    )
    figure = heads.draw(found)
    texts = legible(figure)
    [image] = [image for axes in figure.axes for image in axes.images]
    np.testing.assert_array_equal(image.get_array(), found.weights)
    assert sum(text.startswith("document ") for text in texts) == k


def test_signed_weights_are_shaded_on_both_sides_of_zero(legible: Legible) -> None:
    weights = np.array([[0.5, 0.25], [-0.1, 0.05]])
    figure = heads.draw(heads.Heads(["owl", "crow"], weights.mean(axis=1), weights, "birds"))
    legible(figure)
    [image] = [image for axes in figure.axes for image in axes.images]
    assert image.get_clim() == (-0.5, 0.5)


def test_many_heads_are_colours_under_their_numbers(legible: Legible) -> None:
    weights = np.random.default_rng(1).random((5, 64))
    texts = legible(heads.draw(heads.Heads(list("abcde"), weights.mean(axis=1), weights, "letters")))
    assert {str(head) for head in range(1, 65)} <= set(texts)
    assert len(texts) < 100


def test_a_row_whose_label_is_null_is_named_by_its_id(pictures: Connection, labelled: Make) -> None:
    found = heads.read(pictures, labelled(SEARCH, table_name="documents", query_id=33, k=1))
    assert found.labels == ["33"]
    assert found.asked.endswith("documents, asked by row 33.")


def test_without_a_label_column_a_row_is_named_by_its_id(pictures: Connection) -> None:
    found = heads.read(
        pictures, Search(SEARCH, {"table_name": "documents", "query": "[1,0,1,0,1,0,1,0]", "k": 1})
    )
    assert found.labels == ["25"]
    assert found.asked.endswith("documents, asked by a vector.")


def test_numbers_of_three_digits_stand_under_each_other() -> None:
    assert [canvas.number(value) for value in (0.25, 0.016, 1, 123, 0, -0.5, 1.2e-5)] == [
        "0.250",
        "0.0160",
        "1.00",
        "123",
        "0",
        "-0.500",
        "1.2e-05",
    ]
