"""What expressions work on: collections of nodes, and when one counts as a single value.

http://hl7.org/fhirpath/N1/#singleton-evaluation-of-collections
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ankle_cds.fhirpath.nodes import Node

if TYPE_CHECKING:
    from datetime import date

Collection = list[Node]


class UndecidedError(ValueError):
    """The expression has no answer for this data: an element repeats, or has a form, that it does not expect.

    The message says what was expected, and nothing of the data.
    """


@dataclass(frozen=True, slots=True)
class Context:
    """What an expression can refer to: variables by name, the day that is today, members of value sets by url."""

    variables: Mapping[str, Collection]
    today: date | None = None
    value_sets: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)


Expression = Callable[[Context, Collection], Collection]


def single(collection: Collection) -> Node | None:
    """Give the only item, None for none; raise UndecidedError for several."""
    if len(collection) > 1:
        raise UndecidedError("several items stand where one is expected")
    return collection[0] if collection else None


def value_of(collection: Collection) -> Node | None:
    """Give the only item that has a value; an element with nothing but extensions has none."""
    item = single(collection)
    return None if item is None or item.value is None else item


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
    item = value_of(collection)
    if item is not None and not isinstance(item.value, str):
        raise UndecidedError("an item that is no text stands where text is expected")
    return None if item is None else str(item.value)


def whole_number(collection: Collection) -> int:
    """Give the only item as a whole number; raise UndecidedError when it is something else or there is none."""
    item = value_of(collection)
    if item is None or not isinstance(item.value, int) or isinstance(item.value, bool):
        raise UndecidedError("a whole number is expected where there is none")
    return item.value
