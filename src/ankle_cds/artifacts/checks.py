"""Rules for all artifacts: titles, the one endpoint, and expressions that name what the logic defines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.nodes import objects
from ankle_cds.artifacts.plans import level

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.nodes import Location
    from ankle_cds.artifacts.reading import Source

LANGUAGE = "text/cql-identifier"
ENDPOINT = "http://hl7.org/fhir/StructureDefinition/cqf-cdsHooksEndpoint"

_PLAN = "https://hl7.org/fhir/R4/plandefinition-definitions.html"


def check_expressions(source: Source, logic_url: str, results: Mapping[str, str], findings: Findings) -> None:
    """Check that every CQL expression names a definition of the logic, and every condition one that is Boolean.

    `results` maps each public definition of the primary library to its result type.
    """
    for expression, location in _expressions(source):
        name = str(expression.get("expression"))
        if expression.get("language") != LANGUAGE:
            findings.refuse(
                f"Expressions are written in {LANGUAGE}, the name of a definition; set language.",
                source.at((*location, "language")),
                _PLAN,
            )
            continue
        if expression.get("reference") != logic_url:
            findings.refuse(
                f"The reference of an expression is {logic_url}.", source.at((*location, "reference")), _PLAN
            )
        if name not in results:
            findings.refuse(
                f"{name} is no public definition of the logic; correct the name, or define it and translate.",
                source.at((*location, "expression")),
                _PLAN,
            )
        elif "condition" in location and not results[name].endswith("Boolean"):
            findings.refuse(
                f"{name} is {results[name]}; a condition must be Boolean.", source.at((*location, "expression")), _PLAN
            )


def endpoints(sources: Mapping[str, Source]) -> list[tuple[str, str, str]]:
    """Give url, CDS service id and place of every plan that names a CDS Hooks endpoint.

    The id is the last segment of the endpoint: https://cds-hooks.hl7.org/2.0/#http-request
    """
    return [
        (url, str(extension.get("valueUri")).rstrip("/").rsplit("/", 1)[-1], source.where("extension", index))
        for url, source in sources.items()
        if source.type == "PlanDefinition"
        for index, extension in enumerate(source.authored.get("extension", []))
        if extension.get("url") == ENDPOINT
    ]


def check_endpoint(sources: Mapping[str, Source], where: str, findings: Findings) -> None:
    """Check that exactly one plan, the pathway, is published as a CDS service."""
    found = endpoints(sources)
    if not found:
        findings.refuse(f"No plan names a CDS Hooks endpoint; give the pathway the extension {ENDPOINT}.", where)
    for url, _, place in found:
        if len(found) > 1 or level(sources[url].authored) != "clinical-protocol":
            findings.refuse("Only one plan, the pathway, names a CDS Hooks endpoint; remove this one.", place)


def check_titles(sources: Mapping[str, Source], findings: Findings) -> None:
    """Check that every artifact has a title of its own and a description."""
    titles: dict[str, Source] = {}
    for source in sources.values():
        for element in ("title", "description"):
            if not isinstance(source.resource.get(element), str):
                findings.refuse(
                    f"`{element}` is missing or not text; add it.",
                    source.where(element),
                    "https://hl7.org/fhir/uv/crmi/artifact-lifecycle.html",
                )
        title = source.resource.get("title")
        known = titles.setdefault(str(title), source)
        if known is not source:
            findings.refuse(
                f"{known.type} {known.id} has the same title; titles tell artifacts apart.", source.where("title")
            )


def _expressions(source: Source) -> Iterator[tuple[Mapping[str, Any], Location]]:
    """Expressions of plans, activities and profiles; those of questionnaires are run by form engines."""
    if source.type not in {"PlanDefinition", "ActivityDefinition", "StructureDefinition"}:
        return
    for node, location in objects(source.authored):
        for element in ("expression", "valueExpression"):
            if isinstance(node.get(element), dict):
                yield node[element], (*location, element)
