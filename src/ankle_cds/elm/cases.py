"""Conformance: evaluates the operator cases of the HL7 CQL specification tests and counts how each ends.

A case is *right*, *refused* (at load, by design) or *wrong*; a case whose expectation contradicts the specification is
*disputed*: it is listed in `disputed.json` with the sentence that says so, and counted apart.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.loading import load
from ankle_cds.elm.quantity import STEP, WIDE
from ankle_cds.elm.values import Interval, Quantity, Uncertainty
from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from pathlib import Path

_NOW: Final = dt.datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=dt.UTC)


@dataclass(slots=True)
class Score:
    """How the cases ended; every list but `right` holds case ids."""

    right: int = 0
    refused: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    disputed: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Give the figures as the command prints them."""
        return {"right": self.right, "refused": self.refused, "wrong": self.wrong, "disputed": self.disputed}


def disputes() -> dict[str, dict[str, str]]:
    """Give the disputed cases: id -> our answer, the sentence of the specification, its URL."""
    text = resources.files("ankle_cds.elm").joinpath("disputed.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def read(path: Path) -> list[dict[str, Any]]:
    """Read a file of cases, gzip-compressed or not."""
    data = path.read_bytes()
    cases: list[dict[str, Any]] = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    return cases


def _value(expression: dict[str, Any]) -> Any:
    library = {
        "identifier": {"id": "Case"},
        "statements": {"def": [{"name": "Case", "context": "Unfiltered", "expression": expression}]},
    }
    return load([{"library": library}]).evaluate([], now=_NOW)["Case"]


def matches(found: Any, expected: Any) -> bool:  # noqa: PLR0911  # one return for each kind of value
    """Tell whether two values are structurally the same: type, precision, Decimals to 8 places, nulls equal."""
    if type(found) is Uncertainty and type(expected) is Interval:  # the tests write an uncertainty as a closed interval
        return matches([found.low, found.high], [expected.low, expected.high])
    if type(found) is not type(expected):
        return False
    if isinstance(found, Decimal):
        return WIDE.quantize(found, STEP) == WIDE.quantize(expected, STEP)
    if isinstance(found, Quantity):
        return found.unit == expected.unit and matches(found.value, expected.value)
    if isinstance(found, Interval):
        return all(map(matches, found[:4], expected[:4]))
    if isinstance(found, list):
        return len(found) == len(expected) and all(map(matches, found, expected))
    if isinstance(found, dict):
        return found.keys() == expected.keys() and all(matches(found[key], expected[key]) for key in found)
    return bool(found == expected)


def score(cases: list[dict[str, Any]]) -> Score:
    """Evaluate every case."""
    disputed = disputes()
    result = Score()
    for case in cases:
        name = case["id"]
        try:
            right = matches(_value(case["expression"]), _value(case["expected"]))
        except EvaluationError:
            right = False
        except ContentError:
            result.refused.append(name)
            continue
        if right:
            result.right += 1
        else:
            (result.disputed if name in disputed else result.wrong).append(name)
    return result
