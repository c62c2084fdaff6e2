"""The page in a browser: with the mouse, with keys only, on a wide and a narrow screen, light and dark."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from ruattn_fdw.explore.server import PageServer

FIRST = "9007199254740993"
Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any, page: PageServer) -> Iterator[Open]:
    """Opens the page, ready to search; an error of its scripts fails the test."""
    contexts, errors = [], []

    def note(error: Exception) -> None:
        errors.append(error)

    def start(width: int = 1400, scheme: str = "light", url: str = page.url) -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        opened = contexts[-1].new_page()
        opened.set_default_timeout(10_000)
        opened.on("pageerror", note)
        opened.goto(url)
        return opened

    yield start
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def ready(open_page: Open) -> Open:
    """Opens the page and chooses the documents."""
    from playwright.sync_api import expect

    def start(**settings: Any) -> Any:
        opened = open_page(**settings)
        opened.get_by_label("Table").select_option("documents")
        expect(opened.get_by_label("Id, or a word")).to_have_value(FIRST)
        return opened

    return start


def search(page: Any, **fields: str) -> None:
    for label, value in fields.items():
        page.get_by_label(label.replace("_", ", ")).fill(value)
    page.get_by_role("button", name="Search", exact=True).click()
    page.locator("#search:enabled").wait_for()


def test_a_search_shows_rows_heads_sql_and_plan(ready: Open) -> None:
    page = ready()
    page.get_by_label("Mechanism").select_option("cosine")
    search(page, Heads="2", Rows_k="3", Temperature="0.5")
    assert page.get_by_role("status").text_content().startswith("3 rows in ")
    rows = page.locator("tbody tr")
    assert rows.count() == 3
    assert rows.first.locator("th").text_content() == '<b>one</b> & "all" 100%_'
    assert rows.first.locator("td.head").count() == 2
    assert "s.attention_type = 'cosine'" in page.locator("#sql").text_content()
    assert "Mechanism: cosine" in page.locator("#explain").text_content()


def test_the_best_cell_of_a_head_has_the_strongest_colour(ready: Open) -> None:
    page = ready()
    search(page, Heads="2", Rows_k="2", Temperature="0.1")
    cells = page.locator("td.head").all()
    weights = [float(cell.get_attribute("title")) for cell in cells]
    shares = [cell.evaluate("cell => Number(cell.style.getPropertyValue('--share'))") for cell in cells]
    assert max(shares) == 1
    assert shares.index(1) == weights.index(max(weights))
    colours = {cell.evaluate("cell => getComputedStyle(cell).backgroundColor") for cell in cells}
    assert len(colours) == len(set(weights))


def test_an_error_is_shown_with_its_hint_and_goes_with_the_next_answer(ready: Open) -> None:
    page = ready()
    search(page, Heads="3")
    alert = page.get_by_role("alert")
    assert "num_heads is 3" in alert.text_content()
    assert "Values that fit: 1, 2, 4, 8." in alert.text_content()
    assert page.locator("#answer").is_hidden()
    search(page, Heads="4")
    assert page.locator("#error").is_hidden()


def test_cancel_is_there_while_a_search_runs_and_ends_it(ready: Open, explored: str) -> None:
    page = ready()
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    assert cancel.is_hidden()
    with psycopg.connect(explored) as other:
        other.execute("LOCK documents")
        page.get_by_role("button", name="Search", exact=True).click()
        while not other.execute("SELECT FROM pg_locks WHERE NOT granted").rowcount:
            page.wait_for_timeout(10)
        cancel.click()
        page.locator("#search:enabled").wait_for()
    assert "canceling statement due to user request" in page.get_by_role("alert").text_content()
    assert cancel.is_hidden()
    search(page)
    assert page.get_by_role("status").text_content().startswith("10 rows in ")


def test_a_search_without_a_query_asks_for_one(ready: Open) -> None:
    page = ready()
    page.get_by_label("Id, or a word").fill("")
    search(page)
    assert "there is no query" in page.get_by_role("alert").text_content()


def test_a_row_is_asked_by_with_a_click(ready: Open) -> None:
    page = ready()
    search(page)
    second = page.locator("tbody tr").nth(1)
    name = second.locator("th").text_content()
    second.get_by_role("button").click()
    page.locator("tbody tr").first.get_by_role("button", name=name, exact=True).wait_for()


def test_a_vector_and_a_parameter_out_of_the_long_list(ready: Open) -> None:
    page = ready()
    page.get_by_label("a vector").check()
    page.get_by_label("Numbers, as").fill("[1, 0, 1, 0, 1, 0, 1, 0]")
    page.get_by_text("More parameters").click()
    page.get_by_label("candidates", exact=True).fill("{9007199254740994, 9007199254740995}")
    search(page)
    assert page.locator("tbody tr").count() == 2


def test_words_find_a_row(ready: Open) -> None:
    page = ready()
    page.get_by_label("Id, or a word").fill("ment 17")
    option = page.locator("#suggestions option")
    option.first.and_(page.locator('[value="9007199254741009"]')).wait_for(state="attached")
    assert option.count() == 1


def test_keys_alone_are_enough(ready: Open) -> None:
    page = ready()
    page.get_by_label("Rows, k").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    page.locator("tbody tr").first.wait_for()
    assert page.locator("tbody tr").count() == 2
    page.get_by_role("button", name="Copy").focus()
    for region in ("sql", "explain"):
        page.keyboard.press("Tab")
        assert page.locator("*:focus").get_attribute("id") == region


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_page_and_all_is_legible(ready: Open, width: int, scheme: str) -> None:
    page = ready(width=width, scheme=scheme)
    search(page, Heads="8")
    assert page.locator("html").evaluate("page => page.scrollWidth") == width
    table = page.locator("#ranking")
    assert table.evaluate("region => region.scrollWidth <= region.clientWidth")
    paper, ink = page.locator("body").evaluate(
        "body => [getComputedStyle(body).backgroundColor, getComputedStyle(body).color]"
    )
    assert contrast(paper, ink) > 7


def contrast(first: str, second: str) -> float:
    """The contrast of two colours rgb(...) as WCAG defines it."""

    def luminance(colour: str) -> float:
        shares = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_an_address_without_its_token_says_what_to_open(open_page: Open, page: PageServer) -> None:
    opened = open_page(url=page.url.partition("#")[0])
    opened.get_by_text("Open the address that ruattn explore printed").wait_for()


def test_every_field_has_a_name(ready: Open) -> None:
    page = ready()
    nameless = page.locator("input, select, textarea").evaluate_all(
        "fields => fields.filter(field => !field.labels.length).map(field => field.id)"
    )
    assert nameless == []
