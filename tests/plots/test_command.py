import sys
from pathlib import Path

import psycopg
import pytest

from ruattn_fdw.cli.main import main
from ruattn_fdw.plots import fonts
from ruattn_fdw.server.server import Server

ROWS = ["--table-name", "documents", "--query-id", "7"]
NODES = ["--node-table", "documents", "--edge-table", "links", "--query-node-id", "1"]


@pytest.mark.parametrize(
    ("picture", "arguments"),
    [
        ("heads.png", [*ROWS, "--num-heads", "4"]),
        ("graph.svg", [*NODES, "--hops", "2", "--direction", "out"]),
        ("entropy.png", [*ROWS, "--temperature", "0.05", "--attention-type", "multi-head", "linear"]),
        ("compare.svg", [*ROWS, "--temperature", "0.05", "--attention-type", "cosine", "gatv2", "--k", "5"]),
    ],
)
def test_each_picture_is_written_as_its_suffix_says(
    pictures_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], picture: str, arguments: list[str]
) -> None:
    file = tmp_path / picture
    command = ["plot", file.stem, str(file), *arguments, "--uri", pictures_uri, "--label", "100% title"]
    assert main(command) == 0, capsys.readouterr().err
    assert capsys.readouterr().out == f"{file}\n"
    assert file.read_bytes().startswith(b"\x89PNG" if file.suffix == ".png" else b"<?xml")


def test_letters_that_are_drawn_as_boxes_are_named(
    pictures_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "use_installed", lambda figure: "\u6ce8\u610f")
    assert main(["plot", "heads", str(tmp_path / "picture.png"), *ROWS, "--uri", pictures_uri]) == 0
    assert capsys.readouterr().err == "drawn as boxes, for no font here has them: \u6ce8\u610f\n"


def test_entropy_of_every_cheap_mechanism_says_what_is_left_out(
    pictures_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "entropy.svg"
    assert main(["plot", "entropy", str(file), *ROWS, "--uri", pictures_uri]) == 0
    assert "left out sliced_wasserstein: sliced_wasserstein needs token_dim" in capsys.readouterr().err
    assert file.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["heads", "--table-name", "document", "--query-id", "7"], 'relation "document" does not exist'),
        (["heads", *ROWS, "--label", "titel"], "column d.titel does not exist"),
        (["heads", "--table-name", "documents"], 'mha_search needs a value for its parameter "query"'),
        (
            ["heads", "--table-name", "named", "--query", "[1,0]", "--label", "title"],
            "named.id has type text",
        ),
        (["heads", *ROWS, "--candidates", "{}"], "mha_search found no row"),
        (["entropy", *ROWS, "--attention-type", "differential"], "differential has no entropy"),
        (["compare", *ROWS, "--attention-type", "cosin"], "unknown attention mechanism 'cosin'"),
    ],
    ids=["relation", "label", "query", "ids", "rows", "entropy", "mechanism"],
)
def test_what_is_wrong_is_one_sentence(
    pictures_uri: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    file = tmp_path / "picture.png"
    assert main(["plot", arguments[0], str(file), *arguments[1:], "--uri", pictures_uri]) == 1
    assert capsys.readouterr().err.startswith(f"ruattn: {message}")
    assert not file.exists()


@pytest.mark.parametrize(
    ("file", "k", "message"),
    [
        ("picture.pdf", "5", "a picture is a .png or .svg, got picture.pdf"),
        ("picture.png", "61", "a picture shows 1 to 60 rows, got 61"),
    ],
)
def test_what_no_picture_can_be_is_refused(
    capsys: pytest.CaptureFixture[str], file: str, k: str, message: str
) -> None:
    with pytest.raises(SystemExit):
        main(["plot", "heads", file, *ROWS, "--k", k])
    assert message in capsys.readouterr().err


def test_a_database_without_the_extension_is_named(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    assert main(["plot", "heads", "picture.png", *ROWS]) == 1
    expected = 'ruattn: the database "postgres" has no extension ruattn_fdw; name another with --database\n'
    assert capsys.readouterr().err == expected


def test_an_extension_in_a_schema_of_its_own_is_found(
    database: str, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(server.uri(database), autocommit=True) as connection:
        connection.execute("CREATE TABLE documents AS SELECT 7 AS id, '{1,2}'::real[] AS embedding")
        connection.execute("DROP EXTENSION ruattn_fdw; CREATE SCHEMA elsewhere")
        connection.execute("CREATE EXTENSION ruattn_fdw SCHEMA elsewhere")
    file = tmp_path / "picture.svg"
    command = ["plot", "heads", str(file), *ROWS, "--num-heads", "1", "--uri", server.uri(database)]
    assert main(command) == 0, capsys.readouterr().err


def test_without_matplotlib_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [
        name for name in sys.modules if name.startswith(("ruattn_fdw.cli.plot", "ruattn_fdw.plots"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["plot", "heads", "picture.png", *ROWS]) == 1
    assert "mend it with: pip install 'ruattn-fdw[plot]'" in capsys.readouterr().err


def test_a_data_folder_without_a_server_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", "heads", "picture.png", *ROWS, "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"ruattn: no server runs on {tmp_path}")
