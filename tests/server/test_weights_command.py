"""The command line: sets of weights in and out of a database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from safetensors.numpy import save_file

from ruattn_fdw.cli.layers import read_layer
from ruattn_fdw.cli.main import main
from ruattn_fdw.server.errors import ServerError
from ruattn_fdw.server.server import Server

RANDOM = np.random.RandomState(2)
W = {role: RANDOM.standard_normal((6, 4)).astype(np.float32) for role in "qkv"}
W["o"] = RANDOM.standard_normal((4, 6)).astype(np.float32)
B = {role: RANDOM.standard_normal(weight.shape[1]).astype(np.float32) for role, weight in W.items()}
Run = Callable[..., str]


def named(query: str, key: str, value: str, output: str) -> dict[str, np.ndarray]:
    layers = dict(zip("qkvo", (query, key, value, output), strict=True))
    weights = {f"{layer}.weight": np.ascontiguousarray(W[role].T) for role, layer in layers.items()}
    return weights | {f"{layer}.bias": B[role] for role, layer in layers.items()}


STACKED = {
    "in_proj_weight": np.concatenate([W[role].T for role in "qkv"]),
    "in_proj_bias": np.concatenate([B[role] for role in "qkv"]),
    "out_proj.weight": np.ascontiguousarray(W["o"].T),
    "out_proj.bias": B["o"],
}
GPT2 = {
    "c_attn.weight": np.concatenate([W[role] for role in "qkv"], axis=1),
    "c_attn.bias": STACKED["in_proj_bias"],
    "c_proj.weight": W["o"],
    "c_proj.bias": B["o"],
}
TIMM = {
    name.replace("in_proj_", "qkv.").replace("out_proj", "proj"): array for name, array in STACKED.items()
}
BERT = named("self.query", "self.key", "self.value", "output.dense")
FILES = {
    "bert": ("encoder.layer.1.attention.", BERT),
    "gpt": ("layers.0.self_attn.", named("q_proj", "k_proj", "v_proj", "out_proj")),
    "llama": ("model.layers.3.self_attn.", named("q_proj", "k_proj", "v_proj", "o_proj")),
    "distilbert": ("transformer.layer.0.attention.", named("q_lin", "k_lin", "v_lin", "out_lin")),
    "gpt2": ("h.0.attn.", GPT2),
    "timm": ("blocks.0.attn.", TIMM),
    "vit": (
        "encoder.layer.0.attention.",
        named("attention.query", "attention.key", "attention.value", "output.dense"),
    ),
    "torch": ("encoder.layers.0.self_attn.", STACKED),
    "own": ("", {**{f"W_{r}": w for r, w in W.items()}, **{f"b_{r}": b for r, b in B.items()}}),
}


def save(path: Path, tensors: dict[str, np.ndarray], prefix: str = "") -> Path:
    save_file({prefix + name: np.ascontiguousarray(array) for name, array in tensors.items()}, path)
    return path


@pytest.mark.parametrize("kind", FILES)
def test_layers_are_known_by_their_names(kind: str, tmp_path: Path) -> None:
    prefix, tensors = FILES[kind]
    beside = {"encoder.layer.1.output.dense.weight": np.ones((9, 9), np.float32)}
    file = save(tmp_path / "file", {**beside, **{prefix + name: array for name, array in tensors.items()}})
    layer = prefix.removesuffix(".")
    outer = layer.rpartition(".")[0] if layer else layer
    for given in (prefix, layer, outer):
        found = read_layer(file, given)
        assert set(found) == {f"{kind}_{role}" for kind in "Wb" for role in "qkvo"}
        for role in "qkvo":
            np.testing.assert_array_equal(found[f"W_{role}"], W[role])
            np.testing.assert_array_equal(found[f"b_{role}"], B[role])


def test_halves_of_both_kinds_become_floats(tmp_path: Path) -> None:
    file = save(tmp_path / "file", {"W_q": np.array([[1.5, -2], [0, 3]], np.float16)})
    np.testing.assert_array_equal(read_layer(file, "")["W_q"], [[1.5, -2], [0, 3]])
    halves = np.array([[1.5, -2], [0, 3]], np.float32).view(np.uint32) >> 16
    header = b'{"W_q":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]}}'
    file.write_bytes(len(header).to_bytes(8, "little") + header + halves.astype("<u2").tobytes())
    np.testing.assert_array_equal(read_layer(file, "")["W_q"], [[1.5, -2], [0, 3]])


HEADER = b'{"W_q":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}'
HARMED = {
    "a header without its data": (HEADER, b""),
    "a shape of more than the data": (HEADER.replace(b"[2,2]", b"[9223372036854775807,4]"), bytes(16)),
    "offsets beyond the data": (HEADER.replace(b"16", b"99"), bytes(16)),
    "no JSON": (b"W_q", bytes(16)),
}


def test_a_block_with_norms_of_its_own_is_refused(tmp_path: Path) -> None:
    block = {"A_log": np.ones((4, 2), np.float32), "x_proj.weight": np.ones((5, 4), np.float32)}
    assert set(read_layer(save(tmp_path / "plain", block, "layers.0.mixer."), "layers.0")) == {
        "A_log",
        "x_proj",
    }
    block["b_layernorm.weight"] = np.ones(2, np.float32)
    with pytest.raises(ServerError, match=r"layers with mixer\.b_layernorm\.weight are not known"):
        read_layer(save(tmp_path / "normed", block, "layers.0.mixer."), "layers.0")


@pytest.mark.parametrize("what", HARMED)
def test_a_harmed_file_is_one_sentence(what: str, tmp_path: Path) -> None:
    header, data = HARMED[what]
    file = tmp_path / "file"
    file.write_bytes(len(header).to_bytes(8, "little") + header + data)
    with pytest.raises(ServerError, match="cannot be read as a safetensors file"):
        read_layer(file, "")


def test_what_is_no_layer_is_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "file", BERT, "encoder.layer.0.attention.")
    with pytest.raises(ServerError) as caught:
        read_layer(file, "decoder")
    assert caught.value.message.endswith("layers that are known: encoder.layer.0.attention")
    save(file, {"W_q": np.array([[1, np.nan]], np.float32)})
    with pytest.raises(ServerError, match="W_q holds NaN or infinity"):
        read_layer(file, "")
    save(file, {"in_proj_weight": np.ones((7, 4), np.float32)})
    with pytest.raises(ServerError, match=r"not those of a layer: in_proj_weight \(7, 4\)"):
        read_layer(file, "")
    save(file, {"lin.weight": np.ones((7, 4), np.float32), "att_src": np.ones((1, 2, 2), np.float32)})
    with pytest.raises(ServerError, match=r"layer: lin.weight \(7, 4\), att_src \(1, 2, 2\)"):
        read_layer(file, "")
    save(file, {"W_q": np.array([[1, 2]])})
    with pytest.raises(ServerError, match="W_q holds I64, weights are F16"):
        read_layer(file, "")


@pytest.fixture
def run(server: Server, database: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``ruattn weights`` on the test's database, and gives what it prints."""

    def weights(*arguments: str | Path, fails: bool = False) -> str:
        code = main(["weights", *map(str, arguments), "--uri", server.uri(), "--database", database])
        said = capsys.readouterr()
        assert code == int(fails), said.err
        return said.err if fails else said.out

    return weights


def test_a_set_is_loaded_shown_replaced_and_dropped(
    run: Run, db: psycopg.Connection[Any], tmp_path: Path
) -> None:
    file = save(tmp_path / "file", BERT, "layer.")
    assert "there are no sets of weights" in run("list")
    assert "mechanisms that take it: scaled_dot, multi_head, " in run(
        "load", file, "--prefix", "layer", "--as", "m"
    )
    stored = db.execute("SELECT tensor, shape, data FROM ruattn_weights WHERE name = 'm'").fetchall()
    assert len(stored) == 8
    for tensor, shape, data in stored:
        expected = {"W": W, "b": B}[tensor[0]][tensor[2]]
        np.testing.assert_array_equal(np.reshape(data, shape).astype(np.float32), expected)
    assert "│ m " in run("list")
    assert "6 x 4" in run("show", "m")
    again = ("load", save(file, {"W_q": W["q"]}), "--as", "m")
    assert 'there is a set "m" already; say --replace' in run(*again, fails=True)
    run(*again, "--replace")
    assert db.execute("SELECT count(*) FROM ruattn_weights").fetchall() == [(1,)]
    assert run("drop", "m") == "dropped m\n"
    for action in ("show", "drop"):
        said = run(action, "m", fails=True).splitlines()
        assert said[0] == 'ruattn: there is no set "m" in the database "test"'
        assert said[1] == "mend it with: ruattn weights list --database test"


def test_shapes_are_checked_before_anything_is_stored(run: Run, tmp_path: Path) -> None:
    file = save(tmp_path / "file", {"W_q": W["q"], "W_k": W["k"][:, :3]})
    said = run("load", file, "--as", "m", fails=True)
    assert said == "ruattn: W_q has the shape (6, 4), W_k (6, 3)\n"


def test_a_database_without_the_extension_is_named(run: Run, db: psycopg.Connection[Any]) -> None:
    db.execute("DROP EXTENSION ruattn_fdw")
    expected = 'ruattn: the database "test" has no extension ruattn_fdw; name another with --database\n'
    assert run("list", fails=True) == expected


def test_without_a_server_the_embedded_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    assert main(["weights", "list", "--data", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert f"no server runs on {tmp_path}, and neither --uri nor PGHOST names another" in said
