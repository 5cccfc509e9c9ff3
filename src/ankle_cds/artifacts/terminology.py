"""Which codes may be used, and by which display: our own code systems, the table of verified codes, a hierarchy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.nodes import objects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ankle_cds.artifacts.externals import Externals
    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.nodes import Location
    from ankle_cds.artifacts.reading import Source
    from ankle_cds.fhir import Resource

_CODING = "https://hl7.org/fhir/R4/terminologies.html#4.1"
_SEMANTIC_TAG = re.compile(r" \([^()]+\)$")
_VERIFIED = "verified"
_COLUMNS = ("concept_key", "system", "code", "display", "status", "evidence", "note")


@dataclass(frozen=True, slots=True)
class Concept:
    """A code that may be used (`status` verified) or is known to be wrong; `displays` holds every accepted one.

    The first is the one to show; where the code system gives none, it is the code itself.
    """

    code: str
    displays: tuple[str, ...]
    status: str = _VERIFIED
    where: str = ""


class Terminology:
    """All code systems by url; answers what a code is, what lies below it, and whether a coding may be used."""

    def __init__(self) -> None:
        self.concepts: dict[str, dict[str, Concept]] = {}
        self.children: dict[str, dict[str, list[str]]] = {}
        self.known: set[str] = set()
        self._tables: dict[str, str] = {}

    def add_code_system(self, resource: Resource) -> None:
        """Add one of our own code systems."""
        concepts: dict[str, Concept] = {}
        children: dict[str, list[str]] = {}
        for concept, parent in _nested(resource.get("concept", []), None):
            designations = [item.get("value") for item in concept.get("designation", [])]
            displays = tuple(text for text in [concept.get("display"), *designations] if isinstance(text, str))
            concepts[concept["code"]] = Concept(concept["code"], displays or (concept["code"],))
            if parent is not None:
                children.setdefault(parent, []).append(concept["code"])
        self.concepts[resource["url"]] = concepts
        self.children[resource["url"]] = children

    def add_externals(self, folder: Path, externals: Externals, findings: Findings) -> None:
        """Add the code systems of others: known by url, or restricted to the rows of a table in the folder."""
        self.known |= set(externals.versions)
        rows: list[tuple[int, dict[str, str]]]
        for system, table in externals.tables.items():
            self._tables[system] = table
            self.concepts[system] = {}
        for table in dict.fromkeys(externals.tables.values()):
            rows = read_table(folder / table, _COLUMNS, findings)
            for line, row in rows:
                system = row["system"]
                if system in self._tables and row["code"]:
                    displays = [row["display"]]
                    if system in externals.tagged:
                        displays.append(_SEMANTIC_TAG.sub("", row["display"]))
                    concept = Concept(row["code"], tuple(displays), row["status"], f"{folder / table}:{line}")
                    current = self.concepts[system].get(row["code"])
                    if current is None or current.status != _VERIFIED:
                        self.concepts[system][row["code"]] = concept
        for system, table in externals.hierarchies.items():
            self._add_hierarchy(system, folder / table, findings)

    def _add_hierarchy(self, system: str, path: Path, findings: Findings) -> None:
        """Add descendants of verified codes; a descendant may be used wherever its root may."""
        concepts = self.concepts.setdefault(system, {})
        children = self.children.setdefault(system, {})
        for line, row in read_table(path, ("code", "parent", "display", "billable"), findings):
            if row["parent"]:
                children.setdefault(row["parent"], []).append(row["code"])
            known = concepts.get(row["code"])
            if known is None:
                concepts[row["code"]] = Concept(row["code"], (row["display"],), where=f"{path}:{line}")
            elif row["display"] not in known.displays:
                findings.refuse(
                    f"{row['code']} has another display here than in {known.where}; make them the same.",
                    f"{path}:{line}",
                    _CODING,
                )

    def below(self, system: str, root: str) -> Iterator[Concept]:
        """Yield the concept and everything below it, parents before children."""
        concept = self.concepts.get(system, {}).get(root)
        if concept is not None:
            yield concept
        for child in self.children.get(system, {}).get(root, []):
            yield from self.below(system, child)

    def refusal(self, system: str, code: str, display: str | None) -> str | None:
        """Say why a coding may not be used and what to do, None when it may."""
        concepts = self.concepts.get(system)
        if concepts is None:
            if system in self.known:
                return None
            return f"The code system {system} is not known; add it to externals.yaml with its publisher's url."
        concept = concepts.get(code)
        table = self._tables.get(system, "its code system")
        if concept is None:
            return f"The code {code} of {system} is not in {table}; use a code that is, or add it there."
        if concept.status != _VERIFIED:
            return f"The code {code} of {system} is {concept.status} ({concept.where}); use a verified code."
        if display is not None and display not in concept.displays:
            return f'The display of {code} must be "{concept.displays[0]}" as in {table}; copy it from there.'
        return None


def check_codes(source: Source, terminology: Terminology, findings: Findings) -> None:
    """Check every coding, value-set member and mapped concept of one authored resource."""
    for system, code, display, location in _codings(source.authored):
        if not isinstance(code, str):
            findings.refuse("A code is text; put it in quotes.", source.at(location), _CODING)
            continue
        refusal = terminology.refusal(system, code, display if isinstance(display, str) else None)
        if refusal:
            findings.refuse(refusal, source.at(location), _CODING)


def read_table(path: Path, columns: tuple[str, ...], findings: Findings) -> list[tuple[int, dict[str, str]]]:
    """Read a tab-separated table with exactly these columns; each row with its line number in the file.

    Lines before the header that begin with `#` say where the table comes from and are passed over.
    """
    try:
        lines = list(enumerate(path.read_text(encoding="utf-8").splitlines(), start=1))
    except (OSError, UnicodeDecodeError):
        findings.refuse("The table cannot be read; check that it exists and is UTF-8.", str(path))
        return []
    while lines and lines[0][1].startswith("#"):
        lines.pop(0)
    if not lines or tuple(lines[0][1].split("\t")) != columns:
        findings.refuse(f"The columns must be {', '.join(columns)}, separated by tabs.", f"{path}:1")
        return []
    rows = []
    for number, line in lines[1:]:
        cells = line.split("\t")
        if len(cells) != len(columns):
            findings.refuse(f"{len(cells)} cells where the table has {len(columns)} columns.", f"{path}:{number}")
            continue
        rows.append((number, dict(zip(columns, cells, strict=True))))
    return rows


def _codings(data: Resource) -> Iterator[tuple[str, Any, Any, Location]]:
    for node, location in objects(data):
        system = node.get("system")
        if isinstance(system, str) and ":" in system:
            if "code" in node:
                yield system, node["code"], node.get("display"), (*location, "code")
            yield from _members(system, node.get("concept"), (*location, "concept"))
        if isinstance(node.get("element"), list) and isinstance(node.get("source"), str):
            yield from _members(node["source"], node["element"], (*location, "element"))
            for index, element in enumerate(node["element"]):
                target = node.get("target")
                if isinstance(element, dict) and isinstance(target, str):
                    yield from _members(target, element.get("target"), (*location, "element", index, "target"))


def _members(system: str, concepts: Any, location: Location) -> Iterator[tuple[str, Any, Any, Location]]:
    for index, concept in enumerate(concepts if isinstance(concepts, list) else ()):
        if isinstance(concept, dict) and "code" in concept:
            yield system, concept["code"], concept.get("display"), (*location, index, "code")


def _nested(concepts: list[Resource], parent: str | None) -> Iterator[tuple[Resource, str | None]]:
    for concept in concepts:
        yield concept, parent
        yield from _nested(concept.get("concept", []), concept["code"])
