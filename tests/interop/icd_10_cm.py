"""ICD-10-CM as a FHIR CodeSystem, so that the HL7 validator can check our codes, displays and filters against it."""

from __future__ import annotations

import warnings
from typing import Any

SYSTEM = "http://hl7.org/fhir/sid/icd-10-cm"


def code_system(version: str) -> dict[str, Any]:
    """Return every code of the tabular list with its parent, as the package simple-icd-10-cm carries it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package reads its data through a deprecated interface
        import simple_icd_10_cm as icd  # noqa: PLC0415 -- reads its data when imported
    top = [code for code in icd.get_all_codes() if icd.is_category(code)]
    return {
        "resourceType": "CodeSystem",
        "id": "icd-10-cm",
        "url": SYSTEM,
        "version": version,
        "name": "ICD10CM",
        "status": "active",
        "hierarchyMeaning": "is-a",
        "caseSensitive": True,
        "content": "complete",
        "concept": [_concept(icd, code) for code in top],
    }


def _concept(icd: Any, code: str) -> dict[str, Any]:
    children = [_concept(icd, child) for child in icd.get_children(code)]
    return {"code": code, "display": icd.get_description(code)} | ({"concept": children} if children else {})
