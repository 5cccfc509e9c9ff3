"""What all artifacts share, merged into each: as an element where the type has it, as an extension where it has not.

The elements and their R4 substitutes: https://hl7.org/fhir/uv/crmi/artifact-lifecycle.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.nodes import values_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.artifacts.reading import Source
    from ankle_cds.fhir import Resource

HL7 = "http://hl7.org/fhir/StructureDefinition/"
_QUESTIONNAIRE_ALGORITHM = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Questionnaire.versionAlgorithm[x]"
_KNOWLEDGE = frozenset({"PlanDefinition", "ActivityDefinition", "Library", "Measure"})
_DATED = _KNOWLEDGE | {"Questionnaire"}
_PURPOSED = _DATED | {"ValueSet", "CodeSystem", "ConceptMap", "StructureDefinition"}

# element: (extension that stands in for it, its value[x], types that have the element itself)
_SUBSTITUTES: dict[str, tuple[str, str, frozenset[str]]] = {
    "versionAlgorithm": (f"{HL7}artifact-versionAlgorithm", "valueCoding", frozenset()),
    "copyrightLabel": (f"{HL7}artifact-copyrightLabel", "valueString", frozenset()),
    "purpose": (f"{HL7}artifact-purpose", "valueMarkdown", _PURPOSED),
    "usage": (f"{HL7}artifact-usage", "valueMarkdown", _KNOWLEDGE),
    "approvalDate": (f"{HL7}resource-approvalDate", "valueDate", _DATED),
    "lastReviewDate": (f"{HL7}resource-lastReviewDate", "valueDate", _DATED),
    "effectivePeriod": (f"{HL7}resource-effectivePeriod", "valuePeriod", _DATED),
    "topic": (f"{HL7}artifact-topic", "valueCodeableConcept", _KNOWLEDGE),
    "author": (f"{HL7}artifact-author", "valueContactDetail", _KNOWLEDGE),
    "editor": (f"{HL7}artifact-editor", "valueContactDetail", _KNOWLEDGE),
    "reviewer": (f"{HL7}artifact-reviewer", "valueContactDetail", _KNOWLEDGE),
    "endorser": (f"{HL7}artifact-endorser", "valueContactDetail", _KNOWLEDGE),
    "relatedArtifact": (f"{HL7}artifact-relatedArtifact", "valueRelatedArtifact", _KNOWLEDGE),
}
_CAPABILITIES = ("shareable", "publishable", "computable", "executable")
_ORDER = (
    *("resourceType", "id", "meta", "text", "contained", "extension", "url", "version", "name", "title", "subtitle"),
    *("status", "experimental", "type", "date", "publisher", "contact", "description", "useContext", "jurisdiction"),
    *("purpose", "usage", "copyright", "approvalDate", "lastReviewDate", "effectivePeriod", "author"),
    "relatedArtifact",
)


def merge(source: Source, package: Mapping[str, Any]) -> None:
    """Complete one resource: url, name, version and the shared elements.

    What the file itself says wins; its related artifacts come first and the shared ones follow.
    """
    resource = source.resource
    resource["url"] = f"{package['canonicalBase']}/{source.type}/{source.id}"
    resource["version"] = package["version"]
    resource.setdefault("name", source.id)
    for element, value in package["metadata"].items():
        if element == "relatedArtifact":
            resource[element] = [*resource.get(element, []), *value]
        else:
            resource.setdefault(element, value)


def place(resource: Resource) -> Resource:
    """Give the finished resource in reading order, with each element its type has not moved into its extension."""
    extensions = list(resource.get("extension", []))
    finished = {}
    for element, value in resource.items():
        url, kind, native = _SUBSTITUTES.get(element, ("", "", frozenset()))
        if not url or resource["resourceType"] in native:
            finished[element] = value
            continue
        for item in value if isinstance(value, list) else [value]:
            extensions.append({"url": url, kind: item})
            if element == "versionAlgorithm" and resource["resourceType"] == "Questionnaire":
                extensions.append({"url": _QUESTIONNAIRE_ALGORITHM, kind: item})
    if extensions:
        finished["extension"] = extensions
    rank = {element: index for index, element in enumerate(_ORDER)}
    return dict(sorted(finished.items(), key=lambda pair: rank.get(pair[0].removeprefix("_"), len(rank))))


def claim_profiles(resource: Resource, rows: list[Mapping[str, Any]]) -> None:
    """Claim the profiles of every row that fits the resource, after its own, and state the capability levels.

    https://hl7.org/fhir/uv/crmi/profiles.html#capabilities
    """
    levels: dict[str, list[str]] = {}
    for row in rows:
        if resource["resourceType"] in row["types"] and applies(resource, row.get("where", {})):
            for level, profiles in row["profiles"].items():
                levels.setdefault(level, []).extend(profiles)
    own = resource.get("meta", {}).get("profile", [])
    claimed = list(dict.fromkeys([*own, *(profile for profiles in levels.values() for profile in profiles)]))
    if claimed:
        resource["meta"] = {**resource.get("meta", {}), "profile": claimed}
    capabilities = [
        {"url": f"{HL7}cqf-knowledgeCapability", "valueCode": level} for level in _CAPABILITIES if level in levels
    ]
    if capabilities:
        resource["extension"] = [*resource.get("extension", []), *capabilities]


def applies(resource: Resource, condition: Mapping[str, str]) -> bool:
    """Tell whether the resource holds each wanted value at its path."""
    return all(any(value == wanted for value, _ in values_at(resource, path)) for path, wanted in condition.items())
