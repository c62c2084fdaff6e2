"""Changing the number of threads."""

import signal

import pytest
from threadpoolctl import threadpool_info

from ruattn_fdw import bridge
from ruattn_fdw.threads import THREADS, processors


@pytest.fixture
def one_thread_again():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    yield before
    THREADS.use(1)


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_a_search_follows_the_setting(host, open_table, one_thread_again):
    for count in (2, 1):
        host.settings["threads"] = count
        bridge.start(open_table("mha_search"), {"table_name": "documents", "query_id": 1}, ["id"], {})
        assert blas_threads() == {count}


def test_no_more_threads_run_than_there_are_processors(one_thread_again):
    THREADS.use(256)
    assert THREADS.count == processors() < 256
    assert blas_threads() == {processors()}


def test_the_signal_mask_is_left_as_it_was(one_thread_again):
    THREADS.use(2)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == one_thread_again
