"""The HL7 validator agrees: our snapshots are those its own generator makes, our verdicts on examples are its verdicts.

It runs without any network. Each example stands in a Bundle with the records it points to, so that a reference has its
target. Where the two differ, the reason stands here.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fhir_packages
import pytest
from test_hl7_validator import SERVER, UNCHECKED, stand_ins
from toolchain import HERE, PROJECT, cache_folder, java_classpath, needs, run

from ankle_cds import artifacts, validate
from ankle_cds.fhir import write_json

if TYPE_CHECKING:
    from ankle_cds.validate import Examples

PACKAGES = (fhir_packages.CORE, fhir_packages.FROM_NPM[0], fhir_packages.EXTENSIONS)
# What the examples point to.
BESIDE: list[dict[str, Any]] = [
    {"resourceType": "Patient", "id": "example"},
    {
        "resourceType": "Encounter",
        "id": "example",
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
    },
    {
        "resourceType": "Condition",
        "id": "example",
        "subject": {"reference": "Patient/example"},
        "code": {"text": "A problem"},
    },
    {
        "resourceType": "ServiceRequest",
        "id": "example",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/example"},
    },
]
DIFFERENT = {
    "PaiEgfr-invalid-1": "The rule is that a LOINC code is in a value set; without a terminology server the validator "
    "does not look and says so in a warning.",
}
FHIR_VERSION = re.compile(r"^(http://hl7\.org/fhir/.*)\|4\.0\.1$")
# Remarks of the specification about itself that one generator drops and the other keeps.
REMARKS = {
    "http://hl7.org/fhir/StructureDefinition/elementdefinition-isCommonBinding",
    "http://hl7.org/fhir/StructureDefinition/structuredefinition-normative-version",
}

pytestmark = [pytest.mark.interop]
JAVA = needs("java", "javac", "mvn", "npm", files=fhir_packages.definitions())


@dataclass(frozen=True)
class Answer:
    """What the validator gave: the snapshot elements by profile id, and the errors by example name."""

    snapshots: dict[str, list[dict[str, Any]]]
    errors: dict[str, list[str]]


@pytest.fixture(scope="module")
def package() -> artifacts.Package:
    (only,) = artifacts.load_all().values()
    return only


@pytest.fixture(scope="module")
def examples(package: artifacts.Package) -> Examples:
    return validate.read_examples(package)


def bundle(resource: dict[str, Any]) -> dict[str, Any]:
    """An example first, then what it points to."""
    entries = [
        {"fullUrl": f"{SERVER}/{item['resourceType']}/{item['id']}", "resource": item} for item in (resource, *BESIDE)
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


@pytest.fixture(scope="module")
def answer(package: artifacts.Package, examples: Examples, tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """One run of the validator over every profile and every example."""
    folder = tmp_path_factory.mktemp("profiles")
    for name in ("known", "profiles", "examples"):
        (folder / name).mkdir()
    artifacts.write(package, folder / "artifacts")
    for file in (folder / "artifacts").glob("StructureDefinition-*.json"):
        (folder / "profiles" / file.name).write_bytes(file.read_bytes())
    for system in stand_ins(package):
        (folder / "known" / f"{system['id']}.json").write_text(json.dumps(system), "utf-8")
    names = set()
    for of in examples.of.values():
        for example in (*of.valid, *of.invalid):
            names.add(example.name)
            (folder / "examples" / f"{example.name}.json").write_bytes(write_json(bundle(example.resource)))
    home = cache_folder() / f"fhir-home-{fhir_packages.key()}"
    fhir_packages.prepare(home)
    command = ["java", "-Xmx3g", f"-Duser.home={home}", "-Dfile.encoding=UTF-8", "-cp"]
    command += [java_classpath(HERE / "hl7_validator", "Validate"), "Validate"]
    command += [part for name in PACKAGES for part in ("--package", name)]
    command += ["--load", str(folder / "known"), "--load", str(folder / "artifacts")]
    command += ["--snapshot", str(folder / "profiles"), "--check-examples", str(folder / "examples")]
    lines = [json.loads(line) for line in run(command, timeout=2400).splitlines() if line.startswith("{")]

    made = [json.loads(line["message"]) for line in lines if line["severity"] == "snapshot"]
    checked = [line for line in lines if line["severity"] != "snapshot"]
    errors: dict[str, list[str]] = {Path(line["file"]).stem: [] for line in checked}
    assert errors.keys() == names
    for line in checked:
        about = "entry[0]" in line.get("location", "") or not re.search(r"entry\[\d", line.get("location", ""))
        if line["severity"] in {"error", "fatal"} and about and UNCHECKED not in line["message"]:
            errors[Path(line["file"]).stem].append(f"{line['location']}: {line['id']}: {line['message']}")
    return Answer({item["id"]: item["snapshot"]["element"] for item in made}, errors)


@JAVA
def test_the_validator_finds_no_error_in_a_valid_example(answer: Answer, examples: Examples) -> None:
    wrong = {
        example.name: answer.errors[example.name]
        for of in examples.of.values()
        for example in of.valid
        if answer.errors[example.name]
    }
    assert not wrong


@JAVA
def test_the_validator_finds_an_error_in_every_invalid_example(
    answer: Answer, examples: Examples, capsys: pytest.CaptureFixture[str]
) -> None:
    """But for the listed ones; a listed one that it finds after all is taken off the list."""
    invalid = [example.name for of in examples.of.values() for example in of.invalid]
    passed = {name for name in invalid if not answer.errors[name]}
    with capsys.disabled():
        agreed = len(answer.errors) - len(passed)
        print(f" {agreed} of {len(answer.errors)} examples judged alike", end="")  # noqa: T201 -- the figures are the result
    assert passed == DIFFERENT.keys()


@JAVA
def test_the_snapshots_are_those_of_the_reference_generator(answer: Answer, package: artifacts.Package) -> None:
    """Element by element and key by key, after both are written one way."""
    profiles = package.of_type("StructureDefinition")
    assert answer.snapshots.keys() == {profile["id"] for profile in profiles}
    for profile in profiles:
        ours = json.loads(write_json(profile["snapshot"]["element"]))
        theirs = answer.snapshots[profile["id"]]
        assert [element["id"] for element in ours] == [element["id"] for element in theirs]
        for mine, other in zip(ours, theirs, strict=True):
            assert one_way(mine) == one_way(other), (profile["id"], mine["id"])


def one_way(value: Any) -> Any:
    """Write what the two generators write differently, and which says the same, in one way.

    Theirs pins canonicals of FHIR to its version, makes a content reference absolute, keeps mappings and XPath, leaves
    the source of an own constraint unsaid, and gives `Resource.id` the type `id` of later releases. The words about
    the extensions of an extension come from two places of the specification.
    """
    if isinstance(value, list):
        items = [one_way(item) for item in value]
        return [item for item in items if not (isinstance(item, dict) and item.get("url") in REMARKS)]
    if not isinstance(value, dict):
        return FHIR_VERSION.sub(r"\1", value) if isinstance(value, str) else value
    kept = {key: one_way(item) for key, item in value.items() if key not in {"mapping", "xpath"}}
    if "expression" in kept:
        kept.pop("source", None)
    if "contentReference" in kept:
        kept["contentReference"] = "#" + kept["contentReference"].rpartition("#")[2]
    if kept.get("url") == "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type":
        kept["valueUrl"] = "id" if kept["valueUrl"] == "string" else kept["valueUrl"]
    if kept.get("id") == "Extension.extension":
        kept = {key: item for key, item in kept.items() if key not in {"short", "definition", "comment", "alias"}}
    return {key: item for key, item in kept.items() if item != []}


@needs("npm")
def test_the_definitions_at_hand_are_those_of_their_source() -> None:
    """The committed extract of FHIR is what the pinned package gives."""
    assert "as committed" in run([sys.executable, PROJECT / ".ci" / "definitions" / "make.py", "--check"])
