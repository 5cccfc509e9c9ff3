"""One condition, built: its artifacts, its compiled logic and the data it needs, none of which changes any more."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ankle_cds.errors import ContentError
from ankle_cds.fhir import split_canonical

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ankle_cds import elm
    from ankle_cds.artifacts.parameters import Constraint, Parameter
    from ankle_cds.artifacts.reading import Source
    from ankle_cds.artifacts.requirements import Input
    from ankle_cds.fhir import Resource

_STEP = re.compile(r"([^.\[\]]+)(?:\[([0-9]+)\])?")


@dataclass(frozen=True, slots=True)
class Package:
    """The built content of one folder.

    `resources` holds every artifact by canonical url, in a stable order; `program` the compiled logic; `inputs` the
    prefetch keys with the hooks that ask for them; `value_sets` the members of each value set by url. `pathway`,
    `guide` and `statements` are the canonicals of the pathway, the ImplementationGuide and the code system of the
    source statements; `evidence` holds the evidence records by id.
    """

    folder: Path
    id: str
    version: str
    service_id: str
    pathway: str
    resources: Mapping[str, Resource]
    program: elm.Program
    inputs: tuple[Input, ...]
    value_sets: Mapping[str, frozenset[tuple[str, str]]]
    guide: str
    statements: str
    evidence: Mapping[str, Resource]
    parameters: tuple[Parameter, ...]
    constraints: tuple[Constraint, ...]
    sources: Mapping[str, Source] = field(repr=False)

    def get(self, canonical: str) -> Resource:
        """Give the artifact with this canonical, with or without `|version`; raise ContentError when there is none."""
        url, version = split_canonical(canonical)
        resource = self.resources.get(url)
        if resource is None or version not in (None, resource["version"]):
            raise ContentError(f"No artifact {canonical} in {self.id}; correct the canonical.", where=str(self.folder))
        return resource

    def of_type(self, resource_type: str) -> tuple[Resource, ...]:
        """Give all artifacts of one type in the order of `resources`."""
        return tuple(item for item in self.resources.values() if item["resourceType"] == resource_type)

    def where(self, url: str, *path: str | int) -> str:
        """`file:line` of an element of an artifact; of its nearest authored parent where the element was derived."""
        source = self.sources.get(url)
        return source.where(*path) if source else str(self.folder)

    def locate(self, path: str) -> str:
        """`file:line` of a JSON path that begins with type and id: `PlanDefinition/X.action[0].title`.

        The path itself where no artifact of that type and id exists.
        """
        name, *steps = path.split(".")
        source = next((item for item in self.sources.values() if f"{item.type}/{item.id}" == name), None)
        if source is None:
            return path
        location: list[str | int] = []
        for step in steps:
            match = _STEP.fullmatch(step)
            if match is None:
                break
            location.append(match[1])
            if match[2] is not None:
                location.append(int(match[2]))
        return source.where(*location)
