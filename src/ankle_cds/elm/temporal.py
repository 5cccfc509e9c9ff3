"""Date, DateTime and Time: values known only to a precision, and how they are read, written and ordered.

https://cql.hl7.org/02-authorsguide.html#datetime
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, MILLISECOND = range(7)
PRECISIONS: Final = ("year", "month", "day", "hour", "minute", "second", "millisecond")
TIME_PRECISIONS: Final = PRECISIONS[HOUR:]

_DATETIME: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_TIME: Final = re.compile(r"T?(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
_LIMITS: Final = (24, 60, 60, 1000)
MAX_OFFSET: Final = 14 * 60


class Date:
    """A calendar date; `parts` is (year), (year, month) or (year, month, day)."""

    __slots__ = ("parts",)
    names = PRECISIONS[:HOUR]

    def __init__(self, *parts: int) -> None:
        self.parts = _checked(parts, HOUR)

    def __eq__(self, other: object) -> bool:
        return type(other) is Date and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    def __repr__(self) -> str:
        return f"Date({self})"

    def __str__(self) -> str:
        return _date_text(self.parts)


class Time:
    """A time of day; `parts` is (hour), up to (hour, minute, second, millisecond)."""

    __slots__ = ("parts",)
    names = TIME_PRECISIONS

    def __init__(self, *parts: int) -> None:
        self.parts = parts
        if not 0 < len(parts) <= len(_LIMITS) or any(
            not 0 <= part < most for part, most in zip(parts, _LIMITS, strict=False)
        ):
            raise ValueError("not a time of day")

    def __eq__(self, other: object) -> bool:
        return type(other) is Time and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    def __repr__(self) -> str:
        return f"Time({self})"

    def __str__(self) -> str:
        return _time_text(self.parts)


class DateTime:
    """An instant known to a precision.

    `parts` is (year) up to (year, ..., millisecond); `offset` its timezone offset and `home` the one of the evaluation,
    both in minutes: values with different offsets are compared at home.
    """

    __slots__ = ("home", "offset", "parts")
    names = PRECISIONS

    def __init__(self, *parts: int, offset: int = 0, home: int | None = None) -> None:
        self.parts = _checked(parts, len(PRECISIONS))
        if not -MAX_OFFSET <= offset <= MAX_OFFSET:
            raise ValueError("not a timezone offset")
        self.offset = offset
        self.home = offset if home is None else home

    def at_home(self) -> tuple[int, ...]:
        """Give the parts in the evaluation's offset.

        A value without an hour, or at the edge of the calendar, stays as it is.
        """
        shift = self.home - self.offset
        if not shift or len(self.parts) <= HOUR:
            return self.parts
        try:
            year, month, day, hour, minute = (*self.parts, 0)[:SECOND]
            moment = dt.datetime(year, month, day, hour, minute, tzinfo=dt.UTC) + dt.timedelta(minutes=shift)
        except OverflowError:
            return self.parts
        shifted = (moment.year, moment.month, moment.day, moment.hour, moment.minute)
        return (shifted + self.parts[SECOND:])[: len(self.parts)]

    def __eq__(self, other: object) -> bool:
        return type(other) is DateTime and self.parts == other.parts and self.offset == other.offset

    def __hash__(self) -> int:
        return hash((self.parts, self.offset))

    def __repr__(self) -> str:
        return f"DateTime({self})"

    def __str__(self) -> str:
        if len(self.parts) <= HOUR:
            return _date_text(self.parts)
        hours, minutes = divmod(abs(self.offset), 60)
        zone = f"{'-' if self.offset < 0 else '+'}{hours:02d}:{minutes:02d}"
        return f"{_date_text(self.parts[:HOUR])}T{_time_text(self.parts[HOUR:])}{zone}"


Temporal = Date | DateTime | Time


def _checked(parts: tuple[int, ...], most: int) -> tuple[int, ...]:
    if not 0 < len(parts) <= most:
        raise ValueError("not a date")
    year, month, day = (*parts, 1, 1)[:3] if len(parts) < HOUR else parts[:HOUR]
    dt.date(year, month, day)
    for part, limit in zip(parts[HOUR:], _LIMITS, strict=False):
        if not 0 <= part < limit:
            raise ValueError("not a time of day")
    return parts


def _date_text(parts: tuple[int, ...]) -> str:
    return "-".join(f"{part:0{2 if index else 4}d}" for index, part in enumerate(parts))


def _time_text(parts: tuple[int, ...]) -> str:
    text = ":".join(f"{part:02d}" for part in parts[:3])
    return f"{text}.{parts[3]:03d}" if len(parts) > 3 else text  # noqa: PLR2004 - hour, minute, second


def _milliseconds(fraction: str) -> int:
    return int(fraction[:3].ljust(3, "0"))


def parse_date(text: str) -> Date | None:
    """Read `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, a time behind it ignored; None when it is no such date."""
    match = _DATETIME.fullmatch(text)
    if not match:
        return None
    try:
        return Date(*(int(part) for part in match.groups()[:3] if part is not None))
    except ValueError:
        return None


def parse_datetime(text: str, home: int) -> DateTime | None:
    """Read an ISO 8601 date and time to any precision; without an offset it is in `home`; None when it is none."""
    match = _DATETIME.fullmatch(text)
    if not match:
        return None
    *fields, fraction, zone = match.groups()
    parts = [int(part) for part in fields if part is not None]
    if fraction is not None:
        parts.append(_milliseconds(fraction))
    try:
        return DateTime(*parts, offset=home if zone is None else parse_offset(zone), home=home)
    except ValueError:
        return None


def parse_offset(zone: str) -> int:
    """Read `Z` or `+hh:mm` as minutes."""
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return -minutes if zone[0] == "-" else minutes


def parse_time(text: str) -> Time | None:
    """Read `hh`, `hh:mm`, `hh:mm:ss` or `hh:mm:ss.fff`, with or without a leading T; an offset is ignored."""
    match = _TIME.fullmatch(text)
    if not match:
        return None
    *fields, fraction = match.groups()
    parts = [int(part) for part in fields if part is not None]
    if fraction is not None:
        parts.append(_milliseconds(fraction))
    try:
        return Time(*parts)
    except ValueError:
        return None


def as_datetime(value: Temporal, home: int) -> DateTime:
    """Give a DateTime as it is and a Date with its time unspecified.

    https://cql.hl7.org/09-b-cqlreference.html#todatetime
    """
    if isinstance(value, DateTime):
        return value
    if isinstance(value, Date):
        return DateTime(*value.parts, offset=home, home=home)
    raise TypeError("a Time is no DateTime")


def aligned(a: Temporal, b: Temporal, unit: int | None = None) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Give the comparable parts of two values of one kind, and the index of the seconds in them.

    Offsets that differ are normalised to the evaluation's, but only when `unit` (None: the finest) is an hour or finer.
    https://cql.hl7.org/09-b-cqlreference.html#same-as-1
    """
    if type(a) is Time or type(b) is Time:
        if type(a) is not type(b):
            raise TypeError("a Time is comparable only with a Time")
        return a.parts, b.parts, SECOND - HOUR
    if type(a) is DateTime and type(b) is DateTime and a.offset != b.offset and (unit is None or unit >= HOUR):
        return a.at_home(), b.at_home(), SECOND
    if type(a) is DateTime and type(b) is Date and (unit is None or unit >= HOUR):
        return a.at_home(), b.parts, SECOND
    if type(a) is Date and type(b) is DateTime and (unit is None or unit >= HOUR):
        return a.parts, b.at_home(), SECOND
    return a.parts, b.parts, SECOND


def order(a: Temporal, b: Temporal) -> int | None:
    """Give -1, 0 or 1, or None when the answer depends on a precision that one of them lacks.

    Seconds and milliseconds are one precision: a missing millisecond counts as 0.
    """
    left, right, second = aligned(a, b)
    if left == right:
        return 0
    for x, y in zip(left, right, strict=False):
        if x != y:
            return -1 if x < y else 1
    longer, shorter = max(len(left), len(right)), min(len(left), len(right))
    if shorter == second + 1:
        milliseconds = (left if len(left) == longer else right)[second + 1]
        return 0 if not milliseconds else 1 if len(left) == longer else -1
    return None


def order_to(a: Temporal, b: Temporal, precision: str) -> int | None:
    """Give -1, 0 or 1 comparing down to `precision`, or None when a value needed for it is missing."""
    unit = PRECISIONS.index(precision)
    left, right, second = aligned(a, b, unit)
    if second != SECOND:
        unit -= HOUR
        if unit < 0:
            raise TypeError("a Time has no calendar precision")
    for index in range(unit + 1):
        if index >= len(left) or index >= len(right):
            return None
        if left[index] != right[index]:
            return -1 if left[index] < right[index] else 1
    return 0
