"""Three-valued logic: true, false, and unknown (None), which is the empty collection.

http://hl7.org/fhirpath/N1/#boolean-logic
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Logic = Callable[[bool | None, bool | None], bool | None]


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
