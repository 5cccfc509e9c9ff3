"""What is asked: the rows of the specification and the scored features, as they stand in the two files beside this.

https://cds-hooks.hl7.org/2.0/ , and the ballot of 3.0 at https://github.com/HL7/cds-hooks (commit fb10ca7).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_FOLDER = Path(__file__).parent
_SPECIFICATION = "https://cds-hooks.hl7.org/2.0/"
PROOF = "tests/test_conformance.py::test_row"
"""Where rows that cannot be observed from outside are shown for our own service; the key stands in brackets."""


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement: key, level, whom it binds, where it stands, and what it says in our words.

    `how` it is shown: by an http check (`by` names it); by a test of our own service, where it cannot be observed from
    outside (`by` says why); open, while the product lacks it; no, where it does not apply (`by` says why). `note` says
    what of it is still to come.
    """

    key: str
    level: str
    binds: str
    source: str
    says: str
    how: Literal["http", "test", "open", "no"]
    by: str
    note: str = ""

    @property
    def where(self) -> str:
        """The place in the specification, a URL where it has one of its own."""
        version, _, place = self.source.partition("#")
        return f"{_SPECIFICATION}#{place}" if version == "2.0" else f"CDS Hooks 3.0.0-ballot, {version[4:]}"

    @property
    def proof(self) -> str:
        """The test that shows it for our own service; empty where an http check does."""
        return f"{PROOF}[{self.key}]" if self.how == "test" else ""


@dataclass(frozen=True, slots=True)
class Feature:
    """One scored feature: its weight, what HealthChain, AHRQ CQL Services and HAPI reached, our goal, and its parts.

    Scores are 0 absent, 1 partial, 2 conforms; None where it is not known. A part is an http check, the key of a row,
    a file of tests, or what nothing looks at yet; `note` says what is measured elsewhere or not at all.
    """

    number: int
    weight: int
    name: str
    others: tuple[int | None, ...]
    goal: int
    parts: tuple[str, ...]
    note: str


def rows() -> tuple[Row, ...]:
    """Read the rows, in the order of the file."""
    return tuple(Row(**record) for record in _read("rows.tsv"))  # type: ignore[arg-type]


def features() -> tuple[Feature, ...]:
    """Read the features, in the order of the file."""
    return tuple(
        Feature(
            int(record["no"]),
            int(record["weight"]),
            record["name"],
            tuple(None if text == "-" else int(text) for text in record["others"].split()),
            int(record["goal"]),
            tuple(record["parts"].split()),
            record["note"],
        )
        for record in _read("features.tsv")
    )


def _read(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
