"""Which copies there are, for those who ask about them."""

from __future__ import annotations

from typing import NamedTuple

from ruattn_fdw.cache import folder
from ruattn_fdw.cache.copy import BUILT, Copy
from ruattn_fdw.cache.matrix_file import MatrixFile


class Standing(NamedTuple):
    """A copy: its file's name, its vectors and their dimensions, bytes, when it was built and when last used.

    Times are in seconds since 1970.
    """

    name: str
    vectors: int
    dim: int
    size: int
    built: float
    used: float


def copies_of_indexes() -> dict[int, Standing]:
    """The copy that each attention index proves, by the index's build; of several the last used."""
    found: dict[int, Standing] = {}
    for stored in sorted(folder.stored(), key=lambda file: file.used):
        file = MatrixFile.open(stored.name, None)
        if file is None or "builds" not in file.arrays:
            continue
        copy, built = Copy(file), file.load(BUILT) / 1e6
        used = max(built, stored.used)
        standing = Standing(stored.name, copy.vectors, copy.dim, stored.size, built, used)
        found.update(dict.fromkeys(file.arrays["builds"].tolist(), standing))
    return found
