"""Is every recommendation fit to be a card? Asked once, before the first request, of every package.

Fixed texts only; texts the logic builds are looked at when they are built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.cards.sides import INDICATORS
from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Resource

_CARD = "https://cds-hooks.hl7.org/2.0/#card-attributes"
_SELECTION = ("any", "at-most-one")
_OVERRIDE = "-override-reason"


def override_reasons(package: Package) -> list[dict[str, str]]:
    """Give the reasons every card offers, in the order of the package's one ValueSet whose id ends `-override-reason`.

    Raises ContentError when there is not exactly one, or a concept has no display.
    """
    sets = [one for one in package.of_type("ValueSet") if str(one.get("id", "")).endswith(_OVERRIDE)]
    if len(sets) != 1:
        raise ContentError(
            f"{len(sets)} ValueSets have an id ending in '{_OVERRIDE}'; a package has one.", where="ValueSet"
        )
    reasons = [
        {"code": concept["code"], "system": part["system"], "display": concept.get("display")}
        for part in sets[0]["compose"]["include"]
        for concept in part.get("concept", ())
    ]
    if not reasons or not all(reason["display"] for reason in reasons):
        raise ContentError(
            "Every override reason is listed with code and display.", where=f"ValueSet/{sets[0]['id']}", spec=_CARD
        )
    return reasons


def check(package: Package) -> list[ContentError]:
    """List what keeps the package's recommendations from being cards; empty when all is well."""
    found: list[ContentError] = []
    try:
        override_reasons(package)
    except ContentError as error:
        found.append(error)
    for plan in package.of_type("PlanDefinition"):
        for at, action in enumerate(plan.get("action", ())):
            where = f"PlanDefinition/{plan['id']}.action[{at}]"
            if action.get("trigger"):
                found += _recommendation(action, where)
            elif "priority" in action and not _is_order_set(plan):
                found.append(_error("Only a recommendation has a priority: it becomes a card.", f"{where}.priority"))
    return found


def _recommendation(action: dict[str, Any], where: str) -> Iterator[ContentError]:
    for name in ("title", "description"):
        if not action.get(name):
            yield _error("A card needs this text.", f"{where}.{name}")
    if action.get("priority") not in INDICATORS:
        yield _error(f"The priority must be one of {', '.join(INDICATORS)}.", f"{where}.priority")
    documentation = (action.get("documentation") or [{}])[0]
    if not documentation.get("display") or not str(documentation.get("url", "")).startswith("https://"):
        yield _error("The first entry names the source: a display and an https url.", f"{where}.documentation[0]")
    coding = ((action.get("code") or [{}])[0].get("coding") or [{}])[0]
    if not all(coding.get(name) for name in ("system", "code", "display")):
        yield _error("The first coding is the topic of the card: system, code and display.", f"{where}.code[0]")
    if action.get("action") and action.get("selectionBehavior") not in _SELECTION:
        yield _error(f"CDS Hooks knows {' and '.join(_SELECTION)} only.", f"{where}.selectionBehavior")
    for at, button in enumerate(action.get("action", ())):
        yield from _button(button, f"{where}.action[{at}]")


def _button(action: dict[str, Any], where: str) -> Iterator[ContentError]:
    for name in ("title", "description"):
        if not action.get(name):
            yield _error("A suggestion needs a title and a description.", f"{where}.{name}")
    for at, below in enumerate(action.get("action", ())):
        yield from _button(below, f"{where}.action[{at}]")


def _is_order_set(plan: Resource) -> bool:
    return any(coding.get("code") == "order-set" for coding in plan.get("type", {}).get("coding", ()))


def _error(message: str, where: str) -> ContentError:
    return ContentError(message, where=where, spec=_CARD)
