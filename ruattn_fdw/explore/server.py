"""The page over HTTP: three files for everybody, and requests for whoever has the token."""

from __future__ import annotations

import hmac
import json
import re
import secrets
import socket
import sys
import traceback
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from ipaddress import ip_address
from typing import Any

import psycopg

from ruattn_fdw.asking import Connection
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.explore.queries import REQUESTS, Body
from ruattn_fdw.explore.session import TIMEOUT, Session
from ruattn_fdw.server.errors import ServerError

TOKEN_HEADER = "X-Ruattn-Token"
MOST_BYTES = 4 << 20
CANCEL = "/api/cancel"
HOST = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?", re.IGNORECASE)
"""This machine's names for itself, as a browser sends them; a tunnel may have another port."""
ADDRESS = "Open the address that ruattn explore printed; it is another one after each start."
TERMINAL = "The terminal that ruattn explore runs in shows where it happened."
LONG = f"A statement may take {TIMEOUT} here; psql has no such limit."
FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
SAFETY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class PageServer(ThreadingHTTPServer):
    """Serves one session. Its token is new at each start: a page of another origin cannot know it."""

    daemon_threads = True

    def __init__(self, session: Session, host: str, port: int) -> None:
        self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        self.session = session
        self.local = ip_address(socket.getaddrinfo(host, port)[0][4][0]).is_loopback
        self.token = secrets.token_urlsafe(32)
        super().__init__((host, port), Page)

    @property
    def url(self) -> str:
        """The address of the page; browsers keep what stands behind # out of requests and logs."""
        host, port = self.server_address[:2]
        named = f"[{host!s}]" if self.address_family == socket.AF_INET6 else str(host)
        return f"http://{named}:{port}/#{self.token}"


class Page(BaseHTTPRequestHandler):
    """One request."""

    server: PageServer
    timeout = 30
    server_version = "ruattn"
    sys_version = ""

    def parse_request(self) -> bool:
        """Refuse what was sent to another name: a page elsewhere may have its own lead here."""
        if not super().parse_request():
            return False
        if not self.server.local or HOST.fullmatch(self.headers.get("Host", "")):
            return True
        self._send_json(HTTPStatus.MISDIRECTED_REQUEST, {"message": "this is no host of that name"})
        return False

    def do_GET(self) -> None:
        """One of the three files."""
        found = FILES.get(self.path.partition("?")[0])
        if found is None:
            self._send_json(HTTPStatus.NOT_FOUND, {"message": f"there is no {self.path}"})
            return
        name, kind = found
        content = (resources.files("ruattn_fdw.explore") / name).read_bytes()
        self._send(HTTPStatus.OK, f"{kind}; charset=utf-8", content)

    def do_POST(self) -> None:
        """Answer a request, or say what is wrong with it."""
        status, answer = self._answer()
        self._send_json(status, answer)

    def _answer(self) -> tuple[HTTPStatus, dict[str, Any]]:
        try:
            content = self._content()
        except ValueError as error:
            return HTTPStatus.BAD_REQUEST, {"message": f"the request cannot be read: {error}"}
        given = self.headers.get(TOKEN_HEADER, "")
        if not hmac.compare_digest(given.encode(), self.server.token.encode()):
            return HTTPStatus.FORBIDDEN, {"message": "this page has no token, or an old one", "hint": ADDRESS}
        if self.path == CANCEL:
            self.server.session.cancel()
            return HTTPStatus.OK, {}
        request = REQUESTS.get(self.path.removeprefix("/api/"))
        if request is None:
            return HTTPStatus.NOT_FOUND, {"message": f"there is no {self.path}"}
        try:
            body = json.loads(content)
        except ValueError as error:
            return HTTPStatus.BAD_REQUEST, {"message": f"the request is no JSON: {error}"}
        return self._asked(request, body)

    def _asked(self, request: Callable[[Connection, Body], Body], body: Body) -> tuple[HTTPStatus, Body]:
        """What the database says to a request."""
        try:
            with self.server.session.transaction() as connection:
                return HTTPStatus.OK, request(connection, body)
        except psycopg.errors.QueryCanceled as error:
            return HTTPStatus.BAD_REQUEST, {**in_words(error), "hint": LONG}
        except psycopg.Error as error:
            return HTTPStatus.BAD_REQUEST, in_words(error)
        except AttentionError as error:
            return HTTPStatus.BAD_REQUEST, {"message": error.message, "hint": error.hint}
        except ServerError as error:
            return HTTPStatus.BAD_REQUEST, {"message": error.message, "hint": error.remedy}
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return HTTPStatus.INTERNAL_SERVER_ERROR, {"message": "this is an error of ours", "hint": TERMINAL}

    def _content(self) -> bytes:
        """The body, read before anything is answered: what is left unread may cost the answer."""
        length = int(self.headers.get("Content-Length", 0))
        if not 0 <= length <= MOST_BYTES:
            raise ValueError(f"it has {length} bytes, at most {MOST_BYTES} are read")
        return self.rfile.read(length)

    def _send_json(self, status: HTTPStatus, answer: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(answer).encode())

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in SAFETY.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: the terminal is for errors."""


def in_words(error: psycopg.Error) -> dict[str, str | None]:
    """What the server said, or the client library where the server said nothing."""
    said = error.diag
    return {
        "message": said.message_primary or str(error).strip(),
        "detail": said.message_detail,
        "hint": said.message_hint,
    }
