"""Reads acceptance.yaml: what the specification says that is not derived from the content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ankle_cds.artifacts.findings import Findings
from ankle_cds.artifacts.shapes import conforms
from ankle_cds.fhir import read_yaml
from ankle_cds.lint.looking import checks

if TYPE_CHECKING:
    from pathlib import Path

    from ankle_cds.artifacts.shapes import Shape
    from ankle_cds.fhir import Document

FILE = "acceptance.yaml"
_CODING = {"system": str, "code": str}
_SHAPE: Shape = {
    "lines": [{"id": str, "scope": str, "passes": str}],
    "elsewhere": [{"id": str, "name": str, "what": str, "proof?": str, "step?": str}],
    "identity": {
        "canonicalBase": str,
        "prefix": str,
        "namedOtherwise": [str],
        "sameNameTypes": [str],
        "focus": _CODING,
        "jurisdiction": _CODING,
        "lastReviewDate": str,
        "authorRole": str,
        "maxArtifactBytes": object,
        "maxFileBytes": object,
        "service": str,
        "logic": str,
        "manifest": str,
        "packageId": str,
        "fhirVersion": str,
        "dependencies": dict,
        "statements": str,
        "statementExtension": str,
        "grades": str,
        "topics": str,
        "findings": str,
        "overrideReasons": str,
        "overrideReasonCount": object,
    },
    "bases": dict,
    "profiles": dict,
    "activityKinds": [{"kind": str, "claims?": str, "profile?": str, "type?": str}],
    "forbiddenUrls": [str],
    "strategies": [{"id": str, "process": str, "recommendations": [str]}],
    "orderSet": str,
    "orderSetBehaviors": dict,
    "orderSetChildren": [{"activity": str, "precheck": str, "titleEnds?": str}],
    "orderSetStatements": [str],
    "pathway": {"id": str, "statements": [str]},
    "recommendations": [
        {
            "id": str,
            "number": str,
            "hooks": [str],
            "priorities": [str],
            "selection": str,
            "cardinality": str,
            "topActions": object,
            "process": str,
            "conditions": [str],
            "suggestions?": [str],
            "preselected?": [str],
            "removes?": object,
            "grade": str,
            "direction": str,
            "statements": [str],
            "evidence": [str],
        }
    ],
    "activities": [{"id": str, "kind": str, "type?": str, "form?": str, "codes?": [str]}],
    "workingDiagnosis": {"activity": str, "coding": _CODING, "added": _CODING, "parameter": str},
    "forms": [
        {
            "id": str,
            "statements": [str],
            "items": [{"linkId": str, "type": str, "repeats?": object, "answers?": str, "feature?": str}],
        }
    ],
    "formsWithoutCode": [str],
    "components": [str],
    "sdcProfiles": [{"profile": str, "needsExtension?": [str]}],
    "extractionNeverUsed": [str],
    "parameters": [{"name": str, "type": str, "default?": str, "basis": str}],
    "carriers": dict,
    "bannedWords": [str],
    "mayQuote": [str],
    "doseWords": [str],
    "sideWords": [str],
    "sideCodes": dict,
    "disjointSets": [[str]],
    "insideSets": [{"set": str, "inside": [str]}],
    "setsReadByLogic": [str],
    "inventory": dict,
    "scores": [{"score": object, "share": object, "because": str}],
    "features": [
        {
            "number": object,
            "name": str,
            "others": [object],
            "goal": object,
            "checks": [str],
            "elsewhere?": str,
            "limit?": object,
            "because?": str,
        }
    ],
    "bar": object,
}


def read_acceptance(folder: Path) -> Document:
    """Read the table of one content folder.

    Raises ContentError with file and line where it has another shape, names a line twice, or scores by a check that
    does not exist.
    """
    document = read_yaml(folder / FILE, empty_lists=True)
    findings = Findings()
    if conforms(document, _SHAPE, findings):
        _check_names(document, findings)
    findings.raise_any(str(folder / FILE))
    return document


def _check_names(document: Document, findings: Findings) -> None:
    data = document.data
    lines = [row["id"] for row in data["lines"]]
    known = {check.name for check in checks()}
    elsewhere = {row["name"] for row in data["elsewhere"]}
    for index, name in enumerate(lines):
        if lines.index(name) != index:
            findings.refuse(f"The line {name} stands twice; remove one.", document.where("lines", index))
    for index, row in enumerate(data["elsewhere"]):
        if row["id"] not in lines:
            findings.refuse(f"There is no line {row['id']}; correct it.", document.where("elsewhere", index, "id"))
    for index, row in enumerate(data["features"]):
        for place, name in enumerate(row["checks"]):
            if name not in known:
                where = document.where("features", index, "checks", place)
                findings.refuse(f"There is no check {name}; correct it, or write it.", where)
        if row.get("elsewhere") not in {None, *elsewhere}:
            where = document.where("features", index, "elsewhere")
            findings.refuse(f"{row['elsewhere']} does not stand under `elsewhere`; add it.", where)
