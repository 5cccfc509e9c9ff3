"""From a chart to the answer of the guideline: the same journey as a hook call, with the clock of `charts`.

Nothing here lists a recommendation, an input or a code: all of them are read from the package.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ankle_cds import guidance, prefetch
from ankle_cds.cards import Card, CardSettings
from ankle_cds.errors import RequestError
from ankle_cds.fhir import split_canonical
from ankle_cds.hooks import read_request
from ankle_cds.prefetch import PatientData, State
from charts import ENCOUNTER, NOW, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from ankle_cds.artifacts import Package

KEY = b"0" * 32
VIEW_HOOKS = ("encounter-start", "patient-view")
PER_CALL = ("EncounterId", "EvaluationSide", "UnavailableInputs", "DraftOrderIds", "UserRoleCodes")


@dataclass(frozen=True)
class Chart:
    """What one call is about: the patient's resources, the inputs that could not be had, and the parameters."""

    resources: tuple[Resource, ...]
    unavailable: frozenset[str] = frozenset()
    parameters: dict[str, Any] = field(default_factory=dict)

    def with_resources(self, resources: Iterable[Resource]) -> Chart:
        return replace(self, resources=tuple(resources))

    def as_asked(self) -> Chart:
        """Leave out what the service itself sets for a call."""
        return replace(self, parameters={name: one for name, one in self.parameters.items() if name not in PER_CALL})


@dataclass(frozen=True)
class Answer:
    """The cards, or why there are none (`refused`: the keys a 412 names), and the RequestGroup of each evaluation.

    `made` are the cards with what a memory asks of them.
    """

    cards: tuple[dict[str, Any], ...] = ()
    groups: tuple[tuple[str | None, Resource], ...] = ()
    refused: tuple[str, ...] = ()
    made: tuple[Card, ...] = ()

    def topics(self) -> list[str]:
        return [card["source"]["topic"]["code"] for card in self.cards]


def key_of(package: Package, resource: Resource, hook: str = VIEW_HOOKS[0]) -> str | None:
    """Give the first input of a hook whose query returns the resource, None when none does.

    Every observation that is neither a score nor a result of a laboratory is one of the findings.
    """
    offered = [one for one in package.inputs if hook in one.hooks and one.resource_type == resource["resourceType"]]
    coded = codes_in(resource.get("code"))
    exact = next((one for one in offered if one.codes is not None and one.codes & coded), None)
    first = exact or next(iter(offered), None)
    return first.key if first else None


def codes_in(element: Any) -> set[tuple[str, str]]:
    codings = element.get("coding", ()) if isinstance(element, dict) else ()
    return {(coding.get("system", ""), coding.get("code", "")) for coding in codings if isinstance(coding, dict)}


def without_input(package: Package, chart: Chart, key: str) -> Chart:
    """Make an input unavailable: the same records without those it delivers, and the logic is told."""
    left = (one for one in chart.resources if key_of(package, one) != key)
    return replace(chart, resources=tuple(left), unavailable=chart.unavailable | {key})


def evaluate(package: Package, chart: Chart, *, now: datetime = NOW, **given: Any) -> Any:
    """Open the logic on a chart."""
    parameters = {"EncounterId": ENCOUNTER.partition("/")[2], **chart.parameters}
    parameters["UnavailableInputs"] = sorted(chart.unavailable)
    return package.program.evaluate(chart.resources, now=now, parameters=parameters | given)


def hook_request(hook: str = VIEW_HOOKS[0], **more: Any) -> Any:
    context = {"userId": "Practitioner/d1", "patientId": "p1", "encounterId": ENCOUNTER.partition("/")[2]}
    document = {"hook": hook, "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea", "context": context, **more}
    return read_request(document, VIEW_HOOKS)


def answer(
    package: Package, chart: Chart, *, hook: str = VIEW_HOOKS[0], now: datetime = NOW, max_cards: int | None = None
) -> Answer:
    """Take the journey from the request to the cards."""
    keys = tuple(key_of(package, one, hook) or "" for one in chart.resources)
    states = {
        one.key: State.UNAVAILABLE if one.key in chart.unavailable else State.AVAILABLE
        for one in package.inputs
        if hook in one.hooks
    }
    data = PatientData(chart.resources, keys, states, chart.unavailable, ())
    return responded(package, chart, hook_request(hook), data, now=now, max_cards=max_cards)


def gathered(package: Package, chart: Chart, *, hook: str = VIEW_HOOKS[0], now: datetime = NOW) -> Answer:
    """Take the journey from the prefetch on: what is of another patient, or malformed, is met on the way."""
    request = hook_request(hook, prefetch=prefetched(package, chart, hook))
    data = asyncio.run(prefetch.gather(request, package, None))
    return responded(package, chart, request, data, now=now)


def responded(
    package: Package, chart: Chart, request: Any, data: PatientData, *, now: datetime, max_cards: int | None = None
) -> Answer:
    cards = CardSettings(KEY) if max_cards is None else CardSettings(KEY, max_cards, max_cards, max_cards)
    try:
        given = guidance.respond(package, request, data, guidance.Settings(cards, chart.as_asked().parameters), now)
    except RequestError as refusal:
        return Answer(refused=refusal.diagnostics)
    groups = tuple((one.side, one.applied.request_group) for one in given.evaluated)
    return Answer(given.cards, groups, made=given.made)


def prefetched(package: Package, chart: Chart, hook: str = VIEW_HOOKS[0]) -> dict[str, Any]:
    """Give the prefetch an EHR sends for a chart: reads as resources, searches as Bundles, nothing for what is lost."""
    values: dict[str, Any] = {}
    for one in package.inputs:
        if hook not in one.hooks or one.key in chart.unavailable:
            continue
        found = [resource for resource in chart.resources if key_of(package, resource, hook) == one.key]
        if "?" in one.pattern:
            entries = [{"resource": resource} for resource in found]
            values[one.key] = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
        else:
            values[one.key] = found[0] if found else None
    return values


def recommendations(package: Package) -> dict[str, dict[str, Any]]:
    """Give the outermost action of every recommendation by the id of its plan."""
    found = {}
    for plan in package.of_type("PlanDefinition"):
        if codes_in(plan["type"]) & {("http://terminology.hl7.org/CodeSystem/plan-definition-type", "eca-rule")}:
            for action in plan["action"]:
                found[f"{plan['id']}/{action['id']}"] = action | {"plan": plan["id"]}
    return found


def rule_of(action: dict[str, Any]) -> str:
    """Give the definition that decides about an action."""
    (condition,) = action["condition"]
    return str(condition["expression"]["expression"])


def offers(package: Package, action: dict[str, Any]) -> set[str]:
    """Give the definitions that decide about the buttons of a recommendation, those of an order set included."""
    found = set()
    for below in action.get("action", ()):
        found |= {rule_of(below)} if "condition" in below else set()
        inner = package.resources.get(split_canonical(below.get("definitionCanonical", ""))[0], {})
        found |= offers(package, below) | offers(package, inner)
    return found
