"""Equality, equivalence and order of any two CQL values, in three-valued logic.

https://cql.hl7.org/09-b-cqlreference.html#comparison-operators-4
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from ankle_cds.elm import quantity, temporal
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.registry import function
from ankle_cds.elm.temporal import Date, DateTime, Time
from ankle_cds.elm.values import (
    Code,
    CodeSystem,
    Concept,
    Fhir,
    FhirResource,
    Interval,
    Long,
    Quantity,
    Ratio,
    Uncertainty,
    ValueSet,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBERS: Final = frozenset({int, Long, Decimal})
_TEMPORAL: Final = frozenset({Date, DateTime, Time})
_SPACE: Final = re.compile(r"\s")


def _mismatch(a: Any, b: Any) -> EvaluationError:
    return EvaluationError(f"A {type(a).__name__} and a {type(b).__name__} cannot be compared; convert one of them.")


def compare(a: Any, b: Any) -> int | None:
    """Give -1, 0 or 1, or None when the order is unknown; raise when the types have no common order."""
    ta, tb = type(a), type(b)
    if (ta in _NUMBERS and tb in _NUMBERS) or (ta is str and tb is str):
        return int(a > b) - int(a < b)
    if ta in _TEMPORAL and tb in _TEMPORAL:
        return temporal.order(a, b)
    if ta is Quantity and tb is Quantity:
        return quantity.order(a, b)
    raise _mismatch(a, b)


def ordered(a: Any, b: Any, precision: str | None = None) -> tuple[bool | None, bool | None]:
    """Give (is `a` less than `b`, is it less or equal); None where that is unknown.

    Uncertain operands are compared by their bounds; with `precision` dates and times are compared down to it.
    """
    if a is None or b is None:
        return None, None
    if type(a) is Uncertainty or type(b) is Uncertainty:
        a_low, a_high = (a.low, a.high) if type(a) is Uncertainty else (a, a)
        b_low, b_high = (b.low, b.high) if type(b) is Uncertainty else (b, b)
        first, last = ordered(a_high, b_low, precision), ordered(a_low, b_high, precision)
        less = True if first[0] else False if last[0] is False else None
        less_or_equal = True if first[1] else False if last[1] is False else None
        return less, less_or_equal
    found = temporal.order_to(a, b, precision) if precision and type(a) in _TEMPORAL else compare(a, b)
    return (None, None) if found is None else (found < 0, found <= 0)


def same(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether two points are equal, with `precision` down to it."""
    if a is None or b is None:
        return None
    if precision and type(a) in _TEMPORAL:
        found = temporal.order_to(a, b, precision)
        return None if found is None else found == 0
    return equal(a, b)


@function("Equal")
def equal(a: Any, b: Any) -> bool | None:
    """Tell whether two values are equal; None when that is unknown, or when either is null."""
    if a is None or b is None:
        return None
    kind = type(a)
    if kind is not type(b):
        return _equal_mixed(a, b)
    compared = _EQUAL.get(kind)
    return bool(a == b) if compared is None else compared(a, b)


def conjunction(answers: list[bool | None]) -> bool | None:
    """Combine with three-valued and."""
    if False in answers:
        return False
    return None if None in answers else True


def _equal_uncertain(a: Any, b: Any) -> bool | None:
    forwards, backwards = ordered(a, b), ordered(b, a)
    return False if forwards[1] is False or backwards[1] is False else None


def _equal_mixed(a: Any, b: Any) -> bool | None:
    kinds = {type(a), type(b)}
    if Uncertainty in kinds:
        return _equal_uncertain(a, b)
    if kinds <= _NUMBERS:
        return bool(a == b)
    if kinds == {Date, DateTime}:
        return _equal_ordered(a, b)
    if isinstance(a, Fhir) != isinstance(b, Fhir):
        raise _mismatch(a, b)
    return equal_elements(a, b) if isinstance(a, Fhir) else False


def _equal_ordered(a: Any, b: Any) -> bool | None:
    found = compare(a, b)
    return None if found is None else found == 0


def _equal_lists(a: Any, b: Any) -> bool | None:
    if len(a) != len(b):
        return False
    return conjunction([True if x is None and y is None else equal(x, y) for x, y in zip(a, b, strict=True)])


def _equal_tuples(a: dict[str, Any], b: dict[str, Any]) -> bool | None:
    if a.keys() != b.keys():
        return False
    return conjunction([True if a[key] is None and b[key] is None else equal(a[key], b[key]) for key in a])


def _equal_intervals(a: Interval, b: Interval) -> bool | None:
    from ankle_cds.elm.intervals import ends  # noqa: PLC0415  # an interval compares its points, a point its intervals

    (a_low, a_high), (b_low, b_high) = ends(a), ends(b)
    return conjunction([same(a_low, b_low), same(a_high, b_high)])


def equal_elements(a: Fhir, b: Fhir) -> bool | None:
    """Tell whether two FHIR elements have equal content; None when one lacks a part and all others are equal."""
    if a.type != b.type:
        return False
    return conjunction([_equal_json(a.json, b.json), _equal_json(a.extra, b.extra)])


def _equal_json(a: Any, b: Any) -> bool | None:
    if a is b:
        return True
    if a is None or b is None:
        return None
    if isinstance(a, dict) and isinstance(b, dict):
        return conjunction([_equal_json(a.get(key), b.get(key)) for key in a.keys() | b.keys()])
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return False
        return conjunction([_equal_json(x, y) for x, y in zip(a, b, strict=True)])
    return bool(a == b)


def _equal_structures(a: Any, b: Any) -> bool | None:
    return _equal_tuples(a._asdict(), b._asdict())


_EQUAL: Final[dict[type, Callable[[Any, Any], bool | None]]] = {
    **dict.fromkeys((Date, DateTime, Time, Quantity), _equal_ordered),
    **dict.fromkeys((Code, Concept, Ratio), _equal_structures),
    **dict.fromkeys((list, tuple), _equal_lists),
    **dict.fromkeys((Fhir, FhirResource), equal_elements),
    dict: _equal_tuples,
    Interval: _equal_intervals,
    Uncertainty: _equal_uncertain,
}


@function("NotEqual")
def not_equal(a: Any, b: Any) -> bool | None:
    """Give the negation of `equal`."""
    found = equal(a, b)
    return None if found is None else not found


@function("Equivalent", nulls="passed")
def equivalent(a: Any, b: Any) -> bool:
    """Tell whether two values are equivalent: never unknown, and null is equivalent to null."""
    if a is None or b is None:
        return a is b
    kind = type(a)
    if kind is type(b):
        compared = _EQUIVALENT.get(kind)
        return equal(a, b) is True if compared is None else compared(a, b)
    if isinstance(a, (Code, Concept)) and isinstance(b, (Code, Concept)):
        return _equivalent_concepts(a, b)
    return equal(a, b) is True


def _equivalent_strings(a: str, b: str) -> bool:
    if a == b:
        return True
    if len(a) != len(b) and a.isascii() and b.isascii():
        return False
    return _SPACE.sub(" ", a).casefold() == _SPACE.sub(" ", b).casefold()


def _equivalent_quantities(a: Quantity, b: Quantity) -> bool:
    return quantity.equivalent(a, b) or (a.unit == b.unit and _equivalent_decimals(a.value, b.value))


def _equivalent_lists(a: Any, b: Any) -> bool:
    return len(a) == len(b) and all(map(equivalent, a, b))


def _equivalent_tuples(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(equivalent(a[key], b[key]) for key in a)


def _equivalent_ratios(a: Ratio, b: Ratio) -> bool:
    left, right = quantity.divide(*a), quantity.divide(*b)
    return left is not None and right is not None and equivalent(left, right)


def _significant(value: Decimal) -> int:
    exponent = value.normalize(quantity.WIDE).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _equivalent_decimals(a: Decimal, b: Decimal) -> bool:
    unit = Decimal(1).scaleb(-min(_significant(a), _significant(b)))
    return quantity.WIDE.quantize(a, unit) == quantity.WIDE.quantize(b, unit)


def _equivalent_codes(a: Code | None, b: Code | None) -> bool:
    if a is None or b is None:
        return a is b
    if a.code == b.code and a.system == b.system:
        return True
    return equivalent(a.code, b.code) and equivalent(a.system, b.system)


def _equivalent_concepts(a: Code | Concept, b: Code | Concept) -> bool:
    left: tuple[Code | None, ...] = (a,) if isinstance(a, Code) else a.codes
    right: tuple[Code | None, ...] = (b,) if isinstance(b, Code) else b.codes
    return any(_equivalent_codes(x, y) for x in left for y in right)


def _equivalent_intervals(a: Interval, b: Interval) -> bool:
    from ankle_cds.elm.intervals import end, start  # noqa: PLC0415  # as in `_equal_intervals`

    return equivalent(start(a), start(b)) and equivalent(end(a), end(b))


_EQUIVALENT: Final[dict[type, Callable[[Any, Any], bool]]] = {
    **dict.fromkeys((ValueSet, CodeSystem), lambda a, b: a.id == b.id),
    **dict.fromkeys((list, tuple), _equivalent_lists),
    Code: _equivalent_codes,
    Concept: _equivalent_concepts,
    Decimal: _equivalent_decimals,
    Interval: _equivalent_intervals,
    Quantity: _equivalent_quantities,
    Ratio: _equivalent_ratios,
    dict: _equivalent_tuples,
    str: _equivalent_strings,
}


@function("Less")
def less(a: Any, b: Any) -> bool | None:
    """Tell whether `a` is less than `b`."""
    return ordered(a, b)[0]


@function("LessOrEqual")
def less_or_equal(a: Any, b: Any) -> bool | None:
    """Tell whether `a` is less than or equal to `b`."""
    return ordered(a, b)[1]


@function("Greater")
def greater(a: Any, b: Any) -> bool | None:
    """Tell whether `a` is greater than `b`."""
    return ordered(b, a)[0]


@function("GreaterOrEqual")
def greater_or_equal(a: Any, b: Any) -> bool | None:
    """Tell whether `a` is greater than or equal to `b`."""
    return ordered(b, a)[1]


def sort_key(a: Any, b: Any) -> int:
    """Order for sorting: null first; where the order is unknown the less precise value comes first."""
    if a is None or b is None:
        return (a is not None) - (b is not None)
    found = compare(a, b)
    if found is None:
        if type(a) not in _TEMPORAL:
            raise EvaluationError("Quantities of different dimensions cannot be sorted.")
        return -1 if len(a.parts) < len(b.parts) else 1
    return found
