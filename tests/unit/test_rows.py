"""Reading source rows: the SELECT, candidates, and what rescans use again."""

from dataclasses import replace

import numpy as np
import pytest
from ruattn_fdw.kernels.ids import SomeIds

from ruattn_fdw.cache.rows import read_rows
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.report import Report
from ruattn_fdw.source.ids import IdType
from ruattn_fdw.source.relation import Source
from ruattn_fdw.source.rows import NO_ROWS, read_vector, select_statement

SOURCE = Source(100, "public", "documents", "id", "embedding", 300.0)


def test_identifiers_are_quoted():
    source = Source(1, 'sch"ema', "ta.ble; drop", "select", 'e"m', None)
    assert select_statement(source, ("select", 'e"m'), restricted=False) == (
        'SELECT t."select", t."e""m" FROM "sch""ema"."ta.ble; drop" AS t'
    )


def test_ids_that_are_no_integers_arrive_in_their_order():
    source = Source(1, "s", "t", "key", "v", None, IdType("uuid", "pg_catalog"))
    assert select_statement(source, ("key", "v"), restricted=True) == (
        'SELECT t."key", t."v" FROM "s"."t" AS t '
        'WHERE t."key" OPERATOR("pg_catalog".=) ANY ($1::uuid[]) ORDER BY t."key"'
    )


def test_candidates_become_a_parameter_without_repeats(host):
    rows = read_rows(SOURCE, np.array([7, 3, 7, 10**15]), {}, Report())
    ((sql, label, args),) = host.selected
    assert sql.endswith('WHERE t."id" OPERATOR(pg_catalog.=) ANY ($1)')
    assert label == "documents.embedding"
    assert args[0].tolist() == [3, 7, 10**15]
    assert rows.ids.tolist() == [3, 7]


@pytest.mark.parametrize("ids", [[], [5], [1, 5, 7], [7, 5, 1], [5, 5, 7], [-(2**63), 5, 2**63 - 1]])
@pytest.mark.parametrize("wanted", [5, 7, 6, 2**63 - 1, -(2**63)])
def test_an_id_is_found_wherever_it_is(ids, wanted):
    rows = replace(NO_ROWS, ids=np.array(ids, np.int64))
    assert rows.find(wanted).tolist() == [place for place, row_id in enumerate(ids) if row_id == wanted]


@pytest.mark.parametrize("present", [[1, 2, 4], [0, 1, 3], [0]])
def test_an_id_is_found_among_the_rows_that_are_present(present):
    rows = replace(NO_ROWS, ids=SomeIds(np.array([9, 5, 7, 5, 11]), np.array(present, np.int32)))
    for wanted in (5, 9, 11, 12):
        assert rows.find(wanted).tolist() == np.flatnonzero(rows.ids[:] == wanted).tolist()


def test_no_candidates_read_nothing(host):
    assert len(read_rows(SOURCE, np.empty(0, np.int64), {}, Report())) == 0
    assert host.selected == []


def test_a_rescan_uses_the_rows_again(host):
    memo, report = {}, Report()
    first = read_rows(SOURCE, None, memo, report)
    assert read_rows(SOURCE, None, memo, report) is first
    assert (len(host.selected), report.rows_read) == (1, 300)


def test_other_candidates_are_read_anew(host):
    memo, report = {}, Report()
    read_rows(SOURCE, np.array([1]), memo, report)
    assert read_rows(SOURCE, np.array([2]), memo, report).ids.tolist() == [2]
    assert read_rows(SOURCE, None, memo, report).ids.shape == (300,)
    assert len(host.selected) == 3


def test_null_vectors_are_counted(host):
    host.null_ids = (1, 2)
    report = Report()
    assert len(read_rows(SOURCE, None, {}, report)) == 298
    assert report.nulls_skipped == 2


def test_one_vector_is_read_by_its_id(host):
    assert read_vector(SOURCE, 5, Report()).tolist() == host.keys[4].tolist()


def test_a_source_that_reads_itself_is_an_error(host):
    select = host.select
    host.select = lambda *arguments: read_rows(SOURCE, None, {}, Report()) and select(*arguments)
    with pytest.raises(AttentionError, match=r"public\.documents is read 8 searches deep") as caught:
        read_rows(SOURCE, None, {}, Report())
    assert caught.value.sqlstate == "54001"
    host.select = select
    assert len(read_rows(SOURCE, None, {}, Report())) == 300


def test_an_id_that_is_absent_null_or_ambiguous_is_named(host):
    host.null_ids = (9,)
    host.ids = host.ids.copy()
    host.ids[20] = 20
    for row_id, message in (
        (999, r"query_id 999 is not in documents\.id"),
        (9, r"query_id 9 has no vector, documents\.embedding is NULL there"),
        (20, r"query_id 20 means 2 rows, documents\.id is not unique"),
    ):
        with pytest.raises(AttentionError, match=message) as caught:
            read_vector(SOURCE, row_id, Report())
        assert caught.value.sqlstate == "22023"
