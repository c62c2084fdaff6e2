"""The virtual tables, one file each; DDL, validation and documentation are made of the list `TABLES`."""

from __future__ import annotations

from ruattn_fdw.handler import AttentionTable
from ruattn_fdw.tables.attention_score import AttentionScore
from ruattn_fdw.tables.attention_types import AttentionTypes
from ruattn_fdw.tables.mha_search import MhaSearch

TABLES: dict[str, type[AttentionTable]] = {
    table.declaration.name: table for table in (AttentionTypes, AttentionScore, MhaSearch)
}
