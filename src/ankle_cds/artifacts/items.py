"""The items of an authored form as derivation reads them: where each stands, its options, its side, its date."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.artifacts.nodes import Location
    from ankle_cds.artifacts.reading import Source
    from ankle_cds.fhir import Resource

_EFFECTIVE = "effective"  # the variable of an item that says when its finding was made
_DATED_BY = re.compile(r"item\.where\(linkId = '([^']+)'\)\.answer\.value")
_VARIABLE = "http://hl7.org/fhir/StructureDefinition/variable"


@dataclass(frozen=True, slots=True)
class Item:
    """An item with its groups, outermost first."""

    data: Resource
    location: Location
    groups: tuple[Resource, ...]

    @property
    def link(self) -> str:
        """Give the link id."""
        return str(self.data["linkId"])


def walk(items: list[Resource], location: Location = ("item",), groups: tuple[Resource, ...] = ()) -> Iterator[Item]:
    """Yield every item of a form in its order, those inside after the one that holds them."""
    for index, item in enumerate(items):
        where = (*location, index)
        yield Item(item, where, groups)
        inner = (*groups, item) if item["type"] == "group" else groups
        yield from walk(item.get("item", []), (*where, "item"), inner)


def variables(item: Resource) -> dict[str, str]:
    """Give the expressions of the variables an item declares, by name."""
    return {
        extension["valueExpression"]["name"]: str(extension["valueExpression"].get("expression"))
        for extension in item.get("extension", [])
        if extension.get("url") == _VARIABLE
    }


def quoted(text: str) -> str:
    """Write a FHIRPath string."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def said(coding: Resource) -> Resource:
    """Give a coding without its translations: what is recorded is the code, in the words of its system."""
    return {name: value for name, value in coding.items() if not name.startswith("_")}


def options(item: Resource, sources: Mapping[str, Source]) -> list[tuple[str, str]]:
    """Give system and code of each answer that can be chosen."""
    listed = [said(option["valueCoding"]) for option in item.get("answerOption", []) if "valueCoding" in option]
    value_set = sources.get(str(item.get("answerValueSet")))
    if value_set is not None:
        listed += value_set.resource.get("expansion", {}).get("contains", [])
    return [(coding["system"], coding["code"]) for coding in listed]


def asks_side(group: Resource) -> list[dict[str, Any]]:
    """Give the items of a repeating group that can tell its repetitions apart; a form that is right has one."""
    return [
        child
        for child in group["item"]
        if child.get("required") and "definition" not in child and child.get("answerOption")
    ]


def date_item(item: Item, items: list[Item]) -> Item | None:
    """Give the item whose answer is the day the finding was made; None where that is the day the form was answered.

    Raises LookupError where the item names a day that no item of its group gives.
    """
    named = variables(item.data).get(_EFFECTIVE)
    if named is None:
        return None
    shared: dict[str, str] = {}
    for group in item.groups:
        shared |= variables(group)
    match = _DATED_BY.fullmatch(shared.get(named.removeprefix("%"), ""))
    for found in items:
        if match and found.link == match[1] and found.groups == item.groups:
            return found
    raise LookupError(f"The variable {_EFFECTIVE} names no variable of the group that gives the answer of a date item")
