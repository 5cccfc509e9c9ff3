"""Arithmetic on numbers, quantities, dates and uncertainties.

https://cql.hl7.org/09-b-cqlreference.html#arithmetic-operators-4

What cannot be represented (overflow, division by zero, logarithm of zero) is null, as the specification says.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Any, Final

from ankle_cds.elm import durations, quantity
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.quantity import MAX_DECIMAL, MIN_DECIMAL, STEP, WIDE, fit
from ankle_cds.elm.registry import function
from ankle_cds.elm.temporal import Date, DateTime, Time
from ankle_cds.elm.values import Long, Quantity, Uncertainty

_TEMPORAL: Final = (Date, DateTime, Time)
MAX_INTEGER: Final = 2**31 - 1
MAX_LONG: Final = 2**63 - 1
_HALF: Final = Decimal("0.5")


def _kind(*operands: Any) -> type:
    """Name the numeric type an operation on these operands yields; raise when one of them is no number."""
    kind: type = int
    for operand in operands:
        found = type(operand)
        if found is Decimal:
            kind = Decimal
        elif found is Long:
            kind = Long if kind is int else kind
        elif found is not int:
            raise EvaluationError(f"A {found.__name__} is no number.")
    return kind


def whole_number(value: int, kind: type) -> int | None:
    """Give an Integer or a Long; None when it is outside the range of its type."""
    if kind is Long:
        return Long(value) if -MAX_LONG - 1 <= value <= MAX_LONG else None
    return value if -MAX_INTEGER - 1 <= value <= MAX_INTEGER else None


def _ends(value: Any) -> tuple[Any, Any]:
    return (value.low, value.high) if type(value) is Uncertainty else (value, value)


def _uncertain(operation: Any, a: Any, b: Any) -> Any:
    """Apply a monotonic operation to every pair of bounds."""
    results = [operation(x, y) for x in _ends(a) for y in _ends(b)]
    if any(result is None for result in results):
        return None
    low, high = min(results), max(results)
    return low if low == high else Uncertainty(low, high)


@function("Add")
def add(a: Any, b: Any) -> Any:
    """Add numbers or quantities, or a duration to a date or time."""
    if type(a) is int and type(b) is int:
        return whole_number(a + b, int)
    if isinstance(a, _TEMPORAL):
        return durations.add(a, _duration(b))
    if isinstance(a, Quantity) and isinstance(b, Quantity):
        return quantity.add(a, b)
    if type(a) is Uncertainty or type(b) is Uncertainty:
        return _uncertain(add, a, b)
    kind = _kind(a, b)
    return fit(WIDE.add(Decimal(a), Decimal(b))) if kind is Decimal else whole_number(a + b, kind)


@function("Subtract")
def subtract(a: Any, b: Any) -> Any:
    """Subtract numbers or quantities, or a duration from a date or time."""
    if type(a) is int and type(b) is int:
        return whole_number(a - b, int)
    if isinstance(a, _TEMPORAL):
        return durations.add(a, _duration(b), -1)
    if isinstance(a, Quantity) and isinstance(b, Quantity):
        return quantity.subtract(a, b)
    if type(a) is Uncertainty or type(b) is Uncertainty:
        return _uncertain(subtract, a, b)
    kind = _kind(a, b)
    return fit(WIDE.subtract(Decimal(a), Decimal(b))) if kind is Decimal else whole_number(a - b, kind)


def _duration(value: Any) -> Quantity:
    if not isinstance(value, Quantity):
        raise EvaluationError("Only a time-valued quantity can be added to a date or time.")
    return value


@function("Multiply")
def multiply(a: Any, b: Any) -> Any:
    """Multiply numbers, or quantities with their units."""
    if isinstance(a, Quantity) or isinstance(b, Quantity):
        return quantity.multiply(_as_quantity(a), _as_quantity(b))
    if type(a) is Uncertainty or type(b) is Uncertainty:
        return _uncertain(multiply, a, b)
    kind = _kind(a, b)
    return fit(WIDE.multiply(Decimal(a), Decimal(b))) if kind is Decimal else whole_number(a * b, kind)


def _as_quantity(value: Any) -> Quantity:
    if isinstance(value, Quantity):
        return value
    _kind(value)
    return Quantity(Decimal(value))


@function("Divide")
def divide(a: Any, b: Any) -> Any:
    """Divide as Decimals, or quantities with their units; null when the divisor is zero."""
    if isinstance(a, Quantity) or isinstance(b, Quantity):
        return quantity.divide(_as_quantity(a), _as_quantity(b))
    _kind(a, b)
    return fit(WIDE.divide(Decimal(a), Decimal(b))) if b else None


@function("TruncatedDivide")
def truncated_divide(a: Any, b: Any) -> Any:
    """Divide and drop the fraction; null when the divisor is zero."""
    if isinstance(a, Quantity):
        return quantity.whole(a, _as_quantity(b))
    kind = _kind(a, b)
    if not b:
        return None
    if kind is Decimal:
        return fit(WIDE.divide(Decimal(a), Decimal(b)).to_integral_value(ROUND_DOWN))
    return whole_number(abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1), kind)


@function("Modulo")
def modulo(a: Any, b: Any) -> Any:
    """Give the remainder of the truncated division; null when the divisor is zero."""
    if isinstance(a, Quantity):
        return quantity.modulo(a, _as_quantity(b))
    kind = _kind(a, b)
    if not b:
        return None
    if kind is Decimal:
        return fit(WIDE.remainder(Decimal(a), Decimal(b)))
    return whole_number(abs(a) % abs(b) * (1 if a >= 0 else -1), kind)


@function("Abs")
def absolute(a: Any) -> Any:
    """Give the magnitude."""
    if isinstance(a, Quantity):
        return Quantity(a.value.copy_abs(), a.unit)
    kind = _kind(a)
    return a.copy_abs() if kind is Decimal else whole_number(abs(a), kind)


@function("Negate")
def negate(a: Any) -> Any:
    """Give the value with its sign changed."""
    if isinstance(a, Quantity):
        return Quantity(WIDE.minus(a.value), a.unit)
    if type(a) is Uncertainty:
        return Uncertainty(negate(a.high), negate(a.low))
    kind = _kind(a)
    return WIDE.minus(a) if kind is Decimal else whole_number(-a, kind)


def _to_integer(a: Any, rounding: str) -> int | None:
    _kind(a)
    return whole_number(int(Decimal(a).to_integral_value(rounding)), int)


@function("Ceiling")
def ceiling(a: Any) -> Any:
    """Give the first integer not below the argument."""
    return _to_integer(a, ROUND_CEILING)


@function("Floor")
def floor(a: Any) -> Any:
    """Give the first integer not above the argument."""
    return _to_integer(a, ROUND_FLOOR)


@function("Truncate")
def truncate(a: Any) -> Any:
    """Give the integer part."""
    return _to_integer(a, ROUND_DOWN)


@function("Round", optional=("precision",), nulls="passed")
def round_half_up(a: Any, precision: Any = None) -> Any:
    """Round to the nearest, a half towards positive infinity.

    https://cql.hl7.org/09-b-cqlreference.html#round
    """
    if a is None:
        return None
    _kind(a)
    unit = Decimal(1).scaleb(-(precision or 0))
    shifted = WIDE.add(WIDE.divide(Decimal(a), unit), _HALF)
    rounded = fit(WIDE.multiply(shifted.to_integral_value(ROUND_FLOOR), unit))
    return rounded or Decimal(0)


@function("Ln")
def natural_logarithm(a: Any) -> Any:
    """Give the natural logarithm; null when the argument is not positive."""
    _kind(a)
    return fit(Decimal(a).ln(WIDE)) if a > 0 else None


@function("Exp")
def exponential(a: Any) -> Any:
    """Give e to the power of the argument."""
    _kind(a)
    return fit(Decimal(a).exp(WIDE))


@function("Log")
def logarithm(a: Any, base: Any) -> Any:
    """Give the logarithm to a base; null when it does not exist."""
    _kind(a, base)
    if a <= 0 or base <= 0 or base == 1:
        return None
    return fit(WIDE.divide(Decimal(a).ln(WIDE), Decimal(base).ln(WIDE)))


@function("Power")
def power(a: Any, exponent: Any) -> Any:
    """Raise to a power; an Integer to a negative power is a Decimal."""
    kind = _kind(a, exponent)
    if kind is Decimal or exponent < 0:
        if not a and exponent < 0:
            return None
        return fit(WIDE.power(Decimal(a), Decimal(exponent)))
    if abs(a) > 1 and exponent > 64:  # noqa: PLR2004 - past 64 bits: no Integer or Long can hold it
        return None
    return whole_number(a**exponent, kind)


def _move(a: Any, sign: int) -> Any:
    if isinstance(a, _TEMPORAL):
        return durations.step(a, sign)
    if isinstance(a, Quantity):
        value = _move(a.value, sign)
        return None if value is None else Quantity(value, a.unit)
    kind = _kind(a)
    if kind is not Decimal:
        return whole_number(a + sign, kind)
    moved = WIDE.add(a, STEP * sign)
    return moved if MIN_DECIMAL <= moved <= MAX_DECIMAL else None


@function("Successor")
def successor(a: Any) -> Any:
    """Give the next value of the type; null past the maximum."""
    return _move(a, 1)


@function("Predecessor")
def predecessor(a: Any) -> Any:
    """Give the previous value of the type; null below the minimum."""
    return _move(a, -1)


@function("Precision")
def precision_of(a: Any) -> Any:
    """Give the number of digits of precision."""
    if isinstance(a, Time):
        return (0, 2, 4, 6, 9)[len(a.parts)]
    if isinstance(a, (Date, DateTime)):
        return (0, 4, 6, 8, 10, 12, 14, 17)[len(a.parts)]
    _kind(a)
    exponent = Decimal(a).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else None


def extreme(type_name: str, *, highest: bool, home: int) -> Any:  # noqa: PLR0911  # one return for each type
    """Give the smallest or greatest value of a system type; None when the type has none."""
    parts = (9999, 12, 31, 23, 59, 59, 999) if highest else (1, 1, 1, 0, 0, 0, 0)
    match type_name:
        case "Integer":
            return MAX_INTEGER if highest else -MAX_INTEGER - 1
        case "Long":
            return Long(MAX_LONG if highest else -MAX_LONG - 1)
        case "Decimal":
            return MAX_DECIMAL if highest else MIN_DECIMAL
        case "Date":
            return Date(*parts[:3])
        case "DateTime":
            return DateTime(*parts, offset=home, home=home)
        case "Time":
            return Time(*parts[3:])
        case _:
            return None
