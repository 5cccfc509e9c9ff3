"""Value-set definitions turned into the lists of codes the logic tests, dated and with the versions they rest on.

https://hl7.org/fhir/R4/valueset.html#expansion
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from ankle_cds.fhir import canonical_json, split_canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.artifacts.externals import Externals
    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.reading import Source
    from ankle_cds.artifacts.terminology import Terminology

_COMPOSE = "https://hl7.org/fhir/R4/valueset.html#compositions"
Members = dict[tuple[str, str], str | None]


class Expander:
    """Expands the value sets of one package; a set that names another set is expanded after it."""

    def __init__(self, sets: Mapping[str, Source], terminology: Terminology, findings: Findings) -> None:
        self._sets = sets
        self._terminology = terminology
        self._findings = findings
        self._members: dict[str, Members] = {}
        self._open: list[str] = []

    def members(self, url: str) -> Members:
        """Give (system, code) and display of each member in order; findings where the definition cannot be read."""
        if url in self._members:
            return self._members[url]
        source = self._sets[url]
        if url in self._open:
            self._findings.refuse("The value set contains itself; remove one reference.", source.where("compose"))
            return {}
        self._open.append(url)
        compose = source.resource.get("compose", {})
        found: Members = {}
        for part in self._parts(source, compose, "include"):
            found.update((key, display) for key, display in part.items() if key not in found)
        for part in self._parts(source, compose, "exclude"):
            for key in part:
                found.pop(key, None)
        self._open.pop()
        if not found:
            self._findings.refuse("The value set has no member; add codes or remove it.", source.where("compose"))
        self._members[url] = found
        return found

    def _parts(self, source: Source, compose: Mapping[str, Any], name: str) -> Iterator[Members]:
        for index, include in enumerate(compose.get(name, [])):
            parts: list[Members] = []
            system = include.get("system")
            if isinstance(system, str):
                parts.append(self._from_system(source, include, system, ("compose", name, index)))
            for canonical in include.get("valueSet", []):
                url, _ = split_canonical(canonical)
                parts.append(self.members(url) if url in self._sets else {})
            if not parts:
                self._findings.refuse(
                    "Name a code system or value sets here.", source.where("compose", name, index), _COMPOSE
                )
                continue
            # Several conditions in one include all have to hold.
            yield {key: display for key, display in parts[0].items() if all(key in part for part in parts)}

    def _from_system(
        self, source: Source, include: Mapping[str, Any], system: str, location: tuple[str | int, ...]
    ) -> Members:
        if "concept" in include:
            return {(system, concept["code"]): self._display(system, concept) for concept in include["concept"]}
        concepts = self._terminology.concepts.get(system, {})
        if "filter" not in include:
            if not concepts:
                self._findings.refuse(
                    f"All of {system} cannot be listed here; name the codes.", source.at(location), _COMPOSE
                )
            return {(system, code): concept.displays[0] for code, concept in concepts.items()}
        members: Members = {}
        for index, condition in enumerate(include["filter"]):
            where = source.at((*location, "filter", index))
            if (condition.get("property"), condition.get("op")) != ("concept", "is-a"):
                self._findings.refuse("Only filters `concept is-a CODE` can be expanded.", where, _COMPOSE)
                continue
            found = list(self._terminology.below(system, str(condition.get("value"))))
            if not found:
                self._findings.refuse(
                    f"{condition.get('value')} and its descendants are not in the hierarchy of {system}; "
                    "add them to its table.",
                    where,
                    _COMPOSE,
                )
            members.update({(system, concept.code): concept.displays[0] for concept in found})
        return members

    def _display(self, system: str, concept: Mapping[str, Any]) -> str | None:
        given = concept.get("display")
        if isinstance(given, str):
            return given
        known = self._terminology.concepts.get(system, {}).get(concept["code"])
        return known.displays[0] if known and known.displays else None


def expand(source: Source, members: Members, externals: Externals) -> None:
    """Write the expansion into the built value set.

    The timestamp is the date of the package; the version of every code system stands in a `system-version` parameter,
    'unknown' where the release the codes were taken from is not known (an edition is never invented).
    """
    resource = source.resource
    systems = dict.fromkeys(system for system, _ in members)
    versions = {system: externals.versions.get(system) or "unknown" for system in systems}
    versions.update({system: resource["version"] for system in systems if system not in externals.versions})
    contains = [
        {"system": system, "code": code, **({"display": display} if display else {})}
        for (system, code), display in members.items()
    ]
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{resource['url']}|{resource['version']}")
    resource["immutable"] = False
    resource["expansion"] = {
        "identifier": f"urn:uuid:{uuid.uuid5(name, canonical_json(contains).decode())}",
        "timestamp": resource["date"],
        "total": len(contains),
        "parameter": [
            {"name": "system-version", "valueString": f"{system}|{version}"} for system, version in versions.items()
        ],
        "contains": contains,
    }
