"""The functions that are supported, by name: how many arguments each takes, and what it gives.

http://hl7.org/fhirpath/N1/#functions
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ankle_cds.fhir.definitions import r4
from ankle_cds.fhirpath import texts
from ankle_cds.fhirpath.comparing import contained, distinct
from ankle_cds.fhirpath.logic import negated
from ankle_cds.fhirpath.nodes import Node
from ankle_cds.fhirpath.values import Expression, boolean, single, truth, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ankle_cds.fhirpath.values import Collection, Context


@dataclass(frozen=True, slots=True)
class Function:
    """How many arguments a function takes, and what makes it from its source and arguments."""

    arity: tuple[int, ...]
    make: Callable[..., Expression]


def has_type(source: Expression, name: str) -> Expression:
    """Make the test whether the only item is of a FHIR type or one that specialises it."""

    def test(context: Context, focus: Collection) -> Collection:
        item = single(source(context, focus))
        return [] if item is None else boolean(r4().is_a(item.type, name))

    return test


def of_type(source: Expression, name: str) -> Expression:
    """Make the choice of the items that are of a FHIR type or one that specialises it."""
    return lambda context, focus: [node for node in source(context, focus) if r4().is_a(node.type, name)]


def _of(change: Callable[[Collection], Collection]) -> Callable[[Expression], Expression]:
    """Make a function without arguments."""
    return lambda source: lambda context, focus: change(source(context, focus))


def _each(answer: Callable[[list[bool | None]], bool]) -> Callable[[Expression], Expression]:
    """Make a function of the truth of every item."""
    return _of(lambda found: boolean(answer([truth([node]) for node in found])))


def _counted(cut: Callable[[Collection, int], Collection]) -> Callable[..., Expression]:
    """Make a function that keeps a number of items; a negative number counts as none."""

    def make(source: Expression, number: Expression) -> Expression:
        return lambda context, focus: cut(source(context, focus), max(whole_number(number(context, focus)), 0))

    return make


def _where(source: Expression, criteria: Expression) -> Expression:
    return lambda context, focus: [node for node in source(context, focus) if truth(criteria(context, [node]))]


def _select(source: Expression, projection: Expression) -> Expression:
    return lambda context, focus: [found for node in source(context, focus) for found in projection(context, [node])]


def _repeat(source: Expression, projection: Expression) -> Expression:
    def below(context: Context, focus: Collection) -> Collection:
        found: Collection = []
        waiting = source(context, focus)
        while waiting:
            new = [one for node in waiting for one in projection(context, [node])]
            waiting = [one for one in distinct(new) if not contained(one, found)]
            found += waiting
        return found

    return below


def _all(source: Expression, criteria: Expression) -> Expression:
    return lambda context, focus: boolean(
        all(truth(criteria(context, [node])) is True for node in source(context, focus))
    )


def _exists(source: Expression, criteria: Expression | None = None) -> Expression:
    kept = source if criteria is None else _where(source, criteria)
    return lambda context, focus: boolean(bool(kept(context, focus)))


def _descendants(found: Collection) -> Collection:
    def below(node: Node) -> Iterator[Node]:
        for _, child in node.children():
            yield child
            yield from below(child)

    return [child for node in found for child in below(node)]


def _intersect(source: Expression, other: Expression) -> Expression:
    def common(context: Context, focus: Collection) -> Collection:
        others = other(context, focus)
        return distinct([node for node in source(context, focus) if contained(node, others)])

    return common


def _iif(source: Expression, criteria: Expression, then: Expression, otherwise: Expression | None = None) -> Expression:
    def choose(context: Context, focus: Collection) -> Collection:
        given = source(context, focus)
        if truth(criteria(context, given)):
            return then(context, given)
        return [] if otherwise is None else otherwise(context, given)

    return choose


def _single(found: Collection) -> Collection:
    item = single(found)
    return [] if item is None else [item]


FUNCTIONS: Final[dict[str, Function]] = {
    "all": Function((1,), _all),
    "allFalse": Function((0,), _each(lambda found: all(one is False for one in found))),
    "allTrue": Function((0,), _each(lambda found: all(one is True for one in found))),
    "anyFalse": Function((0,), _each(lambda found: any(one is False for one in found))),
    "anyTrue": Function((0,), _each(lambda found: any(one is True for one in found))),
    "children": Function((0,), _of(lambda found: [child for node in found for _, child in node.children()])),
    "contains": Function((1,), texts.tested(lambda given, other: other in given)),
    "count": Function((0,), _of(lambda found: [Node(len(found))])),
    "descendants": Function((0,), _of(_descendants)),
    "distinct": Function((0,), _of(distinct)),
    "empty": Function((0,), _of(lambda found: boolean(not found))),
    "endsWith": Function((1,), texts.tested(str.endswith)),
    "exists": Function((0, 1), _exists),
    "first": Function((0,), _of(lambda found: found[:1])),
    "hasValue": Function((0,), _of(lambda found: boolean(len(found) == 1 and found[0].primitive))),
    "iif": Function((2, 3), _iif),
    "intersect": Function((1,), _intersect),
    "isDistinct": Function((0,), _of(lambda found: boolean(len(found) == len(distinct(found))))),
    "last": Function((0,), _of(lambda found: found[-1:])),
    "length": Function((0,), texts.length),
    "not": Function((0,), _of(lambda found: boolean(negated(truth(found))))),
    "repeat": Function((1,), _repeat),
    "select": Function((1,), _select),
    "single": Function((0,), _of(_single)),
    "skip": Function((1,), _counted(lambda found, number: found[number:])),
    "startsWith": Function((1,), texts.tested(str.startswith)),
    "substring": Function((1, 2), texts.substring),
    "tail": Function((0,), _of(lambda found: found[1:])),
    "take": Function((1,), _counted(lambda found, number: found[:number])),
    "toString": Function((0,), texts.to_string),
    # What a trace would show are values of the record: nothing is printed.
    "trace": Function((1, 2), lambda source, *_: source),
    "where": Function((1,), _where),
}
