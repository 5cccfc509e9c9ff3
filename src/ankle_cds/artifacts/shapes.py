"""The shape an authored file must have before anything reads it: mappings, lists and text where they are expected.

Only what the build itself walks is named here; whether a resource is FHIR in every element is asked of FHIR's models
(`ankle_cds.validate`). A shape is `str`, `int`, `dict` (any mapping), `object` (anything), `[shape]`, or a mapping of
element names to shapes, in which a name that ends in `?` may be absent and other names are allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.nodes import objects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.nodes import Location
    from ankle_cds.fhir import Document

Shape = Any

_JSON = "https://hl7.org/fhir/R4/json.html"
_ARTIFACT = {"type?": str, "label?": str, "display?": str, "url?": str, "resource?": str}
_WANTED = {str: "text (put it in quotes where it looks like a number)", int: "a whole number"}
_CODED = {"code": str, "display?": str}
_CONCEPT = {**_CODED, "designation?": [{"value": str}]}

# Elements by name, wherever they stand in the types that are authored here.
_EVERYWHERE: dict[str, Shape] = {
    "action": [
        {
            "id?": str,
            "title?": str,
            "code?": [dict],
            "priority?": str,
            "definitionCanonical?": str,
            "selectionBehavior?": str,
        }
    ],
    "coding": [{"system?": str, "display?": str}],
    "concept": [_CONCEPT],
    "contained": [{"resourceType": str, "id?": str}],
    "documentation": [_ARTIFACT],
    "dynamicValue": [{"path?": str, "expression?": dict}],
    "extension": [{"url": str}],
    "item": [dict],
    "relatedArtifact": [_ARTIFACT],
    "trigger": [{"type?": str, "name?": str}],
    "valueExpression": {"expression?": str, "reference?": str, "language?": str},
    "valueRelatedArtifact": _ARTIFACT,
}
_INCLUDE = {
    "system?": str,
    "valueSet?": [str],
    "concept?": [_CODED],
    "filter?": [{"property": str, "op": str, "value": str}],
}
_ELEMENT = {
    "id": str,
    "path": str,
    "sliceName?": str,
    "slicing?": {"rules": str, "discriminator": [{"type": str, "path": str}]},
    "min?": int,
    "max?": str,
    "type?": [{"code": str}],
    "binding?": {"strength": str, "valueSet": str},
    "constraint?": [{"key": str, "severity": str, "human": str, "expression": str}],
}
_BY_TYPE: dict[str, Shape] = {
    "PlanDefinition": {"type?": {"coding?": [dict]}, "library?": [str], "action?": [dict]},
    "ActivityDefinition": {"library?": [str], "profile?": str},
    "CodeSystem": {"concept?": [dict], "valueSet?": str},
    "ConceptMap": {
        "group?": [{"source?": str, "target?": str, "element?": [{**_CODED, "target?": [{"code?": str}]}]}],
    },
    "StructureDefinition": {"type": str, "baseDefinition": str, "differential": {"element": [_ELEMENT]}},
    "ValueSet": {"compose?": {"include": [_INCLUDE], "exclude?": [_INCLUDE]}},
}
_RESOURCE = {"title?": str, "name?": str, "description?": str, "meta?": {"profile?": [str]}}
_CONDITION = [{"kind?": str, "expression?": {"expression?": str, "reference?": str, "language?": str}}]

EXTERNALS: Shape = {
    "packages?": [{"base": str, "canonicals": [str], "version?": str}],
    "codeSystems?": [{"url": str, "version?": str, "codes?": str, "hierarchy?": str}],
    "libraries?": [{"name": str, "url": str, "version": str}],
}
EVIDENCE: Shape = {"evidence": [{"id": str}]}
TRANSLATION: Shape = {"texts": dict}
PACKAGE: Shape = {
    "id": str,
    "canonicalBase": str,
    "version": str,
    "prefix": str,
    "logic": str,
    "manifest": str,
    "statements?": str,
    "metadata": {"status": str, "date": str, "relatedArtifact?": [_ARTIFACT]},
    "profiles?": [{"types": [str], "where?": dict, "profiles": dict}],
    "translated?": [{"types": [str], "where?": dict, "elements": [str]}],
    "inputs": [
        {"key": str, "resourceType": str, "pattern": str, "need": str, "hooks?": [str], "codes?": [str]},
    ],
    "population?": {"queries": dict, "variables": dict, "sides": str},
    "parameters": dict,
    "units?": dict,
    "serviceParameters?": [{"name": str, "type": str, "basis": str, "unit?": str}],
    "constraints?": [{"because": str, "of?": [str], "ascending?": [str], "filled?": [str], "https?": [str]}],
}


def conforms(document: Document, shape: Shape, findings: Findings) -> bool:
    """Tell whether a file has a shape; each departure becomes a finding with its line."""
    known = len(findings.items)
    _check(document.data, shape, (), document, findings)
    return len(findings.items) == known


def is_resource_shaped(document: Document, findings: Findings) -> bool:
    """Tell whether an authored resource can be walked; each departure becomes a finding with its line."""
    known = len(findings.items)
    kind = str(document.data["resourceType"])
    _check(document.data, {**_RESOURCE, **_BY_TYPE.get(kind, {})}, (), document, findings)
    for node, location in objects(document.data):
        for name in node.keys() & _EVERYWHERE.keys():
            _check(node[name], _EVERYWHERE[name], (*location, name), document, findings)
        if kind == "PlanDefinition" and "condition" in node:
            _check(node["condition"], _CONDITION, (*location, "condition"), document, findings)
    return len(findings.items) == known


def _check(value: Any, shape: Shape, location: Location, document: Document, findings: Findings) -> None:
    if isinstance(shape, list):
        if not isinstance(value, list):
            _refuse("a list", location, document, findings)
        else:
            for index, item in enumerate(value):
                _check(item, shape[0], (*location, index), document, findings)
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            _refuse("a mapping", location, document, findings)
        else:
            _check_members(value, shape, location, document, findings)
    elif shape is not object and not isinstance(value, shape):
        _refuse(_WANTED.get(shape, "a mapping"), location, document, findings)


def _check_members(
    value: Mapping[str, Any], shape: Mapping[str, Shape], location: Location, document: Document, findings: Findings
) -> None:
    for key, inner in shape.items():
        name = key.removesuffix("?")
        if name in value:
            _check(value[name], inner, (*location, name), document, findings)
        elif name == key:
            findings.refuse(f"`{name}` is missing; add it.", document.where(*location), _JSON)


def _refuse(wanted: str, location: Location, document: Document, findings: Findings) -> None:
    name = next((step for step in reversed(location) if isinstance(step, str)), "the file")
    inside = " holds" if location and isinstance(location[-1], int) else " is"
    findings.refuse(f"`{name}`{inside} {wanted}; write it so.", document.where(*location), _JSON)
