"""A source whose vectors have all got another width has a copy again."""

from typing import Any

import psycopg
from checks import cache_use

SEARCH = "SELECT id FROM mha_search WHERE table_name = 'docs' AND num_heads = 2 AND query = "


def test_all_rows_get_another_width(docs: psycopg.Connection[Any]) -> None:
    assert cache_use(docs, f"{SEARCH} '{{1,0.5,-1,0.25,1,1,1,1}}'") != "none"
    docs.execute("UPDATE docs SET vec = vec[1:4]")
    docs.execute("VACUUM docs")
    narrow = f"{SEARCH} '{{1,0.5,-1,0.25}}'"
    cache_use(docs, narrow)
    assert cache_use(docs, narrow) == "hit"
