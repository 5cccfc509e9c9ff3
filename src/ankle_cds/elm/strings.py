"""String operators.

https://cql.hl7.org/09-b-cqlreference.html#string-operators-1
"""

from __future__ import annotations

import re
from typing import Any, Final

from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.registry import function

_SUBSTITUTION: Final = re.compile(r"\\(.)|\$(\d+)")


@function("Concatenate")
def concatenate(*parts: str) -> str:
    """Join the strings; null when any is null (the & operator is translated with Coalesce)."""
    return "".join(parts)


@function("Combine", operands=("source",), optional=("separator",), nulls="passed")
def combine(parts: list[str | None] | None, separator: str | None = None) -> str | None:
    """Join the strings that are not null with a separator; null when there is none to join."""
    given = [part for part in parts or () if part is not None]
    return (separator or "").join(given) if given else None


@function("Split", operands=("stringToSplit", "separator"), nulls="passed")
def split(text: str | None, separator: str | None) -> list[str] | None:
    """Cut at each separator; a null separator cuts nowhere."""
    if text is None:
        return None
    return text.split(separator) if separator else [text]


@function("SplitOnMatches", operands=("stringToSplit", "separatorPattern"), nulls="passed")
def split_on_matches(text: str | None, pattern: str | None) -> list[str] | None:
    """Cut at each match of a pattern; a null pattern cuts nowhere."""
    if text is None:
        return None
    if pattern is None:
        return [text]
    pieces, at = [], 0
    for match in _compiled(pattern).finditer(text):
        pieces.append(text[at : match.start()])
        at = match.end()
    return [*pieces, text[at:]]


@function("Upper")
def upper(text: str) -> str:
    """Give the upper-case string."""
    return text.upper()


@function("Lower")
def lower(text: str) -> str:
    """Give the lower-case string."""
    return text.lower()


@function("PositionOf", operands=("pattern", "string"))
def position_of(pattern: str, text: str) -> int:
    """Give the index of the first appearance, -1 when there is none."""
    return text.find(pattern)


@function("LastPositionOf", operands=("pattern", "string"))
def last_position_of(pattern: str, text: str) -> int:
    """Give the index of the last appearance, -1 when there is none."""
    return text.rfind(pattern)


@function("Substring", operands=("stringToSub", "startIndex"), optional=("length",), nulls="passed")
def substring(text: str | None, begin: int | None, length: int | None = None) -> str | None:
    """Give the characters from an index, null when the index is outside."""
    if text is None or begin is None or not 0 <= begin < len(text):
        return None
    return text[begin:] if length is None else text[begin : begin + max(0, length)]


@function("StartsWith")
def starts_with(text: str, prefix: str) -> bool:
    """Tell whether the string starts with the prefix."""
    return text.startswith(prefix)


@function("EndsWith")
def ends_with(text: str, suffix: str) -> bool:
    """Tell whether the string ends with the suffix."""
    return text.endswith(suffix)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error:
        raise EvaluationError(
            "A regular expression cannot be read; write it in the common subset of PCRE and Python.",
            spec="https://cql.hl7.org/09-b-cqlreference.html#matches",
        ) from None


@function("Matches")
def matches(text: str, pattern: str) -> bool:
    """Tell whether any part of the string matches; ^ and $ anchor it to the whole."""
    return _compiled(pattern).search(text) is not None


@function("ReplaceMatches")
def replace_matches(text: str, pattern: str, substitution: str) -> str:
    r"""Replace each match; in the substitution `$1` is a group and a backslash makes the next character plain."""

    def insert(match: re.Match[str]) -> str:
        def part(found: re.Match[str]) -> str:
            return found[1] or match[int(found[2])] or ""

        try:
            return _SUBSTITUTION.sub(part, substitution)
        except IndexError:
            raise EvaluationError("The substitution names a group that the regular expression does not have.") from None

    return _compiled(pattern).sub(insert, text)


@function("ToChars")
def to_chars(text: str) -> list[Any]:
    """Give the characters."""
    return list(text)
