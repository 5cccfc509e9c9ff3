"""When two items are equal, and which of two comes first; unknown where precision or units leave it open.

http://hl7.org/fhirpath/N1/#equality and http://hl7.org/fhirpath/N1/#comparison
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ankle_cds.elm import Quantity, quantity, temporal
from ankle_cds.fhir import canonical_json
from ankle_cds.fhir.definitions import r4
from ankle_cds.fhirpath.values import UndecidedError, value_of

if TYPE_CHECKING:
    from ankle_cds.fhirpath.nodes import Node
    from ankle_cds.fhirpath.values import Collection

UCUM = "http://unitsofmeasure.org"
_DATES = frozenset({"date", "dateTime", "instant"})
_TEMPORAL = _DATES | {"time"}


def equal(left: Collection, right: Collection) -> bool | None:
    """Compare item by item, in order; None when one side is empty, or precision or units leave it open."""
    if len(left) == 1 and len(right) == 1 and left[0].value is not None and right[0].value is not None:
        return _same(left[0], right[0])
    a, b = ([item for item in side if item.value is not None] for side in (left, right))
    if not a or not b:
        return None
    if len(a) != len(b):
        return False
    return _agreed([_same(one, other) for one, other in zip(a, b, strict=True)])


def contained(item: Node, collection: Collection) -> bool:
    """Tell whether an equal item is in a collection."""
    return any(_same(item, other) is True for other in collection)


def distinct(collection: Collection) -> Collection:
    """Give each item once, in the order they first stand in."""
    found: Collection = []
    for item in collection:
        if not contained(item, found):
            found.append(item)
    return found


def order(left: Collection, right: Collection) -> int | None:
    """Give -1, 0 or 1; None when one side is empty or the order is unknown; raise where there is no order."""
    a, b = value_of(left), value_of(right)
    if a is None or b is None:
        return None
    if is_temporal(a) and is_temporal(b):
        return _temporal_order(moment(a), moment(b))
    if _is_quantity(a) and _is_quantity(b):
        return _quantity_order(a.value, b.value)
    if number(a) and number(b):
        return int(a.value > b.value) - int(a.value < b.value)
    if _plain_text(a) and _plain_text(b):
        return int(a.value > b.value) - int(a.value < b.value)
    raise UndecidedError("two items are compared that have no order")


def number(item: Node) -> bool:
    """Tell whether an item is an integer or a decimal."""
    return isinstance(item.value, (int, Decimal)) and not isinstance(item.value, bool)


def is_temporal(item: Node) -> bool:
    """Tell whether an item is a date, a date with a time, or a time of day."""
    return item.type in _TEMPORAL


def moment(item: Node) -> temporal.Temporal:
    """Read a date or time; raise UndecidedError where it has not the form of one."""
    found = _read(item)
    if found is None:
        raise UndecidedError("an item that is read as a date or a time is none")
    return found


def measured(value: Any) -> Quantity | None:
    """Give a FHIR Quantity in a UCUM unit or calendar period as such; None for one that is not known to the full.

    https://hl7.org/fhir/R4/fhirpath.html#quantity
    """
    if not isinstance(value, dict) or "comparator" in value:
        return None
    amount, unit = value.get("value"), value.get("code")
    if value.get("system") != UCUM or not isinstance(unit, str):
        return None
    if not isinstance(amount, (int, Decimal)) or isinstance(amount, bool):
        return None
    return Quantity(Decimal(amount), unit)


def _same(a: Node, b: Node) -> bool | None:
    if is_temporal(a) or is_temporal(b):
        return _same_moment(a, b)
    if isinstance(a.value, str) or isinstance(b.value, str):
        return bool(a.value == b.value)
    if number(a) and number(b):
        return bool(a.value == b.value)
    if _is_quantity(a) and _is_quantity(b):
        both = measured(a.value), measured(b.value)
        if both[0] is not None and both[1] is not None:
            return _zero(quantity.order(both[0], both[1]))
    if canonical_json(a.value) == canonical_json(b.value):
        return True
    return isinstance(a.value, dict) and isinstance(b.value, dict) and _same_elements(a, b)


def _same_moment(a: Node, b: Node) -> bool | None:
    """Compare two dates or times; one that has not the form of one is known to be itself and no more."""
    if not is_temporal(a) or not is_temporal(b):
        return False
    first, second = _read(a), _read(b)
    if first is None or second is None:
        return True if a.value == b.value else None
    if isinstance(first, temporal.Time) != isinstance(second, temporal.Time):
        return False
    return _zero(_temporal_order(first, second))


def _read(item: Node) -> temporal.Temporal | None:
    if not isinstance(item.value, str):
        return None
    if item.type == "time":
        return temporal.parse_time(item.value)
    return temporal.parse_date(item.value) if item.type == "date" else temporal.parse_datetime(item.value, 0)


def _same_elements(a: Node, b: Node) -> bool | None:
    parts = _by_name(a), _by_name(b)
    if parts[0].keys() != parts[1].keys():
        return False
    return _agreed([equal(found, parts[1][name]) for name, found in parts[0].items()])


def _by_name(node: Node) -> dict[str, Collection]:
    found: dict[str, Collection] = {}
    for name, child in node.children():
        if child.value is not None:
            found.setdefault(name, []).append(child)
    return found


def _agreed(answers: list[bool | None]) -> bool | None:
    return False if False in answers else None if None in answers else True


def _zero(found: int | None) -> bool | None:
    return None if found is None else found == 0


def _is_quantity(item: Node) -> bool:
    return r4().is_a(item.type, "Quantity")


def _plain_text(item: Node) -> bool:
    return isinstance(item.value, str) and not is_temporal(item)


def _temporal_order(a: temporal.Temporal, b: temporal.Temporal) -> int | None:
    """Compare; offsets count from the hour on only, so that a day without a time is compared as it is written."""
    if isinstance(a, temporal.Time) != isinstance(b, temporal.Time):
        raise UndecidedError("a date is compared with a time of day")
    if isinstance(a, temporal.Time) or min(len(a.parts), len(b.parts)) > temporal.HOUR:
        return temporal.order(a, b)
    return temporal.order(temporal.DateTime(*a.parts), temporal.DateTime(*b.parts))


def _quantity_order(a: Any, b: Any) -> int | None:
    """Compare amounts, of UCUM units by what they measure, of others where the unit is the same.

    A comparator leaves the amount open.
    """
    both = measured(a), measured(b)
    if both[0] is not None and both[1] is not None:
        return quantity.order(both[0], both[1])
    if not isinstance(a, dict) or not isinstance(b, dict):
        raise UndecidedError("a quantity is compared that is none")
    amounts = [item.get("value") for item in (a, b)]
    units = [(item.get("system"), item.get("code"), None if "code" in item else item.get("unit")) for item in (a, b)]
    if units[0] != units[1] or "comparator" in a or "comparator" in b:
        return None
    if not all(isinstance(amount, (int, Decimal)) and not isinstance(amount, bool) for amount in amounts):
        raise UndecidedError("a quantity is compared that has no number")
    first, second = (Decimal(amount) for amount in amounts if amount is not None)
    return int(first > second) - int(first < second)
