"""Reads every authored file of a condition once; what is there is found by folder, not by a list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ankle_cds.artifacts import guide
from ankle_cds.artifacts.shapes import conforms, is_resource_shaped
from ankle_cds.errors import ContentError
from ankle_cds.fhir import Document, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.nodes import Location
    from ankle_cds.artifacts.shapes import Shape
    from ankle_cds.fhir import Resource

_RESOURCE = "https://hl7.org/fhir/R4/resource.html"
TRANSLATIONS = "translations"  # the folder that holds no resources
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_PASCAL = re.compile(r"[A-Z][A-Za-z0-9]*")
_KEBAB = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+")


@dataclass(frozen=True, slots=True)
class Source:
    """One authored resource: `document` as written, `resource` as it is being built from it."""

    document: Document
    resource: Resource

    @property
    def type(self) -> str:
        """The resource type."""
        return str(self.resource["resourceType"])

    @property
    def id(self) -> str:
        """The id, which is also the last segment of the canonical url."""
        return str(self.resource["id"])

    @property
    def authored(self) -> Resource:
        """The elements the file itself holds, before anything was merged or derived."""
        return self.document.data

    def where(self, *path: str | int) -> str:
        """`file:line` of the element at `path`, of its nearest authored parent where it was derived."""
        return self.document.where(*path)

    def at(self, location: Location) -> str:
        """`file:line` of a location found by walking the resource."""
        return self.document.where(*location)


def read_sources(folder: Path, profiles: Path, prefix: str, findings: Findings) -> list[Source]:
    """Read `<folder>/*/*.yaml` and the profiles of this condition, whose ids begin with its prefix.

    Each file holds one resource, is named after its id, and no two files hold the same type and id. Files that cannot
    be read become findings and are left out. Translations are no resources and are not read here.
    """
    paths = sorted(path for path in folder.glob("*/*.yaml") if path.parent.name != TRANSLATIONS)
    paths += sorted(path for path in profiles.glob("*.yaml") if path.stem.startswith((prefix, f"{prefix.lower()}-")))
    sources: dict[tuple[str, str], Source] = {}
    for path in paths:
        try:
            document = read_yaml(path)
        except ContentError as error:
            findings.take(error)
            continue
        if not _identified(document, findings):
            continue
        source = Source(document, dict(document.data))
        known = sources.setdefault((source.type, source.id), source)
        if known is not source:
            findings.refuse(
                f"{source.type} {source.id} stands in two files (also {known.document.path.name}); remove one.",
                source.where("id"),
                _RESOURCE,
            )
    return list(sources.values())


def check_names(source: Source, prefix: str, findings: Findings) -> None:
    """Check the id against the naming rule of its type; `prefix` begins every id of the condition.

    PascalCase where id, name and url tail are one word; kebab-case is allowed for a CodeSystem, a ValueSet and an
    extension, whose name is then given in the file.
    """
    if source.type == guide.TYPE:
        return  # its id is the name of the package, compared where the package is built
    kebab_allowed = source.type in {"CodeSystem", "ValueSet", "StructureDefinition"}
    pascal = bool(_PASCAL.fullmatch(source.id)) and source.id.startswith(prefix)
    kebab = kebab_allowed and bool(_KEBAB.fullmatch(source.id)) and source.id.startswith(f"{prefix.lower()}-")
    if not (pascal or kebab):
        also = f" or kebab-case beginning with {prefix.lower()}-" if kebab_allowed else ""
        findings.refuse(
            f"The id {source.id} does not follow the naming rule; write PascalCase beginning with {prefix}{also}.",
            source.where("id"),
            _RESOURCE,
        )
    if kebab and "name" not in source.resource:
        findings.refuse(
            "A resource with a kebab-case id needs a name; add `name` in PascalCase.", source.where("id"), _RESOURCE
        )


def registry(path: Path, shape: Shape, findings: Findings) -> Document | None:
    """Read a data file that is not a resource; None and findings where it cannot be read or has another shape."""
    try:
        document = read_yaml(path)
    except ContentError as error:
        findings.take(error)
        return None
    return document if conforms(document, shape, findings) else None


def _identified(document: Document, findings: Findings) -> bool:
    data = document.data
    known = len(findings.items)
    for element in ("resourceType", "id"):
        if not isinstance(data.get(element), str):
            findings.refuse(f"`{element}` is missing or not text; add it.", document.where(element), _RESOURCE)
    if len(findings.items) > known:
        return False
    if not _ID.fullmatch(data["id"]):
        findings.refuse(
            "The id holds a character that FHIR does not allow; use letters, digits, '-' and '.', at most 64.",
            document.where("id"),
            "https://hl7.org/fhir/R4/datatypes.html#id",
        )
    elif document.path.stem != data["id"]:
        findings.refuse(
            f"The file is named {document.path.name} but holds the id {data['id']}; make them the same.",
            document.where("id"),
            _RESOURCE,
        )
    return len(findings.items) == known and is_resource_shaped(document, findings)
