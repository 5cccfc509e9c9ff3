"""The bundles of a build: those that were split by size are read as one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds.fhir import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.fhir import Resource

_PART = re.compile(r"\.(\d+)$")
_DEPTH = 512


@dataclass(frozen=True, slots=True)
class Series:
    """A bundle, or its parts in order: every entry, and the url that each part begins with."""

    name: str
    types: tuple[str, ...]
    entries: tuple[Mapping[str, Any], ...]
    leads: tuple[str, ...]

    @property
    def resources(self) -> list[Resource]:
        """Every resource in order."""
        return [dict(entry.get("resource", {})) for entry in self.entries]


def series(files: Mapping[str, bytes]) -> list[Series]:
    """Give the bundles among the files of a build that hold artifacts; `x.1.json` and `x.2.json` are one."""
    parts: dict[str, list[tuple[int, Resource]]] = {}
    for path, data in files.items():
        if path.endswith(".json") and "bundle" in path.lower():
            document = read_json(data, max_depth=_DEPTH)
            if document.get("resourceType") == "Bundle":
                stem = path.removesuffix(".json")
                match = _PART.search(stem)
                number = int(match[1]) if match else 0
                parts.setdefault(_PART.sub("", stem), []).append((number, document))
    found = []
    for name, numbered in sorted(parts.items()):
        documents = [document for _, document in sorted(numbered, key=lambda pair: pair[0])]
        found.append(
            Series(
                name,
                tuple(str(document.get("type")) for document in documents),
                tuple(entry for document in documents for entry in document.get("entry", [])),
                tuple(str(_first(document).get("url")) for document in documents),
            )
        )
    return found


def _first(bundle: Resource) -> Resource:
    return next((entry.get("resource", {}) for entry in bundle.get("entry", [])), {})
