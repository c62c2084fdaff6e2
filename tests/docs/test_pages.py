"""The pages of the documentation are current and complete."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from ruattn_fdw.kernels.registry import MECHANISMS

import ruattn_fdw.errors
from ruattn_fdw.tables import TABLES

DOCS = Path(__file__).parents[2] / "docs"
SECTIONS = ["Query", "Results", "Parameters", "EXPLAIN", "Limits", "Errors"]
OUTSIDE = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "examples/README.md")
PAGES = [*(DOCS.parent / name for name in OUTSIDE), *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#]+)?(#[^)]*)?\)")


@pytest.fixture(scope="module")
def make() -> ModuleType:
    """The generator."""
    specification = importlib.util.spec_from_file_location("docs_make", DOCS / "make.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_generated_parts_are_current(make: ModuleType) -> None:
    stale = [page.name for page in make.pages() if make.rendered(page.read_text()) != page.read_text()]
    assert not stale, "run: python docs/make.py"


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_a_page_of_the_common_form(table: str) -> None:
    text = (DOCS / f"{table}.md").read_text()
    assert text.startswith(f"# {table}\n\n")
    wanted = [name for name in SECTIONS if name != "Parameters" or TABLES[table].declaration.parameters]
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == wanted
    assert f"<!-- results: {table} -->" in text
    assert "```sql\n" in text


def test_the_readme_counts_the_mechanisms() -> None:
    assert f"**{len(MECHANISMS)} mechanisms" in (DOCS.parent / "README.md").read_text()


def test_every_page_is_linked_from_the_first() -> None:
    linked = {match[1] for match in LINK.finditer((DOCS / "README.md").read_text())}
    assert {page.name for page in DOCS.glob("*.md")} - linked == {"README.md"}


@pytest.mark.parametrize("family", sorted({mechanism.family for mechanism in MECHANISMS}))
def test_every_family_has_a_page_with_a_picture_and_a_section_for_each_member(family: str) -> None:
    text = (DOCS / "mechanisms" / f"{family}.md").read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)
    assert f"]({family}.png)" in sections[0]
    assert (DOCS / "mechanisms" / f"{family}.png").exists()
    members = [mechanism.name for mechanism in MECHANISMS if mechanism.family == family]
    assert [section.split("\n")[0] for section in sections[1:]] == members
    for name, section in zip(members, sections[1:], strict=True):
        for part in (f"<!-- mechanism: {name} -->", "```math\n", "**When.**", "**When not.**"):
            assert part in section, (name, part)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for match in LINK.finditer(page.read_text()):
        target = page if match[1] is None else page.parent / match[1]
        if not str(match[1]).startswith("http"):
            assert target.exists(), match[0]
        if match[2] is not None:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
            assert match[2][1:] in anchors, match[0]


def test_the_query_of_every_hint_answers_on_the_sample(db: psycopg.Connection[Any]) -> None:
    pytest.importorskip("onnxruntime", reason="the extra rerank is not installed")
    db.execute("CREATE TABLE links AS SELECT 1::bigint AS source, id AS target FROM documents WHERE id < 100")
    for name, handler in TABLES.items():
        assert db.execute(handler.declaration.example.encode()).fetchone() is not None, name


def test_no_page_makes_what_another_has_made() -> None:
    makers: dict[str, list[str]] = {}
    for page in PAGES:
        sql = "".join(re.findall(r"^```sql\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL))
        made = set(re.findall(r"^CREATE (?:TABLE|VIEW|FOREIGN TABLE|ROLE|SCHEMA) (\w+)", sql, re.MULTILINE))
        made |= set(re.findall(r"^INSERT INTO ruattn_weights [^;]*?\nSELECT ('\w+')", sql, re.MULTILINE))
        for name in made - set(re.findall(r"^DROP \w+ (\w+)", sql, re.MULTILINE)):
            makers.setdefault(name, []).append(page.name)
    assert "'less_mean'" in makers
    assert {name: pages for name, pages in makers.items() if len(pages) > 1} == {}


def test_every_sqlstate_is_listed() -> None:
    page = (DOCS / "troubleshooting.md").read_text().partition("## Which SQLSTATEs")[2]
    first_cells = " ".join(re.findall(r"^\| ([^|]*) \|", page, re.MULTILINE))
    listed = set(re.findall(r"\b[0-9A-Z]{5}\b", first_cells))
    host = Path(ruattn_fdw.__file__).parent / "host"
    named = {name for source in host.glob("*.c") for name in re.findall(r"ERRCODE_(\w+)", source.read_text())}
    raised = {psycopg.errors.lookup(code) for code in vars(ruattn_fdw.errors).values() if is_sqlstate(code)}
    raised |= {getattr(psycopg.errors, class_of(name)) for name in named}
    assert {error.sqlstate for error in raised} - listed == set()


def is_sqlstate(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9A-Z]{5}", value) is not None


def class_of(name: str) -> str:
    """psycopg's name of a condition that the server's headers call ``name``."""
    plain = "".join(word.capitalize() for word in name.split("_"))
    return f"{plain}_" if hasattr(psycopg.errors, f"{plain}_") else plain
