"""The one list of attention mechanisms; names, documentation and tests are derived from it."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache

from .core import (
    additive,
    causal,
    cross,
    flash_v2,
    grouped_query,
    multi_head,
    multi_head_latent,
    scaled_dot,
)
from .errors import UnknownMechanism, shown
from .graph import edge_featured_gat, gat, gatv2, mincut_gated, ppr_diffusion
from .hyperbolic import hyperbolic, lorentz, mixed_curvature, poincare
from .information import fisher_rao, information_bottleneck
from .late import max_sim
from .linear import linear, performer
from .mechanism import Mechanism, json_schema, parse_options
from .moe import moe
from .pde import diffusion
from .positional import alibi, rope
from .recurrent import retention, selective_ssm
from .scoring import cosine, differential, entmax, gaussian_kernel, hopfield
from .sparse import local_global, lsh, routing, sliding_window, sparse, top_k
from .topology import sheaf, topology_gated
from .transport import sinkhorn, sliced_wasserstein

__all__ = ["MECHANISMS", "find", "json_schema", "parse_options"]

MECHANISMS: tuple[Mechanism, ...] = (
    scaled_dot.MECHANISM,
    multi_head.MECHANISM,
    flash_v2.MECHANISM,
    cross.MECHANISM,
    causal.MECHANISM,
    grouped_query.MECHANISM,
    multi_head_latent.MECHANISM,
    additive.MECHANISM,
    cosine.MECHANISM,
    gaussian_kernel.MECHANISM,
    entmax.MECHANISM,
    differential.MECHANISM,
    hopfield.MECHANISM,
    linear.MECHANISM,
    performer.MECHANISM,
    retention.MECHANISM,
    selective_ssm.MECHANISM,
    sparse.MECHANISM,
    sliding_window.MECHANISM,
    local_global.MECHANISM,
    top_k.MECHANISM,
    lsh.MECHANISM,
    routing.MECHANISM,
    rope.MECHANISM,
    alibi.MECHANISM,
    gat.MECHANISM,
    gatv2.MECHANISM,
    edge_featured_gat.MECHANISM,
    ppr_diffusion.MECHANISM,
    mincut_gated.MECHANISM,
    hyperbolic.MECHANISM,
    poincare.MECHANISM,
    lorentz.MECHANISM,
    mixed_curvature.MECHANISM,
    sliced_wasserstein.MECHANISM,
    sinkhorn.MECHANISM,
    topology_gated.MECHANISM,
    diffusion.MECHANISM,
    information_bottleneck.MECHANISM,
    fisher_rao.MECHANISM,
    sheaf.MECHANISM,
    moe.MECHANISM,
    max_sim.MECHANISM,
)


@lru_cache(maxsize=1024)
def spelling(name: str) -> str:
    """What two spellings of one name have in common: case, hyphens, underscores and spaces do not count."""
    return re.sub(r"[\s_-]+", "", name).lower()


_BY_SPELLING = {
    spelling(name): m.preset(name) if name in m.presets else m
    for m in MECHANISMS
    for name in (m.name, *m.aliases)
}


@lru_cache(maxsize=256)
def find(name: str) -> Mechanism:
    """The mechanism of this name or alias; UnknownMechanism with the nearest names where there is none."""
    found = _BY_SPELLING.get(spelling(name))
    if found is None:
        raise UnknownMechanism(f"unknown attention mechanism {shown(name)}", _suggestion(name))
    return found


def _suggestion(name: str) -> str:
    written = spelling(name[:60])
    near = difflib.get_close_matches(written, _BY_SPELLING, n=3, cutoff=0.6)
    likeness = [difflib.SequenceMatcher(None, written, key).ratio() for key in near]
    near = [key for key, ratio in zip(near, likeness, strict=True) if ratio > 0.9 * likeness[0]]
    names = list(dict.fromkeys(_BY_SPELLING[key].name for key in near))
    if names:
        return f"Did you mean {' or '.join(names)}?"
    return f"Known mechanisms: {', '.join(m.name for m in MECHANISMS)}."
