import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from ruattn_fdw.cli.main import main, parser
from ruattn_fdw.explore.server import TOKEN_HEADER, PageServer
from tests.serving import serving

Send = Callable[..., Any]


@pytest.mark.parametrize(
    ("path", "kind"), [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")]
)
def test_the_page_comes_from_nowhere_else(page: PageServer, send: Send, path: str, kind: str) -> None:
    response, content = send(page, "GET", path)
    assert response.status == 200
    assert response.headers["Content-Type"] == f"{kind}; charset=utf-8"
    assert not re.search(rb"(https?:)?//[a-z]", content)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.token.encode() not in content
    assert response.headers["Access-Control-Allow-Origin"] is None


@pytest.mark.parametrize("token", [None, "", "wrong", "\xff"])
def test_without_the_token_nothing_is_asked(page: PageServer, send: Send, token: str | None) -> None:
    headers = {} if token is None else {TOKEN_HEADER: token}
    response, content = send(page, "POST", "/api/catalogue", body="{}", headers=headers)
    assert response.status == 403
    assert "ruattn explore" in json.loads(content)["hint"]


@pytest.mark.parametrize(("host", "status"), [("localhost:8000", 200), ("evil.example", 421), ("", 421)])
def test_only_names_of_this_machine_are_answered(
    page: PageServer, send: Send, host: str, status: int
) -> None:
    response, _ = send(page, "GET", "/", headers={"Host": host})
    assert response.status == status


def test_each_start_has_its_own_token(page: PageServer, serve: Callable[..., PageServer]) -> None:
    assert serve().token != page.token
    assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/#{re.escape(page.token)}", page.url)


@pytest.mark.parametrize("body", ["", "{", "\xff"])
def test_what_is_no_request_is_refused(page: PageServer, send: Send, body: str) -> None:
    headers = {TOKEN_HEADER: page.token}
    response, content = send(page, "POST", "/api/rows", body=body.encode("latin-1"), headers=headers)
    assert response.status == 400
    assert json.loads(content)["message"].startswith("the request is no JSON")


def test_a_body_beyond_the_limit_is_not_read(page: PageServer, send: Send) -> None:
    headers = {TOKEN_HEADER: page.token, "Content-Length": str(1 << 40)}
    response, _ = send(page, "POST", "/api/rows", headers=headers)
    assert response.status == 400


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/page.py"), ("GET", "/../setup.py"), ("POST", "/api/no")]
)
def test_there_is_nothing_else(page: PageServer, send: Send, method: str, path: str) -> None:
    response, _ = send(page, method, path, headers={TOKEN_HEADER: page.token})
    assert response.status == 404


def test_it_listens_to_this_machine_unless_told_otherwise() -> None:
    options = parser().parse_args(["explore"])
    assert (options.host, options.port) == ("127.0.0.1", 0)


def test_a_port_in_use_is_named(explored: str, page: PageServer, capsys: pytest.CaptureFixture[str]) -> None:
    port = page.server_address[1]
    assert main(["explore", "--uri", explored, "--port", str(port)]) == 1
    expected = f"ruattn: cannot listen on 127.0.0.1, port {port}: Address already in use\n"
    assert capsys.readouterr().err == expected


def test_the_command_serves_until_it_is_interrupted(explored: str) -> None:
    command = [Path(sys.executable).with_name("ruattn"), "explore", "--uri", explored]
    with serving(command) as address, urlopen(address.partition("#")[0]) as page:
        assert b"ruattn explore" in page.read()
