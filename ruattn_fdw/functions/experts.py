"""Functions over mixtures of experts."""

from __future__ import annotations

from typing import Any

from ruattn_fdw import features
from ruattn_fdw.functions.declaration import VECTOR, Argument, Function
from ruattn_fdw.kernels.moe import moe
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.tables.moe_route import ROUTE, gate_settings, route_vector
from ruattn_fdw.tables.shared import kernel_errors


def route(
    embedding: object, num_experts: int | None, top_k: int | None, model: str | None
) -> dict[str, Any] | None:
    """The experts that a gate, of a model or else seeded, sends a vector to, with their weights."""
    features.require(moe.MECHANISM)
    given = {"embedding": embedding, "num_experts": num_experts, "top_k": top_k, "model": model}
    arguments = Arguments(ROUTE, {}, {name: value for name, value in given.items() if value is not None})
    if arguments["embedding"] is None:
        return None
    settings = gate_settings(arguments)
    with kernel_errors():
        experts, weights = route_vector(
            arguments["embedding"], arguments["num_experts"], arguments["top_k"], settings
        )
    return {
        "expert_indices": experts[0].tolist(),
        "expert_weights": weights[0].tolist(),
        "gate": settings["gate"],
    }


FUNCTIONS = (
    Function(
        name="ruvector_moe_route",
        help="The experts, from 0, that a gate sends a vector to, and their weights: the gate of a model, "
        "or else a seeded random one, of 8 experts unless num_experts says otherwise.",
        arguments=(
            Argument("embedding", VECTOR),
            Argument("num_experts", "integer", "NULL"),
            Argument("top_k", "integer", "2"),
            Argument("model", "text", "NULL"),
        ),
        returns="jsonb",
        run=route,
        volatility="STABLE",
        strict=False,
    ),
)
