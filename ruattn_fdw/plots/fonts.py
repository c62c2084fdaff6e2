"""Fonts for letters that matplotlib's own font does not have, such as Chinese, Japanese and Korean ones."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text


def families(text: str) -> list[str]:
    """The families to draw a text in: matplotlib's own, then an installed one for each letter it lacks."""
    own = list(mpl.rcParams["font.family"])
    found = {_family(letter) for letter in text if not _has(findfont(FontProperties()), letter)}
    return own + sorted(family for family in found if family is not None)


def use_installed(figure: Figure) -> str:
    """Draw each text of the figure in fonts that have its letters; what comes back is in none of them."""
    without = set()
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_fontfamily(families(text.get_text()))
        without |= {letter for letter in text.get_text() if not _drawn(letter)}
    return "".join(sorted(without))


@contextmanager
def missing_allowed() -> Iterator[None]:
    """Boxes instead of letters without a warning for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def _drawn(letter: str) -> bool:
    return not letter.isprintable() or _has(findfont(FontProperties()), letter) or _family(letter) is not None


@cache
def _family(letter: str) -> str | None:
    """The first family of the machine that has the letter: those that matplotlib brings are for formulas."""
    ours = Path(mpl.get_data_path())
    upright = (entry for entry in fontManager.ttflist if (entry.style, entry.weight) == ("normal", 400))
    installed = (entry for entry in upright if ours not in Path(entry.fname).parents)
    return next((entry.name for entry in installed if _has(entry.fname, letter)), None)


def _has(file: str, letter: str) -> bool:
    return ord(letter) in _letters(file)


@cache
def _letters(file: str) -> frozenset[int]:
    return frozenset(get_font(file).get_charmap())
