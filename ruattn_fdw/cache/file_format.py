"""How a matrix file is laid out.

0      header: magic, version, checksum, identity, sections as JSON; immutable
8192   64 slots of 64 bits
8704   a checksum for each chunk of rows: CRC-32C << 32 | rows that it covers
...    sections, each at a page boundary
end    8 bytes that only a file of full length ends with
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ruattn_fdw import host_api

PAGE = 4096
HEADER_SIZE = 2 * PAGE
WORD = 8
SLOTS = 64
CHUNK_ROWS = 1024
IDENTITY_SIZE = 32
FOOTER = 0x5254544E_454E4453

_MAGIC = b"RUATTNMF"
_VERSION = 2
# magic, version, checksum of the header with 0 in this place, identity, bytes of JSON
_HEADER = struct.Struct("<8sII32sI")
_CHECKSUM_AT = 12


class Section(NamedTuple):
    """A named array of a file. Rows of immutable sections, all of one length, are covered by checksums."""

    name: str
    dtype: DTypeLike
    shape: tuple[int, ...]
    mutable: bool = False


class Layout(NamedTuple):
    """Where everything lies, in bytes from the start of a file."""

    sections: tuple[Section, ...]
    offsets: tuple[int, ...]
    rows: int
    size: int

    @property
    def footer(self) -> int:
        """The offset of the last word."""
        return self.size - WORD

    def slot(self, number: int) -> int:
        """The offset of a slot."""
        if not 0 <= number < SLOTS:
            raise ValueError(f"no slot {number} of {SLOTS}")
        return HEADER_SIZE + number * WORD

    def checksum(self, chunk: int) -> int:
        """The offset of the checksum of a chunk of rows."""
        return HEADER_SIZE + (SLOTS + chunk) * WORD

    def arrays(self, memory: Any) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        """Each section's name and array, on the bytes of a buffer."""
        for section, offset in zip(self.sections, self.offsets, strict=True):
            yield section.name, np.ndarray(section.shape, section.dtype, buffer=memory, offset=offset)


def lay_out(sections: Sequence[Section]) -> Layout:
    """The layout of a file with these sections; ValueError where there can be none."""
    if len({section.name for section in sections}) != len(sections):
        raise ValueError("two sections have one name")
    if any(np.dtype(section.dtype).kind not in "biuf" for section in sections):
        raise ValueError("a section holds numbers only")
    rows = {section.shape[0] for section in sections if not section.mutable}
    if len(rows) > 1:
        raise ValueError(f"immutable sections have {' and '.join(map(str, sorted(rows)))} rows")
    capacity = rows.pop() if rows else 0
    end = HEADER_SIZE + (SLOTS + -(-capacity // CHUNK_ROWS)) * WORD
    offsets = []
    for section in sections:
        offsets.append(_whole_pages(end))
        end = offsets[-1] + math.prod(section.shape) * np.dtype(section.dtype).itemsize
    return Layout(tuple(sections), tuple(offsets), capacity, _whole_pages(end + WORD))


def pack_header(identity: bytes, layout: Layout) -> bytes:
    """The header with its checksum, HEADER_SIZE bytes; ValueError where the sections do not fit into it."""
    fields = [
        [section.name, np.dtype(section.dtype).str, section.shape, section.mutable]
        for section in layout.sections
    ]
    description = json.dumps(fields).encode()
    if len(identity) != IDENTITY_SIZE:
        raise ValueError(f"an identity has {IDENTITY_SIZE} bytes, not {len(identity)}")
    if _HEADER.size + len(description) > HEADER_SIZE:
        raise ValueError(f"{len(fields)} sections do not fit into a header of {HEADER_SIZE} bytes")
    start = _HEADER.pack(_MAGIC, _VERSION, 0, identity, len(description))
    header = bytearray((start + description).ljust(HEADER_SIZE, b"\0"))
    struct.pack_into("<I", header, _CHECKSUM_AT, host_api.crc32c(header))
    return bytes(header)


def unpack_header(header: bytes) -> tuple[bytes, Layout] | None:
    """Identity and layout, or None for what is no header of this version or has been damaged."""
    if len(header) != HEADER_SIZE:
        return None
    magic, version, checksum, identity, length = _HEADER.unpack_from(header)
    if magic != _MAGIC or version != _VERSION:
        return None
    zeroed = bytearray(header)
    struct.pack_into("<I", zeroed, _CHECKSUM_AT, 0)
    if host_api.crc32c(zeroed) != checksum:
        return None
    fields = json.loads(header[_HEADER.size : _HEADER.size + length])
    sections = [Section(name, dtype, tuple(shape), mutable) for name, dtype, shape, mutable in fields]
    return identity, lay_out(sections)


def _whole_pages(size: int) -> int:
    return -(-size // PAGE) * PAGE
