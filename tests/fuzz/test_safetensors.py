"""Damaged files of weights: an error that names the file, and no memory for what is not there."""

import json
import resource
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ruattn_fdw.cli.layers import read_layer
from ruattn_fdw.server.errors import ServerError

OFTEN = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIZES = st.sampled_from(
    [
        0,
        1,
        4,
        16,
        32,
        63,
        64,
        65,
        2**31,
        2**32,
        2**62,
        2**63 - 1,
        2**63,
        2**64,
        -1,
        -(2**63),
        1.5,
        None,
        "4",
        True,
    ]
)
KINDS = ["F32", "F16", "BF16", "F64", "I64", "BOOL", "U8", "X", "", None, 4]
NAMES = [
    "q_proj.weight",
    "k_proj.weight",
    "v_proj.weight",
    "query.weight",
    "key.weight",
    "W",
    "a_src",
    "a_dst",
    "gate",
    "",
    "é",
]


def entries() -> st.SearchStrategy[dict[str, Any]]:
    sound = st.just({"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]})
    odd = st.fixed_dictionaries(
        {},
        optional={
            "dtype": st.sampled_from(KINDS),
            "shape": st.one_of(st.lists(SIZES, max_size=4), SIZES),
            "data_offsets": st.one_of(st.lists(SIZES, max_size=3), SIZES),
            "more": SIZES,
        },
    )
    return st.one_of(sound, odd)


HEADERS = st.dictionaries(st.sampled_from([*NAMES, "__metadata__"]), entries(), max_size=4)
DATA = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([1.0, float("nan"), float("inf"), 1e38]), max_size=40).map(
        lambda x: np.float32(x).tobytes()
    ),
)


def read(path: Path, content: bytes) -> None:
    """Read a file of this content: a layer, or an error that a user can act on; little memory in any case."""
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with suppress(ServerError):
        tensors = read_layer(path, "")
        assert all(np.isfinite(array).all() for array in tensors.values())
        assert sum(array.nbytes for array in tensors.values()) <= 8 * len(content)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024, f"{grown} kB more"


@given(header=HEADERS, data=DATA, twice=st.booleans())
@OFTEN
def test_headers_that_lie(tmp_path: Path, header: dict[str, Any], data: bytes, twice: bool) -> None:
    text = json.dumps(header)
    if twice and header:
        name, entry = next(iter(header.items()))
        text = f'{{"{name}": {json.dumps(entry)}, {text[1:]}'
    read(tmp_path / "w.safetensors", struct.pack("<Q", len(text.encode())) + text.encode() + data)


@pytest.fixture(scope="module")
def sound() -> bytes:
    """A small sound file."""
    names = ("q_proj.weight", "k_proj.weight", "v_proj.weight")
    header = {
        name: {"dtype": "F32", "shape": [4, 4], "data_offsets": [64 * i, 64 * i + 64]}
        for i, name in enumerate(names)
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + np.ones(48, np.float32).tobytes()


def test_the_sound_file_is_read(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(sound)
    assert {name: array.shape for name, array in read_layer(path, "").items()} == dict.fromkeys(
        ("W_q", "W_k", "W_v"), (4, 4)
    )


@given(cut=st.integers(0, 400), place=st.integers(0, 400), put=st.binary(min_size=1, max_size=9))
@OFTEN
def test_files_that_are_cut_or_overwritten(
    tmp_path: Path, sound: bytes, cut: int, place: int, put: bytes
) -> None:
    read(tmp_path / "w.safetensors", sound[:cut])
    damaged = bytearray(sound)
    damaged[place : place + len(put)] = put
    read(tmp_path / "w.safetensors", bytes(damaged))
