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

from ankle_cds.artifacts.items import Item, asks_side, date_item, options, quoted, said, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.reading import Source
    from ankle_cds.fhir import Resource

_SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
_CONTEXT = f"{_SDC}templateExtractContext"
_VALUE = f"{_SDC}templateExtractValue"
_OBSERVATION = "http://hl7.org/fhir/StructureDefinition/Observation"
_SPEC = "https://hl7.org/fhir/uv/sdc/extraction.html"
_FILLED = re.compile(r"Observation\.(?:component:([A-Za-z0-9-]+)\.)?value\[x\]")
_AUTHORED = "%resource.authored"


@dataclass(frozen=True, slots=True)
class _Side:
    """One repetition of a group: the item that tells repetitions apart, and the answer that names this one."""

    link: str
    coding: Resource


@dataclass(frozen=True, slots=True)
class _Target:
    """What one template records: the answers to an item, by a profile, for one side or for none."""

    item: Item
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
        self._items = list(walk(source.resource["item"]))
        self._url = str(source.resource["url"])

    def entries(self) -> list[Resource]:
        """Give the entries in the order of the items, those of one side before those of the next."""
        entries: list[Resource] = []
        filled: dict[str, list[tuple[Item, str]]] = {}
        mains: list[tuple[Item, str]] = []
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

    def _entries(self, target: _Target, components: list[tuple[Item, str]]) -> Iterator[Resource]:
        """Yield the entry of the answers that are values, and one for each answer that says why there is none."""
        item, side = target.item, target.side
        answers = _path(item, side)
        absent = [(key[1], self._reasons[key]) for key in options(item.data, self._sources) if key in self._reasons]
        written = [self._component(part, fragment, target) for part, fragment in components]
        value = self._value(item, target.profile, "Observation.value[x]")
        if value is None or None in written:
            return
        stands = " and ".join(f"value.code != {quoted(code)}" for code, _ in absent)
        if written:
            value["component"] = written
        yield self._entry(target, f"{answers}.where({stands})" if stands else answers, value)
        for code, reason in absent:
            context = f"{answers}.where(value.code = {quoted(code)})"
            yield self._entry(target, context, {"dataAbsentReason": {"coding": [reason]}})
        yield from self._removals(item, side, answers)

    def _entry(self, target: _Target, context: str, recorded: Resource) -> Resource:
        item, side = target.item, target.side
        key = self._key(item, side)
        observation = {
            "resourceType": "Observation",
            # Computed though constant: the template is an Observation, and what is made of it is one of the profile.
            "meta": {"profile": [_OBSERVATION], "_profile": [_computed(quoted(target.profile))]},
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

    def _removals(self, item: Item, side: _Side | None, answers: str) -> Iterator[Resource]:
        """Yield what an amended response takes back: an answer it no longer holds has no Observation any more."""
        chosen_from = [code for _, code in options(item.data, self._sources)] if item.data.get("repeats") else [None]
        for code in chosen_from:
            chosen = answers if code is None else f"{answers}.where(value.code = {quoted(code)})"
            context = f"%resource.where(status = 'amended').where({chosen}.empty())"
            url = _computed(f"{self._search()} & {self._key(item, side, code)}")
            yield {
                "extension": [{"url": _CONTEXT, "valueString": context}],
                "request": {"method": "DELETE", "_url": url},
            }

    def _search(self) -> str:
        return quoted(f"Observation?identifier={self._url}|")

    def _key(self, item: Item, side: _Side | None, option: str | None = None) -> str:
        """Write the expression of the identifier: response, item, side and, where several may be chosen, the option."""
        parts = [item.link, *([str(side.coding["code"])] if side else [])]
        if not item.data.get("repeats"):
            return f"%resource.id & {quoted(':' + ':'.join(parts))}"
        if option is not None:
            return f"%resource.id & {quoted(':' + ':'.join([*parts, option]))}"
        return f"%resource.id & {quoted(':' + ':'.join(parts) + ':')} & value.code"

    def _component(self, item: Item, fragment: str, target: _Target) -> Resource | None:
        value = self._value(item, target.profile, fragment)
        if value is None:
            return None
        context = {"url": _CONTEXT, "valueString": _path(item, target.side)}
        return {"extension": [context], "code": {"coding": list(item.data["code"])}, **value}

    def _value(self, item: Item, profile: str, element_id: str) -> Resource | None:
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

    def _effective(self, item: Item, side: _Side | None) -> str:
        """Write when the finding was made: the date the item names by its variable, else when the form was answered."""
        try:
            dated = date_item(item, self._items)
        except LookupError as error:
            self._refuse(item, str(error))
            return _AUTHORED
        if dated is None:
            return _AUTHORED
        day = f"{_path(dated, side)}.value"
        return f"iif({day}.exists(), {day}, {_AUTHORED})"

    def _sides(self, item: Item) -> list[_Side | None]:
        """Give the repetitions of the item's group, by the answers of the item that tells them apart."""
        repeating = [group for group in item.groups if group.get("repeats")]
        if not repeating:
            return [None]
        asks = asks_side(item.groups[-1])
        if repeating != [item.groups[-1]] or len(asks) != 1 or "code" not in item.groups[-1]:
            self._refuse(
                item,
                "A group that repeats stands alone, gives its body site as `code` and asks in one required item, "
                "by `answerOption`, which one is meant",
            )
            return []
        return [_Side(str(asks[0]["linkId"]), said(option["valueCoding"])) for option in asks[0]["answerOption"]]

    def _refuse(self, item: Item, rule: str) -> None:
        self._findings.refuse(f"{rule}; correct the item {item.link}.", self._source.at(item.location), _SPEC)


def _path(item: Item, side: _Side | None) -> str:
    """Write the path to the answers of an item, of one repetition only where its group repeats."""
    path = "%resource"
    for group in item.groups:
        path += f".item.where(linkId = {quoted(group['linkId'])})"
        if group.get("repeats") and side is not None:
            told = f"item.where(linkId = {quoted(side.link)}).answer.value.code"
            path += f".where({told} = {quoted(side.coding['code'])})"
    return f"{path}.item.where(linkId = {quoted(item.link)}).answer"


def _computed(expression: str) -> Resource:
    return {"extension": [{"url": _VALUE, "valueString": expression}]}
