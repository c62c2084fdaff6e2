"""The models of folders, of whichever kind they are."""

from __future__ import annotations

from pathlib import Path

from .cross_encoder import CrossEncoder
from .network import Network
from .sentence_encoder import OUTPUT, SentenceEncoder

TextModel = CrossEncoder | SentenceEncoder

LOGITS = "logits"
"""What models that judge call their output: that of those which label tokens has as many axes as vectors."""


def load(folder: Path, threads: int = 1) -> TextModel:
    """The model of a folder: one that gives vectors embeds texts. For what is raised see Network."""
    network = Network(folder, threads, OUTPUT)
    by_token = network.rank == 3 and network.output != LOGITS
    if by_token or (network.rank == 2 and network.output == OUTPUT):
        return SentenceEncoder(network, folder)
    return CrossEncoder(network)
