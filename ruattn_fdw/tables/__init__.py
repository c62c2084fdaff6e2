"""The virtual tables, one file each; DDL, validation and documentation are made of the list `TABLES`."""

from __future__ import annotations

from ruattn_fdw.handler import AttentionTable
from ruattn_fdw.tables.attention import Attention
from ruattn_fdw.tables.attention_indexes import AttentionIndexes
from ruattn_fdw.tables.attention_score import AttentionScore
from ruattn_fdw.tables.attention_stats import AttentionStats
from ruattn_fdw.tables.attention_types import AttentionTypes
from ruattn_fdw.tables.cross_attention import CrossAttention
from ruattn_fdw.tables.gat_search import GatSearch
from ruattn_fdw.tables.mha_search import MhaSearch
from ruattn_fdw.tables.moe_route import MoeRoute
from ruattn_fdw.tables.neural_rerank import NeuralRerank
from ruattn_fdw.tables.sliding_attention import SlidingAttention

TABLES: dict[str, type[AttentionTable]] = {
    table.declaration.name: table
    for table in (
        AttentionTypes,
        AttentionScore,
        MhaSearch,
        Attention,
        CrossAttention,
        SlidingAttention,
        GatSearch,
        MoeRoute,
        NeuralRerank,
        AttentionIndexes,
        AttentionStats,
    )
}
