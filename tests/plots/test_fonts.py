"""Labels in every script: fonts of the machine are taken where matplotlib's own lacks a letter."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.font_manager import fontManager

from ruattn_fdw.plots import canvas, fonts, heads

ELSEWHERE, NOWHERE = "\u1d81", "\U00013000"
"""A letter that a font for formulas has and the one for text has not, and one that neither has."""


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only the fonts that matplotlib brings."""
    brought = [font for font in fontManager.ttflist if font.fname.startswith(mpl.get_data_path())]
    monkeypatch.setattr(fontManager, "ttflist", brought)
    fonts._family.cache_clear()
    yield
    fonts._family.cache_clear()


@pytest.fixture
def installed(tmp_path: Path) -> str:
    """The family of a font that the machine has."""
    file = shutil.copy(Path(mpl.get_data_path()) / "fonts" / "ttf" / "STIXGeneral.ttf", tmp_path)
    fontManager.addfont(file)
    return "STIXGeneral"


def draw(file: Path, label: str) -> str:
    return canvas.save(heads.draw(heads.Heads([label], np.ones(1), np.ones((1, 1)), "letters")), file)


def test_a_letter_is_drawn_in_a_font_that_has_it(installed: str, tmp_path: Path) -> None:
    assert installed not in fonts.families("plain")
    assert fonts.families(f"plain {ELSEWHERE}")[-1] == installed
    assert draw(tmp_path / "picture.png", ELSEWHERE) == ""


def test_letters_that_no_font_has_are_named_once(tmp_path: Path) -> None:
    assert draw(tmp_path / "picture.png", f"two {NOWHERE}{NOWHERE}") == NOWHERE


def test_what_controls_a_terminal_is_not_named(tmp_path: Path) -> None:
    assert draw(tmp_path / "picture.png", "an \x1b[31mowl") == ""


def test_text_in_an_svg_is_text_that_needs_no_font_here(tmp_path: Path) -> None:
    assert draw(tmp_path / "picture.svg", f"owl {NOWHERE}") == ""
    assert f">owl {NOWHERE}</text>" in (tmp_path / "picture.svg").read_text(encoding="utf-8")
