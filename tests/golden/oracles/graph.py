"""Graph attention by PyTorch Geometric, personalised PageRank by NetworkX."""

from __future__ import annotations

import networkx
import numpy as np
import torch
from torch_geometric.nn import GATConv, GATv2Conv

from .common import FOLDER, numbers


def random_graph(nodes: int, edges: int) -> torch.Tensor:
    """Distinct edges (2, edges) without loops, from source to target."""
    pairs = [(i, j) for i in range(nodes) for j in range(nodes) if i != j]
    chosen = np.random.RandomState(5).permutation(len(pairs))[:edges]
    return torch.tensor([pairs[place] for place in chosen]).T


def save_graph(
    name: str,
    features: torch.Tensor,
    layer: torch.nn.Module,
    edges: torch.Tensor,
    attributes: torch.Tensor | None = None,
    **given: object,
) -> None:
    """The weights of each edge among those of its target, self-loops added."""
    with torch.no_grad():
        _, (ends, weights) = layer(features, edges, attributes, return_attention_weights=True)
    arrays = {"source": ends[0], "target": ends[1], "weights": weights, **given}
    numbers = {key: np.asarray(value) for key, value in arrays.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", features=features.numpy().astype(np.float32), **numbers)


def metric_gatv2(width: int, heads: int, slope: float) -> GATv2Conv:
    """GATv2 whose logits are minus the L1 distance in each head's slice, the slices being nearly equal."""
    slices = np.array_split(np.arange(width), heads)
    widest = max(map(len, slices))
    layer = GATv2Conv(width, 2 * widest, heads, negative_slope=slope, bias=False).double()
    left, attention = torch.zeros(heads, 2 * widest, width), torch.zeros(1, heads, 2 * widest)
    for head, columns in enumerate(slices):
        for place, column in enumerate(columns):
            left[head, place, column], left[head, widest + place, column] = 1, -1
        attention[0, head, : len(columns)] = -1 / (1 - slope)
        attention[0, head, widest : widest + len(columns)] = -1 / (1 - slope)
    with torch.no_grad():
        layer.lin_l.weight.copy_(left.reshape(-1, width))
        layer.lin_r.weight.copy_(-left.reshape(-1, width))
        layer.lin_l.bias, layer.lin_r.bias = None, None
        layer.att.copy_(attention)
    return layer


def make_edge_featured(features: torch.Tensor, edges: torch.Tensor, heads: int) -> None:
    """Both versions with four features of each edge; loops, which come last, get the mean of these."""
    given = numbers(8, edges.shape[1], 4)
    width, out = features.shape[1], 3

    def of_heads(weight: torch.Tensor) -> torch.Tensor:
        return weight.detach().T.reshape(-1, heads, out)

    torch.manual_seed(9)
    static = GATConv(width, out, heads, edge_dim=4, bias=False).double()
    tensors = {
        "projection": of_heads(static.lin.weight),
        "source_vector": static.att_src.detach()[0],
        "target_vector": static.att_dst.detach()[0],
        "edge_projection": of_heads(static.lin_edge.weight),
        "edge_vector": static.att_edge.detach()[0],
    }
    save_graph("edge_featured_gat_v1", features, static, edges, given, given_features=given, **tensors)
    dynamic = GATv2Conv(width, out, heads, edge_dim=4, bias=False).double()
    dynamic.lin_l.bias, dynamic.lin_r.bias = None, None
    tensors = {
        "neighbour_projection": of_heads(dynamic.lin_l.weight),
        "centre_projection": of_heads(dynamic.lin_r.weight),
        "edge_projection": of_heads(dynamic.lin_edge.weight),
        "attention": dynamic.att.detach()[0],
    }
    save_graph("edge_featured_gat_v2", features, dynamic, edges, given, given_features=given, **tensors)


def make_ppr(nodes: int, edges: torch.Tensor, alpha: float) -> None:
    """Visits of a walk from node 0 over weighted edges, of which the last nodes have none to go on."""
    kept = edges[:, edges[0] < nodes - 5]
    weights = np.random.RandomState(10).uniform(0.1, 3, kept.shape[1])
    graph = networkx.DiGraph()
    graph.add_nodes_from(range(nodes))
    graph.add_weighted_edges_from(zip(*kept.tolist(), weights.tolist(), strict=True))
    ranks = networkx.pagerank(graph, 1 - alpha, {0: 1}, max_iter=10_000, tol=1e-16)
    scores = np.array([ranks[node] for node in range(nodes)])
    arrays = {"source": kept[0], "target": kept[1], "weights": weights, "alpha": alpha, "scores": scores}
    np.savez_compressed(FOLDER / "ppr_diffusion.npz", **{name: np.asarray(a) for name, a in arrays.items()})


def make_layers(nodes: int) -> None:
    """What trained layers, biases and all, make of a graph in which every node has an edge to every node."""
    features = numbers(11, nodes, 12)
    everywhere = torch.cartesian_prod(torch.arange(nodes), torch.arange(nodes)).T
    arrays = {"features": features.numpy().astype(np.float32)}
    torch.manual_seed(12)
    for name, kind in (("gat", GATConv), ("gatv2", GATv2Conv)):
        layer = kind(12, 3, 4).double()
        for parameter in layer.parameters():
            # what float32 holds exactly, biases included, which begin as 0
            parameter.data = torch.randn_like(parameter, dtype=torch.float32).double() / 2
        with torch.no_grad():
            output, (ends, weights) = layer(features, everywhere, return_attention_weights=True)
        arrays |= {f"{name}.{key}": value.numpy() for key, value in layer.state_dict().items()}
        arrays |= {f"{name}_output": output.numpy(), f"{name}_weights": weights.numpy()}
        arrays |= {f"{name}_source": ends[0].numpy(), f"{name}_target": ends[1].numpy()}
    np.savez_compressed(FOLDER / "graph_layers.npz", **arrays)


def make() -> None:
    features, edges, heads = numbers(6, 40, 10), random_graph(40, 200), 4
    save_graph("gatv2", features, metric_gatv2(10, heads, 0.2), edges)
    torch.manual_seed(7)
    layer = GATConv(10, 3, heads, bias=False).double()
    projection = layer.lin.weight.detach().T.reshape(10, heads, 3)
    attention = {"source_vector": layer.att_src.detach()[0], "target_vector": layer.att_dst.detach()[0]}
    save_graph("gat", features, layer, edges, projection=projection, **attention)
    make_edge_featured(features, edges, heads)
    make_ppr(40, edges, 0.15)
    make_layers(15)
