"""Functions over mixtures of experts."""

from __future__ import annotations

from typing import Any

from ruattn_fdw import features
from ruattn_fdw.functions.declaration import VECTOR, Argument, Function
from ruattn_fdw.kernels.moe import moe
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.tables.moe_route import ROUTE, gate_settings, route_vector
from ruattn_fdw.tables.shared import kernel_errors


def route(embedding: object, num_experts: int, top_k: int) -> dict[str, Any]:
    """The experts that the seeded gate sends a vector to, with their weights."""
    features.require(moe.MECHANISM)
    arguments = Arguments(ROUTE, {}, {"embedding": embedding, "num_experts": num_experts, "top_k": top_k})
    settings = gate_settings(arguments)
    with kernel_errors():
        experts, weights = route_vector(arguments["embedding"], num_experts, top_k, settings)
    return {
        "expert_indices": experts[0].tolist(),
        "expert_weights": weights[0].tolist(),
        "gate": settings["gate"],
    }


FUNCTIONS = (
    Function(
        name="ruvector_moe_route",
        help="The experts, from 0, that a seeded random gate sends a vector to, and their weights.",
        arguments=(
            Argument("embedding", VECTOR),
            Argument("num_experts", "integer", "8"),
            Argument("top_k", "integer", "2"),
        ),
        returns="jsonb",
        run=route,
    ),
)
