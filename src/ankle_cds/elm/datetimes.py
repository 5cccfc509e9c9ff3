"""Date and time operators, and ages.

https://cql.hl7.org/09-b-cqlreference.html#date-and-time-operators-2

The comparisons by precision stand in `intervals`, addition and subtraction in `arithmetic`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from ankle_cds.elm import durations
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.registry import Closure, Node, form, function
from ankle_cds.elm.temporal import HOUR, PRECISIONS, Date, DateTime, Time

if TYPE_CHECKING:
    from ankle_cds.elm.compiler import Compiler

_DATE: Final = PRECISIONS[:HOUR]


@form("Now")
def now(_compiler: Compiler, _node: Node) -> Closure:
    """Give the evaluation time."""
    return lambda ev, _frame: ev.now


@form("Today")
def today(_compiler: Compiler, _node: Node) -> Closure:
    """Give the date of the evaluation time, in its own timezone offset."""
    return lambda ev, _frame: ev.today


@form("TimeOfDay")
def time_of_day(_compiler: Compiler, _node: Node) -> Closure:
    """Give the time of day of the evaluation time."""
    return lambda ev, _frame: Time(*ev.now.parts[HOUR:])


def _parts(values: list[Any]) -> list[int]:
    """Cut the components at the first null; raise when one behind it is given."""
    given = [value for value in values if value is not None]
    if values[: len(given)] != given:
        raise EvaluationError(
            "A date or time has a component below a missing one.",
            spec="https://cql.hl7.org/09-b-cqlreference.html#datetime-1",
        )
    return given


@function("Date", operands=(), optional=_DATE, nulls="passed")
def date(*components: Any) -> Date | None:
    """Make a date from its components; null when all are null."""
    parts = _parts(list(components))
    try:
        return Date(*parts) if parts else None
    except ValueError:
        raise EvaluationError("The components do not make a date.") from None


@function("Time", operands=(), optional=PRECISIONS[HOUR:], nulls="passed")
def time(*components: Any) -> Time | None:
    """Make a time of day from its components; null when all are null."""
    parts = _parts(list(components))
    try:
        return Time(*parts) if parts else None
    except ValueError:
        raise EvaluationError("The components do not make a time of day.") from None


@form("DateTime", *PRECISIONS, "timezoneOffset")
def date_time(compiler: Compiler, node: Node) -> Closure:
    """Make a DateTime from its components; without an offset it is in the evaluation's."""
    components = [compiler.compile(node[name]) for name in PRECISIONS if name in node]
    zone = compiler.compile(node["timezoneOffset"]) if "timezoneOffset" in node else None

    def run(ev: Any, frame: list[Any]) -> DateTime | None:
        parts = _parts([component(ev, frame) for component in components])
        hours = zone(ev, frame) if zone else None
        offset = ev.offset if hours is None else int(Decimal(hours) * 60)
        try:
            return DateTime(*parts, offset=offset, home=ev.offset) if parts else None
        except ValueError:
            raise EvaluationError("The components do not make a date and time.") from None

    return run


@form("DateTimeComponentFrom", "operand", "precision")
def component_from(compiler: Compiler, node: Node) -> Closure:
    """Give one component; null when the value is less precise."""
    (operand,) = compiler.operands(node, ("operand",))
    precision = compiler.precision(node)
    if precision not in PRECISIONS:
        return compiler.refuse(node, f"the precision {precision}")
    index = PRECISIONS.index(precision)

    def run(ev: Any, frame: list[Any]) -> int | None:
        value = operand(ev, frame)
        if value is None:
            return None
        at = index - HOUR if type(value) is Time else index
        if at < 0 or (type(value) is Date and at >= HOUR):
            raise EvaluationError(f"A {type(value).__name__} has no {precision}.")
        return value.parts[at] if at < len(value.parts) else None

    return run


@function("DateFrom")
def date_from(value: Any) -> Date:
    """Give the date of a DateTime in the evaluation's timezone offset."""
    return value if type(value) is Date else Date(*value.at_home()[:HOUR])


@function("TimeFrom")
def time_from(value: Any) -> Time | None:
    """Give the time of a DateTime in the evaluation's timezone offset; null when it has none."""
    parts = value.at_home()[HOUR:]
    return Time(*parts) if parts else None


@function("TimezoneOffsetFrom")
def timezone_offset_from(value: Any) -> Decimal:
    """Give the timezone offset in hours."""
    return durations.offset_hours(value)


@function("DurationBetween", precision=True)
def duration_between(a: Any, b: Any, unit: str) -> Any:
    """Count the whole periods between two values; an uncertainty when they are less precise than the period."""
    return durations.between(a, b, unit, boundaries=False)


@function("DifferenceBetween", precision=True)
def difference_between(a: Any, b: Any, unit: str) -> Any:
    """Count the boundaries crossed between two values; an uncertainty when they are less precise than the boundary."""
    return durations.between(a, b, unit, boundaries=True)


@form("CalculateAge", "operand", "precision")
def age(compiler: Compiler, node: Node) -> Closure:
    """Count the whole periods from a birth date to today, or from a birth time to now."""
    birth = compiler.birth(node["operand"])
    unit = compiler.precision(node) or "year"

    def run(ev: Any, frame: list[Any]) -> Any:
        born = birth(ev, frame)
        if born is None:
            return None
        return durations.between(born, ev.today if type(born) is Date else ev.now, unit, boundaries=False)

    return run


@form("CalculateAgeAt", "operand", "precision")
def age_at(compiler: Compiler, node: Node) -> Closure:
    """Count the whole periods from a birth date to a date."""
    birth, at = compiler.birth(node["operand"][0]), compiler.compile(node["operand"][1])
    unit = compiler.precision(node) or "year"

    def run(ev: Any, frame: list[Any]) -> Any:
        born, day = birth(ev, frame), at(ev, frame)
        return None if born is None or day is None else durations.between(born, day, unit, boundaries=False)

    return run
