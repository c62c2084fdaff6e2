"""A host without a server: one relation, `documents`, whose rows the tests choose."""

import numpy as np
import pytest

from ruattn_fdw import bridge, host_api
from ruattn_fdw.source.batch import python_values
from ruattn_fdw.tables import TABLES

COLUMNS = [("id", "bigint", "integer"), ("title", "text", "text"), ("embedding", "real[]", "real[]")]


class FakeHost:
    """Answers as the bundled host does, and remembers what it was asked to select."""

    def __init__(self):
        random = np.random.default_rng(7)
        self.ids = np.arange(1, 301)
        self.keys = random.normal(size=(300, 16)).astype(np.float32)
        self.info = (100, "public", "documents", "r", 300.0)
        self.column_list = list(COLUMNS)
        self.key_column = "id"
        self.names = ["documents", "archive.letters"]
        self.settings = {
            "threads": 1,
            "max_memory": 2**30,
            "features": "all",
            "python": "/usr/bin/python3",
            "rerank_models": "",
        }
        self.null_ids = ()
        self.selected = []
        self.checks = 0

    def relation(self, name):
        return self.info if name == self.info[2] else None

    def columns(self, oid):
        return self.column_list

    def primary_key(self, oid):
        return self.key_column

    def select(self, sql, kinds, label, args):
        self.selected.append((sql, label, args))
        if kinds == ("text", "text"):
            return [["uuid"], ["pg_catalog"]], 1, 0
        if kinds == ("text",):
            return [self.names], len(self.names), 0
        wanted = np.isin(self.ids, args[0]) if args else np.ones(len(self.ids), bool)
        null = np.isin(self.ids, self.null_ids)
        kept = wanted & ~null
        keys = self.keys[kept]
        vectors = (keys, np.ones(len(keys), np.int64)) if kinds[1] == "vectors" else keys
        numbers = [self.ids[kept].astype(np.float64) for kind in kinds[2:] if kind == "float"]
        return [self.ids[kept], vectors, *numbers], int(kept.sum()), int((wanted & null).sum())

    def caller(self):
        return 5, 10

    def source(self, oid, columns):
        return "a relation of a test", False, b"", b"", None

    def indexes(self, oid, vector_column, id_column):
        return []

    def check_interrupts(self):
        self.checks += 1

    def interrupted(self):
        return False

    def setting(self, name):
        return self.settings[name]

    def notice(self, message, detail=None, hint=None):
        raise AssertionError(f"unexpected notice: {message}")


@pytest.fixture
def host(monkeypatch):
    fake = FakeHost()
    monkeypatch.setattr(host_api, "host", lambda: fake)
    return fake


@pytest.fixture
def open_table(host):
    """Open a table with all its columns, by operation and OPTIONS."""

    def run(operation, **options):
        columns = [(column.name, column.type) for column in TABLES[operation].declaration.columns()]
        return bridge.open_table({"operation": operation, **options}, columns)

    return run


@pytest.fixture
def fetch():
    """All rows of a table under the given quals by column name, constants repeated."""

    def run(handler, quals, names, memo=None):
        scan = bridge.start(handler, quals, names, {} if memo is None else memo)
        rows = {name: [] for name in names}
        while (batch := scan.next()) is not None:
            count, columns = batch
            for name, column in zip(names, columns, strict=True):
                rows[name].extend(python_values(column, count))
        return rows

    return run


@pytest.fixture
def search(open_table, fetch):
    """Run mha_search on `documents`: the wanted columns, then parameters by name."""

    def run(wanted=("id", "score"), memo=None, **quals):
        return fetch(open_table("mha_search"), {"table_name": "documents", **quals}, list(wanted), memo)

    return run
