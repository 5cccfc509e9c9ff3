"""The whole journey: a hook request and the patient's data in, cards and their reasons out.

Time is an argument and nothing outlives the call: the same request, data, settings and time give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ankle_cds import apply, cards, prefetch
from ankle_cds.errors import ContentError
from ankle_cds.fhir import bundle_entries, reference, split_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Resource
    from ankle_cds.hooks import Request
    from ankle_cds.prefetch import PatientData

# Right is evaluated and shown before left.
_SIDES = ("right", "left")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a site decides: about cards, and the parameters of the logic by name as CQL values."""

    cards: cards.CardSettings
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One evaluation; `side` is the side it was made for, None when the visit is about one ankle."""

    side: str | None
    applied: apply.Applied


@dataclass(frozen=True, slots=True)
class Guidance:
    """The cards to send and, per evaluation, everything that decided about them. Nothing evaluated: both empty."""

    cards: tuple[dict[str, Any], ...] = ()
    evaluated: tuple[Evaluated, ...] = ()

    @property
    def reasons(self) -> tuple[apply.Reason, ...]:
        """Every condition evaluated, right before left."""
        return tuple(reason for one in self.evaluated for reason in one.applied.reasons)


def check(package: Package) -> None:
    """Raise one ContentError with every finding when the package holds what could not become a card or a draft."""
    found = (*apply.check(package), *cards.check(package))
    causes = tuple(
        ContentError(error.message, where=package.locate(error.where or ""), spec=error.spec) for error in found
    )
    if causes:
        raise ContentError(f"The package {package.service_id} cannot be run as written.", causes=causes)


def respond(package: Package, request: Request, data: PatientData, settings: Settings, now: datetime) -> Guidance:
    """Give the guidance for one hook request; `now` has a time zone.

    Evaluates once, or once per side when the visit is about both. A user who is no professional gets none. Raises
    RequestError when required data is missing and the logic cannot do without it, ContentError when a card would break
    the contract.
    """
    if not request.context.by_professional:
        return Guidance()
    subject = apply.Subject(request.context.patient_id, request.context.encounter_id)
    given = {**settings.parameters, **request_parameters(request, data)}

    def evaluate(side: str | None) -> Any:
        return package.program.evaluate(data.resources, now=now, parameters=given | {"EvaluationSide": side})

    visit = evaluate(None)
    prefetch.settle(data, visit, package.program.definitions)
    evaluations = [(side, evaluate(side)) for side in _SIDES] if visit["EncounterSide"] == "both" else [(None, visit)]
    evaluated = tuple(
        Evaluated(side, apply.apply(package, package.pathway, evaluation, subject=subject, now=now, hook=request.hook))
        for side, evaluation in evaluations
    )
    sides = tuple(
        cards.Side(one.side, one.applied.request_group, _facts(one.applied, evaluation))
        for one, (_, evaluation) in zip(evaluated, evaluations, strict=True)
    )

    def joined_title(action: str) -> str | None:
        """Ask the logic for the title that names both sides."""
        expression = evaluated[0].applied.expressions.get(action, {}).get("title")
        return evaluate("both")[expression] if expression else None

    made = cards.encode(sides, package=package, settings=settings.cards, hook=request.hook, joined_title=joined_title)
    return Guidance(tuple(made), evaluated)


def request_parameters(request: Request, data: PatientData) -> dict[str, Any]:
    """Give the parameters of the logic that this request sets."""
    return {
        "EncounterId": request.context.encounter_id,
        "DraftOrderIds": _draft_orders(request),
        "UnavailableInputs": sorted(data.unavailable),
        "UserRoleCodes": sorted(set(_role_codes(request.context.user_id, data.resources))),
    }


def _role_codes(user: str, resources: Sequence[Resource]) -> Iterator[str]:
    """Find the codes of the user's own role, where the caller supplied it; what is malformed says nothing."""
    for resource in resources:
        if resource.get("resourceType") != "PractitionerRole":
            continue
        person = _inside(resource, "practitioner").get("reference")
        named = split_reference(person) if isinstance(person, str) else None
        if user not in {reference(resource), "/".join(named or ())}:
            continue
        for concept in _each(resource, "code"):
            yield from (coding["code"] for coding in _each(concept, "coding") if isinstance(coding.get("code"), str))


def _inside(element: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = element.get(name)
    return part if isinstance(part, dict) else {}


def _each(element: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    parts = element.get(name)
    yield from (part for part in (parts if isinstance(parts, list) else ()) if isinstance(part, dict))


def _draft_orders(request: Request) -> list[str]:
    """List the drafts to judge: those selected, all when none is. https://cds-hooks.org/hooks/order-select/ ."""
    drafts = getattr(request.context, "draft_orders", None)
    if drafts is None:
        return []
    selected = list(getattr(request.context, "selections", ()))
    entries = bundle_entries({"resourceType": "Bundle", "entry": drafts.entry})
    return selected or [found for entry in entries if entry.resource and (found := reference(entry.resource))]


def _facts(applied: apply.Applied, evaluation: Any) -> Callable[[str], Any]:
    """Give a function from an action to what its conditions and its computed elements read."""

    def facts(action: str) -> Any:
        computed = applied.expressions.get(action, {}).values()
        conditions = (reason.trace for reason in applied.reasons if reason.action == action)
        return apply.facts(*conditions, *(evaluation.trace(name) for name in computed))

    return facts
