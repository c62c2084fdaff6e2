"""What a text says as a vector, read in the plainest way there is."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import strategies as st

NUMBER = re.compile(
    r"[+-]?(0x[0-9a-f]+(\.[0-9a-f]*)?(p[+-]?\d+)?|\d+(\.\d*)?(e[+-]?\d+)?|\.\d+(e[+-]?\d+)?|inf(inity)?|nan)",
    re.I | re.A,
)
SPACE = " \t\n\v\f\r"
"""What C calls space; Unicode's other spaces are none."""

PIECES = (
    "1", "-2.5", "0", "-0", "1e400", "-1e400", "1e39", "1e-46", "1e-400", "3.4028235e38", "3.4028236e38",
    "nan", "NaN",
    "inf", "-Infinity", "NULL", "null", "0x1p3", "0x", "1e", "1_0", ".5", "5.", ".", "+1", "--1", "9" * 400,
    "0." + "1" * 400,
    " ", "\t", "\n", "\v", "\u00a0", "\u2003", "\u3000", "\u0661", "é", "😀", ",", ",,", "[", "]", "{", "}",
    "'", '"', "1", "2", "{1", "}", "[1:1]=", "=", "\\",
)  # fmt: skip
NUMBERS = st.one_of(
    st.floats(width=32, allow_nan=True).map(repr),
    st.integers(-(10**40), 10**40).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
)
BROKEN = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
WHOLE = st.builds(
    lambda numbers, spaces, brackets: brackets[0] + f"{spaces},{spaces}".join(numbers) + spaces + brackets[1],
    st.lists(st.one_of(NUMBERS, st.sampled_from(PIECES)), max_size=20),
    st.sampled_from(["", " ", "\t\n", "\u00a0"]),
    st.sampled_from(["[]", "{}", "[]", "{}", "[}", "{]"]),
)
TEXTS = st.one_of(BROKEN, WHOLE, st.text(max_size=80).filter(lambda text: "\0" not in text))


def read_text(text: str) -> list[np.float32] | None:
    """The numbers of '[1, 2]' or '{1, 2}'; None for what is no vector, or holds a number beyond float32."""
    stripped = text.strip(SPACE)
    if len(stripped) < 2 or stripped[0] + stripped[-1] not in ("[]", "{}"):
        return None
    inside = stripped[1:-1].strip(SPACE)
    elements = [element.strip(SPACE) for element in inside.split(",")] if inside else []
    if not all(NUMBER.fullmatch(element) for element in elements):
        return None
    numbers = [number_of(element) for element in elements]
    return (
        None
        if any(np.isinf(n) and "inf" not in e.lower() for n, e in zip(numbers, elements, strict=True))
        else numbers
    )


def number_of(element: str) -> np.float32:
    """One number, rounded to single precision."""
    with np.errstate(over="ignore"):
        return np.float32(float.fromhex(element) if "x" in element.lower() else float(element))
