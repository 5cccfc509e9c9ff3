"""Completes the forms: the answers to choose from, extraction templates, and what they are filled with, all derived.

A form engine that knows nothing but the Questionnaire can then fill it, show it, and turn a response into Observations.
https://hl7.org/fhir/uv/sdc/extraction.html#template-based-extraction
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts import population
from ankle_cds.artifacts.extraction import Templates
from ankle_cds.artifacts.nodes import values_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.reading import Source
    from ankle_cds.fhir import Resource

SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
_PROFILE = f"{SDC}extr-template"
_CATEGORY = f"{SDC}observation-extract-category"
_BUNDLE = f"{SDC}templateExtractBundle"
_TEMPLATES = "extraction"
_COPIED = ("resourceType", "id", "url", "version", "name", "title", "status", "experimental", "compose", "expansion")
_SPEC = "https://hl7.org/fhir/uv/sdc/extraction.html"


def derive(
    sources: Mapping[str, Source],
    settings: Mapping[str, Any],
    members: Mapping[str, frozenset[tuple[str, str]]],
    findings: Findings,
) -> None:
    """Contain in every form its answer value sets and, where it says under which category, its extraction templates.

    A form that is extracted is filled as well, as `population` of package.yaml (`settings`) says; `members` are the
    codes of every value set by url. Afterwards an `answerValueSet` names the contained copy, whose url is that of the
    value set. What cannot be derived from an item becomes a finding at the item.
    """
    reasons = dict(_absent_reasons(sources))
    for source in sources.values():
        if source.type != "Questionnaire":
            continue
        category = [
            extension["valueCodeableConcept"]
            for extension in source.resource.get("extension", [])
            if extension.get("url") == _CATEGORY
        ]
        if category:
            _contain_templates(source, category, sources, reasons, findings)
            if "population" in settings:
                population.derive(
                    source,
                    settings["population"],
                    sources=sources,
                    members=members,
                    reasons=reasons,
                    findings=findings,
                )
        elif _PROFILE in source.resource.get("meta", {}).get("profile", []):
            findings.refuse(
                f"The form claims extraction but no category for its observations; add the extension {_CATEGORY}.",
                source.where("meta"),
                _SPEC,
            )
        _contain_answers(source.resource, sources)


def _contain_templates(
    source: Source,
    category: list[Any],
    sources: Mapping[str, Source],
    reasons: Mapping[tuple[str, str], Any],
    findings: Findings,
) -> None:
    form = source.resource
    entries = Templates(source, category, sources, reasons, findings).entries()
    if not entries:
        findings.refuse("No item of this form has a definition; nothing can be extracted.", source.where("item"), _SPEC)
    bundle = {"resourceType": "Bundle", "id": _TEMPLATES, "type": "transaction", "entry": entries}
    form["contained"] = [*form.get("contained", []), bundle]
    form["extension"] = [
        *form.get("extension", []),
        {"url": _BUNDLE, "valueReference": {"reference": f"#{_TEMPLATES}"}},
    ]


def _contain_answers(form: Resource, sources: Mapping[str, Source]) -> None:
    """Copy each answer value set into the form, once; one of others, which is not ours to copy, stays as it is."""
    copies: dict[str, Resource] = {}
    form["item"] = _with_contained_answers(form["item"], sources, copies)
    if copies:
        form["contained"] = [*form.get("contained", []), *copies.values()]


def _with_contained_answers(
    items: list[Resource], sources: Mapping[str, Source], copies: dict[str, Resource]
) -> list[Resource]:
    renamed = []
    for authored in items:
        item = dict(authored)
        url = str(item.get("answerValueSet"))
        if url in sources:
            value_set = sources[url].resource
            copies.setdefault(url, {element: value_set[element] for element in _COPIED if element in value_set})
            item["answerValueSet"] = f"#{value_set['id']}"
        if "item" in item:
            item["item"] = _with_contained_answers(item["item"], sources, copies)
        renamed.append(item)
    return renamed


def _absent_reasons(sources: Mapping[str, Source]) -> Any:
    """Yield each code that our code systems record as absence of a value, with the reason they give."""
    for url, source in sources.items():
        if source.type == "CodeSystem":
            for concept, _ in values_at(source.resource, "concept*"):
                for entry in concept.get("property", []):
                    if entry["code"] == "dataAbsentReason":
                        yield (url, concept["code"]), entry["valueCoding"]
