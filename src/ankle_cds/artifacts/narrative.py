"""The human-readable text of an artifact, made from its elements and never typed.

https://hl7.org/fhir/R4/narrative.html
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.nodes import values_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource

_FACTS = (
    ("Version", "version"),
    ("Description", "description"),
    ("Purpose", "purpose"),
    ("Usage", "usage"),
    ("Publisher", "publisher"),
    ("Date", "date"),
    ("Last review", "lastReviewDate"),
    ("Copyright", "copyright"),
    ("Kind", "kind"),
)


def narrate(resource: Resource) -> Resource:
    """Give the narrative of a built resource: a table of what it is, then a table of what it holds."""
    facts = [(label, str(resource[element])) for label, element in _FACTS if element in resource]
    parts = [f"<h2>{escape(str(resource['title']))}</h2>", f"<p><code>{escape(str(resource['url']))}</code></p>"]
    parts.append(_table((("", ""), *facts)))
    rows = list(_ROWS.get(resource["resourceType"], _no_rows)(resource))
    if len(rows) > 1:
        parts.append(_table(rows))
    body = "".join(parts)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{body}</div>'}


def _table(rows: Any) -> str:
    head, *body = rows
    lines = []
    if any(head):
        lines.append("<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>")
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body]
    return f"<table>{''.join(lines)}</table>"


def _no_rows(_resource: Resource) -> Iterator[tuple[str, ...]]:
    yield from ()


def _plan(resource: Resource) -> Iterator[tuple[str, ...]]:
    yield "Action", "Condition", "Leads to"
    for action, location in values_at(resource, "action*"):
        condition = "; ".join(
            str(text) for text, _ in values_at(action, "condition.expression.description")
        ) or "; ".join(str(name) for name, _ in values_at(action, "condition.expression.expression"))
        indent = "- " * (len(location) // 2 - 1)
        yield indent + str(action.get("title", "")), condition, str(action.get("definitionCanonical", ""))


def _activity(resource: Resource) -> Iterator[tuple[str, ...]]:
    yield "Element", "Computed by"
    for value in resource.get("dynamicValue", []):
        yield str(value.get("path", "")), str(value.get("expression", {}).get("expression", ""))


def _questionnaire(resource: Resource) -> Iterator[tuple[str, ...]]:
    yield "Item", "Question", "Type"
    for item, _ in values_at(resource, "item*"):
        yield str(item.get("linkId", "")), str(item.get("text", "")), str(item.get("type", ""))


def _value_set(resource: Resource) -> Iterator[tuple[str, ...]]:
    yield "Code", "Display", "Code system"
    for member in resource.get("expansion", {}).get("contains", []):
        yield member["code"], member.get("display", ""), member["system"]


def _code_system(resource: Resource) -> Iterator[tuple[str, ...]]:
    yield "Code", "Display", "Definition"
    for concept, _ in values_at(resource, "concept*"):
        yield concept["code"], str(concept.get("display", "")), str(concept.get("definition", ""))


def _concept_map(resource: Resource) -> Iterator[tuple[str, ...]]:
    yield "From", "Relation", "To"
    for element, _ in values_at(resource, "group.element"):
        for target in element.get("target", []):
            to = f"{target.get('code', '')} {target.get('display', '')}".strip()
            yield str(element.get("display", element["code"])), str(target.get("equivalence", "")), to


def _library(resource: Resource) -> Iterator[tuple[str, ...]]:
    yield "Parameter", "Type", "Basis"
    for parameter in resource.get("parameter", []):
        if parameter["use"] == "in":
            yield parameter["name"], parameter["type"], str(parameter.get("documentation", ""))


def _profile(resource: Resource) -> Iterator[tuple[str, ...]]:
    yield "Element", "Cardinality", "Meaning"
    for element in resource.get("differential", {}).get("element", []):
        bounds = f"{element.get('min', '')}..{element.get('max', '')}"
        yield str(element["id"]), "" if bounds == ".." else bounds, str(element.get("short", ""))


def _guide(resource: Resource) -> Iterator[tuple[str, ...]]:
    yield "Artifact", "Reference"
    for entry in resource.get("definition", {}).get("resource", []):
        yield str(entry.get("name", "")), str(entry["reference"]["reference"])


_ROWS = {
    "PlanDefinition": _plan,
    "ActivityDefinition": _activity,
    "Questionnaire": _questionnaire,
    "ValueSet": _value_set,
    "CodeSystem": _code_system,
    "ConceptMap": _concept_map,
    "ImplementationGuide": _guide,
    "Library": _library,
    "StructureDefinition": _profile,
}
