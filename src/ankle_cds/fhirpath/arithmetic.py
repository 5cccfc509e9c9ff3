"""Joining, adding and taking away: texts, numbers, and a date with a calendar period.

http://hl7.org/fhirpath/N1/#math and http://hl7.org/fhirpath/N1/#datetime-arithmetic
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ankle_cds.elm import EvaluationError, Quantity, durations
from ankle_cds.fhirpath.comparing import is_temporal, moment, number
from ankle_cds.fhirpath.nodes import Node
from ankle_cds.fhirpath.values import UndecidedError, text, value_of

if TYPE_CHECKING:
    from ankle_cds.fhirpath.values import Collection

# What a period literal (`18 years`) becomes: a quantity whose unit is its name, of no system.
PERIOD = "period"


def joined(left: Collection, right: Collection) -> Collection:
    """Give two texts as one; empty counts as the empty text."""
    return [Node((text(left) or "") + (text(right) or ""))]


def plus(left: Collection, right: Collection) -> Collection:
    """Give the sum; empty when one side is, or the result is outside the calendar."""
    return _moved(left, right, 1)


def minus(left: Collection, right: Collection) -> Collection:
    """Give the difference; empty when one side is, or the result is outside the calendar."""
    return _moved(left, right, -1)


def _moved(left: Collection, right: Collection, sign: int) -> Collection:
    a, b = value_of(left), value_of(right)
    if a is None or b is None:
        return []
    if is_temporal(a) and b.type == PERIOD:
        return _later(a, Quantity(Decimal(b.value["value"]), b.value["unit"]), sign)
    if number(a) and number(b):
        return [Node(a.value + sign * b.value)]
    if sign > 0 and isinstance(a.value, str) and isinstance(b.value, str):
        return [Node(a.value + b.value)]
    raise UndecidedError("two items are added or taken away that do not go together")


def _later(item: Node, period: Quantity, sign: int) -> Collection:
    try:
        found = durations.add(moment(item), period, sign)
    except EvaluationError:
        raise UndecidedError("a period is added to a date or a time that has no such unit") from None
    return [] if found is None else [Node(str(found), item.type)]
