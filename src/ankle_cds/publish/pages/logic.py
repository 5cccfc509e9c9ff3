"""What the pages read from the published logic: the text of a definition, the phases, the place of a card."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.nodes import objects
from ankle_cds.artifacts.requirements import expressions
from ankle_cds.explain import in_words
from ankle_cds.fhir import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Resource

_PHASE = "Phase"  # how the logic names its phases, in their order
_PLACE = re.compile(r"([0-9]{2})\.([0-9]+)")  # phase, and place among the cards of the phase


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: its number, its name in words, and its rule as CQL."""

    number: int
    name: str
    rule: str


@dataclass(frozen=True)
class Logic:
    """The logic of a package as it is published in its Library."""

    package: Package

    @cached_property
    def library(self) -> Resource:
        """The Library that the plans name."""
        named = (url for plan in self.package.of_type("PlanDefinition") for url in plan.get("library", []))
        return self.package.get(next(named))

    @cached_property
    def _content(self) -> dict[str, bytes]:
        return {part["contentType"]: base64.b64decode(part["data"]) for part in self.library["content"]}

    @cached_property
    def _definitions(self) -> dict[str, dict[str, Any]]:
        elm = read_json(self._content["application/elm+json"], max_depth=512)["library"]
        return {entry["name"]: entry for entry in elm["statements"]["def"] if entry.get("type") != "FunctionDef"}

    def rule(self, name: str) -> str:
        """Give the CQL of a definition, without its first line that names it."""
        first, last = (int(point.partition(":")[0]) for point in self._definitions[name]["locator"].split("-"))
        lines = self._content["text/cql"].decode().split("\n")[first - 1 : last]
        return re.sub(r'^define (?:private )?"[^"]*":\s*', "", "\n".join(lines)).strip()

    def line(self, name: str) -> int:
        """Give the line of the CQL on which a definition begins."""
        return int(self._definitions[name]["locator"].partition(":")[0])

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """The phases in the order in which the logic declares them."""
        names = [name for name in self._definitions if name.startswith(_PHASE)]
        return tuple(
            Phase(number, in_words(name.removeprefix(_PHASE)), self.rule(name)) for number, name in enumerate(names, 1)
        )

    def places(self, plan: Resource) -> list[tuple[int, int]]:
        """Give the phases in which a recommendation can stand, each with its place among the cards of the phase."""
        found = set()
        for action in plan["action"]:
            for value in action.get("dynamicValue", []):
                if value["path"] == "prefix":
                    found |= set(self._literals(value["expression"]["expression"]))
        return sorted(found)

    def parameters(self, plan: Resource) -> frozenset[str]:
        """Name the parameters that a recommendation and what it offers can read."""
        names = expressions(plan, dict(self.package.resources)) & self.package.program.definitions.keys()
        return self.package.program.parameters_of(names)

    def _literals(self, name: str) -> Iterator[tuple[int, int]]:
        for node, _ in objects(self._definitions[name]):
            place = _PLACE.fullmatch(str(node.get("value"))) if node.get("type") == "Literal" else None
            if place:
                yield int(place[1]), int(place[2])
