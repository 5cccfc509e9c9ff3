"""The functions that are supported, and three-valued logic.

https://hl7.org/fhirpath/N1/#functions
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from ankle_cds.fhir.definitions import r4
from ankle_cds.validate.fhirpath.values import (
    Collection,
    Context,
    Expression,
    UndecidedError,
    boolean,
    contained,
    single,
    text,
    truth,
)
from ankle_cds.validate.nodes import Node

Logic = Callable[[bool | None, bool | None], bool | None]


@dataclass(frozen=True, slots=True)
class Function:
    """How many arguments a function takes, and what makes it from its source and arguments."""

    arity: tuple[int, ...]
    make: Callable[..., Expression]


def negated(answer: bool | None) -> bool | None:
    """Give the opposite; unknown stays unknown."""
    return None if answer is None else not answer


def _and(a: bool | None, b: bool | None) -> bool | None:
    return False if a is False or b is False else None if a is None or b is None else True


def _or(a: bool | None, b: bool | None) -> bool | None:
    return negated(_and(negated(a), negated(b)))


LOGIC: Final[dict[str, Logic]] = {
    "and": _and,
    "or": _or,
    "xor": lambda a, b: None if a is None or b is None else a != b,
    "implies": lambda a, b: _or(negated(a), b),
}


def distinct(collection: Collection) -> Collection:
    """Give each item once."""
    found: Collection = []
    for item in collection:
        if not contained(item, found):
            found.append(item)
    return found


def has_type(source: Expression, name: str) -> Expression:
    """Make the test whether the only item is of a FHIR type or one that specialises it."""

    def test(context: Context, focus: Collection) -> Collection:
        item = single(source(context, focus))
        return [] if item is None else boolean(r4().is_a(item.type, name))

    return test


def _of_type(source: Expression, name: str) -> Expression:
    # FHIR's own constraints also use as() on several items, in the sense of ofType().
    return lambda context, focus: [node for node in source(context, focus) if r4().is_a(node.type, name)]


def _where(source: Expression, criteria: Expression) -> Expression:
    return lambda context, focus: [node for node in source(context, focus) if truth(criteria(context, [node]))]


def _select(source: Expression, projection: Expression) -> Expression:
    return lambda context, focus: [found for node in source(context, focus) for found in projection(context, [node])]


def _all(source: Expression, criteria: Expression) -> Expression:
    return lambda context, focus: boolean(
        all(truth(criteria(context, [node])) is True for node in source(context, focus))
    )


def _exists(source: Expression, criteria: Expression | None = None) -> Expression:
    kept = source if criteria is None else _where(source, criteria)
    return lambda context, focus: boolean(bool(kept(context, focus)))


def _children(source: Expression) -> Expression:
    return lambda context, focus: [child for node in source(context, focus) for _, child in node.children()]


def _descendants(source: Expression) -> Expression:
    def below(node: Node) -> Iterator[Node]:
        for _, child in node.children():
            yield child
            yield from below(child)

    return lambda context, focus: [found for node in source(context, focus) for found in below(node)]


def _intersect(source: Expression, other: Expression) -> Expression:
    def common(context: Context, focus: Collection) -> Collection:
        others = other(context, focus)
        return distinct([node for node in source(context, focus) if contained(node, others)])

    return common


def _iif(source: Expression, criteria: Expression, then: Expression, otherwise: Expression) -> Expression:
    def choose(context: Context, focus: Collection) -> Collection:
        given = source(context, focus)
        return (then if truth(criteria(context, given)) else otherwise)(context, given)

    return choose


def _has_value(source: Expression) -> Expression:
    def test(context: Context, focus: Collection) -> Collection:
        found = source(context, focus)
        return boolean(len(found) == 1 and found[0].primitive)

    return test


def _not(source: Expression) -> Expression:
    return lambda context, focus: boolean(negated(truth(source(context, focus))))


def _all_false(source: Expression) -> Expression:
    return lambda context, focus: boolean(all(truth([node]) is False for node in source(context, focus)))


def _to_string(source: Expression) -> Expression:
    def written(context: Context, focus: Collection) -> Collection:
        item = single(source(context, focus))
        if item is None or not item.primitive:
            return []
        if isinstance(item.value, bool):
            return [Node("true" if item.value else "false")]
        return [Node(format(item.value, "f") if isinstance(item.value, Decimal) else str(item.value))]

    return written


def _on_text(answer: Callable[[str, str], bool]) -> Callable[..., Expression]:
    def make(source: Expression, argument: Expression) -> Expression:
        def test(context: Context, focus: Collection) -> Collection:
            given, other = text(source(context, focus)), text(argument(context, focus))
            return boolean(None if given is None or other is None else answer(given, other))

        return test

    return make


def _substring(source: Expression, start: Expression) -> Expression:
    def cut(context: Context, focus: Collection) -> Collection:
        given, first = text(source(context, focus)), single(start(context, focus))
        if given is None or first is None:
            return []
        if not isinstance(first.value, int) or isinstance(first.value, bool):
            raise UndecidedError
        return [Node(given[first.value :])] if 0 <= first.value < len(given) else []

    return cut


def _length(source: Expression) -> Expression:
    def measured(context: Context, focus: Collection) -> Collection:
        given = text(source(context, focus))
        return [] if given is None else [Node(len(given))]

    return measured


WITH_TYPE: Final[dict[str, Callable[[Expression, str], Expression]]] = {
    "as": _of_type,
    "ofType": _of_type,
    "is": has_type,
}
FUNCTIONS: Final[dict[str, Function]] = {
    "all": Function((1,), _all),
    "allFalse": Function((0,), _all_false),
    "children": Function((0,), _children),
    "contains": Function((1,), _on_text(lambda given, other: other in given)),
    "count": Function((0,), lambda source: lambda context, focus: [Node(len(source(context, focus)))]),
    "descendants": Function((0,), _descendants),
    "empty": Function((0,), lambda source: lambda context, focus: boolean(not source(context, focus))),
    "exists": Function((0, 1), _exists),
    "hasValue": Function((0,), _has_value),
    "iif": Function((3,), _iif),
    "intersect": Function((1,), _intersect),
    "length": Function((0,), _length),
    "not": Function((0,), _not),
    "select": Function((1,), _select),
    "startsWith": Function((1,), _on_text(str.startswith)),
    "substring": Function((1,), _substring),
    "toString": Function((0,), _to_string),
    # What a trace would show are values of the record: nothing is printed.
    "trace": Function((1, 2), lambda source, *_: source),
    "where": Function((1,), _where),
}
