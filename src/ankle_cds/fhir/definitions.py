"""The FHIR R4 definitions that profiles and paths rest on: elements of types, forms of primitives, codes FHIR lists.

Read from `r4-definitions.json` beside this file, which `.ci/definitions/make.py` makes from HL7's own definitions.
https://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ankle_cds.fhir.wire import read_json_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

BASE = "http://hl7.org/fhir/StructureDefinition/"
_SYSTEM = "http://hl7.org/fhirpath/System."
_REGEX = f"{BASE}regex"
_FHIR_TYPE = f"{BASE}structuredefinition-fhir-type"
_JSON_KINDS = {"Boolean": "boolean", "Integer": "number", "Decimal": "number"}


@dataclass(slots=True)
class Element:
    """One element of a type or profile, with the elements and the slices below it.

    `children` are keyed by the last step of the path (`value[x]` for a choice), `slices` by slice name.
    """

    definition: dict[str, Any]
    children: dict[str, Element] = field(default_factory=dict)
    slices: dict[str, Element] = field(default_factory=dict)
    _named: dict[str, tuple[Property, ...]] | None = field(default=None, repr=False, compare=False)

    @property
    def id(self) -> str:
        """The element id, which names the rules of this element: `Observation.component:hours.code`."""
        return str(self.definition["id"])

    @property
    def types(self) -> list[str]:
        """The names of the types allowed here; that of FHIR where the definition names one of FHIRPath."""
        return [_type_name(entry) for entry in self.definition.get("type", ())]

    def named(self) -> Mapping[str, tuple[Property, ...]]:
        """Give the properties by the name of their element (`value` for `valueQuantity`), in the order of elements."""
        if self._named is None:
            found: dict[str, tuple[Property, ...]] = {}
            for name, child, kind in self.properties():
                step = str(child.definition["path"]).rpartition(".")[2].removesuffix("[x]")
                found[step] = (*found.get(step, ()), (name, child, kind))
            self._named = found
        return self._named

    def properties(self) -> Iterator[Property]:
        """Yield each JSON property a child may stand under, the child, and the type that the property name says."""
        for step, child in self.children.items():
            if step.endswith("[x]"):
                for name in child.types:
                    yield f"{step[:-3]}{name[0].upper()}{name[1:]}", child, name
            else:
                types = child.types
                yield step, child, types[0] if len(types) == 1 else None


Property = tuple[str, Element, str | None]


@dataclass(frozen=True, slots=True)
class Primitive:
    """The JSON type of a primitive (`string`, `number` or `boolean`) and the form its text must have."""

    json: str
    form: re.Pattern[str] | None


class Definitions:
    """Types by name and value sets by url, as FHIR R4 defines them."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._types = data["types"]
        self._value_sets = {
            url: frozenset((system, code) for system, codes in systems.items() for code in codes)
            for url, systems in data["valueSets"].items()
        }
        self._trees: dict[str, Element] = {}
        self._names = {
            str(element["path"]).rpartition(".")[2].removesuffix("[x]")
            for definition in self._types.values()
            for element in definition["element"]
        }

    def knows(self, name: str) -> bool:
        """Tell whether the type is defined here."""
        return name in self._types

    def profiled(self, name: str) -> bool:
        """Tell whether the type is defined here with its rules, so that it can be profiled and checked."""
        return self.knows(name) and "definition" in self._types[name]["element"][0]

    def names(self, name: str) -> bool:
        """Tell whether any type has an element of this name, or is itself called so."""
        return name in self._names

    def elements(self, name: str) -> list[dict[str, Any]]:
        """Give the snapshot elements of a type, in order."""
        found: list[dict[str, Any]] = self._types[name]["element"]
        return found

    def tree(self, name: str) -> Element:
        """Give the root element of a type."""
        if name not in self._trees:
            self._trees[name] = tree(self.elements(name))
        return self._trees[name]

    def is_a(self, name: str | None, ancestor: str) -> bool:
        """Tell whether a type is another one or a specialisation of it."""
        while name is not None and name != ancestor:
            base = self._types.get(name, {}).get("base")
            name = base.removeprefix(BASE) if base else None
        return name is not None

    def primitive(self, name: str) -> Primitive | None:
        """Give the form of a primitive type; None for a type that has elements."""
        definition = self._types.get(name)
        if definition is None or definition["kind"] != "primitive-type":
            return None
        value = self.tree(name).children.get("value")
        if value is None:
            return Primitive("string", None)
        entry = value.definition["type"][0]
        form = next((item["valueString"] for item in entry.get("extension", ()) if item["url"] == _REGEX), None)
        kind = _JSON_KINDS.get(entry["code"].removeprefix(_SYSTEM), "string")
        return Primitive(kind, re.compile(form) if form and kind != "boolean" else None)

    def value_set(self, canonical: str) -> frozenset[tuple[str, str]] | None:
        """Give (system, code) of every member; None where FHIR lists no codes for it, which is not the empty set."""
        return self._value_sets.get(canonical.partition("|")[0]) or None


def tree(elements: Iterable[dict[str, Any]]) -> Element:
    """Give the root of a snapshot's elements: each below the element its id continues, slices below the sliced one."""
    found: dict[str, Element] = {}
    for definition in elements:
        element = Element(definition)
        found[element.id] = element
        parent, _, step = element.id.rpartition(".")
        if not parent:
            continue
        name, _, slice_name = step.partition(":")
        if slice_name:
            found[f"{parent}.{name}"].slices[slice_name] = element
        else:
            found[parent].children[step] = element
    return next(iter(found.values()))


@cache
def r4() -> Definitions:
    """Give the definitions of FHIR 4.0.1, read once."""
    return Definitions(read_json_file(Path(__file__).with_name("r4-definitions.json")))


def _type_name(entry: dict[str, Any]) -> str:
    for extension in entry.get("extension", ()):
        if extension["url"] == _FHIR_TYPE:
            return str(extension.get("valueUrl"))
    return str(entry["code"])
