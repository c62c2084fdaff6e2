"""Graph attention by PyTorch Geometric."""

from __future__ import annotations

import numpy as np

from peers import Peer
from peers.exact import THREADS, named


def geometric_gatv2(features: np.ndarray, heads: int, node: str) -> list[Peer]:
    """One layer over a node's neighbours, features (n, d) in memory, the node itself first.

    Its projections are learned where gat_search compares the features as they are; random ones cost the same.
    """
    import torch
    from torch_geometric.nn import GATv2Conv

    torch.manual_seed(0)
    width = features.shape[1]
    layer = GATv2Conv(width, width // heads, heads, add_self_loops=False).eval()
    rows = torch.from_numpy(features)
    edges = torch.stack([torch.arange(len(rows)), torch.zeros(len(rows), dtype=torch.long)])

    def answer(_: int) -> None:
        with torch.inference_mode():
            layer((rows, rows[:1]), edges, return_attention_weights=True)

    def peer(threads: int) -> Peer:
        name = f"PyG GATv2Conv, {node}, features in memory, {named(threads)}"
        return Peer(name, answer, lambda: torch.set_num_threads(threads))

    return [peer(threads) for threads in THREADS]
