"""The HL7 FHIR validator finds no error in anything we publish, show as an example or propose as an order.

It runs without any network, so codes of terminologies that no package defines stay unchecked here (it says so in
warnings). Every warning is listed with its reason in explained-warnings.tsv; one that is no longer given is removed.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fhir_packages
import pytest
from toolchain import HERE, cache_folder, java_classpath, needs, run

from ankle_cds import apply, artifacts, stories
from ankle_cds.fhir import write_json

# No package defines these; the validator must know that they exist. tests/test_terminology.py checks their codes.
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
OVERRIDE_REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
# The validator calls some of what it could not check an error.
UNCHECKED = "because the validator is running without terminology services"

EXPLAINED = HERE / "explained-warnings.tsv"
SERVER = "https://ehr.example.org/fhir"

pytestmark = [
    pytest.mark.interop,
    needs("java", "javac", "mvn", "npm", files=fhir_packages.definitions()),
]


@dataclass(frozen=True)
class Finding:
    """One message of the validator about one file; severity "none" says the file has no message."""

    file: str
    severity: str
    location: str = ""
    id: str = ""
    message: str = ""

    def __str__(self) -> str:
        return f"{self.file} {self.location}: {self.severity} {self.id}: {self.message}"


def drafts(story: stories.Story) -> list[dict[str, Any]]:
    """Return the resources that the story's cards propose, each with an id so that it can stand in a Bundle."""
    if not story.expected_file.is_file():
        return []
    cards = json.loads(story.expected_file.read_text("utf-8")).get("cards", ())
    actions = [a for card in cards for s in card.get("suggestions", ()) for a in s["actions"]]
    proposed = [action["resource"] for action in actions if "resource" in action]
    return [{"id": f"draft-{number}", **resource} for number, resource in enumerate(proposed, 1)]


def request_group(story: stories.Story, package: artifacts.Package) -> dict[str, Any]:
    """Return what $apply makes of the story's whole chart: the drafts stand in it as contained resources."""
    resources = [entry["resource"] for entry in story.chart()["entry"]]
    parameters = {"EncounterId": story.encounter, **story.parameters}
    evaluation = package.program.evaluate(resources, now=story.clock, parameters=parameters)
    subject = apply.Subject(story.patient, story.encounter)
    applied = apply.apply(package, package.pathway, evaluation, subject=subject, now=story.clock, hook=story.hook)
    return {"id": "applied", **applied.request_group}


def with_drafts(story: stories.Story, package: artifacts.Package) -> dict[str, Any]:
    """Return the story's chart with what is proposed for it, so that every reference has its target."""
    chart = story.chart()
    entries = [
        {"fullUrl": f"{SERVER}/{resource['resourceType']}/{resource['id']}", "resource": resource}
        for resource in (*drafts(story), request_group(story, package))
    ]
    return {**chart, "entry": [*chart["entry"], *entries]}


def stand_ins(package: artifacts.Package) -> list[dict[str, Any]]:
    """Return code systems of others that no package carries: without codes, or with those that our value sets use."""
    written = json.dumps([dict(resource) for resource in package.of_type("ValueSet")], default=dict)
    versions = sorted(set(re.findall(re.escape(ICD_10_CM) + r"\|([0-9A-Za-z.-]+)", written)))
    common = {"resourceType": "CodeSystem", "status": "active"}
    found = [
        {**common, "id": f"icd-10-cm-{v}", "url": ICD_10_CM, "version": v, "name": "ICD10CM", "content": "not-present"}
        for v in versions
    ]
    used = {
        concept["code"]: {"code": concept["code"], "display": concept["display"]}
        for value_set in package.of_type("ValueSet")
        for include in value_set.get("compose", {}).get("include", ())
        if include.get("system") == OVERRIDE_REASONS
        for concept in include.get("concept", ())
    }
    reasons = {"id": "non-adherence", "url": OVERRIDE_REASONS, "name": "NonAdherence", "content": "fragment"}
    return [*found, {**common, **reasons, "concept": list(used.values())}]


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """Everything the validator says about artifacts/ and examples/, in one run of it."""
    folder = tmp_path_factory.mktemp("validated")
    known = tmp_path_factory.mktemp("known")
    (folder / "examples").mkdir()
    (package,) = artifacts.load_all().values()
    artifacts.write(package, folder / "artifacts")
    for system in stand_ins(package):
        (known / f"{system['id']}.json").write_text(json.dumps(system), "utf-8")
    for story in stories.read_all():
        (folder / "examples" / f"{story.id}.json").write_bytes(write_json(with_drafts(story, package)))

    home = cache_folder() / f"fhir-home-{fhir_packages.key()}"
    fhir_packages.prepare(home)
    command = ["java", "-Xmx3g", f"-Duser.home={home}", "-Dfile.encoding=UTF-8", "-cp"]
    command += [java_classpath(HERE / "hl7_validator", "Validate"), "Validate"]
    command += [part for package in fhir_packages.PACKAGES for part in ("--package", package)]
    command += ["--load", str(known), "--load", str(folder / "artifacts"), "--check", str(folder / "artifacts")]
    command += ["--check-examples", str(folder / "examples")]
    answer = run(command, timeout=2400)
    (cache_folder() / "hl7-validator.jsonl").write_text(answer, "utf-8")  # for whoever wants to read it whole
    lines = [json.loads(line) for line in answer.splitlines() if line.startswith("{")]
    said = [Finding(**{**line, "file": str(Path(line["file"]).relative_to(folder))}) for line in lines]
    said = [replace(f, severity="warning") if UNCHECKED in f.message else f for f in said]

    seen = {finding.file for finding in said}
    written = {str(path.relative_to(folder)) for path in folder.rglob("*.json")}
    assert seen == written, f"not validated: {sorted(written - seen)}"
    return [finding for finding in said if not leads_to_an_artifact(finding, package)]


def leads_to_an_artifact(finding: Finding, package: artifacts.Package) -> bool:
    """Tell whether the validator only misses what stands beside the guide: it looks for references in a Bundle."""
    named = re.search(r"'([A-Za-z]+/[A-Za-z0-9.-]+)'", finding.message)
    published = {f"{one['resourceType']}/{one['id']}" for one in package.resources.values()}
    in_the_guide = finding.file.startswith("artifacts/ImplementationGuide-")
    return finding.id == "Reference_REF_CantResolve" and in_the_guide and named is not None and named[1] in published


def explained() -> list[dict[str, str]]:
    """Return the rows of explained-warnings.tsv: id and pattern of the message, the files it is about, its reason."""
    with EXPLAINED.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def explains(row: dict[str, str], finding: Finding) -> bool:
    """Say whether a row is about this warning."""
    return (
        row["id"] == finding.id
        and re.search(row["files"], finding.file) is not None
        and re.search(row["message"], finding.message) is not None
    )


def test_no_error_in_any_artifact_example_or_draft_order(
    findings: list[Finding], capsys: pytest.CaptureFixture[str]
) -> None:
    """0 errors over every built artifact, every example chart and every resource a card proposes."""
    errors = [finding for finding in findings if finding.severity in {"error", "fatal"}]
    counts = Counter(finding.severity for finding in findings)
    proposed = sum(len(drafts(story)) for story in stories.read_all())
    files = len({finding.file for finding in findings})
    with capsys.disabled():
        print(f" {files} files with {proposed} drafts validated: {dict(counts)}", end="")  # noqa: T201 -- the figures are the result
    assert proposed
    assert not errors, f"{len(errors)} errors:\n" + "\n".join(str(error) for error in errors[:60])


def test_every_warning_is_explained(findings: list[Finding]) -> None:
    """A warning is fixed, or listed with the reason why it stays."""
    rows = explained()
    assert all(row["reason"].strip() for row in rows)
    warnings = [finding for finding in findings if finding.severity == "warning"]
    unexplained = [warning for warning in warnings if not any(explains(row, warning) for row in rows)]
    assert not unexplained, f"{len(unexplained)} warnings without a reason:\n" + "\n".join(map(str, unexplained[:60]))


def test_no_explanation_outlives_its_warning(findings: list[Finding]) -> None:
    """A row that explains nothing any more is removed."""
    warnings = [finding for finding in findings if finding.severity == "warning"]
    idle = [row for row in explained() if not any(explains(row, warning) for warning in warnings)]
    assert not idle, f"remove from explained-warnings.tsv: {[row['id'] + ' ' + row['message'] for row in idle]}"
