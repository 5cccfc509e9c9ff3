"""Which canonicals an artifact uses, and where: one tracing for everything that asks.

The broken-link check, `depends-on`, manifest, guide, package and Bundles all ask here.

https://hl7.org/fhir/uv/crmi/distribution.html#dependency-tracing
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts import guide
from ankle_cds.artifacts.nodes import objects, values_at
from ankle_cds.fhir import split_canonical

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ankle_cds.artifacts.externals import Externals
    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.nodes import Location
    from ankle_cds.artifacts.reading import Source
    from ankle_cds.fhir import Resource

_CANONICAL = "https://hl7.org/fhir/R4/references.html#canonical"
_REQUIREMENT = ("profile", "codeFilter.valueSet")
# What leads from a part to the whole it belongs to: the part can be used without it.
_TO_THE_WHOLE = frozenset(
    f"http://hl7.org/fhir/uv/cpg/StructureDefinition/{name}" for name in ("cpg-partOf", "cpg-caseFeatureOf")
)

# Element paths that hold canonicals, by type; `action*` and `item*` go down through nested ones.
_PATHS: dict[str, tuple[str, ...]] = {
    "PlanDefinition": (
        "library",
        *(f"action*.trigger.data.{path}" for path in _REQUIREMENT),
        "action*.condition.expression.reference",
        *(f"action*.input.{path}" for path in _REQUIREMENT),
        *(f"action*.output.{path}" for path in _REQUIREMENT),
        "action*.definitionCanonical",
        "action*.dynamicValue.expression.reference",
    ),
    "ActivityDefinition": ("library", "profile", "dynamicValue.expression.reference"),
    "Questionnaire": ("derivedFrom", "item*.definition", "item*.answerValueSet"),
    "StructureDefinition": (
        "baseDefinition",
        "differential.element.type.profile",
        "differential.element.type.targetProfile",
        "differential.element.binding.valueSet",
    ),
    "ValueSet": tuple(f"compose.{part}.{path}" for part in ("include", "exclude") for path in ("system", "valueSet")),
    "CodeSystem": ("valueSet", "supplements"),
    "ConceptMap": ("sourceCanonical", "sourceUri", "targetCanonical", "targetUri", "group.source", "group.target"),
    "Library": tuple(f"dataRequirement.{path}" for path in _REQUIREMENT),
    "Measure": ("library",),
    guide.TYPE: ("dependsOn.uri",),
}


@dataclass(frozen=True, slots=True)
class Use:
    """A canonical as written and where it stands.

    `content` is False for claimed profiles and extension definitions; `whole` is True where it names what the artifact
    is a part of.
    """

    canonical: str
    location: Location
    content: bool
    whole: bool = False

    @property
    def url(self) -> str:
        """The canonical without version and fragment."""
        return split_canonical(self.canonical)[0].partition("#")[0]


def uses(resource: Resource) -> list[Use]:
    """List every canonical the resource uses, those of what it contains included."""
    return list(_uses(resource))


def _uses(resource: Resource) -> Iterator[Use]:
    yield from _own_uses(resource, ())
    for index, contained in enumerate(resource.get("contained", [])):
        yield from _own_uses(contained, ("contained", index))
    for node, location in objects(resource):
        for index, extension in enumerate(node.get("extension", ())):
            yield from _extension_uses(extension, (*location, "extension", index))


def needed(resource: Resource) -> set[str]:
    """Give the url of every canonical the artifact uses, except of what it is only a part of."""
    used = uses(resource)
    return {use.url for use in used if use.url} - {use.url for use in used if use.whole}


def closure(first: Iterable[str], resources: Mapping[str, Resource]) -> list[str]:
    """List the artifacts `first` and all of `resources` they need, each behind those it needs itself.

    Artifacts that need each other stand in the order of their urls.
    """
    found: dict[str, None] = {}
    begun: set[str] = set()

    def visit(url: str) -> None:
        if url in begun or url not in resources:
            return
        begun.add(url)
        for other in sorted(needed(resources[url])):
            visit(other)
        found[url] = None

    for url in first:
        visit(url)
    return list(found)


def resolve(
    source: Source, used: Iterable[Use], own: Collection[str], externals: Externals, findings: Findings
) -> None:
    """Refuse every canonical that is neither ours nor a listed external one; the message names the nearest of ours."""
    for use in used:
        if use.url in own or use.url in externals.versions:
            continue
        if not use.url:
            parts = {part.get("id") for part in source.resource.get("contained", [])}
            if use.canonical.removeprefix("#") in parts:
                continue
        near = difflib.get_close_matches(use.url, list(own), n=1, cutoff=0.8)
        hint = f"did you mean {near[0]}?" if near else "write the file, or list it in externals.yaml."
        findings.refuse(f"{use.canonical} is defined nowhere; {hint}", source.at(use.location), _CANONICAL)


def depends_on(url: str, used: Iterable[Use], own: Collection[str], externals: Externals) -> list[Resource]:
    """Give the `depends-on` entries of the artifact `url`: each canonical it uses once, in order of use, never itself.

    Ours stand without version (the manifest pins them), those of others with the version that is known.
    """
    urls = dict.fromkeys(use.url for use in used if use.content and use.url not in ("", url))
    return [{"type": "depends-on", "resource": url if url in own else externals.pinned(url)} for url in urls]


def _own_uses(resource: Resource, base: Location) -> Iterator[Use]:
    for value, location in values_at(resource.get("meta", {}).get("profile", []), "", (*base, "meta", "profile")):
        if isinstance(value, str):
            yield Use(value, location, content=False)
    for path in _PATHS.get(resource["resourceType"], ()):
        for value, location in values_at(resource, path, base):
            if isinstance(value, str):
                whole = (resource["resourceType"], path) == ("CodeSystem", "valueSet")
                yield Use(value, location, content=True, whole=whole)
    if resource["resourceType"] == guide.TYPE:
        for index, canonical in enumerate(guide.listed(resource)):
            yield Use(canonical, (*base, "definition", "resource", index), content=True)
    for index, artifact in enumerate(resource.get("relatedArtifact", [])):
        if isinstance(artifact, dict) and isinstance(artifact.get("resource"), str):
            location = (*base, "relatedArtifact", index, "resource")
            yield Use(artifact["resource"], location, content=True)


def _extension_uses(extension: Any, location: Location) -> Iterator[Use]:
    if not isinstance(extension, dict) or not isinstance(extension.get("url"), str):
        return
    if ":" in extension["url"]:  # the parts of a complex extension have names, not urls
        yield Use(extension["url"], (*location, "url"), content=False)
    if isinstance(extension.get("valueCanonical"), str):
        whole = extension["url"] in _TO_THE_WHOLE
        yield Use(extension["valueCanonical"], (*location, "valueCanonical"), content=True, whole=whole)
    expression = extension.get("valueExpression")
    if isinstance(expression, dict) and isinstance(expression.get("reference"), str):
        yield Use(expression["reference"], (*location, "valueExpression", "reference"), content=True)
    related = extension.get("valueRelatedArtifact")
    if isinstance(related, dict) and isinstance(related.get("resource"), str):
        yield Use(related["resource"], (*location, "valueRelatedArtifact", "resource"), content=True)
