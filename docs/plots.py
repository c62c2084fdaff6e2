"""Draw the pictures of plots.md by its own commands, on the sample: python docs/plots.py [CHROMIUM]

    pip install -e .[embedded,plot,browser]

On a throw-away server. With the path of a Chromium the page of `ruattn explore` is drawn too.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path

import psycopg

from ruattn_fdw.cli.database import connect_to_read
from ruattn_fdw.cli.demo import DATABASE
from ruattn_fdw.cli.main import main
from ruattn_fdw.cli.sample import load_sample, read_sample
from ruattn_fdw.explore.server import PageServer
from ruattn_fdw.explore.session import Session
from ruattn_fdw.server.installation import DEFAULT, embedded
from ruattn_fdw.server.server import Server

PAGE = Path(__file__).parent / "plots.md"
PICTURES = PAGE.parent / "pictures"


def commands(page: str) -> list[list[str]]:
    """The arguments of each `ruattn plot` on the page."""
    lines = page.replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("ruattn plot")]


def draw(uri: str, folder: Path) -> None:
    """Load the sample, run the page's SQL, and draw into the folder."""
    page = PAGE.read_text(encoding="utf-8")
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION ruattn_fdw")
        load_sample(connection, read_sample(), lambda: None)
        for block in re.findall(r"^```sql\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
            connection.execute(block.encode())
    for plot, kind, file, *options in commands(page):
        if main([plot, kind, str(folder / file), *options, "--uri", uri]):
            sys.exit(1)


def photograph(uri: str, chromium: str, file: Path) -> None:
    """The page with an answer on it."""
    from playwright.sync_api import expect, sync_playwright

    server = PageServer(Session(partial(connect_to_read, uri)), "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(server.url)
        expect(page.get_by_label("Id, or a word")).not_to_have_value("")
        page.get_by_label("Id, or a word").fill("14501")
        page.get_by_label("Temperature").fill("0.002")
        page.get_by_role("button", name="Search", exact=True).click()
        page.locator("tbody").wait_for()
        page.screenshot(path=file)
        browser.close()
    server.shutdown()
    server.server_close()
    server.session.close()


if __name__ == "__main__":
    installation = embedded(DEFAULT)
    installation.install()
    throw_away = Server(Path(tempfile.mkdtemp()), installation)
    try:
        throw_away.start()
        with psycopg.connect(throw_away.uri(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {DATABASE}".encode())
        draw(throw_away.uri(DATABASE), PICTURES)
        for chromium in sys.argv[1:]:
            photograph(throw_away.uri(DATABASE), chromium, PICTURES / "explore.png")
    finally:
        throw_away.stop()
        shutil.rmtree(throw_away.data)
