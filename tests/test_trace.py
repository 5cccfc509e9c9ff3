"""The trace holds: every statement leads somewhere, every label and number on a card comes from somewhere.

An unknown label in an artifact is refused at load (`broken/unknown-label`, `broken/unknown-evidence`), a parameter
without a basis too (`broken/parameter-without-basis`), and `test_content.py` compares what carries what with the
specification. Here stands what can only be seen on the whole package and on the cards themselves.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ankle_cds import artifacts, fhir, stories
from ankle_cds.lint.elements import EVIDENCE, HL7, STATEMENT, extensions, labels
from ankle_cds.lint.numbers import Sources, policy_as_fact, unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Resource
    from ankle_cds.stories import Story

ROOT = Path(__file__).parents[1]
CONTENT = ROOT / "src" / "ankle_cds" / "content" / "posterior-ankle-impingement"
BASE = "https://w3id.org/ankle-cds"
CITES = f"{BASE}/StructureDefinition/pai-source-statement"
ALL = {f"S{number}" for number in range(1, 59)}
STORIES = stories.read_all()
# What the article states of itself, and how it is listed: they carry no statement on.
REGISTRIES = {"CodeSystem/pai-source-statement", "ValueSet/PaiSourceStatement"}


@pytest.fixture(scope="module")
def package() -> Package:
    return artifacts.load(CONTENT)


@pytest.fixture(scope="module")
def evidence() -> dict[str, str]:
    records = yaml.safe_load((CONTENT / "evidence.yaml").read_text())["evidence"]
    return {record["id"]: " ".join(map(str, record.values())) for record in records}


def uncarried(resources: Iterable[Resource]) -> set[str]:
    """Give the statements that no artifact leads back to."""
    carried = {
        label
        for one in resources
        if f"{one['resourceType']}/{one['id']}" not in REGISTRIES
        for label, _ in labels(one, CITES)
    }
    return ALL - carried


def test_every_statement_is_carried_or_told_to_come_later(package: Package) -> None:
    """The README of the content says of a statement that is carried nowhere that a later release will carry it."""
    rows = re.findall(r"^\| (S\d+) \| ([^|]*) \|", (CONTENT / "README.md").read_text(), re.MULTILINE)
    later = {label for label, carriers in rows if carriers.strip() == "later release"}
    assert uncarried(package.resources.values()) <= later


@pytest.mark.parametrize("label", ["S1", "S25", "S58"])
def test_a_statement_that_is_carried_nowhere_is_seen(label: str, package: Package) -> None:
    without = [
        yaml.safe_load(fhir.write_json(one).replace(f'"{label}"'.encode(), b'"S0"')) for one in package_of(package)
    ]
    assert label in uncarried(without)


def package_of(package: Package) -> list[Resource]:
    """Give the plans and forms: what carries these three."""
    return [*package.of_type("PlanDefinition"), *package.of_type("Questionnaire")]


# Cards


def cards(story: Story) -> list[dict[str, Any]]:
    return list(fhir.read_json_file(story.expected_file).get("cards", []))


def sources(story: Story, package: Package, evidence: dict[str, str]) -> Sources:
    system = package.get(f"{BASE}/CodeSystem/pai-source-statement")
    library = package.get(f"{BASE}/Library/PaiLogic")
    defaults = {
        part["name"]: value for part in library["parameter"] for value in extensions(part, f"{HL7}cqf-defaultValue")
    }
    return Sources(
        evidence=evidence,
        statements={concept["code"]: concept["display"] for concept in system["concept"]},
        parameters={**defaults, **story.parameters},
        chart=story.chart(),
        today=story.clock.date(),
    )


@pytest.mark.parametrize("story", STORIES, ids=[story.id for story in STORIES])
def test_every_label_on_a_card_is_one_the_recommendation_cites(story: Story, package: Package) -> None:
    """What a reader would look up stands in the documentation of the artifact, with its address."""
    for card in cards(story):
        plan = package.get(f"{BASE}/PlanDefinition/{card['source']['topic']['code']}")
        cited = {label for label, _ in labels(plan, CITES)}
        printed = set(STATEMENT.findall(card["detail"])) | set(EVIDENCE.findall(card["detail"]))
        assert printed <= cited, card["summary"]


@pytest.mark.parametrize("story", STORIES, ids=[story.id for story in STORIES])
def test_every_number_on_a_card_is_supported_beside_it(
    story: Story, package: Package, evidence: dict[str, str]
) -> None:
    """By the record or statement cited on its line, by a recorded fact, or by a parameter marked "local policy"."""
    for card in cards(story):
        assert list(unsupported(card["detail"], sources(story, package, evidence))) == [], card["summary"]


def test_some_card_prints_numbers_of_each_kind() -> None:
    """The stories show figures of evidence, facts and local policies: the tests above look at something."""
    text = "\n".join(card["detail"] for story in STORIES for card in cards(story))
    assert re.search(r"\d+ of \d+ .*E-", text)
    assert re.search(r"\d+ weeks \(local policy\)", text)
    assert re.search(r"eGFR: \d+", text)


KNOWN = Sources(
    evidence={"E-X1": "25/61 (41%); level IV; 12.30 points"},
    statements={"S6": "present in 5-15% of people"},
    parameters={"Weeks": 6, "Phrases": "{}"},
    chart={
        "entry": [
            {"valueQuantity": {"value": 22, "code": "wk"}, "effectiveDateTime": "2026-05-01T10:00:00Z"},
            {"valueQuantity": {"value": 28, "unit": "mL/min/1.73 m2"}, "effectiveDateTime": "2026-04-30"},
            {"birthDate": "2004-05-16"},
        ]
    },
    today=date(2026, 5, 15),
)


@pytest.mark.parametrize(
    "line",
    [
        "- 25 of 61 ankles, 41% (E-X1)",
        "- 12.3 points (E-X1)",
        "5-15% of people (S6)",
        "- Recheck at 6 weeks (local policy)",
        "- eGFR: 28 mL/min/1.73 m2 (2026-04-30)",
        "- Week 24 today",
        "- 21 years old",
        "- and 3 more",
        "- see https://doi.org/10.1/2026 (E-X1)",
        "No number at all.",
    ],
)
def test_a_supported_number_passes(line: str) -> None:
    assert list(unsupported(line, KNOWN)) == []


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("- 26 of 61 ankles (E-X1)", "26"),
        ("- 25 of 61 ankles", "25"),
        ("- 25 of 61 ankles (E-Y1)", "25"),
        ("5-16% of people (S6)", "16"),
        ("- Recheck at 6 weeks", "6"),
        ("- Recheck at 6 weeks (S6)", "6"),
        ("- Recheck at 7 weeks (local policy)", "7"),
        ("- eGFR: 29", "29"),
        ("- eGFR: 28 (2026-04-29)", "2026-04-29"),
        ("- Week 25 today", "25"),
    ],
)
def test_an_unsupported_number_is_seen(line: str, number: str) -> None:
    assert number in [found for _, found in unsupported(f"First.\n{line}", KNOWN)]
    assert {place for place, _ in unsupported(f"First.\n{line}", KNOWN)} == {2}


def test_a_local_policy_printed_as_a_fact_of_the_source_is_seen() -> None:
    assert list(policy_as_fact("Recheck at 6 weeks (S6).", KNOWN.parameters, {"Weeks"}, KNOWN)) == [1]
    assert list(policy_as_fact("Recheck at 6 weeks (local policy).", KNOWN.parameters, {"Weeks"}, KNOWN)) == []
    other = replace(KNOWN, evidence={"E-X1": "6 weeks"})
    assert list(policy_as_fact("Recheck at 6 weeks (E-X1).", KNOWN.parameters, {"Weeks"}, other)) == []
