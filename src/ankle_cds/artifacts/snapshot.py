"""Snapshots of profiles: what the differential says, applied onto the snapshot of the type it constrains.

Only what our profiles need is applied; anything else is refused with file and line, so that no snapshot says less than
its differential: elements of the type itself (not inside a data type), narrowed and never widened, and slices that are
open and told apart by a pattern. https://hl7.org/fhir/R4/profiling.html#snapshot
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.frozen import freeze
from ankle_cds.fhir.definitions import BASE, r4

if TYPE_CHECKING:
    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.nodes import Location
    from ankle_cds.artifacts.reading import Source

_PROFILING = "https://hl7.org/fhir/R4/profiling.html"
_ELEMENT = "https://hl7.org/fhir/R4/elementdefinition.html"
_STRENGTHS = ("example", "preferred", "extensible", "required")
_NAMED = frozenset({"id", "path", "sliceName"})
_REPLACED = frozenset({"short", "definition", "comment", "requirements", "mustSupport"})
_NARROWED = frozenset({"min", "max", "type", "binding", "slicing"})
_ADDED = frozenset({"constraint", "extension"})
_VALUES = ("fixed", "pattern", "minValue", "maxValue")
_ORDER = (
    *("id", "extension", "path", "representation", "sliceName", "slicing", "short", "definition", "comment"),
    *("requirements", "alias", "min", "max", "base", "contentReference", "type", "meaningWhenMissing", "condition"),
    *("constraint", "mustSupport", "isModifier", "isModifierReason", "isSummary", "binding"),
)

Json = dict[str, Any]


def snapshot(source: Source, findings: Findings) -> list[Json] | None:
    """Give the snapshot elements of a profile or extension; None and findings where it cannot be made."""
    return _Snapshot(source, findings).make()


@cache
def _base(name: str) -> dict[str, Json]:
    """Give the elements FHIR defines, by id; frozen, so that all profiles can share those they do not change."""
    return {element["id"]: freeze(element) for element in r4().elements(name)}


class _Snapshot:
    """The elements as they are being made, by id and in order; an element is copied before it is changed."""

    def __init__(self, source: Source, findings: Findings) -> None:
        self.source = source
        self.findings = findings
        self.refused = len(findings.items)
        self.elements: dict[str, Json] = {}

    def make(self) -> list[Json] | None:
        """Give the elements in order; None where anything was refused."""
        resource = self.source.resource
        name = resource["type"]
        if not r4().profiled(name) or resource["baseDefinition"] != f"{BASE}{name}":
            self._refuse(
                f"No snapshot of {resource['baseDefinition']} is at hand; constrain a type of FHIR itself, and "
                "name it in .ci/definitions/make.py.",
                ("baseDefinition",),
                _PROFILING,
            )
            return None
        self.elements = dict(_base(name))
        written = resource["differential"]["element"]
        for index, element in enumerate(written):
            location: Location = ("differential", "element", index)
            if index == 0 and element["id"] != name:
                self._refuse(f"The first element of a differential is {name}; begin with it.", location, _PROFILING)
            target = self._target(element, location)
            if target is not None:
                self.elements[target["id"]] = _in_order(self._applied(dict(target), element, location))
        return list(self.elements.values()) if len(self.findings.items) == self.refused else None

    def _target(self, element: Json, location: Location) -> Json | None:
        """Give the element to change; the first element of a slice brings a copy of all that is sliced."""
        identity = element["id"]
        if "sliceName" in element:
            sliced, colon, name = identity.rpartition(":")
            if not colon or name != element["sliceName"] or "slicing" not in self.elements.get(sliced, {}):
                self._refuse(
                    "A slice has the id of the sliced element, a colon and its name, and follows the slicing.",
                    (*location, "id"),
                    f"{_PROFILING}#slicing",
                )
                return None
            self._add_slice(sliced, identity, name)
        target = self.elements.get(identity)
        if target is None or target["path"] != element["path"]:
            self._refuse(
                f"{identity} is no element of {self.source.resource['type']} with this path; constrain elements of the "
                "type itself, not of its data types (an invariant on the parent can say the same).",
                (*location, "id"),
                _PROFILING,
            )
            return None
        return target

    def _add_slice(self, sliced: str, identity: str, name: str) -> None:
        """Copy the sliced element and all below it, as FHIR defines them, behind the last slice that is there."""
        copies: dict[str, Json] = {}
        for key, element in _base(self.source.resource["type"]).items():
            if key == sliced or key.startswith(f"{sliced}."):
                copy = identity + key.removeprefix(sliced)
                copies[copy] = {**element, "id": copy}
        copies[identity] = _in_order({**copies[identity], "sliceName": name})
        last = max(
            place
            for place, key in enumerate(self.elements)
            if key == sliced or key.startswith((f"{sliced}.", f"{sliced}:"))
        )
        items = list(self.elements.items())
        self.elements = {**dict(items[: last + 1]), **copies, **dict(items[last + 1 :])}

    def _applied(self, target: Json, element: Json, location: Location) -> Json:
        for key, value in element.items():
            if key in _NAMED:
                continue
            if key in _REPLACED or key.startswith(_VALUES):
                target[key] = value
            elif key in _ADDED:
                added = [self._with_source(item) if key == "constraint" else item for item in value]
                target[key] = [*target.get(key, []), *added]
            elif key in _NARROWED:
                getattr(self, f"_{key}")(target, value, (*location, key))
            else:
                self._refuse(
                    f"`{key}` in a differential is not supported; say it otherwise, or add it to the snapshots.",
                    (*location, key),
                    _ELEMENT,
                )
        return target

    def _with_source(self, constraint: Json) -> Json:
        return {**constraint, "source": self.source.resource["url"]}

    def _min(self, target: Json, value: int, location: Location) -> None:
        if value < target["min"]:
            self._refuse(f"FHIR asks for at least {target['min']} here; a profile cannot ask for less.", location)
        target["min"] = value

    def _max(self, target: Json, value: str, location: Location) -> None:
        allowed = target["max"]
        if value != "*" and not value.isdigit():
            self._refuse("`max` is a number in quotes, or *; correct it.", location, _ELEMENT)
        elif allowed != "*" and (value == "*" or int(value) > int(allowed)):
            self._refuse(f"FHIR allows at most {allowed} here; a profile cannot allow more.", location)
        target["max"] = value

    def _type(self, target: Json, value: list[Json], location: Location) -> None:
        allowed = {entry["code"]: entry for entry in target.get("type", [])}
        for index, entry in enumerate(value):
            if set(entry) != {"code"} or entry["code"] not in allowed:
                self._refuse(
                    f"A type here is a bare code out of {', '.join(allowed)}.", (*location, index, "code"), _ELEMENT
                )
        target["type"] = [allowed.get(entry["code"], entry) for entry in value]

    def _binding(self, target: Json, value: Json, location: Location) -> None:
        known = target.get("binding", {}).get("strength", "example")
        if value["strength"] not in _STRENGTHS:
            self._refuse(f"`strength` is one of {', '.join(_STRENGTHS)}.", (*location, "strength"), _ELEMENT)
        elif _STRENGTHS.index(value["strength"]) < _STRENGTHS.index(known) or known == "required":
            self._refuse(f"FHIR binds this element as {known}; a profile cannot loosen or move that.", location)
        target["binding"] = value

    def _slicing(self, target: Json, value: Json, location: Location) -> None:
        plain = set(value) <= {"rules", "discriminator", "description"} and value["rules"] == "open"
        if not plain or any(item["type"] != "pattern" for item in value["discriminator"]):
            self._refuse(
                "Only open slices told apart by a pattern are supported; write rules: open and type: pattern.",
                location,
                f"{_PROFILING}#slicing",
            )
        target["slicing"] = value

    def _refuse(self, message: str, location: Location, spec: str = _PROFILING) -> None:
        self.findings.refuse(message, self.source.at(location), spec)


def _in_order(element: Json) -> Json:
    rank = {key: place for place, key in enumerate(_ORDER)}
    return dict(sorted(element.items(), key=lambda pair: rank.get(pair[0], len(rank))))
