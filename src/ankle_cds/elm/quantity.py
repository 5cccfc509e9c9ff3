"""Decimals within the limits of CQL, and quantities: conversion, comparison, arithmetic.

https://cql.hl7.org/09-b-cqlreference.html#decimal and https://cql.hl7.org/09-b-cqlreference.html#quantity
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Final

from ankle_cds.elm import ucum
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.values import Quantity

# Wide enough for the product of any two Decimals; results are brought back to 28 digits with 8 after the point.
WIDE: Final = Context(prec=80, rounding=ROUND_HALF_UP, traps=[])
STEP: Final = Decimal("0.00000001")
MAX_DECIMAL: Final = Decimal("99999999999999999999.99999999")
MIN_DECIMAL: Final = -MAX_DECIMAL
_SCALE: Final = -8


def fit(value: Decimal) -> Decimal | None:
    """Round to 8 decimal places; None when the value is outside the range of Decimal."""
    if not value.is_finite():
        return None
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < _SCALE:
        value = WIDE.quantize(value, STEP)
    return value if MIN_DECIMAL <= value <= MAX_DECIMAL else None


def decimal_of(fraction: Fraction) -> Decimal:
    """Give a fraction as a Decimal of the wide context."""
    return WIDE.divide(Decimal(fraction.numerator), Decimal(fraction.denominator))


def fraction_of(quantity: Quantity) -> Fraction:
    """Give the magnitude as an exact fraction."""
    return Fraction(quantity.value)


def convert(quantity: Quantity, unit: str) -> Quantity | None:
    """Give the same quantity in another unit; None when the units do not measure the same thing."""
    if quantity.unit == unit:
        return quantity
    factor = ucum.ratio(quantity.unit, unit)
    if factor is None:
        return None
    value = fit(decimal_of(fraction_of(quantity) * factor))
    return None if value is None else Quantity(value, unit)


def order(a: Quantity, b: Quantity) -> int | None:
    """Give -1, 0 or 1; None when the units do not measure the same thing."""
    if a.unit == b.unit:
        return (a.value > b.value) - (a.value < b.value)
    factor = ucum.ratio(a.unit, b.unit)
    if factor is None:
        return None
    left, right = fraction_of(a) * factor, fraction_of(b)
    return (left > right) - (left < right)


# Equivalence alone lets a calendar year or month stand for the UCUM one, and for 365 or 30 days.
_EQUIVALENT: Final = {
    **dict.fromkeys(("year", "years", "a"), 365),
    **dict.fromkeys(("month", "months", "mo"), 30),
}


def equivalent(a: Quantity, b: Quantity) -> bool:
    """Tell whether two quantities are equivalent; units of different dimensions never are."""
    if order(a, b) == 0:
        return True
    if a.unit in _EQUIVALENT or b.unit in _EQUIVALENT:
        both = (a.unit in _EQUIVALENT, b.unit in _EQUIVALENT)
        if all(both):
            months = [q.value * (12 if _EQUIVALENT[q.unit] > 30 else 1) for q in (a, b)]  # noqa: PLR2004 - days a month
            return months[0] == months[1]
        days = [Quantity(q.value * _EQUIVALENT[q.unit], "d") if q.unit in _EQUIVALENT else q for q in (a, b)]
        return order(days[0], days[1]) == 0
    return False


def _finer(a: Quantity, b: Quantity) -> tuple[Quantity, Quantity] | None:
    """Give both in the more granular of their units; None when they do not measure the same thing."""
    if a.unit == b.unit:
        return a, b
    factor = ucum.ratio(a.unit, b.unit)
    if factor is None:
        return None
    unit = a.unit if factor <= 1 else b.unit
    left, right = convert(a, unit), convert(b, unit)
    return None if left is None or right is None else (left, right)


def _with(value: Decimal, unit: str) -> Quantity | None:
    fitted = fit(value)
    return None if fitted is None else Quantity(fitted, unit)


def add(a: Quantity, b: Quantity) -> Quantity | None:
    """Add; the result has the more granular unit, None when the units do not measure the same thing."""
    pair = _finer(a, b)
    return pair and _with(WIDE.add(pair[0].value, pair[1].value), pair[0].unit)


def subtract(a: Quantity, b: Quantity) -> Quantity | None:
    """Subtract; the result has the more granular unit, None when the units do not measure the same thing."""
    pair = _finer(a, b)
    return pair and _with(WIDE.subtract(pair[0].value, pair[1].value), pair[0].unit)


def multiply(a: Quantity, b: Quantity) -> Quantity | None:
    """Multiply values and units."""
    value = WIDE.multiply(a.value, b.value)
    if "1" in (a.unit, b.unit):
        return _with(value, b.unit if a.unit == "1" else a.unit)
    if a.unit == b.unit and a.unit[-1:].isalpha() and _simple(a.unit):
        return _with(value, f"{a.unit}2")
    return _with(value, f"{_simple(a.unit)}.{_simple(b.unit)}")


def divide(a: Quantity, b: Quantity) -> Quantity | None:
    """Divide values and units; None when the divisor is zero."""
    if not b.value:
        return None
    if b.unit in ("1", a.unit):
        return _with(WIDE.divide(a.value, b.value), a.unit if b.unit == "1" else "1")
    pair = _finer(a, b)
    if pair:
        return _with(WIDE.divide(pair[0].value, pair[1].value), "1")
    unit = f"/{_simple(b.unit)}" if a.unit == "1" else f"{_simple(a.unit)}/{_simple(b.unit)}"
    return _with(WIDE.divide(a.value, b.value), unit)


def whole(a: Quantity, b: Quantity) -> Quantity | None:
    """Divide and drop the fraction (`div`); None when the divisor is zero."""
    quotient = divide(a, b)
    return quotient and Quantity(Decimal(int(quotient.value)), quotient.unit)


def modulo(a: Quantity, b: Quantity) -> Quantity | None:
    """Give the remainder, with the sign of the dividend; None when the divisor is zero or the units differ in kind."""
    pair = _finer(a, b)
    if not pair or not pair[1].value:
        return None
    return _with(WIDE.remainder(pair[0].value, pair[1].value), pair[0].unit)


def _simple(unit: str) -> str:
    if any(sign in unit for sign in "./("):
        raise EvaluationError(
            "Multiplying or dividing quantities with compound units is not supported; convert one of them first.",
            spec="https://cql.hl7.org/09-b-cqlreference.html#multiply",
        )
    return unit
