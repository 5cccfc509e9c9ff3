"""Canonicals that others publish: what our artifacts may refer to without defining it, kept as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ankle_cds.artifacts.reading import registry
from ankle_cds.artifacts.shapes import EXTERNALS

if TYPE_CHECKING:
    from pathlib import Path

    from ankle_cds.artifacts.findings import Findings


@dataclass(frozen=True, slots=True)
class Externals:
    """`versions`: each external canonical with its version (None where its publisher gives none that is known).

    `tables`: the code systems of which only the codes of a table of the content folder may be used, with that table and
    the table of their hierarchy; `tagged`: those whose displays end in a semantic tag in brackets, which a reader of a
    form need not see; `libraries`: names of CQL libraries of others with their canonical `url|version`.
    """

    versions: dict[str, str | None] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    hierarchies: dict[str, str] = field(default_factory=dict)
    tagged: set[str] = field(default_factory=set)
    libraries: dict[str, str] = field(default_factory=dict)

    def pinned(self, url: str) -> str:
        """Give `url|version`, the bare url where no version is known."""
        version = self.versions.get(url)
        return f"{url}|{version}" if version else url


def read_externals(path: Path, findings: Findings) -> Externals:
    """Read `externals.yaml`: groups of canonicals with one base and version, code systems, and CQL libraries."""
    document = registry(path, EXTERNALS, findings)
    data = document.data if document else {}
    externals = Externals()
    for group in data.get("packages", []):
        for name in group["canonicals"]:
            externals.versions[f"{group['base']}{name}"] = group.get("version")
    for system in data.get("codeSystems", []):
        externals.versions[system["url"]] = system.get("version")
        if "codes" in system:
            externals.tables[system["url"]] = system["codes"]
        if "hierarchy" in system:
            externals.hierarchies[system["url"]] = system["hierarchy"]
        if system.get("semanticTag"):
            externals.tagged.add(system["url"])
    for library in data.get("libraries", []):
        externals.versions[library["url"]] = library["version"]
        externals.libraries[library["name"]] = f"{library['url']}|{library['version']}"
    return externals
