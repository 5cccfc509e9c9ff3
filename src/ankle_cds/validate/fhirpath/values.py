"""What expressions work on: collections of nodes, what makes two of them equal or ordered, and when one is true.

https://hl7.org/fhirpath/N1/#singleton-evaluation-of-collections
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ankle_cds.elm import temporal
from ankle_cds.fhir import canonical_json
from ankle_cds.fhir.definitions import r4
from ankle_cds.validate.nodes import Node

_TEMPORAL = ("date", "dateTime", "instant")


class UndecidedError(ValueError):
    """The expression has no answer for this data: an element repeats, or has a form, that the rule does not expect."""


@dataclass(frozen=True, slots=True)
class Context:
    """`this` is the element a rule stands on; `resource` the nearest resource around it, `root` the outermost."""

    this: Node
    resource: Node
    root: Node


Collection = list[Node]
Expression = Callable[[Context, Collection], Collection]


def single(collection: Collection) -> Node | None:
    """Give the only item, None for none; raise UndecidedError for several."""
    if len(collection) > 1:
        raise UndecidedError
    return collection[0] if collection else None


def truth(collection: Collection) -> bool | None:
    """Tell whether a collection counts as true; None when it is empty. A single item that is no Boolean is true."""
    item = single(collection)
    if item is None:
        return None
    return item.value if isinstance(item.value, bool) else True


def boolean(answer: bool | None) -> Collection:
    """Give a collection of an answer, empty for unknown."""
    return [] if answer is None else [Node(answer)]


def text(collection: Collection) -> str | None:
    """Give the only item as text, None for none; raise UndecidedError when it is something else."""
    item = single(collection)
    if item is not None and not isinstance(item.value, str):
        raise UndecidedError
    return None if item is None else str(item.value)


def equal(left: Collection, right: Collection) -> bool | None:
    """Compare item by item; None when one side is empty or dates of two precisions leave it open."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    answers = [_same(a, b) for a, b in zip(left, right, strict=True)]
    return False if False in answers else None if None in answers else True


def contained(item: Node, collection: Collection) -> bool:
    """Tell whether an equal item is in a collection."""
    return any(_same(item, other) is True for other in collection)


def order(left: Collection, right: Collection) -> int | None:
    """Give -1, 0 or 1; None when one side is empty or the order is unknown; raise where there is no order."""
    a, b = single(left), single(right)
    if a is None or b is None:
        return None
    if _is_temporal(a) and _is_temporal(b):
        return temporal.order(_moment(a), _moment(b))
    if r4().is_a(a.type, "Quantity") and r4().is_a(b.type, "Quantity"):
        return _quantity_order(a.value, b.value)
    for kinds in ((int, Decimal), (str,)):
        if all(isinstance(item.value, kinds) and not isinstance(item.value, bool) for item in (a, b)):
            return int(a.value > b.value) - int(a.value < b.value)
    raise UndecidedError


def _same(a: Node, b: Node) -> bool | None:
    if _is_temporal(a) and _is_temporal(b):
        found = temporal.order(_moment(a), _moment(b))
        return None if found is None else found == 0
    return canonical_json(a.value) == canonical_json(b.value)


def _is_temporal(node: Node) -> bool:
    return node.type in _TEMPORAL


def _moment(node: Node) -> temporal.DateTime:
    moment = temporal.parse_datetime(node.value, 0) if isinstance(node.value, str) else None
    if moment is None:
        raise UndecidedError
    return moment


def _quantity_order(a: Any, b: Any) -> int | None:
    """Compare amounts of one unit; units are not converted here, and a comparator leaves the amount open."""
    if not isinstance(a, dict) or not isinstance(b, dict):
        raise UndecidedError
    amounts = [item.get("value") for item in (a, b)]
    units = [(item.get("system"), item.get("code"), None if "code" in item else item.get("unit")) for item in (a, b)]
    if units[0] != units[1] or "comparator" in a or "comparator" in b:
        return None
    if not all(isinstance(amount, (int, Decimal)) and not isinstance(amount, bool) for amount in amounts):
        raise UndecidedError
    first, second = (Decimal(amount) for amount in amounts if amount is not None)
    return int(first > second) - int(first < second)
