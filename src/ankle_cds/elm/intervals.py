"""Interval operators.

https://cql.hl7.org/09-b-cqlreference.html#interval-operators-3

An open boundary that is null is unknown: it is an uncertainty reaching to the end of the type's range, so that what
can be known in spite of it is known, and the rest is null.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ankle_cds.elm.arithmetic import extreme, predecessor, subtract, successor
from ankle_cds.elm.comparison import conjunction, ordered, same
from ankle_cds.elm.durations import truncated
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.quantity import MAX_DECIMAL, MIN_DECIMAL
from ankle_cds.elm.registry import function
from ankle_cds.elm.temporal import Date, DateTime, Time
from ankle_cds.elm.values import Interval, Long, Quantity, Uncertainty

_POINTS: dict[type, str] = {
    int: "Integer",
    Long: "Long",
    Decimal: "Decimal",
    Quantity: "Quantity",
    Date: "Date",
    DateTime: "DateTime",
    Time: "Time",
}


def point_type(interval: Interval) -> str | None:
    """Name the system type of the interval's points, from a boundary or else from how it was made."""
    known = interval.low if interval.low is not None else interval.high
    if type(known) is Uncertainty:
        known = known.low
    return _POINTS.get(type(known)) or interval.point


def _limit(interval: Interval, *, highest: bool) -> Any:
    known = interval.low if interval.low is not None else interval.high
    name = point_type(interval)
    if name == "Quantity":
        return Quantity(MAX_DECIMAL if highest else MIN_DECIMAL, known.unit if known is not None else "1")
    return extreme(name, highest=highest, home=getattr(known, "home", 0)) if name else None


@function("Start")
def start(interval: Any) -> Any:
    """Give the first point: null when the boundary is open and null."""
    if interval.low is None:
        return _limit(interval, highest=False) if interval.low_closed else None
    return interval.low if interval.low_closed else successor(interval.low)


@function("End")
def end(interval: Any) -> Any:
    """Give the last point: null when the boundary is open and null."""
    if interval.high is None:
        return _limit(interval, highest=True) if interval.high_closed else None
    return interval.high if interval.high_closed else predecessor(interval.high)


def ends(interval: Interval) -> tuple[Any, Any]:
    """Give first and last point, an unknown one as the uncertainty that it is."""
    low, high = start(interval), end(interval)
    first, last = low, high
    if low is None and interval.low is None:
        least = _limit(interval, highest=False)
        first = None if least is None else Uncertainty(least, _limit(interval, highest=True) if high is None else high)
    if high is None and interval.high is None:
        most = _limit(interval, highest=True)
        last = None if most is None else Uncertainty(_limit(interval, highest=False) if low is None else low, most)
    return first, last


def _range(value: Any) -> tuple[Any, Any]:
    """Give the ends of an interval; a point is the interval of itself."""
    return ends(value) if type(value) is Interval else (value, value)


def _not(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _or(a: bool | None, b: bool | None) -> bool | None:
    if a or b:
        return True
    return None if a is None or b is None else False


@function("Before", precision=True)
def before(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether `a` ends before `b` starts; either may be a point."""
    return ordered(_range(a)[1], _range(b)[0], precision)[0]


@function("After", precision=True)
def after(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether `a` starts after `b` ends; either may be a point."""
    return ordered(_range(b)[1], _range(a)[0], precision)[0]


@function("SameOrBefore", precision=True)
def same_or_before(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether `a` ends on or before the start of `b`; either may be a point."""
    return ordered(_range(a)[1], _range(b)[0], precision)[1]


@function("SameOrAfter", precision=True)
def same_or_after(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether `a` starts on or after the end of `b`; either may be a point."""
    return ordered(_range(b)[1], _range(a)[0], precision)[1]


@function("SameAs", precision=True)
def same_as(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether two points, or the starts and ends of two intervals, are the same."""
    (a_low, a_high), (b_low, b_high) = _range(a), _range(b)
    return conjunction([same(a_low, b_low, precision), same(a_high, b_high, precision)])


def contains_point(interval: Interval, point: Any, precision: str | None = None) -> bool | None:
    """Tell whether the point lies in the interval."""
    if point is None:
        return None
    low: bool | None
    high: bool | None
    if interval.low is None:
        low = True if interval.low_closed else None
    else:
        low = ordered(interval.low, point, precision)[1 if interval.low_closed else 0]
    if interval.high is None:
        high = True if interval.high_closed else None
    else:
        high = ordered(point, interval.high, precision)[1 if interval.high_closed else 0]
    return conjunction([low, high])


def properly_contains_point(interval: Interval, point: Any, precision: str | None = None) -> bool | None:
    """Tell whether the point lies between the first and the last point of the interval.

    https://cql.hl7.org/04-logicalspecification.html#propercontains (the CQL reference words it otherwise; ELM decides)
    """
    low, high = ends(interval)
    return conjunction([ordered(low, point, precision)[0], ordered(point, high, precision)[0]])


def includes_interval(a: Interval, b: Interval, precision: str | None = None) -> bool | None:
    """Tell whether `a` includes all of `b`."""
    (a_low, a_high), (b_low, b_high) = ends(a), ends(b)
    return conjunction([ordered(a_low, b_low, precision)[1], ordered(b_high, a_high, precision)[1]])


def properly_includes_interval(a: Interval, b: Interval, precision: str | None = None) -> bool | None:
    """Tell whether `a` includes all of `b` and is larger."""
    return conjunction([includes_interval(a, b, precision), _not(same_as(a, b, precision))])


@function("Overlaps", precision=True)
def overlaps(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether two intervals share a point."""
    (a_low, a_high), (b_low, b_high) = ends(a), ends(b)
    return conjunction([ordered(a_low, b_high, precision)[1], ordered(b_low, a_high, precision)[1]])


@function("OverlapsBefore", precision=True)
def overlaps_before(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether `a` overlaps `b` and starts before it."""
    return conjunction([overlaps(a, b, precision), ordered(ends(a)[0], ends(b)[0], precision)[0]])


@function("OverlapsAfter", precision=True)
def overlaps_after(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether `a` overlaps `b` and ends after it."""
    return conjunction([overlaps(a, b, precision), ordered(ends(b)[1], ends(a)[1], precision)[0]])


def _next(point: Any, precision: str | None) -> Any:
    if type(point) is Uncertainty:
        high = _next(point.high, precision)
        return Uncertainty(_next(point.low, precision), point.high if high is None else high)
    if precision and isinstance(point, (Date, DateTime, Time)):
        point = truncated(point, precision)
    return None if point is None else successor(point)


def _meets(earlier: Any, later: Any, precision: str | None) -> bool | None:
    """Tell whether `later` is the point just behind `earlier`."""
    following = _next(earlier, precision)
    if following is None and earlier is not None and later is not None:
        # the end of the type's range has no successor, unless it is the precision that is missing
        return None if precision and isinstance(earlier, (Date, DateTime, Time)) and successor(earlier) else False
    return same(following, later, precision)


@function("MeetsBefore", precision=True)
def meets_before(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether `a` ends immediately before `b` starts."""
    return _meets(ends(a)[1], ends(b)[0], precision)


@function("MeetsAfter", precision=True)
def meets_after(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether `a` starts immediately after `b` ends."""
    return _meets(ends(b)[1], ends(a)[0], precision)


@function("Meets", precision=True)
def meets(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether one interval ends immediately before the other starts."""
    return _or(meets_before(a, b, precision), meets_after(a, b, precision))


@function("Starts", precision=True)
def starts(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether both start at the same point and `a` ends within `b`."""
    (a_low, a_high), (b_low, b_high) = ends(a), ends(b)
    return conjunction([same(a_low, b_low, precision), ordered(a_high, b_high, precision)[1]])


@function("Ends", precision=True)
def ends_with(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether both end at the same point and `a` starts within `b`."""
    (a_low, a_high), (b_low, b_high) = ends(a), ends(b)
    return conjunction([ordered(b_low, a_low, precision)[1], same(a_high, b_high, precision)])


@function("Width")
def width(interval: Any) -> Any:
    """Give the end minus the start; not defined for dates and times."""
    low, high = start(interval), end(interval)
    if isinstance(low, (Date, DateTime, Time)):
        raise EvaluationError(
            "The width of an interval of dates or times is not defined; use a duration or difference.",
            spec="https://cql.hl7.org/09-b-cqlreference.html#width",
        )
    return None if low is None or high is None else subtract(high, low)


@function("PointFrom")
def point_from(interval: Any) -> Any:
    """Give the only point of a unit interval; raise when there are more."""
    low, high = start(interval), end(interval)
    if same(low, high) is not True:
        raise EvaluationError(
            "point from needs an interval of a single point.",
            spec="https://cql.hl7.org/09-b-cqlreference.html#point-from",
        )
    return low


def _between(low: Any, high: Any, like: Interval) -> Interval:
    """Make a closed interval; an end that is unknown becomes an open null boundary."""
    low, high = (None if type(end) is Uncertainty else end for end in (low, high))
    return Interval(low, high, low is not None, high is not None, point_type(like))


def _extreme_of(a: Any, b: Any, *, greater: bool) -> Any:
    found = ordered(a, b)[1]
    if found is None:
        return None
    return (b if found else a) if greater else (a if found else b)


def union(a: Interval, b: Interval) -> Interval | None:
    """Give the interval that covers both; None when they neither overlap nor meet."""
    if _or(overlaps(a, b), meets(a, b)) is not True:
        return None
    (a_low, a_high), (b_low, b_high) = ends(a), ends(b)
    return _between(_extreme_of(a_low, b_low, greater=False), _extreme_of(a_high, b_high, greater=True), a)


def intersect(a: Interval, b: Interval) -> Interval | None:
    """Give what both share; None when they share nothing, or it is unknown whether they do."""
    if overlaps(a, b) is not True:
        return None
    (a_low, a_high), (b_low, b_high) = ends(a), ends(b)
    return _between(_extreme_of(a_low, b_low, greater=True), _extreme_of(a_high, b_high, greater=False), a)


def except_(a: Interval, b: Interval) -> Interval | None:
    """Give the part of `a` outside `b`; None when nothing is left, or two parts are."""
    shared = overlaps(a, b)
    if shared is False:
        return a
    (a_low, a_high), (b_low, b_high) = ends(a), ends(b)
    left, right = ordered(a_low, b_low)[0], ordered(b_high, a_high)[0]
    if shared is None or left is None or right is None or left == right:
        return None
    return _between(a_low, predecessor(b_low), a) if left else _between(successor(b_high), a_high, a)
