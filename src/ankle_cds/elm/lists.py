"""List operators, and the set operators that lists share with intervals.

Two elements are the same when they are equal, or both null; an uncertain equality is no sameness.
https://cql.hl7.org/09-b-cqlreference.html#list-operators-2
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ankle_cds.elm import intervals
from ankle_cds.elm.comparison import equal, equivalent
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.registry import Closure, Node, form, function
from ankle_cds.elm.typesystem import IntervalOf, ListOf
from ankle_cds.elm.values import FhirResource, Interval

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ankle_cds.elm.compiler import Compiler

_PLAIN: Final = frozenset({str, int, bool})


def holds(items: Iterable[Any], element: Any) -> bool:
    """Tell whether the element is among the items."""
    if element is None:
        return any(item is None for item in items)
    kind = type(element)
    if kind is str and type(items) is list and element in items:
        return True  # the usual question, asked of long lists: the orders that are drafts
    for item in items:
        if item is element:
            return True
        if item is None or (kind in _PLAIN and type(item) is kind and item != element):
            continue
        if kind is FhirResource and type(item) is kind and _told_apart(item, element):
            continue
        if equal(item, element):
            return True
    return False


def _told_apart(a: FhirResource, b: FhirResource) -> bool:
    """Tell whether two resources have different ids: they are not equal, and need no deep comparison."""
    left, right = a.json.get("id"), b.json.get("id")
    return left is not None and right is not None and left != right


def distinct(items: list[Any]) -> list[Any]:
    """Give the items without duplicates, each at its first place."""
    kept: list[Any] = []
    seen: set[Any] = set()
    for item in items:
        kind = type(item)
        if kind in _PLAIN or kind is FhirResource:
            key = (kind, item.reference, id(item)) if kind is FhirResource else (kind, item)
            if key in seen:
                continue
            seen.add(key)
            if kind in _PLAIN:
                kept.append(item)
                continue
        if not holds(kept, item):
            kept.append(item)
    return kept


@function("Distinct")
def distinct_of(items: Any) -> Any:
    """Give the list without duplicates."""
    return distinct(items)


def _of_intervals(compiler: Compiler, node: Node) -> bool:
    """Tell from the static types whether a set operator works on intervals."""
    kinds = [compiler.type_of(node), *(compiler.type_of(operand) for operand in node["operand"])]
    return any(isinstance(kind, IntervalOf) for kind in kinds)


@form("Union", "operand")
def union(compiler: Compiler, node: Node) -> Closure:
    """Unite two lists (a null one counts as empty) or two intervals that overlap or meet."""
    left, right = compiler.operands(node, ("operand",))
    over_intervals = _of_intervals(compiler, node)

    def run(ev: Any, frame: list[Any]) -> Any:
        a, b = left(ev, frame), right(ev, frame)
        if over_intervals or type(a) is Interval or type(b) is Interval:
            return None if a is None or b is None else intervals.union(a, b)
        return distinct([*(a or ()), *(b or ())])

    return run


@function("Intersect")
def intersect(a: Any, b: Any) -> Any:
    """Give what two lists or two intervals share."""
    if type(a) is Interval:
        return intervals.intersect(a, b)
    return distinct([item for item in a if holds(b, item)])


@function("Except", nulls="passed")
def except_(a: Any, b: Any) -> Any:
    """Give the elements of the first list outside the second, or the part of the first interval outside the second."""
    if a is None:
        return None
    if type(a) is Interval:
        return None if b is None else intervals.except_(a, b)
    return distinct([item for item in a if b is None or not holds(b, item)])


@function("Contains", nulls="passed", precision=True)
def contains(whole: Any, element: Any, precision: str | None = None) -> bool | None:
    """Tell whether a list or interval contains an element."""
    if whole is None:
        return False
    return intervals.contains_point(whole, element, precision) if type(whole) is Interval else holds(whole, element)


@function("In", nulls="passed", precision=True)
def is_in(element: Any, whole: Any, precision: str | None = None) -> bool | None:
    """Tell whether an element is in a list or interval."""
    return contains(whole, element, precision)


@function("ProperContains", nulls="passed", precision=True)
def properly_contains(whole: Any, element: Any, precision: str | None = None) -> bool | None:
    """Tell whether a list or interval contains an element and more."""
    if whole is None:
        return False
    if type(whole) is Interval:
        return None if element is None else intervals.properly_contains_point(whole, element, precision)
    return len(whole) > 1 and holds(whole, element)


@function("ProperIn", nulls="passed", precision=True)
def properly_in(element: Any, whole: Any, precision: str | None = None) -> bool | None:
    """Tell whether an element is in a list or interval that holds more."""
    return properly_contains(whole, element, precision)


@function("Includes", precision=True)
def includes(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether the first list or interval includes all of the second."""
    if type(a) is Interval:
        return (intervals.includes_interval if type(b) is Interval else intervals.contains_point)(a, b, precision)
    return all(holds(a, item) for item in b) if type(b) is list else holds(a, b)


@function("IncludedIn", precision=True)
def included_in(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether the second list or interval includes all of the first."""
    return includes(b, a, precision)


@function("ProperIncludes", precision=True)
def properly_includes(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether the first list or interval includes all of the second and more."""
    if type(a) is Interval:
        if type(b) is not Interval:
            return intervals.properly_contains_point(a, b, precision)
        return intervals.properly_includes_interval(a, b, precision)
    if type(b) is not list:
        return properly_contains(a, b)
    return len(distinct(a)) > len(distinct(b)) and all(holds(a, item) for item in b)


@function("ProperIncludedIn", precision=True)
def properly_included_in(a: Any, b: Any, precision: str | None = None) -> bool | None:
    """Tell whether the second list or interval includes all of the first and more."""
    return properly_includes(b, a, precision)


@form("Exists", "operand")
def exists(compiler: Compiler, node: Node) -> Closure:
    """Tell whether the list holds an element that is not null."""
    (source,) = compiler.operands(node, ("operand",))

    def run(ev: Any, frame: list[Any]) -> bool:
        items = source(ev, frame)
        return bool(items) and (items[0] is not None or any(item is not None for item in items))

    return run


@function("Flatten")
def flatten(lists: Any) -> list[Any]:
    """Give the elements of the lists in one list; a null list contributes nothing."""
    return [item for items in lists if items is not None for item in items]


@form("First", "source")
def first(compiler: Compiler, node: Node) -> Closure:
    """Give the first element, null when there is none."""
    (source,) = compiler.operands(node, ("source",))

    def run(ev: Any, frame: list[Any]) -> Any:
        items = source(ev, frame)
        return items[0] if items else None

    return run


@form("Last", "source")
def last(compiler: Compiler, node: Node) -> Closure:
    """Give the last element, null when there is none."""
    (source,) = compiler.operands(node, ("source",))

    def run(ev: Any, frame: list[Any]) -> Any:
        items = source(ev, frame)
        return items[-1] if items else None

    return run


@function("Indexer")
def indexer(items: Any, index: Any) -> Any:
    """Give the element (of a list) or character (of a string) at an index from 0; null outside."""
    return items[index] if 0 <= index < len(items) else None


@function("IndexOf", operands=("source", "element"))
def index_of(items: Any, element: Any) -> int:
    """Give the index of the first equal element, -1 when there is none."""
    return next((index for index, item in enumerate(items) if item is not None and equal(item, element)), -1)


@function("Slice", operands=("source", "startIndex", "endIndex"), nulls="passed")
def cut(items: Any, begin: Any, stop: Any) -> Any:
    """Give the elements from one index up to but not including another; a null end means to the end."""
    if items is None:
        return None
    begin = 0 if begin is None else begin
    stop = len(items) if stop is None else stop
    return items[begin:stop] if begin >= 0 and stop >= 0 else []


@function("SingletonFrom")
def singleton_from(items: Any) -> Any:
    """Give the only element, null when there is none; raise when there are more."""
    if len(items) > 1:
        raise EvaluationError(
            "singleton from needs a list of at most one element.",
            spec="https://cql.hl7.org/09-b-cqlreference.html#singleton-from",
        )
    return items[0] if items else None


@function("ToList", nulls="passed")
def to_list(value: Any) -> list[Any]:
    """Give a list of the value; an empty list for null.

    https://cql.hl7.org/04-logicalspecification.html#tolist
    """
    return [] if value is None else [value]


@function("EquivalentContains", nulls="passed")
def contains_equivalent(items: Any, element: Any) -> bool:
    """Tell whether an element of the list is equivalent to the element."""
    return items is not None and any(equivalent(item, element) for item in items)


@function("EquivalentIn", nulls="passed")
def in_equivalent(element: Any, items: Any) -> bool:
    """Tell whether the element is equivalent to one of the list."""
    return contains_equivalent(items, element)


@form("Length", "operand")
def length(compiler: Compiler, node: Node) -> Closure:
    """Count the characters of a string or the elements of a list; a null list has none, a null string no length."""
    (operand,) = compiler.operands(node, ("operand",))
    of_null = 0 if isinstance(compiler.type_of(node["operand"]), ListOf) else None

    def run(ev: Any, frame: list[Any]) -> Any:
        value = operand(ev, frame)
        return of_null if value is None else len(value)

    return run
