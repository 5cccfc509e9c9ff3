"""The functions on texts, and what an item looks like as text.

http://hl7.org/fhirpath/N1/#string-manipulation and http://hl7.org/fhirpath/N1/#tostring-string
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ankle_cds.fhirpath.comparing import measured
from ankle_cds.fhirpath.nodes import Node
from ankle_cds.fhirpath.values import Expression, boolean, text, value_of, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from ankle_cds.fhirpath.values import Collection, Context


def tested(answer: Callable[[str, str], bool]) -> Callable[..., Expression]:
    """Make a function that asks one text about another; empty when one of them is."""

    def make(source: Expression, argument: Expression) -> Expression:
        def test(context: Context, focus: Collection) -> Collection:
            given, other = text(source(context, focus)), text(argument(context, focus))
            return boolean(None if given is None or other is None else answer(given, other))

        return test

    return make


def substring(source: Expression, start: Expression, length: Expression | None = None) -> Expression:
    """Make `substring`: empty where it would begin outside the text."""

    def cut(context: Context, focus: Collection) -> Collection:
        given, first = text(source(context, focus)), start(context, focus)
        if given is None or not first:
            return []
        begin = whole_number(first)
        most = [] if length is None else length(context, focus)
        if not 0 <= begin < len(given):
            return []
        return [Node(given[begin : begin + max(whole_number(most), 0)] if most else given[begin:])]

    return cut


def length(source: Expression) -> Expression:
    """Make `length`: the number of characters."""

    def counted(context: Context, focus: Collection) -> Collection:
        given = text(source(context, focus))
        return [] if given is None else [Node(len(given))]

    return counted


def to_string(source: Expression) -> Expression:
    """Make `toString`: empty for an item with elements that is no quantity in a UCUM unit."""

    def written(context: Context, focus: Collection) -> Collection:
        item = value_of(source(context, focus))
        if item is None:
            return []
        quantity = measured(item.value)
        if quantity is not None:
            return [Node(f"{quantity.value:f} '{quantity.unit}'")]
        return [Node(_written(item))] if item.primitive else []

    return written


def _written(item: Node) -> str:
    if isinstance(item.value, bool):
        return "true" if item.value else "false"
    return format(item.value, "f") if isinstance(item.value, Decimal) else str(item.value)
