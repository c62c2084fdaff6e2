from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure

from ruattn_fdw.asking import Connection, Search
from ruattn_fdw.plots import entropy
from ruattn_fdw.tables.mha_search import SEARCH

Make, Legible = Callable[..., Search], Callable[[Figure], list[str]]


@pytest.mark.parametrize("mechanism", ["multi_head", "cosine", "top_k"])
def test_it_is_the_entropy_of_the_attention(pictures: Connection, labelled: Make, mechanism: str) -> None:
    values = {"table_name": "documents", "query": "[1,0,1,0,1,0,1,0]", "num_heads": 4, "temperature": 0.3}
    found = entropy.read(pictures, labelled(SEARCH, attention_type=mechanism, **values))
    row = pictures.execute(
        "SELECT entropy FROM attention WHERE table_name = 'documents' AND query = '[1,0,1,0,1,0,1,0]'"
        " AND num_heads = 4 AND temperature = 0.3 AND attention_type = %s",
        [mechanism],
    ).fetchone()
    assert row is not None
    assert found.entropy.mean() == pytest.approx(row[0], rel=1e-5)
    assert (len(found.entropy), found.rows) == (4, 40)


def test_the_sharpest_is_on_top_and_no_text_meets_another(legible: Legible) -> None:
    spreads = [
        entropy.Spread("flat", np.full(1, np.log(4000)), 4000),
        entropy.Spread("sharp", np.zeros(8), 4000),
        entropy.Spread("a_mechanism_with_a_long_name", np.array([2.0, 3.0]), 4000),
    ]
    figure = entropy.draw(spreads, "documents, asked by a vector.")
    texts = legible(figure)
    [axes] = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["flat", "a_mechanism_with_a_long_name", "sharp"]
    assert {"8.29", "4,000", "2.50", "12.2", "0.00", "1.0"} <= set(texts)


def test_of_one_row_alone_there_is_a_picture_too(legible: Legible) -> None:
    spreads = [entropy.Spread(name, np.zeros(2), 1) for name in ("one_mechanism", "another_mechanism")]
    texts = legible(entropy.draw(spreads, "one row, asked by itself."))
    assert texts.count("1.0") == 2
    assert not any("all rows alike" in text for text in texts)
