"""Calendar arithmetic: adding a duration, counting whole periods, counting boundaries crossed.

https://cql.hl7.org/02-authorsguide.html#date-and-time-operators
"""

from __future__ import annotations

import datetime as dt
from calendar import monthrange
from decimal import Decimal
from typing import Final

from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.temporal import DAY, HOUR, MILLISECOND, PRECISIONS, SECOND, YEAR, Date, DateTime, Temporal, Time
from ankle_cds.elm.values import Quantity, Uncertainty

CALENDAR_UNITS: Final = {name: singular for singular in (*PRECISIONS, "week") for name in (singular, f"{singular}s")}
# UCUM spellings that calendar arithmetic accepts; 'a' and 'mo' are definite durations and an error here.
UCUM_UNITS: Final = {"wk": "week", "d": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond"}
# How many of a unit make one of the next coarser one.
_PER_COARSER: Final = (1, 12, 30, 24, 60, 60, 1000)
_DAYS_PER_YEAR: Final = 365
_MS: Final = {"hour": 3_600_000, "minute": 60_000, "second": 1000, "millisecond": 1}
_DAY_MS: Final = 86_400_000
_WEEK: Final = 7


def unit_of(quantity: Quantity) -> str:
    """Name the calendar precision (or `week`) a time-valued quantity counts; raise when it counts none."""
    unit = CALENDAR_UNITS.get(quantity.unit) or UCUM_UNITS.get(quantity.unit)
    if unit is None:
        raise EvaluationError(
            "A quantity added to a date or time must count years, months, weeks, days, hours, minutes, seconds or "
            "milliseconds; use a calendar duration.",
            spec="https://cql.hl7.org/09-b-cqlreference.html#add-1",
        )
    return unit


def add(value: Temporal, quantity: Quantity, sign: int = 1) -> Temporal | None:
    """Add (or with `sign` -1 subtract) a duration; None when the result is outside the calendar.

    A duration finer than the value is truncated to the value's precision first.
    """
    unit = unit_of(quantity)
    first = HOUR if isinstance(value, Time) else YEAR
    last = first + len(value.parts) - 1
    amount = int(quantity.value) * sign
    if unit == "week":
        unit, amount = "day", amount * _WEEK
    index = PRECISIONS.index(unit)
    if index < first or (isinstance(value, Date) and index > DAY):
        raise EvaluationError(
            f"A {type(value).__name__} has no {unit}s to add; convert it to a DateTime or use another unit.",
            spec="https://cql.hl7.org/09-b-cqlreference.html#add-1",
        )
    if index == SECOND and last == MILLISECOND:
        index, amount = MILLISECOND, int(quantity.value * 1000) * sign
    if index == DAY and last == YEAR:
        index, amount = YEAR, _truncate(amount, _DAYS_PER_YEAR)
    while index > last:
        amount = _truncate(amount, _PER_COARSER[index])
        index -= 1
    return _shift(value, index, amount)


def _truncate(amount: int, by: int) -> int:
    return abs(amount) // by * (1 if amount >= 0 else -1)


def _shift(value: Temporal, index: int, amount: int) -> Temporal | None:
    if isinstance(value, Time):
        size = _MS[PRECISIONS[index]]
        return Time(*_time_parts((_day_ms(value.parts) + amount * size) % _DAY_MS)[: len(value.parts)])
    if index <= 1:
        parts = _shift_months(value.parts, amount * (12 if index == YEAR else 1))
    else:
        parts = _shift_exact(value.parts, index, amount)
    if parts is None:
        return None
    if isinstance(value, DateTime):
        return DateTime(*parts, offset=value.offset, home=value.home)
    return Date(*parts)


def _shift_months(parts: tuple[int, ...], months: int) -> tuple[int, ...] | None:
    year, month = divmod(parts[0] * 12 + (parts[1] - 1 if len(parts) > 1 else 0) + months, 12)
    if not dt.MINYEAR <= year <= dt.MAXYEAR:
        return None
    if len(parts) == 1:
        return (year,)
    if len(parts) == DAY:
        return (year, month + 1)
    return (year, month + 1, min(parts[DAY], monthrange(year, month + 1)[1]), *parts[HOUR:])


def _shift_exact(parts: tuple[int, ...], index: int, amount: int) -> tuple[int, ...] | None:
    day = dt.date(*parts[:HOUR]).toordinal()
    if index == DAY:
        day, rest = day + amount, parts[HOUR:]
    else:
        carry, within = divmod(_day_ms(parts[HOUR:]) + amount * _MS[PRECISIONS[index]], _DAY_MS)
        day, rest = day + carry, _time_parts(within)[: len(parts) - HOUR]
    if not 1 <= day <= dt.date.max.toordinal():
        return None
    moved = dt.date.fromordinal(day)
    return (moved.year, moved.month, moved.day, *rest)


def _day_ms(parts: tuple[int, ...]) -> int:
    hour, minute, second, millisecond = (*parts, 0, 0, 0, 0)[:4]
    return ((hour * 60 + minute) * 60 + second) * 1000 + millisecond


def _time_parts(within: int) -> tuple[int, int, int, int]:
    seconds, millisecond = divmod(within, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return hour, minute, second, millisecond


def step(value: Temporal, sign: int) -> Temporal | None:
    """Give the next (1) or previous (-1) value at the value's own precision; None past the end of its range."""
    index = len(value.parts) - 1 + (HOUR if isinstance(value, Time) else YEAR)
    moved = _shift(value, index, sign)
    if isinstance(value, Time) and moved is not None and (moved.parts > value.parts) != (sign > 0):
        return None
    return moved


def _bounds(parts: tuple[int, ...], size: int, unit: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give the earliest and latest complete values that `parts` may stand for."""
    low = high = parts
    if len(parts) == SECOND + 1 and unit != PRECISIONS[MILLISECOND] and size > SECOND:
        low = high = (*parts, 0)
    if len(parts) < size:
        low = (*low, *(1, 1, 1, 0, 0, 0, 0)[len(low) :])[:size]
        if len(high) == 1:
            high = (*high, 12)
        if len(high) == DAY:
            high = (*high, monthrange(high[0], high[1])[1])
        high = (*high, *(0, 0, 0, 23, 59, 59, 999)[len(high) :])[:size]
    return low, high


def between(a: Temporal, b: Temporal, unit: str, *, boundaries: bool) -> int | Uncertainty:
    """Count the whole periods from `a` to `b`, or with `boundaries` the boundaries crossed; negative when `a` is later.

    An uncertainty when a precision that the count needs is missing. Offsets are normalised to the evaluation's, but
    only when counting hours or finer. https://cql.hl7.org/09-b-cqlreference.html#duration
    """
    count = _crossed if boundaries else _whole
    if isinstance(a, Time) or isinstance(b, Time):
        if not (isinstance(a, Time) and isinstance(b, Time)) or unit not in _MS:
            raise EvaluationError("Only hours, minutes, seconds and milliseconds lie between two Time values.")
        left, right, size = (1, 1, 1, *a.parts), (1, 1, 1, *b.parts), len(PRECISIONS)
    else:
        size = HOUR if isinstance(a, Date) and isinstance(b, Date) else len(PRECISIONS)
        if size == HOUR and unit in _MS:
            raise EvaluationError("Only years, months, weeks and days lie between two Date values.")
        left, right = a.parts, b.parts
        if unit in _MS and getattr(a, "offset", None) != getattr(b, "offset", None):
            left = a.at_home() if isinstance(a, DateTime) else left
            right = b.at_home() if isinstance(b, DateTime) else right
    if len(left) == size == len(right):
        return count(left, right, unit)
    (left_low, left_high), (right_low, right_high) = _bounds(left, size, unit), _bounds(right, size, unit)
    low, high = count(left_high, right_low, unit), count(left_low, right_high, unit)
    return low if low == high else Uncertainty(low, high)


def _whole(a: tuple[int, ...], b: tuple[int, ...], unit: str) -> int:
    if a > b:
        return -_whole(b, a, unit)
    if unit in ("year", "month"):
        months = (b[0] - a[0]) * 12 + b[1] - a[1]
        if b[2:] < a[2:]:
            months -= 1
        return months // 12 if unit == "year" else months
    span = (_ordinal(b) - _ordinal(a)) * _DAY_MS + _day_ms(b[HOUR:]) - _day_ms(a[HOUR:])
    return span // {"week": _WEEK * _DAY_MS, "day": _DAY_MS, **_MS}[unit]


def _crossed(a: tuple[int, ...], b: tuple[int, ...], unit: str) -> int:
    if unit == "year":
        return b[0] - a[0]
    if unit == "month":
        return (b[0] - a[0]) * 12 + b[1] - a[1]
    if unit == "week":  # a week begins on Sunday, and day 0 of the ordinals is a Sunday
        return _ordinal(b) // _WEEK - _ordinal(a) // _WEEK
    if unit == "day":
        return _ordinal(b) - _ordinal(a)
    size = _MS[unit]
    return (_ordinal(b) - _ordinal(a)) * (_DAY_MS // size) + _day_ms(b[HOUR:]) // size - _day_ms(a[HOUR:]) // size


def _ordinal(parts: tuple[int, ...]) -> int:
    return dt.date(parts[0], parts[1], parts[2]).toordinal()


def truncated(value: Temporal, unit: str) -> Temporal | None:
    """Give the value cut to a precision; None when it is less precise than that."""
    size = PRECISIONS.index(unit) + 1 - (HOUR if isinstance(value, Time) else 0)
    if len(value.parts) < size:
        return None
    parts = value.parts[:size]
    if isinstance(value, DateTime):
        return DateTime(*parts, offset=value.offset, home=value.home)
    return Time(*parts) if isinstance(value, Time) else Date(*parts)


def moment(now: dt.datetime) -> DateTime:
    """Give an aware datetime as a DateTime to the millisecond, in its own offset; raise when it has none."""
    offset = now.utcoffset()
    if offset is None:
        raise EvaluationError("The evaluation time needs a timezone offset; pass an aware datetime.")
    minutes = int(offset.total_seconds()) // 60
    return DateTime(
        now.year,
        now.month,
        now.day,
        now.hour,
        now.minute,
        now.second,
        now.microsecond // 1000,
        offset=minutes,
        home=minutes,
    )


def offset_hours(value: DateTime) -> Decimal:
    """Give the timezone offset in hours, as CQL counts it."""
    return Decimal(value.offset) / 60
