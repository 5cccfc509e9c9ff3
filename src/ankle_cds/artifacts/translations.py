"""The words people read, in other languages beside the English ones; nothing that runs reads them.

Each file in `translations/` is named after its language and gives one translation per English text, wherever that text
stands; `translated` in package.yaml says which elements have to have one. A concept of a code system carries it as a
designation, which every value set repeats for its members; any other text as the translation extension.
https://hl7.org/fhir/extensions/StructureDefinition-translation.html
https://hl7.org/fhir/R4/codesystem-definitions.html#CodeSystem.concept.designation
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts import metadata
from ankle_cds.artifacts.nodes import values_at
from ankle_cds.artifacts.reading import TRANSLATIONS, registry
from ankle_cds.artifacts.shapes import TRANSLATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.nodes import Location
    from ankle_cds.artifacts.reading import Source
    from ankle_cds.fhir import Document, Resource

EXTENSION = "http://hl7.org/fhir/StructureDefinition/translation"
_SPEC = "https://hl7.org/fhir/extensions/StructureDefinition-translation.html"
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # https://www.rfc-editor.org/info/bcp47


class _Language:
    """One file: its language, its texts, and which of them were used."""

    def __init__(self, document: Document, findings: Findings) -> None:
        self.code = document.path.stem
        self.where = document.where
        self.file = f"{TRANSLATIONS}/{document.path.name}"
        self.texts: dict[str, str] = {}
        self.used: set[str] = set()
        self.missing: set[str] = set()
        if not _LANGUAGE.fullmatch(self.code):
            findings.refuse("The file is named after no language; name it like es.yaml.", document.where(), _SPEC)
        for text, words in document.data["texts"].items():
            if isinstance(words, str):
                self.texts[text] = words
            else:
                self.missing.add(text)  # said once is enough
                findings.refuse(
                    "A translation is text (put it in quotes where it looks like a number); write it so.",
                    document.where("texts", text),
                )


def translate(folder: Path, settings: Document, sources: Mapping[str, Source], findings: Findings) -> None:
    """Put the translations of every language in the folder into the built resources.

    Findings where a declared element has no translation, where an artifact gives its own, where a translation belongs
    to no text, and where a declared path leads to no text at all.
    """
    languages = []
    for path in sorted((folder / TRANSLATIONS).glob("*.yaml")):
        document = registry(path, TRANSLATION, findings)
        if document is not None:
            languages.append(_Language(document, findings))
    if not languages:
        return
    for source, location in _declared(settings, sources, findings):
        text = _parent(source.resource, location)[location[-1]]
        for language in languages:
            if text in language.texts:
                language.used.add(text)
                _put(source, location, language, findings)
            elif text not in language.missing:
                language.missing.add(text)
                findings.refuse(
                    f"The text has no translation into {language.code}; add it to {language.file}.",
                    source.at(location),
                    _SPEC,
                )
    _designate_members(sources)
    for language in languages:
        for text in language.texts.keys() - language.used:
            findings.refuse(
                "No element that is translated holds this English text; correct it or remove the entry.",
                language.where("texts", text),
            )


def _declared(
    settings: Document, sources: Mapping[str, Source], findings: Findings
) -> Iterator[tuple[Source, Location]]:
    """Yield the place of each text that package.yaml declares, once, in a resource that may be changed."""
    opened: set[str] = set()
    seen: set[tuple[str, Location]] = set()
    for index, row in enumerate(settings.data.get("translated", [])):
        for position, path in enumerate(row["elements"]):
            found = [
                (url, location, value)
                for url, source in sources.items()
                if source.type in row["types"] and metadata.applies(source.resource, row.get("where", {}))
                for value, location in values_at(source.resource, path)
            ]
            if not found or any(not isinstance(value, str) for _, _, value in found):
                findings.refuse(
                    f"{path} leads to no text; correct the path.",
                    settings.where("translated", index, "elements", position),
                )
                continue
            for url, location, _ in found:
                if (url, location) not in seen:
                    seen.add((url, location))
                    if url not in opened:
                        opened.add(url)
                        _open(sources[url])
                    yield sources[url], location


def _open(source: Source) -> None:
    """Replace what the resource shares with its file by copies."""
    source.resource.update(copy.deepcopy(source.resource))


def _put(source: Source, location: Location, language: _Language, findings: Findings) -> None:
    parent = _parent(source.resource, location)
    name = str(location[-1])
    words = language.texts[parent[name]]
    concept = source.type == "CodeSystem" and "concept" in location
    entry: Resource
    if concept:
        beside, entry = "designation", {"language": language.code, "value": words}
        others = parent.get(beside, [])
        given = any(other.get("language") == language.code for other in others)
    else:
        beside = f"_{name}"
        parts = [{"url": "lang", "valueCode": language.code}, {"url": "content", "valueString": words}]
        entry = {"url": EXTENSION, "extension": parts}
        others = parent.get(beside, {}).get("extension", [])
        given = any(parts[0] in other.get("extension", []) for other in others if other.get("url") == EXTENSION)
    if given:
        findings.refuse(
            f"The artifact gives its own translation into {language.code}; write it in {language.file} alone.",
            source.at((*location[:-1], beside)),
            _SPEC,
        )
        return
    entries = [*others, entry]
    _insert(parent, name, beside, entries if concept else {**parent.get(beside, {}), "extension": entries})


def _designate_members(sources: Mapping[str, Source]) -> None:
    """Repeat the designations of our code systems in the definition and the expansion of each value set."""
    known: dict[tuple[str, str], list[Resource]] = {
        (url, concept["code"]): concept["designation"]
        for url, source in sources.items()
        if source.type == "CodeSystem"
        for concept, _ in values_at(source.resource, "concept*")
        if "designation" in concept
    }
    ours = {system for system, _ in known}
    for source in sources.values():
        if source.type != "ValueSet":
            continue
        if not any(system in ours for system, _ in values_at(source.resource, "expansion.contains.system")):
            continue
        _open(source)
        members = [
            *(
                (include.get("system"), concept)
                for include, _ in values_at(source.resource, "compose.include")
                for concept in include.get("concept", [])
            ),
            *((member["system"], member) for member, _ in values_at(source.resource, "expansion.contains")),
        ]
        for system, member in members:
            designations = known.get((system, member["code"]))
            if designations and "display" in member:
                _insert(member, "display", "designation", designations)


def _parent(resource: Resource, location: Location) -> Any:
    node: Any = resource
    for step in location[:-1]:
        node = node[step]
    return node


def _insert(parent: dict[str, Any], name: str, beside: str, value: Any) -> None:
    """Set an element right after the one it belongs to: this is where a reader looks for it."""
    members = [(key, inner) for key, inner in parent.items() if key != beside]
    parent.clear()
    for key, inner in members:
        parent[key] = inner
        if key == name:
            parent[beside] = value
