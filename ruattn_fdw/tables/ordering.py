"""The order of the keys: which column gives it, and where the query stands in it."""

from __future__ import annotations

import numpy as np

from ruattn_fdw import features
from ruattn_fdw.errors import NOT_SUPPORTED, AttentionError
from ruattn_fdw.kernels import registry
from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.kernels.positions import Order, Positions
from ruattn_fdw.kernels.problem import Options
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.source import companions
from ruattn_fdw.source.relation import Source
from ruattn_fdw.source.rows import Rows


def with_companions(source: Source, arguments: Arguments, mechanism: Mechanism, options: Options) -> Source:
    """The source with what the mechanism reads beside vectors: an order, and columns that options name."""
    return _with_order(with_columns(source, mechanism, options), arguments, mechanism, options)


def with_columns(source: Source, mechanism: Mechanism, options: Options) -> Source:
    """The source with the columns of numbers that options name."""
    wanted = {name: options[name] for name in mechanism.columns if options[name] is not None}
    return companions.with_numbers(source, wanted) if wanted else source


def _with_order(source: Source, arguments: Arguments, mechanism: Mechanism, options: Options) -> Source:
    """The source with the column that orders it, which a mechanism that knows an order must be given."""
    _refuse_without_use(arguments, mechanism, options)
    if not mechanism.needs_order(options):
        return source
    if arguments["order_column"] is None:
        raise AttentionError(
            f'{mechanism.name} needs the parameter "order_column"',
            hint=what_orders(source),
        )
    ordered = companions.with_order(source, arguments["order_column"])
    if isinstance(ordered.order_column, companions.Moment):
        _refuse_default_per_step(arguments, mechanism, ordered.order_column)
    return ordered


def _refuse_default_per_step(arguments: Arguments, mechanism: Mechanism, column: str) -> None:
    for name in mechanism.per_step:
        if name not in (arguments["options"] or {}):
            raise AttentionError(
                f"{mechanism.name} over times needs the option {name}, {column} counts seconds",
                hint=f"The default is meant for rows: give {name} per second, or order by a number.",
            )


def what_orders(source: Source) -> str:
    """A HINT with the columns that could order the source."""
    known = ", ".join(companions.orderable_columns(source)) or "none"
    return f"Say what orders {source.name}; its numbers, dates and timestamps are: {known}."


def order_of(rows: Rows) -> Order:
    """The order of these rows, ties by id."""
    assert rows.places is not None
    return Order(rows.places, rows.ids[:])


def positions_of_one(arguments: Arguments, rows: Rows) -> Positions | None:
    """Where one query stands: where `position` says, else at its own row, else at the newest key."""
    if rows.places is None:
        return None
    order = order_of(rows)
    if arguments["position"] is None and arguments.get("query_id") is not None:
        places = rows.find(arguments["query_id"])
        if len(places) == 1:
            return order.at_key(int(places[0]))
    return order.at(arguments["position"])


def place_among(order: Order, rows: Rows, query_id: object, value: float | None) -> Positions:
    """Where a query row with this id and value stands among the keys: at itself, if it is one of them."""
    places = rows.find(query_id) if query_id is not None else np.empty(0, np.intp)  # type: ignore[arg-type]
    return order.at_key(int(places[0])) if len(places) == 1 else order.at(value)


def _refuse_without_use(arguments: Arguments, mechanism: Mechanism, options: Options) -> None:
    for name in ("order_column", "position"):
        if arguments[name] is not None and not mechanism.needs_order(options):
            knowing = [m for m in registry.MECHANISMS if m.ordered is not None]
            available = ", ".join(m.name for m in knowing if features.reason(m) is None) or "none"
            why = "knows no order" if mechanism.ordered is None else "knows none under these options"
            raise AttentionError(
                f'parameter "{name}" is not used by {mechanism.name}, which {why}',
                sqlstate=NOT_SUPPORTED,
                hint=f"Leave it out, or choose a mechanism that knows one: {available}.",
            )
