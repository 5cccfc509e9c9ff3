"""Where a printed number comes from: an evidence record or a statement cited beside it, a fact, or a marked parameter.

Asked line by line, because a number is supported only by what the reader sees beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from ankle_cds.lint.elements import EVIDENCE, LOCAL_POLICY, STATEMENT, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_URL = re.compile(r"https?://\S+")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
_LABEL = re.compile(rf"{EVIDENCE.pattern}|{STATEMENT.pattern}")
_COUNTED = re.compile(r"- and \d+ more")  # facts left out for space are counted, and the count is no claim
_COUNTS_WEEKS = re.compile(r"\d weeks?\b")
_DAYS_A_WEEK = 7
_WEEKS = "wk"  # UCUM; a time that was recorded in weeks has grown since


@dataclass(frozen=True, slots=True)
class Sources:
    """What may support a number: records and statements by label, parameters by name, and the patient's record."""

    evidence: Mapping[str, str]
    statements: Mapping[str, str]
    parameters: Mapping[str, Any]
    chart: Any
    today: date


def unsupported(detail: str, sources: Sources) -> Iterator[tuple[int, str]]:
    """Yield line and number (or day) of every figure in a card's detail that nothing beside it supports."""
    days, figures = set(_days(sources.chart)), set(_figures(sources.chart, sources.today))
    parameters = {number for value in sources.parameters.values() for number in _numbers(_text(value))}
    for line, text in enumerate(detail.split("\n"), start=1):
        if _COUNTED.fullmatch(text):
            continue
        cited = set(_LABEL.findall(text))
        known = set(figures)
        for label in cited:
            known |= _numbers(sources.evidence.get(label, "")) | _numbers(sources.statements.get(label, ""))
        if LOCAL_POLICY in text.lower():
            known |= parameters
        known |= set(_weeks(text, sources.today))
        bare = _LABEL.sub("", _URL.sub("", text))
        for day in _DAY.findall(bare):
            if day not in days:
                yield line, day
        for number in sorted(_numbers(_DAY.sub("", bare)) - known):
            yield line, number


def policy_as_fact(detail: str, parameters: Mapping[str, Any], policies: set[str], sources: Sources) -> Iterator[int]:
    """Yield each line that prints the value of a local-policy parameter as if a source had said it.

    That is: the number stands beside a label whose record or statement does not hold it, and the line does not say that
    it is local policy.
    """
    values = {number for name in policies for number in _numbers(_text(parameters.get(name)))}
    for line, number in unsupported(detail, sources):
        text = detail.split("\n")[line - 1]
        if number in values and _LABEL.search(text):
            yield line


def _numbers(text: str) -> set[str]:
    return {_canonical(number) for number in _NUMBER.findall(text)}


def _canonical(number: str) -> str:
    """Write 12.0 as 12: the digits after the point are no other figure."""
    return number.rstrip("0").rstrip(".") if "." in number else str(int(number))


def _weeks(text: str, today: date) -> Iterator[str]:
    """Yield the whole weeks from the days that a line prints until today, where it counts weeks."""
    if _COUNTS_WEEKS.search(text):
        for day in _DAY.findall(text):
            yield str((today - date.fromisoformat(day)).days // _DAYS_A_WEEK)


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _days(chart: Any) -> Iterator[str]:
    for node, _ in walk(chart):
        for value in node.values():
            if isinstance(value, str) and _DAY.match(value):
                yield value[:10]


def _figures(chart: Any, today: date) -> Iterator[str]:
    """Yield the recorded figures: values with their units, as recorded and as they are today by the time passed."""
    for node, _ in walk(chart):
        for name in ("valueQuantity", "valueInteger", "valueDecimal"):
            value = node.get(name)
            amount = value.get("value") if isinstance(value, dict) else value
            if amount is None:
                continue
            yield _canonical(str(amount))
            if isinstance(value, dict):
                yield from _numbers(
                    f"{value.get('unit', '')} {value.get('code', '')}".replace("{", " ").replace("_", " ")
                )
            recorded = str(node.get("effectiveDateTime", ""))[:10]
            if isinstance(value, dict) and value.get("code") == _WEEKS and _DAY.fullmatch(recorded):
                passed = (today - date.fromisoformat(recorded)).days // _DAYS_A_WEEK
                yield _canonical(str(amount + passed))
        birth = str(node.get("birthDate", ""))
        if _DAY.fullmatch(birth):
            born = date.fromisoformat(birth)
            yield str(today.year - born.year - ((today.month, today.day) < (born.month, born.day)))
