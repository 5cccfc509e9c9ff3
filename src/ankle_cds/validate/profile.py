"""The profiles of a package, ready to be asked: which resources they are about, and the elements they rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ankle_cds.fhir import in_value_set
from ankle_cds.fhir.definitions import Element, tree
from ankle_cds.validate import values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Code, Resource


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile ready to be asked: its canonical, its type, and the elements of its snapshot."""

    id: str
    url: str
    type: str
    title: str
    elements: Element

    def claims(self, resource: Resource) -> bool:
        """Tell whether the resource names this profile in `meta.profile`."""
        meta = resource.get("meta")
        named = meta.get("profile") if isinstance(meta, dict) else None
        return isinstance(named, list) and any(
            isinstance(item, str) and item.partition("|")[0] == self.url for item in named
        )

    def recognises(self, resource: Resource, value_sets: Mapping[str, frozenset[Code]]) -> bool:
        """Tell whether the resource is of the type, and its code of the codes, that the profile is about."""
        code = self.elements.children.get("code")
        if resource.get("resourceType") != self.type or code is None:
            return False
        given = resource.get("code")
        pattern = code.definition.get("patternCodeableConcept", {})
        if "coding" in pattern:
            return values.fits(pattern, given)
        bound = code.definition.get("binding", {})
        members = value_sets.get(bound.get("valueSet", "")) if bound.get("strength") == "required" else None
        return members is not None and in_value_set(given, "CodeableConcept", members)


def profiles(package: Package) -> tuple[Profile, ...]:
    """Give the profiles of a package on resource types, in the order of its artifacts."""
    return tuple(
        Profile(item["id"], item["url"], item["type"], item["title"], tree(item["snapshot"]["element"]))
        for item in package.of_type("StructureDefinition")
        if item["kind"] == "resource"
    )
