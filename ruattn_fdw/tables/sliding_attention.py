"""The table `sliding_attention`: attention within windows that slide over a sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.cache.rows import read_rows
from ruattn_fdw.declaration import Parameter, Result, SourceRow, Table
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.handler import DEFAULT_ROWS, AttentionTable, Batch, Cost
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.keyset import KeySet
from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.kernels.outputs import outputs, windows
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.source import companions
from ruattn_fdw.source.relation import Source, estimated_rows
from ruattn_fdw.source.rows import Rows
from ruattn_fdw.tables import models, naming, ordering, shared
from ruattn_fdw.tables.mha_search import COST_OF_READING_A_ROW, STARTUP_COST
from ruattn_fdw.values import Unknown

COST_OF_A_PAIR = 0.0001

SLIDING = Table(
    name="sliding_attention",
    help="Attention within windows that slide over a sequence, a row for each window and position.",
    results=(
        Result("window_index", "integer", "number of the window, from 0"),
        Result("window_start", "integer", "first position of the window, from 1"),
        Result("window_end", "integer", "last position of the window"),
        Result("position", "integer", "position of this row in the sequence, from 1"),
        Result("id", "bigint", "id of the row at this position, NULL for an array", named_by="id_column"),
        Result("output", "real[]", "the window's vectors summed by attention weight for this one"),
    ),
    parameters=(
        Parameter(
            "embeddings",
            "real[]",
            "the sequence: a two-dimensional array, a vector in each row",
            one_of="embeddings, table_name",
        ),
        Parameter(
            "table_name",
            "text",
            "relation that holds the sequence, with order_column",
            one_of="embeddings, table_name",
        ),
        Parameter("order_column", "text", "column that orders the rows: numbers, dates or timestamps"),
        shared.VECTOR_COLUMN,
        shared.ID_COLUMN,
        Parameter("window_size", "integer", "positions in a window", default=256, minimum=1),
        Parameter(
            "stride",
            "integer",
            "positions from one window to the next, at most window_size",
            default=128,
            minimum=1,
        ),
        shared.num_heads(default=1),
        shared.attention_type("scaled_dot"),
        shared.TEMPERATURE,
        shared.MODEL,
        shared.OPTIONS,
    ),
    example="SELECT window_index, position, output FROM sliding_attention WHERE "
    "embeddings = ARRAY[[1, 0], [0, 1], [1, 1]]::real[] AND window_size = 2 AND stride = 1",
    source_row=SourceRow("id", "table_name", "id_column"),
)


class SlidingAttention(AttentionTable):
    """Reads the sequence, and yields the outputs of one window after the other."""

    declaration = SLIDING

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """Read the sequence, then attend window by window as far as rows are asked for."""
        _check_stride(arguments)
        mechanism = shared.settle_mechanism(arguments, SLIDING.name)
        shared.kernel_settings(mechanism, arguments)
        source = _source(arguments, report)
        rows = _given_sequence(arguments) if source is None else _sequence(source, memo, report)
        report.scored(mechanism.name, 0 if source is None else source.oid, len(rows))
        if not len(rows):
            return iter(())
        shared.check_pairs(mechanism, *2 * (min(len(rows), arguments["window_size"]),))
        asking, answering, settings = _projected(mechanism, rows, arguments, report)
        shared.send_remark(mechanism, answering.keyset, settings.heads, settings.options, memo)
        return _emit(asking, answering, arguments, settings, report)

    def cost(self, arguments: Arguments) -> Cost:
        """Every position of a window is compared with every other."""
        size, stride = (arguments.known(name) or 1 for name in ("window_size", "stride"))
        length = _estimated_length(arguments)
        rows = max(1.0, min(size, length) * max(1.0, length / stride))
        startup = STARTUP_COST + COST_OF_READING_A_ROW * length
        return Cost(rows, startup, startup + COST_OF_A_PAIR * rows * size)

    def explanation(self, arguments: Arguments) -> list[tuple[str, object]]:
        """Mechanism, source and parameters in effect."""
        lines = [shared.explain_mechanism(arguments, SLIDING.name)]
        unknown = [arguments[name] for name in _SOURCE if isinstance(arguments[name], Unknown)]
        if unknown:
            lines.append(("Source", ", ".join(value.text for value in unknown)))
        elif arguments["table_name"] is not None:
            lines.append(("Source", _ordered_source(arguments).description))
        if not any(isinstance(arguments[name], Unknown) for name in ("window_size", "stride")):
            _check_stride(arguments)
        return [
            *lines,
            shared.explain_projections(arguments, SLIDING.name),
            ("Parameters", arguments.summary()),
        ]


_SOURCE = ("table_name", "order_column", "vector_column", "id_column")


def _check_stride(arguments: Arguments) -> None:
    if arguments["stride"] > arguments["window_size"]:
        raise AttentionError(
            f"stride is {arguments['stride']}, window_size is {arguments['window_size']}",
            hint="A stride longer than the window would leave positions out; make it at most window_size.",
        )


def _source(arguments: Arguments, report: Report) -> Source | None:
    """The relation with the sequence, None where it is given as embeddings."""
    if arguments["table_name"] is None:
        return None
    with report.timing("check"):
        return _ordered_source(arguments)


def _sequence(source: Source, memo: dict[str, Any], report: Report) -> Rows:
    """The vectors of a relation in their order, with ids."""
    rows = read_rows(source, None, memo, report)
    if rows.places is None:
        return rows
    return rows.take(np.lexsort((rows.ids[:], rows.places)))


def _given_sequence(arguments: Arguments) -> Rows:
    for name in ("order_column", "vector_column", "id_column"):
        if arguments[name] is not None:
            raise AttentionError(
                f'parameter "{name}" is given without table_name',
                hint="Leave it out, or give table_name instead of embeddings.",
            )
    vectors: np.ndarray = arguments["embeddings"]
    return Rows(np.arange(len(vectors)), KeySet(vectors), 0)


def _ordered_source(arguments: Arguments) -> Source:
    source = naming.resolve_as(arguments, "table_name", "id_column", "vector_column")
    if arguments["order_column"] is None:
        raise AttentionError(
            'sliding_attention over a table needs the parameter "order_column"',
            hint=ordering.what_orders(source),
        )
    return companions.with_order(source, arguments["order_column"])


def _projected(
    mechanism: Mechanism, rows: Rows, arguments: Arguments, report: Report
) -> tuple[Rows, Rows, Settings]:
    """(the sequence as it asks, as it answers, with values where they are not its keys, settings)."""
    label = "embeddings"
    if arguments["table_name"] is not None:
        label = f"{arguments['table_name']}.{arguments['vector_column']}"
    with report.timing("kernel"), shared.kernel_errors():
        asking = models.project_queries(mechanism, rows, label)
        answering = models.project_keys(mechanism, rows, label)
        settings = shared.many_settings(mechanism, arguments, asking.width)
        values = models.project_values(rows, asking.width, settings, label)
    return asking, replace(answering, values=values), settings


def _emit(
    asking: Rows, answering: Rows, arguments: Arguments, settings: Settings, report: Report
) -> Iterator[Batch]:
    """A batch for each block of positions of each window."""
    named, rows = arguments["table_name"] is not None, answering
    for index, (start, end) in enumerate(windows(len(rows), arguments["window_size"], arguments["stride"])):
        blocks = outputs(
            settings,
            asking.keyset[start:end],
            rows.keyset[start:end],
            None if rows.values is None else rows.values[start:end],
            entropy=False,
            checkpoint=host_api.check_interrupts,
        )
        first = start
        while True:
            with report.timing("kernel"), shared.kernel_errors(_naming(rows, start, named)):
                block = next(blocks, None)
                block = block and models.project_output(settings.mechanism, block)
            if block is None:
                break
            places = np.arange(first, first + len(block))
            first += len(block)
            yield Batch(
                len(block),
                {
                    "window_index": (index,),
                    "window_start": (start + 1,),
                    "window_end": (end,),
                    "position": places + 1,
                    "id": rows.shown_ids(places) if named else (None,),
                    "output": block.output,
                },
            )


def _naming(rows: Rows, start: int, named: bool) -> Any:
    """What the user calls the vector at an index of a window."""

    def name(row: int) -> str:
        place = start + row
        return f"row {rows.shown_ids(np.array([place]))[0]}" if named else f"position {place + 1}"

    return name


def _estimated_length(arguments: Arguments) -> float:
    given = arguments.known("embeddings")
    if given is not None:
        return len(given)
    name = arguments.known("table_name")
    relation = host_api.relation(name) if name else None
    rows = estimated_rows(relation) if relation else None
    return DEFAULT_ROWS if rows is None else rows
