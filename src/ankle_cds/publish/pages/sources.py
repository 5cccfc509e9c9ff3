"""The trace on a page: statements of the source article with their text, evidence records with their publication."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.nodes import values_at
from ankle_cds.publish.pages.markdown import link, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Resource

_READ = "seen"  # the label of a record whose publication, or its abstract, was read


def statements(package: Package, plan: Resource) -> list[str]:
    """List the statements a recommendation rests on: label, sentence, and where it stands in the article."""
    concepts = {code["code"]: code for code, _ in values_at(package.resources.get(package.statements, {}), "concept*")}
    return [_statement(label, concepts[label]) for label, _ in _cited(plan) if label in concepts]


def evidence(package: Package, plan: Resource) -> list[str]:
    """List the evidence a recommendation rests on: what was found, in whom, where it is published, how it was read."""
    return [_record(package.evidence[label], artifact) for label, artifact in _cited(plan) if label in package.evidence]


def marked(record: Mapping[str, Any]) -> str:
    """Give the mark of a record that nobody here has read: in brackets, empty where it was read."""
    return "" if record["label"] == _READ else f" ({record['label']})"


def _cited(plan: Resource) -> Iterator[tuple[str, Resource]]:
    seen: set[str] = set()
    for artifact, _ in values_at(plan, "action.documentation"):
        label = artifact.get("label")
        if label and label not in seen:
            seen.add(label)
            yield label, artifact


def _statement(label: str, concept: Resource) -> str:
    properties = {one["code"]: one.get("valueString", "") for one in concept.get("property", [])}
    section = f' Article, section "{words(properties["section"])}".' if properties.get("section") else ""
    return f"**{label}** {words(concept['definition'])}{section}"


def _record(record: Mapping[str, Any], artifact: Resource) -> str:
    lines = [f"**{record['id']}**{marked(record)} {words(record['statement'])}"]
    shown = (("Figure", "figure"), ("In", "population"))
    lines += [f"{name}: {words(record[key])}" for name, key in shown if record.get(key)]
    published = words(record["citation"])
    address = words(record["address"])
    lines.append(f"Published: {published}. {link(address, artifact['url']) if artifact.get('url') else address}")
    lines.append(f"To the article: {words(record['relation'])}. How it was read: {record['label']}.")
    return "\n".join(lines)
