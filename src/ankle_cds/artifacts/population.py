"""Writes into every form what it is filled with before anybody answers: what this visit already says, nothing older.

One expression for each item that has a code, and in a group that repeats for a body site one repetition for each side.
An item is filled only where the last record of its finding says one thing; it shows what was recorded, and whoever
answers can change it. https://hl7.org/fhir/uv/sdc/populate.html#expression-based-population
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.items import Item, asks_side, date_item, options, quoted, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.reading import Source
    from ankle_cds.fhir import Resource

    Code = tuple[str, str]

_SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
_INITIAL = f"{_SDC}initialExpression"
_CONTEXT = f"{_SDC}itemPopulationContext"
_LINK_PERIOD = f"{_SDC}observationLinkPeriod"
_VARIABLE = "http://hl7.org/fhir/StructureDefinition/variable"
_QUERY, _FHIRPATH = "application/x-fhir-query", "text/fhirpath"
_SPEC = "https://hl7.org/fhir/uv/sdc/populate.html#expression-based-population"
# The variable that says which records count: here, and where an item is filled by its code alone.
_RECORDED = "recorded"
_MEMBER_OF = re.compile(r"memberOf\('([^']+)'\)")
_NAME = re.compile(r"[A-Za-z_]\w*")
_FILLED = re.compile(r"Observation\.(component:[A-Za-z0-9-]+\.)?value\[x\]")


def derive(
    form: Source,
    settings: Mapping[str, Any],
    *,
    sources: Mapping[str, Source],
    members: Mapping[str, frozenset[Code]],
    reasons: Mapping[Code, Any],
    findings: Findings,
) -> None:
    """Write the queries, variables and expressions of one form into it.

    `settings` is `population` of package.yaml; its `memberOf` of one of our value sets becomes the codes themselves, so
    that no terminology server is needed. `members`: the codes of every value set by url; `reasons`: the reason for
    absence of each code that stands for one. What cannot be written becomes a finding at the item.
    """
    written = [
        *_variables(settings["queries"], _QUERY, members),
        *_variables(settings["variables"], _FHIRPATH, members),
    ]
    _extend(form.resource, *written)
    form.resource["item"] = deepcopy(form.resource["item"])  # what was authored stays as it was read
    expressions = _Expressions(form, sources, reasons, findings)
    sides = _spelled(str(settings["sides"]), members)
    initial = [(item, expressions.of(item)) for item in expressions.items]
    for item, text in initial:
        if text is not None:
            _extend(item.data, _expression(_INITIAL, text))
        if item.data["type"] == "group" and item.data.get("repeats"):
            _extend(item.data, _expression(_CONTEXT, sides, name=item.link))


def _extend(element: Resource, *extensions: Resource) -> None:
    element["extension"] = [*element.get("extension", []), *extensions]


def _variables(authored: Mapping[str, str], language: str, members: Mapping[str, frozenset[Code]]) -> list[Resource]:
    return [
        _expression(_VARIABLE, _spelled(text, members), name=name, language=language) for name, text in authored.items()
    ]


def _expression(url: str, text: str, *, name: str | None = None, language: str = _FHIRPATH) -> Resource:
    named = {"name": name} if name else {}
    return {"url": url, "valueExpression": {**named, "language": language, "expression": text}}


def _spelled(text: str, members: Mapping[str, frozenset[Code]]) -> str:
    """Write out the codes of the value sets an expression names."""

    def codes(match: re.Match[str]) -> str:
        by_system = _by_system(sorted(members.get(match[1], ())))
        return (
            f"({_any_of(by_system)})" if by_system else match[0]
        )  # what is not ours stays, and is refused where it is read

    return _MEMBER_OF.sub(codes, " ".join(text.split()))


def _any_of(by_system: Mapping[str, list[str]]) -> str:
    """Write the criterion of a Coding that is one of some codes."""
    parts = []
    for system, codes in by_system.items():
        listed = " or ".join(f"code = {quoted(code)}" for code in codes)
        parts.append(f"system = {quoted(system)} and {listed if len(codes) == 1 else f'({listed})'}")
    return parts[0] if len(parts) == 1 else " or ".join(f"({part})" for part in parts)


def _by_system(codes: Iterable[Code]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for system, code in codes:
        found.setdefault(system, []).append(code)
    return found


def _coded(items: Iterable[Item]) -> str:
    """Write the criterion of a record that has the code of one of some items."""
    codes = [(coding["system"], coding["code"]) for item in items for coding in item.data["code"]]
    return f"code.coding.exists({_any_of(_by_system(codes))})"


class _Expressions:
    """The initial expressions of one form."""

    def __init__(
        self,
        form: Source,
        sources: Mapping[str, Source],
        reasons: Mapping[Code, Any],
        findings: Findings,
    ) -> None:
        self._form = form
        self._sources = sources
        self._reasons = reasons
        self._findings = findings
        self.items = list(walk(form.resource["item"]))
        self._filled = {item.link: _filled(item) for item in self.items}
        self._dated = {item.link: self._date_of(item) for item in self.items}
        self._sides = self._side_criterion()

    def of(self, item: Item) -> str | None:
        """Give the expression of an item; None where it has none."""
        if any(part.get("url") == _LINK_PERIOD for part in item.data.get("extension", [])):
            return None  # filled by its code alone, from earlier visits too
        group = _repeating(item)
        if group is not None and item.data in asks_side(group):
            return f"%{group['linkId']}.first()"
        if self._filled[item.link] is None:
            return self._day(item) if self._dated_by(item) else None
        main = self._main(item)
        if main is None:
            return None
        latest = self._latest(main)
        agreed = [self._component(latest, one) for one in self._components(main)]
        single = f"{latest}.count() = 1" if not main.data.get("repeats") else ""
        conditions = [single] if single else [f"{part}.distinct().skip(1).empty()" for part in agreed]
        value = self._value(item, self._component(latest, item) if item is not main else f"{latest}.value")
        if item is main:
            value += self._absent(item, latest)
        else:
            value = f"{value}.distinct()"
        return f"iif({' and '.join(conditions)}, {value}, {{}})" if conditions else value

    def _value(self, item: Item, value: str) -> str:
        if item.data["type"] == "choice":
            systems = sorted({system for system, _ in options(item.data, self._sources)})
            listed = " or ".join(f"system = {quoted(system)}" for system in systems)
            return f"{value}.coding.where({listed})"
        unit = self._unit(item)
        if unit is not None:
            system, code = unit
            return f"{value}.where(system = {quoted(system)} and code = {quoted(code)}).value"
        return value

    def _unit(self, item: Item) -> Code | None:
        profile, _, fragment = str(item.data["definition"]).partition("#")
        elements = self._sources[profile].resource["differential"]["element"]
        element: Resource = next((found for found in elements if found["id"] == fragment), {})
        pattern = element.get("patternQuantity")
        return (pattern["system"], pattern["code"]) if pattern else None

    def _absent(self, item: Item, latest: str) -> str:
        """Write that a reason for absence is the answer which is recorded by it."""
        parts = ""
        for key in options(item.data, self._sources):
            if key in self._reasons:
                reason = self._reasons[key]
                criterion = _any_of({reason["system"]: [reason["code"]]})
                given = f"{latest}.dataAbsentReason.coding.exists({criterion})"
                parts += f" | iif({given}, {quoted(key[1])}, {{}})"
        return parts

    def _day(self, item: Item) -> str:
        """Write the day on which the last of the findings that this item dates was made, where those are one thing."""
        mains = self._dated_by(item)
        agreed = [self._component(self._latest(main), part) for main in mains for part in self._components(main)]
        agreed += [self._latest(main) for main in mains if not main.data.get("repeats")]
        conditions = " and ".join(f"{part}.distinct().skip(1).empty()" for part in agreed)
        day = f"{self._records(mains)}.first().effective"
        return f"iif({conditions}, {day}, {{}})" if conditions else day

    def _latest(self, main: Item) -> str:
        """Write the records of a finding that are of the last moment, of those that one date item dates together."""
        dated = self._dated[main.link]
        together = self._records([main] if dated is None else self._dated_by(dated))
        return f"{self._records([main])}.where(effective = {together}.first().effective)"

    def _dated_by(self, item: Item) -> list[Item]:
        return [one for one in self.items if self._dated[one.link] is item and self._filled[one.link] == ""]

    def _records(self, mains: list[Item]) -> str:
        """Write the records of some findings of the ankle in question, or of no ankle."""
        side = f"bodySite.coding.where({self._sides})"
        group = _repeating(mains[0])
        there = f"{side}.empty()" if group is None else f"{side}.code.distinct() = %{group['linkId']}"
        return f"%{_RECORDED}.where({_coded(mains)} and {there})"

    def _component(self, latest: str, item: Item) -> str:
        return f"{latest}.component.where({_coded([item])}).value"

    def _main(self, item: Item) -> Item | None:
        """Give the item whose Observation an answer goes into: itself, or for a component that of the same profile."""
        if self._filled[item.link] == "":
            return item
        profile = _profile(item)
        return next((one for one in self.items if self._filled[one.link] == "" and _profile(one) == profile), None)

    def _components(self, main: Item) -> list[Item]:
        return [one for one in self.items if self._filled[one.link] and _profile(one) == _profile(main)]

    def _date_of(self, item: Item) -> Item | None:
        try:
            return date_item(item, self.items)
        except LookupError:
            return None  # refused where the templates are written

    def _side_criterion(self) -> str:
        for item in self.items:
            group = _repeating(item)
            if group is not None and item.data in asks_side(group):
                if not _NAME.fullmatch(str(group["linkId"])):
                    self._findings.refuse(
                        f"The group {group['linkId']} is named in expressions; give it a linkId of letters and digits.",
                        self._form.at(item.location),
                        _SPEC,
                    )
                return _any_of(_by_system(options(item.data, self._sources)))
        return "false"


def _repeating(item: Item) -> Resource | None:
    return next((group for group in item.groups if group.get("repeats")), None)


def _profile(item: Item) -> str:
    return str(item.data["definition"]).partition("#")[0]


def _filled(item: Item) -> str | None:
    """Give the component an answer fills, "" for the value itself, None for an item that records no finding."""
    match = _FILLED.fullmatch(str(item.data.get("definition", "")).partition("#")[2])
    return None if match is None or "code" not in item.data else match[1] or ""
