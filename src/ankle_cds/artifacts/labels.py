"""The trace from every claim to what it rests on: statements of the source article and records of evidence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.nodes import objects
from ankle_cds.artifacts.reading import registry
from ankle_cds.artifacts.shapes import EVIDENCE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.nodes import Location
    from ankle_cds.artifacts.reading import Source
    from ankle_cds.fhir import Document, Resource

_RELATED = "https://hl7.org/fhir/R4/metadatatypes.html#RelatedArtifact"
_LOCAL = ("local policy", "per call")
_TRACE_PROPERTIES = ("sourceStatement", "evidence")  # of the concepts of our code systems
_EVIDENCE = re.compile(r"\bE-[A-Z]+[0-9]+\b")


class Labels:
    """The two registries: `statements` (code to display) and `evidence` (ids)."""

    def __init__(self, statements: Mapping[str, str], evidence: Collection[str], statement_extension: str) -> None:
        self.statements = statements
        self.evidence = evidence
        self._extension = statement_extension

    def check(self, source: Source, findings: Findings) -> None:
        """Refuse every label, in any place of the resource, that is in neither registry."""
        for label, location in self._labels(source.authored):
            if label not in self.statements and label not in self.evidence:
                findings.refuse(
                    f"The label {label} is neither a source statement nor an evidence record; correct it or add it.",
                    source.at(location),
                    _RELATED,
                )

    def derived_from(self, resource: Resource) -> list[Resource]:
        """Give a `derived-from` entry for each source statement the resource carries, in order of appearance."""
        carried = dict.fromkeys(label for label, _ in self._labels(resource) if label in self.statements)
        return [{"type": "derived-from", "label": label, "display": self.statements[label]} for label in carried]

    def check_basis(self, settings: Document, names: Mapping[str, str], findings: Findings) -> None:
        """Check that every input of the logic says what it rests on, and that nothing else does.

        `names` maps each parameter of the logic to its place. A basis names an evidence record, or says "local policy"
        or, for what the service sets, "per call".
        """
        basis = settings.data["parameters"]
        for name, place in names.items():
            text = basis.get(name)
            where = settings.where("parameters", name)
            if isinstance(text, str):
                self._check_basis(name, text, where, findings)
            else:
                findings.refuse(f"The parameter {name} has no basis; add it to `parameters` in package.yaml.", place)
        for index, entry in enumerate(settings.data.get("serviceParameters", [])):
            self._check_basis(entry["name"], entry["basis"], settings.where("serviceParameters", index), findings)
        for name in basis:
            if name not in names:
                findings.refuse(
                    f"`parameters` gives a basis for {name}, which the logic does not have; remove it.",
                    settings.where("parameters", name),
                )

    def _check_basis(self, name: str, text: str, where: str, findings: Findings) -> None:
        ids = _EVIDENCE.findall(text)
        unknown = [label for label in ids if label not in self.evidence]
        if unknown:
            findings.refuse(f"The basis of {name} names {unknown[0]}, which is no evidence record.", where)
        elif not ids and not any(words in text.lower() for words in _LOCAL):
            findings.refuse(
                f'The basis of {name} names no evidence record and does not say "local policy"; say what holds.',
                where,
            )

    def _labels(self, data: Any) -> Iterator[tuple[str, Location]]:
        for node, location in objects(data):
            if node.get("type") in ("derived-from", "citation") and isinstance(node.get("label"), str):
                yield node["label"], (*location, "label")
            if node.get("url") == self._extension and isinstance(node.get("valueCode"), str):
                yield node["valueCode"], (*location, "valueCode")
            if isinstance(node.get("code"), str) and node["code"] in _TRACE_PROPERTIES:
                for value in ("valueString", "valueCode"):
                    if isinstance(node.get(value), str):
                        yield node[value], (*location, value)


def read_evidence(path: Path, findings: Findings) -> dict[str, Resource]:
    """Give the records of the evidence registry by id; a finding where two have the same."""
    document = registry(path, EVIDENCE, findings)
    records: dict[str, Resource] = {}
    if document is None:
        return records
    for index, record in enumerate(document.data["evidence"]):
        if record["id"] in records:
            findings.refuse(f"{record['id']} stands twice; remove one.", document.where("evidence", index))
        records[record["id"]] = record
    return records
