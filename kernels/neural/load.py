"""The models of folders, of whichever kind they are."""

from __future__ import annotations

from pathlib import Path

from .cross_encoder import CrossEncoder
from .network import Network
from .sentence_encoder import OUTPUT, SentenceEncoder

TextModel = CrossEncoder | SentenceEncoder


def load(folder: Path, threads: int = 1) -> TextModel:
    """The model of a folder: one that gives vectors embeds texts. For what is raised see Network."""
    network = Network(folder, threads, OUTPUT)
    if network.rank == 3 or (network.rank == 2 and network.output == OUTPUT):
        return SentenceEncoder(network, folder)
    return CrossEncoder(network)
