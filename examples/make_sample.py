"""Make the sample in ``examples/data`` from WordNet's synsets and their sentence embeddings.

    python examples/make_sample.py FOLDER

FOLDER holds ``synsets.tsv.gz`` (id, part of speech, words joined by |, gloss), ``embeddings.f16.npy`` (row i
belongs to id i + 1), ``edges.tsv.gz`` (id, WordNet's pointer symbol, id) and ``queries.json`` (a list of
{"text", "embedding"}).
The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROWS = 4000
NEAREST = 60
TARGET = Path(__file__).parent / "data"
# read from source to target; the other pointers say the same backwards
KINDS = {
    "@": "kind of",
    "@i": "instance of",
    "#m": "member of",
    "#p": "part of",
    ";c": "used in topic",
    ";r": "used in region",
    "&": "similar to",
    "^": "see also",
}


def choose(embeddings: NDArray[np.float32], questions: NDArray[np.float32]) -> NDArray[np.int64]:
    """Row numbers, ascending: each question's NEAREST rows, filled up to ROWS by an even spread of the rest.

    embeddings : (n, d); questions : (q, d); both of unit norm.
    """
    nearest = np.argsort(-(questions @ embeddings.T), axis=1, kind="stable")[:, :NEAREST]
    chosen = np.unique(nearest)
    rest = np.setdiff1d(np.arange(len(embeddings)), chosen)
    spread = np.linspace(0, len(rest) - 1, ROWS - len(chosen)).round().astype(np.int64)
    return np.union1d(chosen, rest[spread])


def document(line: str) -> str:
    """One line of synsets.tsv as a line of documents.tsv: id, title, body."""
    number, _part_of_speech, words, gloss = line.rstrip("\n").split("\t")
    return "\t".join([number, words.replace("|", ", "), gloss]) + "\n"


def edges_within(lines: Iterable[str], chosen: set[str]) -> Iterator[str]:
    """Those lines of edges.tsv whose ends are both chosen ids, as source, target, kind."""
    for line in lines:
        source, symbol, target = line.rstrip("\n").split("\t")
        if symbol in KINDS and {source, target} <= chosen:
            yield f"{source}\t{target}\t{KINDS[symbol]}\n"


def write_sample(folder: Path, target: Path) -> None:
    """Write the documents, their embeddings and edges, the questions and theirs into ``target``."""
    stored = np.load(folder / "embeddings.f16.npy", mmap_mode="r")
    queries = json.loads((folder / "queries.json").read_text())
    questions = np.array([query["embedding"] for query in queries], dtype=np.float32)
    rows = choose(stored.astype(np.float32), questions)
    with gzip.open(folder / "synsets.tsv.gz", "rt", encoding="utf-8") as file:
        lines = file.readlines()
    text = "".join(document(lines[row]) for row in rows)
    target.mkdir(exist_ok=True)
    (target / "documents.tsv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    np.save(target / "documents.f16.npy", stored[rows])
    with gzip.open(folder / "edges.tsv.gz", "rt", encoding="utf-8") as file:
        (target / "edges.tsv").write_text("".join(edges_within(file, {str(row + 1) for row in rows})))
    numbered = (f"{number}\t{query['text']}\n" for number, query in enumerate(queries, start=1))
    (target / "questions.tsv").write_text("".join(numbered))
    np.save(target / "questions.npy", questions)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the folder of the full data")
    write_sample(parser.parse_args().folder, TARGET)
