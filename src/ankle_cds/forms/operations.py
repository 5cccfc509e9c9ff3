"""What the operators and functions of FHIRPath make of collections: lists in, a list out, empty for unknown.

http://hl7.org/fhirpath/N1/#operations
"""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime
from typing import Any

from ankle_cds.errors import ContentError

SPEC = "http://hl7.org/fhirpath/N1/"
_DAY = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d).*)?)?", re.DOTALL)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
# value[x] is written value in a path and valueCoding ... in JSON. https://hl7.org/fhir/R4/fhirpath.html#polymorphism
_CHOICE = re.compile(r"(value|effective)[A-Z]\w*")
_ONE, _BOTH = 1, 2


def members(node: Any, name: str) -> list[Any]:
    """Give the values of an element, a list opened; an element of several types is named without its type."""
    if not isinstance(node, dict):
        return []
    keys = [name] if name in node else [key for key in node if (of := _CHOICE.fullmatch(key)) and of[1] == name]
    found = [node[key] for key in keys]
    return [one for value in found for one in (value if isinstance(value, list) else [value])]


def holds(found: list[Any]) -> bool | None:
    """Read a criterion: true, false, or unknown when empty."""
    if not found:
        return None
    if len(found) > _ONE or not isinstance(found[0], bool):
        raise ContentError("A criterion gives something other than one Boolean; correct the expression.", spec=SPEC)
    return found[0]


def conjunction(left: list[Any], right: list[Any]) -> list[Any]:
    """Give `left and right` of three-valued logic."""
    sides = (holds(left), holds(right))
    if False in sides:
        return [False]
    return [] if None in sides else [True]


def disjunction(left: list[Any], right: list[Any]) -> list[Any]:
    """Give `left or right` of three-valued logic."""
    sides = (holds(left), holds(right))
    if True in sides:
        return [True]
    return [] if None in sides else [False]


def union(left: list[Any], right: list[Any]) -> list[Any]:
    """Give what is in one or the other, once."""
    return distinct([*left, *right])


def distinct(found: list[Any]) -> list[Any]:
    """Give each value once, in the order they first stand in."""
    once: list[Any] = []
    for one in found:
        if not any(_same(one, other) for other in once):
            once.append(one)
    return once


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str) and _INSTANT.fullmatch(one) and _INSTANT.fullmatch(other):
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def whole_number(found: list[Any]) -> int:
    """Give the one whole number of a collection; raise ContentError where it is something else."""
    if len(found) != _ONE or not isinstance(found[0], int):
        raise ContentError("A number of items is expected; correct the expression.", spec=SPEC)
    return found[0]


def equal(left: list[Any], right: list[Any]) -> list[Any]:
    """Give whether two collections hold the same in the same order; unknown when one is empty."""
    if not left or not right:
        return []
    return [len(left) == len(right) and all(map(_same, left, right))]


def unequal(left: list[Any], right: list[Any]) -> list[Any]:
    """Give the opposite of `equal`."""
    return [not same for same in equal(left, right)]


def not_after(left: list[Any], right: list[Any]) -> list[Any]:
    """Compare two days; where one is less precise and the rest is the same, which comes first is unknown."""
    if not left or not right:
        return []
    if len(left) + len(right) > _BOTH:
        raise ContentError("`<=` compares one day with one day; correct the expression.", spec=SPEC)
    one, other = _parts(left[0]), _parts(right[0])
    for part, against in zip(one, other, strict=False):
        if part != against:
            return [part < against]
    return [True] if len(one) == len(other) else []


def _parts(value: Any) -> list[int]:
    if isinstance(value, date):
        return [value.year, value.month, value.day]
    match = _DAY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ContentError("A value that is compared as a day is no date; correct the record.", spec=SPEC)
    return [int(part) for part in match.groups() if part is not None]


def years_before(value: Any, years: int) -> date:
    """Go back whole years; the 29th of February becomes the 28th where that year has none."""
    year, month, day = _parts(value)
    return date(year - years, month, min(day, calendar.monthrange(year - years, month)[1]))


def joined_text(left: list[Any], right: list[Any]) -> list[Any]:
    """Join two texts; empty counts as the empty text."""
    if len(left) > _ONE or len(right) > _ONE:
        raise ContentError("`&` joins one text with one text; correct the expression.", spec=SPEC)
    return ["".join(str(part) for part in (*left, *right))]
