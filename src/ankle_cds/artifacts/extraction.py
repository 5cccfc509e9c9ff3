"""How an answer becomes an Observation: templates derived from the items of a form, none of them typed.

One entry of a template Bundle for each item that names the element it fills (`definition`) and, in a group that repeats
for a body site (`code` of the group), for each side; its context is the answers, so that no answer gives no resource.
The templates are FHIRPath and FHIR only: any SDC engine that knows templateExtractBundle gives the same Observations.
https://hl7.org/fhir/uv/sdc/StructureDefinition-sdc-questionnaire-templateExtractBundle.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.nodes import Location
    from ankle_cds.artifacts.reading import Source
    from ankle_cds.fhir import Resource

_SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
_CONTEXT = f"{_SDC}templateExtractContext"
_VALUE = f"{_SDC}templateExtractValue"
_VARIABLE = "http://hl7.org/fhir/StructureDefinition/variable"
_OBSERVATION = "http://hl7.org/fhir/StructureDefinition/Observation"
_SPEC = "https://hl7.org/fhir/uv/sdc/extraction.html"
_FILLED = re.compile(r"Observation\.(?:component:([A-Za-z0-9-]+)\.)?value\[x\]")
_DATED_BY = re.compile(r"item\.where\(linkId = '([^']+)'\)\.answer\.value")
_AUTHORED = "%resource.authored"
_EFFECTIVE = "effective"  # the variable of an item that says when its finding was made


@dataclass(frozen=True, slots=True)
class _Item:
    """An item with its groups, outermost first."""

    data: Resource
    location: Location
    groups: tuple[Resource, ...]

    @property
    def link(self) -> str:
        return str(self.data["linkId"])


@dataclass(frozen=True, slots=True)
class _Side:
    """One repetition of a group: the item that tells repetitions apart, and the answer that names this one."""

    link: str
    coding: Resource


@dataclass(frozen=True, slots=True)
class _Target:
    """What one template records: the answers to an item, by a profile, for one side or for none."""

    item: _Item
    profile: str
    side: _Side | None


class Templates:
    """The templates of one form. `reasons`: the reason for absence of each code that stands for one."""

    def __init__(
        self,
        source: Source,
        category: list[Any],
        sources: Mapping[str, Source],
        reasons: Mapping[tuple[str, str], Any],
        findings: Findings,
    ) -> None:
        self._source = source
        self._category = category
        self._sources = sources
        self._reasons = reasons
        self._findings = findings
        self._items = list(_walk(source.resource["item"], ("item",), ()))
        self._url = str(source.resource["url"])

    def entries(self) -> list[Resource]:
        """Give the entries in the order of the items, those of one side before those of the next."""
        entries: list[Resource] = []
        filled: dict[str, list[tuple[_Item, str]]] = {}
        mains: list[tuple[_Item, str]] = []
        for item in self._items:
            if "definition" not in item.data:
                continue
            profile, _, fragment = str(item.data["definition"]).partition("#")
            match = _FILLED.fullmatch(fragment)
            if match is None or profile not in self._sources:
                self._refuse(item, "An answer fills Observation.value[x] or a component of one of our profiles")
            elif match[1]:
                filled.setdefault(profile, []).append((item, fragment))
            else:
                mains.append((item, profile))
        for item, profile in mains:
            for side in self._sides(item):
                entries += self._entries(_Target(item, profile, side), filled.get(profile, []))
        known = {profile for _, profile in mains}
        for profile, components in filled.items():
            if profile not in known:
                self._refuse(components[0][0], "No item of this form fills the value that this component belongs to")
        return entries

    def _entries(self, target: _Target, components: list[tuple[_Item, str]]) -> Iterator[Resource]:
        """Yield the entry of the answers that are values, and one for each answer that says why there is none."""
        item, side = target.item, target.side
        answers = _path(item, side)
        absent = [(key[1], self._reasons[key]) for key in self._options(item) if key in self._reasons]
        written = [self._component(part, fragment, target) for part, fragment in components]
        value = self._value(item, target.profile, "Observation.value[x]")
        if value is None or None in written:
            return
        stands = " and ".join(f"value.code != {_quoted(code)}" for code, _ in absent)
        if written:
            value["component"] = written
        yield self._entry(target, f"{answers}.where({stands})" if stands else answers, value)
        for code, reason in absent:
            context = f"{answers}.where(value.code = {_quoted(code)})"
            yield self._entry(target, context, {"dataAbsentReason": {"coding": [reason]}})
        yield from self._removals(item, side, answers)

    def _entry(self, target: _Target, context: str, recorded: Resource) -> Resource:
        item, side = target.item, target.side
        key = self._key(item, side)
        observation = {
            "resourceType": "Observation",
            # Computed though constant: the template is an Observation, and what is made of it is one of the profile.
            "meta": {"profile": [_OBSERVATION], "_profile": [_computed(_quoted(target.profile))]},
            "identifier": [{"system": self._url, "_value": _computed(key)}],
            "status": "final",
            "category": self._category,
            "code": {"coding": list(item.data["code"])},
            "subject": _computed("%resource.subject"),
            "encounter": _computed("%resource.encounter"),
            "_effectiveDateTime": _computed(self._effective(item, side)),
            "performer": [_computed("%resource.author")],
            **recorded,
        }
        if side is not None:
            observation["bodySite"] = {"coding": [*item.groups[-1]["code"], side.coding]}
        observation["derivedFrom"] = [{"_reference": _computed("'QuestionnaireResponse/' & %resource.id")}]
        if "component" in observation:
            observation["component"] = observation.pop("component")  # last, as in the resource
        return {
            "extension": [{"url": _CONTEXT, "valueString": context}],
            "resource": observation,
            "request": {"method": "PUT", "_url": _computed(f"{self._search()} & {key}")},
        }

    def _removals(self, item: _Item, side: _Side | None, answers: str) -> Iterator[Resource]:
        """Yield what an amended response takes back: an answer it no longer holds has no Observation any more."""
        options = [code for _, code in self._options(item)] if item.data.get("repeats") else [None]
        for code in options:
            chosen = answers if code is None else f"{answers}.where(value.code = {_quoted(code)})"
            context = f"%resource.where(status = 'amended').where({chosen}.empty())"
            url = _computed(f"{self._search()} & {self._key(item, side, code)}")
            yield {
                "extension": [{"url": _CONTEXT, "valueString": context}],
                "request": {"method": "DELETE", "_url": url},
            }

    def _search(self) -> str:
        return _quoted(f"Observation?identifier={self._url}|")

    def _key(self, item: _Item, side: _Side | None, option: str | None = None) -> str:
        """Write the expression of the identifier: response, item, side and, where several may be chosen, the option."""
        parts = [item.link, *([str(side.coding["code"])] if side else [])]
        if not item.data.get("repeats"):
            return f"%resource.id & {_quoted(':' + ':'.join(parts))}"
        if option is not None:
            return f"%resource.id & {_quoted(':' + ':'.join([*parts, option]))}"
        return f"%resource.id & {_quoted(':' + ':'.join(parts) + ':')} & value.code"

    def _component(self, item: _Item, fragment: str, target: _Target) -> Resource | None:
        value = self._value(item, target.profile, fragment)
        if value is None:
            return None
        context = {"url": _CONTEXT, "valueString": _path(item, target.side)}
        return {"extension": [context], "code": {"coding": list(item.data["code"])}, **value}

    def _value(self, item: _Item, profile: str, element_id: str) -> Resource | None:
        """Give the value as the profile types it; a finding where item and profile do not fit together."""
        elements = self._sources[profile].resource["differential"]["element"]
        element: Resource = next((found for found in elements if found["id"] == element_id), {})
        kinds = [kind["code"] for kind in element.get("type", [])]
        unit = element.get("patternQuantity")
        match kinds, item.data["type"]:
            case ["CodeableConcept"], "choice":
                return {"valueCodeableConcept": {"coding": [_computed("value")]}}
            case ["dateTime"], "date":
                return {"_valueDateTime": _computed("value")}
            case ["integer"], "integer":
                return {"_valueInteger": _computed("value")}
            case ["Quantity"], "integer" | "decimal" if unit:
                return {"valueQuantity": {"_value": _computed("value"), "unit": unit["code"], **unit}}
        self._refuse(item, f"Type {item.data['type']} does not give what the profile types as {kinds or 'nothing'}")
        return None

    def _effective(self, item: _Item, side: _Side | None) -> str:
        """Write when the finding was made: the date the item names by its variable, else when the form was answered."""
        named = _variables(item.data).get(_EFFECTIVE)
        if named is None:
            return _AUTHORED
        shared: dict[str, str] = {}
        for group in item.groups:
            shared |= _variables(group)
        match = _DATED_BY.fullmatch(shared.get(named.removeprefix("%"), ""))
        dated = [found for found in self._items if match and found.link == match[1] and found.groups == item.groups]
        if not dated:
            self._refuse(
                item, f"The variable {_EFFECTIVE} names no variable of the group that gives the answer of a date item"
            )
            return _AUTHORED
        day = f"{_path(dated[0], side)}.value"
        return f"iif({day}.exists(), {day}, {_AUTHORED})"

    def _sides(self, item: _Item) -> list[_Side | None]:
        """Give the repetitions of the item's group, by the answers of the item that tells them apart."""
        repeating = [group for group in item.groups if group.get("repeats")]
        if not repeating:
            return [None]
        asks = [
            child
            for child in item.groups[-1]["item"]
            if child.get("required") and "definition" not in child and child.get("answerOption")
        ]
        if repeating != [item.groups[-1]] or len(asks) != 1 or "code" not in item.groups[-1]:
            self._refuse(
                item,
                "A group that repeats stands alone, gives its body site as `code` and asks in one required item, "
                "by `answerOption`, which one is meant",
            )
            return []
        return [_Side(str(asks[0]["linkId"]), _said(option["valueCoding"])) for option in asks[0]["answerOption"]]

    def _options(self, item: _Item) -> list[tuple[str, str]]:
        listed = [
            _said(option["valueCoding"]) for option in item.data.get("answerOption", []) if "valueCoding" in option
        ]
        value_set = self._sources.get(str(item.data.get("answerValueSet")))
        if value_set is not None:
            listed += value_set.resource.get("expansion", {}).get("contains", [])
        return [(coding["system"], coding["code"]) for coding in listed]

    def _refuse(self, item: _Item, rule: str) -> None:
        self._findings.refuse(f"{rule}; correct the item {item.link}.", self._source.at(item.location), _SPEC)


def _walk(items: list[Resource], location: Location, groups: tuple[Resource, ...]) -> Iterator[_Item]:
    for index, item in enumerate(items):
        where = (*location, index)
        yield _Item(item, where, groups)
        inner = (*groups, item) if item["type"] == "group" else groups
        yield from _walk(item.get("item", []), (*where, "item"), inner)


def _path(item: _Item, side: _Side | None) -> str:
    """Write the path to the answers of an item, of one repetition only where its group repeats."""
    path = "%resource"
    for group in item.groups:
        path += f".item.where(linkId = {_quoted(group['linkId'])})"
        if group.get("repeats") and side is not None:
            told = f"item.where(linkId = {_quoted(side.link)}).answer.value.code"
            path += f".where({told} = {_quoted(side.coding['code'])})"
    return f"{path}.item.where(linkId = {_quoted(item.link)}).answer"


def _variables(item: Resource) -> dict[str, str]:
    return {
        extension["valueExpression"]["name"]: str(extension["valueExpression"].get("expression"))
        for extension in item.get("extension", [])
        if extension.get("url") == _VARIABLE
    }


def _computed(expression: str) -> Resource:
    return {"extension": [{"url": _VALUE, "valueString": expression}]}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _said(coding: Resource) -> Resource:
    """Give a coding without its translations: what is recorded is the code, in the words of its system."""
    return {name: value for name, value in coding.items() if not name.startswith("_")}
