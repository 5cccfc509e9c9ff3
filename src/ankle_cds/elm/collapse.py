"""Collapse and expand.

https://cql.hl7.org/09-b-cqlreference.html#collapse
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from ankle_cds.elm import durations
from ankle_cds.elm.arithmetic import add, predecessor
from ankle_cds.elm.comparison import ordered, sort_key
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.intervals import end, meets, overlaps, point_type, start
from ankle_cds.elm.registry import Closure, Node, form
from ankle_cds.elm.temporal import DAY, HOUR, PRECISIONS, Date, DateTime, Temporal, Time
from ankle_cds.elm.values import Interval, Quantity, Uncertainty

if TYPE_CHECKING:
    from ankle_cds.elm.compiler import Compiler

_TEMPORAL = (Date, DateTime, Time)


def _coarsest(intervals: list[Interval]) -> str | None:
    """Name the coarsest precision of dates or times when they differ in precision, else None."""
    bounds = [
        bound for interval in intervals for bound in (interval.low, interval.high) if isinstance(bound, _TEMPORAL)
    ]
    precisions = {len(bound.parts) + (HOUR if isinstance(bound, Time) else 0) for bound in bounds}
    return PRECISIONS[min(precisions) - 1] if len(precisions) > 1 else None


@form("Collapse", "operand")
def collapse(compiler: Compiler, node: Node) -> Closure:
    """Merge the intervals that overlap or meet; a `per` argument is refused at load."""
    source, *_ = compiler.operands(node, ("operand",))
    if len(node["operand"]) > 1 and not compiler.is_null(node["operand"][1]):
        compiler.refuse(node, "collapse with a per argument")

    def run(ev: Any, frame: list[Any]) -> Any:
        found = source(ev, frame)
        return None if found is None else merged([interval for interval in found if interval is not None])

    return run


def merged(intervals: list[Interval]) -> list[Interval]:
    """Give the fewest intervals that cover the given ones, in order."""
    precision = _coarsest(intervals)
    result: list[Interval] = []
    for interval in sorted(intervals, key=cmp_to_key(lambda a, b: sort_key(start(a), start(b)))):
        if not result:
            result.append(interval)
            continue
        last = result[-1]
        joined = (overlaps(last, interval, precision), meets(last, interval, precision))
        if True in joined:
            low, high = start(last), end(last)
            later = end(interval)
            high = later if ordered(high, later)[0] else high
            result[-1] = Interval(low, high, low is not None, high is not None, point_type(last))
        elif None in joined:
            raise EvaluationError("Intervals with unknown or imprecise boundaries cannot be collapsed.")
        else:
            result.append(interval)
    return result


@form("Expand", "operand")
def expand(compiler: Compiler, node: Node) -> Closure:
    """Cut each interval into intervals of size `per`, or one interval into the starting points of those."""
    closures = compiler.operands(node, ("operand",))
    source = closures[0]
    size = closures[1] if len(closures) > 1 else None

    def run(ev: Any, frame: list[Any]) -> Any:
        found = source(ev, frame)
        if found is None:
            return None
        per = size(ev, frame) if size else None
        if type(found) is Interval:
            return [piece.low for piece in _pieces(found, per, None)]
        given = [interval for interval in found if interval is not None]
        coarsest = _coarsest(given)
        return [piece for interval in given for piece in _pieces(interval, per, coarsest)]

    return run


def _pieces(interval: Interval, per: Quantity | None, coarsest: str | None) -> list[Interval]:
    low, high = start(interval), end(interval)
    unbounded = interval.low is None or interval.high is None
    if low is None or high is None or unbounded or type(low) is Uncertainty or type(high) is Uncertainty:
        return []
    if isinstance(low, _TEMPORAL):
        if per is None:
            per = Quantity(Decimal(1), coarsest or _coarsest([interval]) or _precision(low))
        return _temporal_pieces(low, high, per)
    if isinstance(low, Quantity):
        if per is not None and per.unit != low.unit:
            raise EvaluationError("expand needs a per argument in the unit of the interval.")
        pieces = _numeric_pieces(low.value, high.value, per.value if per else Decimal(1))
        return [Interval(Quantity(a, low.unit), Quantity(b, low.unit), point="Quantity") for a, b in pieces]
    if per is not None and per.unit != "1":
        raise EvaluationError("expand of a numeric interval needs a per argument with the unit '1'.")
    step = per.value if per else Decimal(1)
    if isinstance(low, int) and step != int(step):
        raise EvaluationError("expand of whole numbers needs a whole per argument; convert the interval to Decimal.")
    kind = type(low)
    return [Interval(kind(a), kind(b), point=point_type(interval)) for a, b in _numeric_pieces(low, high, step)]


def _numeric_pieces(low: Any, high: Any, per: Decimal) -> list[tuple[Decimal, Decimal]]:
    if per <= 0:
        raise EvaluationError("expand needs a positive per argument.")
    exponent = per.normalize().as_tuple().exponent
    unit = Decimal(1).scaleb(min(0, exponent if isinstance(exponent, int) else 0))
    at, last = (Decimal(value).quantize(unit, ROUND_FLOOR) for value in (low, high))
    pieces = []
    while at + per - unit <= last:
        pieces.append((at, at + per - unit))
        at += per
    return pieces


def _precision(value: Temporal) -> str:
    return PRECISIONS[len(value.parts) - 1 + (HOUR if isinstance(value, Time) else 0)]


def _temporal_pieces(low: Temporal, high: Temporal, per: Quantity) -> list[Interval]:
    unit = durations.unit_of(per)
    precision = PRECISIONS[DAY] if unit == "week" else unit
    at, last = durations.truncated(low, precision), durations.truncated(high, precision)
    if at is None or last is None:
        return []
    if per.value < 1:
        raise EvaluationError("expand needs a per argument of at least one.")
    pieces: list[Interval] = []
    while True:
        following = add(at, per)
        stop = None if following is None else predecessor(following)
        if stop is None or not ordered(stop, last)[1] or (pieces and not ordered(at, following)[0]):
            return pieces
        pieces.append(Interval(at, stop, point=type(low).__name__))
        at = following
