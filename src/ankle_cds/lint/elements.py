"""Reading plain JSON resources: extensions, codes, labels, actions and items, each with the path where it stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource

HL7 = "http://hl7.org/fhir/StructureDefinition/"
CPG = "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-"
CRMI = "http://hl7.org/fhir/uv/crmi/StructureDefinition/crmi-"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
ACTIVITY_TYPE = "http://hl7.org/fhir/uv/cpg/CodeSystem/cpg-activity-type-cs"
PROCESS = "http://hl7.org/fhir/uv/cpg/CodeSystem/cpg-common-process-cs"
LANGUAGE = "text/cql-identifier"
EVIDENCE = re.compile(r"\bE-[A-Z]+[0-9]+\b")
STATEMENT = re.compile(r"\bS[0-9]+\b")
LOCAL_POLICY = "local policy"

_LABELLED = ("derived-from", "citation")
_TRACED = ("sourceStatement", "evidence")
_RELATED = f"{HL7}artifact-relatedArtifact"


def tail(canonical: str) -> str:
    """Give the id a canonical ends in, without version and fragment."""
    return canonical.partition("|")[0].partition("#")[0].rsplit("/", 1)[-1]


def extensions(element: Any, url: str) -> list[Any]:
    """Give the value of every extension with this url (None for a complex one)."""
    return [
        next((value for key, value in item.items() if key.startswith("value")), None)
        for item in (element.get("extension", []) if isinstance(element, dict) else [])
        if item.get("url") == url
    ]


def has_extension(element: Any, url: str) -> bool:
    """Tell whether an element has an extension with this url."""
    return bool(extensions(element, url))


def shared(resource: Resource, element: str, substitute: str) -> list[Any]:
    """Give the values of a metadata element, or of the extension that stands for it in types that lack it."""
    value = resource.get(element)
    own = value if isinstance(value, list) else [] if value is None else [value]
    return own + extensions(resource, f"{HL7}{substitute}")


def related(resource: Resource) -> list[dict[str, Any]]:
    """Give all related artifacts, whether element or extension."""
    found = [*resource.get("relatedArtifact", []), *extensions(resource, _RELATED)]
    return [item for item in found if isinstance(item, dict)]


def codes(concept: Any, system: str | None = None) -> list[str]:
    """Give the codes of a CodeableConcept, of one system where it is named."""
    codings = concept.get("coding", []) if isinstance(concept, dict) else []
    return [str(one.get("code")) for one in codings if system in (None, one.get("system"))]


def level(resource: Resource) -> str:
    """Give the type code of a plan, an empty text where it has none."""
    return next(iter(codes(resource.get("type"))), "")


def walk(node: Any, path: str = "") -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every object inside a JSON value with its path, the outermost first."""
    if isinstance(node, dict):
        yield node, path
        for name, value in node.items():
            yield from walk(value, f"{path}.{name}" if path else name)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, f"{path}[{index}]")


def actions(resource: Resource, path: str = "") -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the actions of a plan at any depth, a parent before its children, with their paths."""
    for index, action in enumerate(resource.get("action", [])):
        where = f"{path}.action[{index}]".lstrip(".")
        yield action, where
        yield from actions(action, where)


def items(resource: Resource, path: str = "") -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the items of a form at any depth with their paths."""
    for index, item in enumerate(resource.get("item", [])):
        where = f"{path}.item[{index}]".lstrip(".")
        yield item, where
        yield from items(item, where)


def answerable(resource: Resource) -> list[tuple[dict[str, Any], str]]:
    """Give the items a person answers: neither group nor display nor read-only."""
    return [
        (item, path)
        for item, path in items(resource)
        if item.get("type") not in {"group", "display"} and not item.get("readOnly")
    ]


def labels(resource: Any, extension: str) -> Iterator[tuple[str, str]]:
    """Yield every statement and evidence label in a resource, with its path; `extension` cites a statement."""
    for node, path in walk(resource):
        if node.get("type") in _LABELLED and isinstance(node.get("label"), str):
            yield node["label"], path
        if node.get("url") == extension and isinstance(node.get("valueCode"), str):
            yield node["valueCode"], path
        if node.get("code") in _TRACED:
            for name in ("valueString", "valueCode"):
                if isinstance(node.get(name), str):
                    yield node[name], path


def expressions(element: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every CQL expression by name, with its path."""
    for node, path in walk(element):
        for name in ("expression", "valueExpression"):
            value = node.get(name)
            if isinstance(value, dict) and value.get("language") == LANGUAGE:
                yield value, f"{path}.{name}".lstrip(".")


def texts(resource: Resource) -> Iterator[tuple[str, str]]:
    """Yield the prose of an artifact with its path: what we say ourselves, not what others are quoted with."""
    names = ("title", "description", "purpose", "usage", "text", "short", "human", "valueMarkdown", "textEquivalent")
    for node, path in walk({key: value for key, value in resource.items() if key not in {"text", "contained"}}):
        if node.get("type") in _LABELLED:
            continue
        for name in names:
            if isinstance(node.get(name), str):
                yield node[name], f"{path}.{name}".lstrip(".")


def concepts(resource: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the concepts of a code system at any depth, with their paths."""
    for index, concept in enumerate(resource.get("concept", [])):
        yield concept, f"concept[{index}]"
        for inner, path in concepts(concept):
            yield inner, f"concept[{index}].{path}"


def members(value_set: Resource) -> list[tuple[str, str, str]]:
    """Give system, code and display of every member of an expansion."""
    found = value_set.get("expansion", {}).get("contains", [])
    return [(str(one.get("system")), str(one.get("code")), str(one.get("display", ""))) for one in found]
