"""``ruattn explore``: a page to search on, served to this machine."""

from __future__ import annotations

import argparse
from functools import partial

from ruattn_fdw.cli.database import connect_to_read, conninfo_of
from ruattn_fdw.explore.server import PageServer
from ruattn_fdw.explore.session import Session
from ruattn_fdw.server.errors import ServerError


def run(options: argparse.Namespace) -> None:
    """Serve the page until it is interrupted; the last line printed is its address."""
    session = Session(partial(connect_to_read, conninfo_of(options), options.role))
    try:
        server = PageServer(session, options.host, options.port)
    except OSError as error:
        session.close()
        raise ServerError(
            f"cannot listen on {options.host}, port {options.port}: {error.strerror}"
        ) from error
    try:
        print("Whoever has this address reads what the role may read; Ctrl-C ends it.")
        print(server.url, flush=True)
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        session.close()
