"""Conversions between types, and tests and casts of types.

A string that does not hold a value of the target type converts to null, as the specification says.
https://cql.hl7.org/09-b-cqlreference.html#convert
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from ankle_cds.elm import quantity, temporal, ucum
from ankle_cds.elm.arithmetic import whole_number
from ankle_cds.elm.durations import CALENDAR_UNITS
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.registry import Closure, Node, form, function
from ankle_cds.elm.temporal import Date, DateTime, Time
from ankle_cds.elm.typesystem import Named, Type, qualified, specified, tester
from ankle_cds.elm.values import Code, Concept, Long, Quantity, Ratio, Uncertainty

if TYPE_CHECKING:
    from collections.abc import Callable

    from ankle_cds.elm.compiler import Compiler

_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)
_QUANTITY: Final = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*(?:'([^']*)'|([a-z]+))?", re.ASCII)
_TRUE: Final = frozenset({"true", "t", "yes", "y", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0"})


def _unexpected(value: Any, target: str) -> EvaluationError:
    return EvaluationError(f"A {type(value).__name__} does not convert to {target}.")


@function("ToBoolean")
def to_boolean(value: Any) -> bool | None:
    """Convert a string or number."""
    if type(value) is bool:
        return value
    if type(value) is str:
        word = value.lower()
        return True if word in _TRUE else False if word in _FALSE else None
    if isinstance(value, (int, Decimal)):
        return True if value == 1 else False if value == 0 else None
    raise _unexpected(value, "Boolean")


def _to_whole(value: Any, kind: type) -> Any:
    if type(value) is bool:
        return whole_number(int(value), kind)
    if type(value) is str:
        return whole_number(int(value), kind) if _INTEGER.fullmatch(value) else None
    if isinstance(value, int):
        return whole_number(int(value), kind)
    if type(value) is Uncertainty:
        return value
    raise _unexpected(value, "Integer" if kind is int else "Long")


@function("ToInteger")
def to_integer(value: Any) -> Any:
    """Convert a string, a Boolean or a Long; null when it is outside the range."""
    return _to_whole(value, int)


@function("ToLong")
def to_long(value: Any) -> Any:
    """Convert a string, a Boolean or an Integer; null when it is outside the range."""
    return _to_whole(value, Long)


@function("ToDecimal")
def to_decimal(value: Any) -> Any:
    """Convert a string, a Boolean or a number."""
    if type(value) is Decimal:
        return value
    if isinstance(value, int):
        return Decimal(int(value))
    if type(value) is str:
        return quantity.fit(Decimal(value)) if _DECIMAL.fullmatch(value) else None
    if type(value) is Uncertainty:
        return Uncertainty(to_decimal(value.low), to_decimal(value.high))
    raise _unexpected(value, "Decimal")


@function("ToQuantity")
def to_quantity(value: Any) -> Quantity | None:
    """Convert a number (unit '1'), a string such as `5.5 'cm'` or `3 days`, or a ratio."""
    if type(value) is Quantity:
        return value
    if isinstance(value, (int, Decimal)) and type(value) is not bool:
        return Quantity(to_decimal(value))
    if type(value) is Ratio:
        return quantity.divide(value.numerator, value.denominator)
    if type(value) is not str:
        raise _unexpected(value, "Quantity")
    match = _QUANTITY.fullmatch(value.strip())
    if not match or (match[3] and match[3] not in CALENDAR_UNITS):
        return None
    number = quantity.fit(Decimal(match[1]))
    return None if number is None else Quantity(number, match[2] or match[3] or "1")


@function("ToRatio")
def to_ratio(value: Any) -> Ratio | None:
    """Convert a string of two quantities with a colon between."""
    if type(value) is Ratio:
        return value
    if type(value) is not str:
        raise _unexpected(value, "Ratio")
    left, colon, right = value.partition(":")
    numerator, denominator = to_quantity(left), to_quantity(right)
    return Ratio(numerator, denominator) if colon and numerator and denominator else None


def _plain(value: Decimal) -> str:
    return format(value, "f")


@function("ToString")
def to_string(value: Any) -> str:
    """Write a value so that converting it back gives the value."""
    write = _WRITERS.get(type(value))
    if write is None:
        raise _unexpected(value, "String")
    return write(value)


def _quantity_text(value: Quantity) -> str:
    return f"{_plain(value.value)} " + (value.unit if value.unit in CALENDAR_UNITS else f"'{value.unit}'")


def _decimal_text(value: Decimal) -> str:
    text = _plain(value)
    return text if "." in text else f"{text}.0"


_WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    **dict.fromkeys((str, int, Long, Date, DateTime, Time), str),
    bool: lambda value: "true" if value else "false",
    Decimal: _decimal_text,
    Quantity: _quantity_text,
    Ratio: lambda value: f"{_quantity_text(value.numerator)}:{_quantity_text(value.denominator)}",
}


@function("ToDate", clock=True)
def to_date(_ev: Any, value: Any) -> Date | None:
    """Convert a string, or take the date of a DateTime in the evaluation's timezone offset."""
    if type(value) is Date:
        return value
    if type(value) is DateTime:
        return Date(*value.at_home()[: temporal.HOUR])
    if type(value) is str:
        return temporal.parse_date(value)
    raise _unexpected(value, "Date")


@function("ToDateTime", clock=True)
def to_datetime(ev: Any, value: Any) -> DateTime | None:
    """Convert a string or a Date; without an offset it is in the evaluation's."""
    if type(value) is str:
        return temporal.parse_datetime(value, ev.offset)
    if isinstance(value, (Date, DateTime)):
        return temporal.as_datetime(value, ev.offset)
    raise _unexpected(value, "DateTime")


@function("ToTime")
def to_time(value: Any) -> Time | None:
    """Convert a string."""
    if type(value) is Time:
        return value
    if type(value) is str:
        return temporal.parse_time(value)
    raise _unexpected(value, "Time")


@function("ToConcept")
def to_concept(value: Any) -> Concept:
    """Convert a Code or a list of Codes."""
    if type(value) is Concept:
        return value
    if type(value) is Code:
        return Concept((value,), value.display)
    if type(value) is list:
        return Concept(tuple(value))
    raise _unexpected(value, "Concept")


def _without_clock(convert: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda _ev, value: convert(value)


CONVERSIONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "Boolean": _without_clock(to_boolean),
    "Integer": _without_clock(to_integer),
    "Long": _without_clock(to_long),
    "Decimal": _without_clock(to_decimal),
    "Quantity": _without_clock(to_quantity),
    "Ratio": _without_clock(to_ratio),
    "String": _without_clock(to_string),
    "Date": to_date,
    "DateTime": to_datetime,
    "Time": _without_clock(to_time),
    "Concept": _without_clock(to_concept),
}


def _register_tests() -> None:
    def test(convert: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
        def converts(ev: Any, value: Any) -> bool:
            try:
                return convert(ev, value) is not None
            except EvaluationError:
                return False  # the type has no such conversion: that is the answer

        return converts

    for name, convert in CONVERSIONS.items():
        if name != "Concept":
            function(f"ConvertsTo{name}", clock=True)(test(convert))


_register_tests()


def target(compiler: Compiler, node: Node, attribute: str) -> Type | None:
    """Read the type a cast, test or conversion names; refuse the node when it names none that is known."""
    try:
        if node.get(f"{attribute}TypeSpecifier"):
            return specified(node[f"{attribute}TypeSpecifier"])
        return qualified(node[f"{attribute}Type"])
    except (KeyError, ValueError):
        compiler.refuse(node, "a type specifier")
        return None


@form("Convert", "operand", "toType", "toTypeSpecifier")
def convert(compiler: Compiler, node: Node) -> Closure:
    """Convert to a named system type."""
    (operand,) = compiler.operands(node, ("operand",))
    kind = target(compiler, node, "to")
    name = kind.name if isinstance(kind, Named) and kind.space == "System" else ""
    if name not in CONVERSIONS:
        return compiler.refuse(node, f"a conversion to {kind}")
    conversion = CONVERSIONS[name]

    def run(ev: Any, frame: list[Any]) -> Any:
        value = operand(ev, frame)
        return None if value is None else conversion(ev, value)

    return run


@form("Is", "operand", "isType", "isTypeSpecifier")
def is_type(compiler: Compiler, node: Node) -> Closure:
    """Tell whether a value is of a type; null is of none."""
    (operand,) = compiler.operands(node, ("operand",))
    kind = target(compiler, node, "is")
    try:
        test = tester(kind) if kind else None
    except ValueError as problem:
        return compiler.refuse(node, str(problem))

    def run(ev: Any, frame: list[Any]) -> bool:
        value = operand(ev, frame)
        return value is not None and bool(test and test(value))

    return run


@form("As", "operand", "asType", "asTypeSpecifier", "strict")
def as_type(compiler: Compiler, node: Node) -> Closure:
    """Cast: a value of another type is null, or an error when the cast is strict."""
    (operand,) = compiler.operands(node, ("operand",))
    kind = target(compiler, node, "as")
    try:
        test = tester(kind) if kind else None
    except ValueError as problem:
        return compiler.refuse(node, str(problem))
    strict = node.get("strict") is True

    def run(ev: Any, frame: list[Any]) -> Any:
        value = operand(ev, frame)
        if value is None or (test and test(value)):
            return value
        if strict:
            raise EvaluationError(
                f"A value is not of the type {kind} it is cast to.",
                spec="https://cql.hl7.org/09-b-cqlreference.html#as",
            )
        return None

    return run


@function("ConvertQuantity")
def convert_quantity(value: Quantity, unit: str) -> Quantity | None:
    """Give the quantity in another unit; null when they do not measure the same thing."""
    return quantity.convert(value, unit)


@function("CanConvertQuantity")
def can_convert_quantity(value: Quantity, unit: str) -> bool:
    """Tell whether a quantity can be given in another unit."""
    return ucum.ratio(value.unit, unit) is not None
