"""Every value set holds exactly the members that the reference lists: one more or one fewer is another rule."""

from __future__ import annotations

import csv
import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ankle_cds.fhir import read_yaml

TESTS = Path(__file__).parent
VALUE_SETS = TESTS.parent / "src" / "ankle_cds" / "content" / "posterior-ankle-impingement" / "value-sets"
BASE = "https://w3id.org/ankle-cds/CodeSystem/"
SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "ICD": "http://hl7.org/fhir/sid/icd-10-cm",
    "LN": "http://loinc.org",
    "RX": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "L": BASE + "pai-findings",
    "NAR": "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes",
}
# Sets that hold all codes of one of our own systems.
WHOLE = {
    "PaiAnswer": "pai-answer",
    "PaiTestResult": "pai-test-result",
    "PaiFindings": "pai-findings",
    "PaiCardTopic": "pai-card-topic",
    "PaiEvidenceGrade": "pai-evidence-grade",
    "PaiSourceStatement": "pai-source-statement",
}
DECLARED = re.compile(
    r"^(valueset|code) \"([^\"]+)\": '([^']+)'(?: from \"([^\"]+)\")?(?: display '([^']+)')?$", re.MULTILINE
)
Members = set[tuple[str, str]]  # (system, code); X+ is X with every descendant, * is all of the system


class Declared(NamedTuple):
    """A value set or code as the logic declares it; `value` is the url or the code."""

    kind: str
    name: str
    value: str
    system: str
    display: str


def declarations(file: Path) -> list[Declared]:
    text = file.read_text(encoding="utf-8")
    systems = dict(re.findall(r"^codesystem \"([^\"]+)\": '([^']+)'", text, re.MULTILINE))
    return [
        Declared(kind, name, value, systems.get(system, ""), display)
        for kind, name, value, system, display in DECLARED.findall(text)
    ]


@functools.cache
def listed() -> dict[str, Members]:
    """Members by value set as the reference lists them."""
    found: dict[str, Members] = {id_: {(BASE + system, "*")} for id_, system in WHOLE.items()}
    lines = (TESTS / "value_set_members.tsv").read_text(encoding="utf-8").splitlines()
    rows = csv.reader((line for line in lines if not line.startswith("#")), delimiter="\t")
    for id_, system, codes in list(rows)[1:]:
        found.setdefault(id_, set()).update((SYSTEMS[system], code) for code in codes.split())
    return found


def written(resource: dict[str, Any]) -> Members:
    """Members of a value set as its file writes them."""
    found: Members = set()
    for include in resource["compose"].get("include", ()):
        system = include["system"]
        named = [concept["code"] for concept in include.get("concept", ())]
        named += [rule["value"] + "+" for rule in include.get("filter", ())]
        found |= {(system, code) for code in named or ["*"]}
    return found


def differs(resource: dict[str, Any]) -> bool:
    """Tell whether a value set holds another member than the reference, or lacks one."""
    return written(resource) != listed().get(resource["id"])


@functools.cache
def displays() -> dict[tuple[str, str], str]:
    """The display of each standard code that is verified."""
    rows = csv.reader(
        (VALUE_SETS.parent / "codes.tsv").read_text(encoding="utf-8").splitlines(),
        delimiter="\t",
        quoting=csv.QUOTE_NONE,
    )
    return {(row[1], row[2]): row[3] for row in rows if len(row) > 4 and row[4] == "verified"}


def misnamed(declared: Declared) -> bool:
    """Tell whether a declaration of the logic means something else than its name or its display says."""
    if declared.kind == "valueset":
        return declared.value.rsplit("/", 1)[-1] != declared.name
    url = declared.system
    if url.startswith(BASE):
        return declared.value != declared.name
    if url in SYSTEMS.values():
        return displays().get((url, declared.value)) != declared.display
    return not declared.name.endswith(" " + declared.value.replace("-", " "))  # a status of a FHIR resource


@pytest.mark.parametrize("id_", sorted(listed()))
def test_a_value_set_holds_what_the_reference_lists(id_: str) -> None:
    assert written(read_yaml(VALUE_SETS / f"{id_}.yaml").data) == listed()[id_]


def test_every_value_set_is_in_the_list() -> None:
    assert {path.stem for path in VALUE_SETS.glob("*.yaml")} == set(listed())


def test_a_declaration_of_the_logic_means_what_its_name_says() -> None:
    declared = [one for file in sorted((VALUE_SETS.parent / "logic").glob("Pai*.cql")) for one in declarations(file)]
    assert len(declared) > 150
    assert [one.name for one in declared if misnamed(one)] == []
