"""A database, and the page over it on a free port; requests are made as the page makes them."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import psycopg
import pytest

from ruattn_fdw.cli.database import connect_to_read
from ruattn_fdw.explore.server import TOKEN_HEADER, PageServer
from ruattn_fdw.explore.session import Session
from ruattn_fdw.server.server import Server

DATABASE = "explored"
# names and labels that quoting, formatting and HTML would trip over; ids beyond what a double holds
DOCUMENTS = """
CREATE TABLE documents (id bigint PRIMARY KEY, title text, embedding real[]);
INSERT INTO documents
SELECT 9007199254740992 + i, CASE i WHEN 1 THEN '<b>one</b> & "all" 100%_' ELSE 'document ' || i END,
       ARRAY[cos(i), sin(i), cos(2*i), sin(2*i), cos(3*i), sin(3*i), cos(4*i), sin(4*i)]::real[]
FROM generate_series(1, 20) i;
CREATE TABLE "Odd ""name"".%s" (id int PRIMARY KEY, "the '100%' title" varchar, embedding real[]);
INSERT INTO "Odd ""name"".%s" SELECT i, 'row ' || i, ARRAY[i, 1]::real[] FROM generate_series(1, 3) i;
CREATE TABLE parted (id int PRIMARY KEY, embedding real[]) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF parted DEFAULT;
CREATE TABLE plain (id int, title text);
CREATE TABLE secret (id int PRIMARY KEY, embedding real[]);
CREATE FOREIGN TABLE own (id bigint, score real, head_scores real[], query_id bigint)
    SERVER ruattn OPTIONS (operation 'mha_search', table_name 'documents');
CREATE ROLE explore_reader;
GRANT SELECT ON documents TO explore_reader;
ANALYZE;
"""
FIRST = 9007199254740993


@pytest.fixture(scope="package")
def explored(server: Server) -> Iterator[str]:
    """The URI of a database with a few relations."""
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {DATABASE} TEMPLATE ruattn_template".encode())
        with psycopg.connect(server.uri(DATABASE), autocommit=True) as connection:
            connection.execute(DOCUMENTS.encode())
        yield server.uri(DATABASE)
        admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)".encode())
        admin.execute("DROP ROLE explore_reader")


@pytest.fixture(scope="package")
def serve(explored: str) -> Iterator[Callable[..., PageServer]]:
    """Starts the page over a database, as a role, and ends all of them."""
    running: list[PageServer] = []

    def start(role: str | None = None, uri: str = explored) -> PageServer:
        running.append(PageServer(Session(partial(connect_to_read, uri, role)), "127.0.0.1", 0))
        threading.Thread(target=running[-1].serve_forever, args=(0.01,), daemon=True).start()
        return running[-1]

    yield start
    for page in running:
        page.shutdown()
        page.server_close()
        page.session.close()


@pytest.fixture(scope="package")
def page(serve: Callable[..., PageServer]) -> PageServer:
    return serve()


@pytest.fixture(scope="session")
def send() -> Callable[..., tuple[HTTPResponse, bytes]]:
    """Sends a request and gives the response with its content."""

    def run(page: PageServer, method: str, path: str, **request: Any) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", page.server_address[1])
        connection.request(method, path, **request)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response, content

    return run


@pytest.fixture(scope="session")
def ask(send: Callable[..., tuple[HTTPResponse, bytes]]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """The status and the answer of a request that has the token."""

    def run(page: PageServer, name: str, **body: Any) -> tuple[int, dict[str, Any]]:
        headers = {TOKEN_HEADER: page.token}
        response, content = send(page, "POST", f"/api/{name}", body=json.dumps(body), headers=headers)
        return response.status, json.loads(content)

    return run


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The Chromium of --browser, headless."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = playwright.chromium.launch(executable_path=request.config.option.browser, args=options)
        yield started
        started.close()
