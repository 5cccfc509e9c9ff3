"""Rules the plans of a guideline obey at their level, beyond what FHIR itself asks.

Levels of a guideline and what each may hold: https://hl7.org/fhir/uv/cpg/documentation-methodology.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.nodes import values_at
from ankle_cds.fhir import split_canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.nodes import Location
    from ankle_cds.artifacts.reading import Source

HOOKS = ("encounter-start", "patient-view", "order-select", "order-sign")
PARTOF = "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-partOf"
MAX_SUMMARY = 139  # a card summary has fewer than 140 characters

_CARDS = "https://cds-hooks.hl7.org/2.0/#card-attributes"
_SUGGESTIONS = "https://cds-hooks.hl7.org/2.0/#suggestion"
_HOOK_NAMES = "https://cds-hooks.hl7.org/2.0/#hooks"
_PLAN = "https://hl7.org/fhir/R4/plandefinition-definitions.html"
_PROFILE = "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-{}"
_RATINGS = {
    "http://hl7.org/fhir/StructureDefinition/cqf-strengthOfRecommendation": "strength of recommendation",
    "http://hl7.org/fhir/StructureDefinition/cqf-qualityOfEvidence": "quality of evidence",
    "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-directionOfRecommendation": "direction of recommendation",
    "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-rationale": "rationale",
}


@dataclass(frozen=True, slots=True)
class _Level:
    """One level of a guideline: its name, what its actions may not hold, and the levels they may lead to."""

    name: str
    forbidden: frozenset[str]
    leads_to: frozenset[str]


_TYPES_BELOW = "action.type.coding.code"
_BEHAVIORS = ("groupingBehavior", "requiredBehavior", "precheckBehavior", "cardinalityBehavior")
# By code of https://hl7.org/fhir/R4/valueset-plan-definition-type.html
_LEVELS = {
    "clinical-protocol": _Level(
        "pathway",
        frozenset(
            {"input", "output", "relatedAction", "type", "selectionBehavior", "transform", "dynamicValue", *_BEHAVIORS}
        ),
        frozenset({"workflow-definition"}),
    ),
    "workflow-definition": _Level(
        "strategy", frozenset({"type", "transform", "dynamicValue", *_BEHAVIORS}), frozenset({"eca-rule"})
    ),
    "eca-rule": _Level("recommendation", frozenset(), frozenset({"ActivityDefinition", "order-set"})),
    "order-set": _Level("order set", frozenset(), frozenset({"ActivityDefinition"})),
}


def level(resource: Mapping[str, Any]) -> str:
    """Give the level of a plan as its type code, the resource type of anything else."""
    if resource["resourceType"] != "PlanDefinition":
        return str(resource["resourceType"])
    return next((str(code) for code, _ in values_at(resource, "type.coding.code")), "")


class PlanChecks:
    """Checks the plans of one package against each other; `sources` is every resource by url."""

    def __init__(self, sources: Mapping[str, Source], findings: Findings) -> None:
        self._sources = sources
        self._findings = findings

    def check(self, source: Source) -> None:
        """Check one PlanDefinition at its level."""
        kind = level(source.authored)
        if kind not in _LEVELS:
            known = ", ".join(_LEVELS)
            self._refuse(source, ("type",), f"The type of a plan is one of {known}; set type.coding.code.")
            return
        for action, location in values_at(source.authored, "action*"):
            if not isinstance(action, dict):
                self._refuse(source, location, "An action is a mapping of element names to values.")
                continue
            self._action(source, _LEVELS[kind], action, location)
            if kind in {"clinical-protocol", "workflow-definition"}:
                self._needs(source, action, location, ("title", "description", "code"))
            elif kind == "eca-rule":
                self._choices(source, action, location)
        if kind == "eca-rule":
            self._recommendation(source)

    def _action(self, source: Source, rules: _Level, action: Mapping[str, Any], location: Location) -> None:
        for element in sorted(rules.forbidden & action.keys()):
            self._refuse(
                source, (*location, element), f"An action of a {rules.name} may not have {element}; remove it."
            )
        title = action.get("title")
        if isinstance(title, str) and len(title) > MAX_SUMMARY:
            self._refuse(
                source,
                (*location, "title"),
                f"The title has {len(title)} characters; a card summary has at most {MAX_SUMMARY}.",
                _CARDS,
            )
        target = action.get("definitionCanonical")
        found = self._sources.get(split_canonical(target)[0]) if isinstance(target, str) else None
        if found is not None and level(found.authored) not in rules.leads_to:
            self._refuse(
                source,
                (*location, "definitionCanonical"),
                f"An action of a {rules.name} leads to {' or '.join(sorted(rules.leads_to))}, not to {found.id}.",
                _PROFILE.format("recommendationdefinition"),
            )

    def _recommendation(self, source: Source) -> None:
        data = source.authored
        if len(data.get("library", [])) != 1:
            self._refuse(
                source, ("library",), "A recommendation names exactly one library; give the logic's canonical."
            )
        self._part_of_strategy(source)
        for index, action in enumerate(data.get("action", [])):
            if isinstance(action, dict):
                self._card(source, action, ("action", index))

    def _part_of_strategy(self, source: Source) -> None:
        parents = [
            (extension.get("valueCanonical"), index)
            for index, extension in enumerate(source.authored.get("extension", []))
            if isinstance(extension, dict) and extension.get("url") == PARTOF
        ]
        if len(parents) != 1:
            self._refuse(source, ("extension",), "A recommendation is part of exactly one strategy; give cpg-partOf.")
            return
        url, index = parents[0]
        strategy = self._sources.get(str(url))
        listed = strategy is not None and any(
            target == f"{str(url).rsplit('/', 2)[0]}/PlanDefinition/{source.id}"
            for target, _ in values_at(strategy.authored, "action*.definitionCanonical")
        )
        if strategy is not None and not listed:
            self._refuse(
                source,
                ("extension", index, "valueCanonical"),
                f"{strategy.id} does not list this recommendation; add an action to it.",
            )

    def _card(self, source: Source, action: Mapping[str, Any], location: Location) -> None:
        """Check a top action of a recommendation, which becomes one card."""
        self._needs(source, action, location, ("id", "title", "description", "cardinalityBehavior"))
        if action.get("priority") not in {"routine", "urgent", "stat"}:
            self._refuse(
                source,
                (*location, "priority"),
                "The priority decides the indicator of the card; set routine, urgent or stat.",
                _CARDS,
            )
        triggers = action.get("trigger", [])
        if not triggers:
            self._refuse(
                source, location, "Without a trigger the card is never asked for; add one per hook.", _HOOK_NAMES
            )
        for index, trigger in enumerate(triggers):
            if trigger.get("type") != "named-event" or trigger.get("name") not in HOOKS:
                self._refuse(
                    source,
                    (*location, "trigger", index),
                    f"A trigger is of type named-event and has the name of a hook: {', '.join(HOOKS)}.",
                    _HOOK_NAMES,
                )
        conditions = action.get("condition", [])
        if len(conditions) != 1 or conditions[0].get("kind") != "applicability":
            self._refuse(source, (*location, "condition"), "A card has exactly one condition, of kind applicability.")
        topics = [code for code, _ in values_at(action.get("code", [])[:1], "coding.code")]
        if topics[:1] != [source.id]:
            self._refuse(
                source,
                (*location, "code"),
                f"The first code of the action is the card topic; its code is {source.id}.",
                _CARDS,
            )
        urls = {extension.get("url") for extension in action.get("extension", [])}
        for url, name in _RATINGS.items():
            if url not in urls:
                self._refuse(source, location, f"The {name} is missing; add the extension {url}.")
        self._source_of(source, action, location)

    def _source_of(self, source: Source, action: Mapping[str, Any], location: Location) -> None:
        first: Mapping[str, Any] = next(iter(action.get("documentation", [])), {})
        if not (first.get("display") and str(first.get("url", "")).startswith("https://")):
            self._refuse(
                source,
                (*location, "documentation"),
                "The first documentation entry is the source of the card; it needs a display and an https url.",
                _CARDS,
            )
        if "document" in first:
            self._refuse(source, (*location, "documentation", 0, "document"), "The source of a card has no document.")

    def _choices(self, source: Source, action: Mapping[str, Any], location: Location) -> None:
        """Check nested actions, which become suggestions a person can choose."""
        children = action.get("action", [])
        removes = any(code == "remove" for code, _ in values_at(action, "type.coding.code"))
        top = len(location) == len(("action", 0))
        behavior = action.get("selectionBehavior")
        # Below the card a group whose actions are all wanted is one suggestion.
        if children and behavior not in {"any", "at-most-one"} and (top or behavior != "all"):
            self._refuse(
                source,
                (*location, "selectionBehavior"),
                "selectionBehavior of a recommendation is any or at-most-one; other choices cannot be shown on a card.",
                _CARDS,
            )
        if not top and behavior != "all" and any(code == "remove" for code, _ in values_at(action, _TYPES_BELOW)):
            self._refuse(
                source,
                (*location, "selectionBehavior"),
                "A removal and what replaces it are one suggestion; set selectionBehavior to all.",
                _SUGGESTIONS,
            )
        if not children and not top and "definitionCanonical" not in action and not removes:
            self._refuse(
                source, location, "The suggestion leads to nothing; give it a definitionCanonical.", _SUGGESTIONS
            )
        if not top:
            self._needs(source, action, location, ("id", "title", "description"))

    def _needs(self, source: Source, action: Mapping[str, Any], location: Location, elements: tuple[str, ...]) -> None:
        for element in elements:
            if element not in action:
                self._refuse(source, location, f"The action has no {element}; add it.")

    def _refuse(self, source: Source, location: Location, message: str, spec: str = _PLAN) -> None:
        self._findings.refuse(message, source.at(location), spec)
