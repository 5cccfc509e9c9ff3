"""Strict FHIR-as-YAML: the part of YAML that means the same to every reader, with the line of every element remembered.

Authors get YAML's layout and nothing of its guessing: no tags, anchors, aliases, merges, several documents or tabs.
A plain value is `true`, `false`, a JSON number or text; what YAML 1.1 and YAML 1.2 read differently (`no`, `0123`,
`12:30`, `~`) is refused and must be quoted. Dates stay text. Nothing may be empty, because FHIR has no empty values; in
a file that is no resource, an empty list may be written where it means "none of them".

https://yaml.org/spec/1.2.2/#102-json-schema · https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import yaml

from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_JSON_SCHEMA = "https://yaml.org/spec/1.2.2/#102-json-schema"
_FHIR_JSON = "https://hl7.org/fhir/R4/json.html"

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
# Plain text that at least one YAML reader in use takes for something else than text.
_AMBIGUOUS = re.compile(
    r"(?i:y|yes|n|no|on|off|true|false|null|~)|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[-+]?0[0-9_]+|[-+]?0[xX][0-9a-fA-F_]+|[-+]?0[bB][01_]+|0o[0-7]+|\+[0-9].*|[-+]?[0-9][0-9_]*\.?(?:[eE][+-]?[0-9]+)?"
    r"|[-+]?\.[0-9][0-9_]*(?:[eE][+-]?[0-9]+)?|[-+]?[0-9][0-9_]*\.[0-9_]*|[-+]?\.(?i:inf|nan)|<<|="
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Line of a node (from 1) and the places of what is inside it, by key or index."""

    line: int
    inside: dict[str | int, _Place]


@dataclass(frozen=True, slots=True)
class Document:
    """One authored file: `data` holds JSON types only, `where` finds the file and line of any element in it."""

    path: Path
    data: dict[str, Any]
    _place: _Place

    def where(self, *path: str | int) -> str:
        """Give `file:line` of the element at `path`; of its nearest parent where the file does not hold it itself."""
        place = self._place
        for step in path:
            if step not in place.inside:
                break
            place = place.inside[step]
        return f"{self.path}:{place.line}"


def read_yaml(path: Path, *, empty_lists: bool = False) -> Document:
    """Read one file; raise ContentError listing every finding in it, each with file and line.

    `empty_lists` permits `[]`: for settings, never for resources.
    """
    reader = _Reader(path, empty_lists=empty_lists)
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise ContentError(f"Cannot read the file ({error.strerror}); check that it exists.", where=str(path)) from None
    except UnicodeDecodeError:
        raise ContentError("The file is not UTF-8; save it as UTF-8.", where=str(path), spec=_FHIR_JSON) from None
    for number, line in enumerate(text.split("\n"), start=1):
        if "\t" in line:
            reader.refuse("A tab; indent and separate with spaces.", number, _JSON_SCHEMA)
    if text.startswith("\ufeff"):
        reader.refuse("A byte order mark; save the file as UTF-8 without it.", 1, _FHIR_JSON)
    if not reader.findings:
        return reader.read(text)
    raise reader.error()


class _Reader:
    """Builds values and places from the parser's events; findings are kept so that one run shows all of them."""

    def __init__(self, path: Path, *, empty_lists: bool) -> None:
        self.path = path
        self.empty_lists = empty_lists
        self.findings: list[ContentError] = []

    def refuse(self, message: str, line: int, spec: str) -> None:
        self.findings.append(ContentError(message, where=f"{self.path}:{line}", spec=spec))

    def error(self) -> ContentError:
        if len(self.findings) == 1:
            return self.findings[0]
        return ContentError(
            f"{len(self.findings)} findings in the file.", where=str(self.path), causes=tuple(self.findings)
        )

    def read(self, text: str) -> Document:
        try:
            data, place = self._document(text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            self.refuse(f"Not YAML: {error.problem or error.context}.", line, _JSON_SCHEMA)
            raise self.error() from None
        except yaml.YAMLError:
            self.refuse("Not YAML: a character that is not allowed.", 1, _JSON_SCHEMA)
            raise self.error() from None
        if not isinstance(data, dict):
            self.refuse("The file must hold one mapping of element names to values.", place.line, _FHIR_JSON)
        if self.findings:
            raise self.error()
        return Document(self.path, data, place)

    def _document(self, text: str) -> tuple[Any, _Place]:
        events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.CLoader))
        result: tuple[Any, _Place] | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                line = _line(event)
                if result is not None:
                    self.refuse("A second document; one file holds one resource.", line, _JSON_SCHEMA)
                    break
                if event.version or event.tags:
                    self.refuse("A directive; remove the line that begins with %.", line, _JSON_SCHEMA)
                result = self._node(next(events), events)
        if result is None:
            self.refuse("The file is empty; remove it or write the resource.", 1, _FHIR_JSON)
            raise self.error()
        return result

    def _node(self, event: Any, events: Iterator[Any]) -> tuple[Any, _Place]:
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            self.refuse("An alias (*name); write the value out.", line, _JSON_SCHEMA)
            return None, _Place(line, {})
        if event.anchor is not None:
            self.refuse("An anchor (&name); write the value out where it is used.", line, _JSON_SCHEMA)
        if event.tag is not None:
            self.refuse("A tag (!name); the type of a value follows from how it is written.", line, _JSON_SCHEMA)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, line), _Place(line, {})
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, line)
        return self._sequence(events, line)

    def _mapping(self, events: Iterator[Any], line: int) -> tuple[dict[str, Any], _Place]:
        members: dict[str, Any] = {}
        places: dict[str | int, _Place] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            at = _line(event)
            known = len(self.findings)
            key, _ = self._node(event, events)
            if not isinstance(key, str):
                if len(self.findings) == known:
                    self.refuse("A key that is not text; keys are element names.", at, _FHIR_JSON)
                key = f"?{at}"
            elif key in members:
                first = places[key].line
                self.refuse(f"'{key}' is given twice (first on line {first}); keep one.", at, _FHIR_JSON)
            members[key], place = self._node(next(events), events)
            # The line of the key, not of the value: this is where an author looks for the element.
            places[key] = _Place(at, place.inside)
        if not members:
            self.refuse("An empty mapping; leave the element out.", line, _FHIR_JSON)
        return members, _Place(line, places)

    def _sequence(self, events: Iterator[Any], line: int) -> tuple[list[Any], _Place]:
        items: list[Any] = []
        places: dict[str | int, _Place] = {}
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            item, places[len(items)] = self._node(event, events)
            items.append(item)
        if not items and not self.empty_lists:
            self.refuse("An empty list; leave the element out.", line, _FHIR_JSON)
        return items, _Place(line, places)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> bool | int | Decimal | str | None:
        text = event.value
        if event.style in ("|", ">"):
            text = text.rstrip("\n")  # a block ends where its text ends; FHIR strings have no trailing line break
        if not text.strip() or (text == "null" and not event.style):
            self.refuse("An empty value; leave the element out.", line, _FHIR_JSON)
            return None
        return text if event.style else self._plain(text, line)

    def _plain(self, text: str, line: int) -> bool | int | Decimal | str | None:
        if text in {"true", "false"}:
            return text == "true"
        if _NUMBER.fullmatch(text):
            return int(text) if _INTEGER.fullmatch(text) else Decimal(text)
        if _AMBIGUOUS.fullmatch(text):
            self.refuse(
                # Without the value: in the configuration of a site it may be a secret.
                "This value is read as text by some YAML readers and as something else by others; "
                "write it in quotes if text is meant.",
                line,
                _JSON_SCHEMA,
            )
            return None
        return text


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
