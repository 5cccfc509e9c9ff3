"""The whole journey: a hook request and the patient's data in, cards and their reasons out.

Time is an argument and nothing outlives the call: the same request, data, settings and time give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ankle_cds import apply, cards, elm, prefetch
from ankle_cds.errors import ContentError
from ankle_cds.fhir import reference, split_reference

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
    """The cards made and, per evaluation, everything that decided about them. Nothing evaluated: both empty."""

    made: tuple[cards.Card, ...] = ()
    evaluated: tuple[Evaluated, ...] = ()

    @property
    def cards(self) -> tuple[dict[str, Any], ...]:
        """The cards as they are sent."""
        return tuple(card.wire for card in self.made)

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

    Evaluates once, or once per side when the visit, or the draft orders, are about both. A user who is no professional
    gets none. Raises RequestError when required data is missing and the logic cannot do without it, and when a draft
    could not be read and nothing else gives a card; ContentError when a card would break the contract.
    """
    if not request.context.by_professional:
        return Guidance()
    subject = apply.Subject(request.context.patient_id, request.context.encounter_id)
    given = {**settings.parameters, **request_parameters(package, request, data)}

    def evaluate(side: str | None) -> Any:
        return package.program.evaluate(data.resources, now=now, parameters=given | {"EvaluationSide": side})

    visit = evaluate(None)
    prefetch.settle(data, visit, package.program.definitions)
    both = _side(visit, package, data) == "both"
    evaluations = [(side, evaluate(side)) for side in _SIDES] if both else [(None, visit)]
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

    made = cards.encode(
        sides,
        package=package,
        settings=settings.cards,
        hook=request.hook,
        joined_title=joined_title,
        drafts=data.drafts.known_to_client if data.drafts else {},
        call=(request.issuer, request.hook_instance),
        inputs=[sorted(data.unavailable), data.drafts.codes if data.drafts else None],
    )
    if data.drafts is not None and not made:
        data.drafts.require_readable()
    return Guidance(tuple(made), evaluated)


def no_card_can_fire(
    package: Package, request: Request, drafts: prefetch.Drafts | None, settings: Settings, now: datetime
) -> bool:
    """Tell from the request alone, before anything is read, that no data could lead to a card.

    Raises RequestError when that would say of a draft which could not be read that all is well.
    """
    if not request.context.by_professional:
        return True
    if drafts is None:
        return request.hook == "patient-view" and request.context.encounter_id is None
    if drafts.judged and not _is_closed(package, request, drafts, settings, now):
        return False
    drafts.require_readable()
    return True


def _is_closed(package: Package, request: Request, drafts: prefetch.Drafts, settings: Settings, now: datetime) -> bool:
    data = prefetch.unread(request, package, drafts)
    given = {**settings.parameters, **request_parameters(package, request, data), "EvaluationSide": None}
    evaluation = package.program.evaluate(data.resources, now=now, parameters=given)
    try:
        return prefetch.is_closed(data, evaluation, package.program.definitions)
    except elm.EvaluationError:
        return False  # a draft is malformed: which one, and what that means, is found out with the data at hand


def _side(visit: elm.Evaluation, package: Package, data: PatientData) -> Any:
    """Ask the logic for the side: of the visit, or of the draft orders where it knows one."""
    if data.drafts is None:
        return visit["EncounterSide"]
    return visit["OrderSide"] if "OrderSide" in package.program.definitions else None


def request_parameters(package: Package, request: Request, data: PatientData) -> dict[str, Any]:
    """Give the parameters of the logic that this request sets; `UnnamedDraftIds` only where the logic asks for it."""
    drafts = data.drafts or prefetch.Drafts()
    given = {
        "EncounterId": request.context.encounter_id,
        "DraftOrderIds": list(drafts.judged),
        "UnavailableInputs": sorted(data.unavailable),
        "UserRoleCodes": sorted(set(_role_codes(request.context.user_id, data.resources))),
    }
    if "UnnamedDraftIds" in package.program.parameters:
        given["UnnamedDraftIds"] = sorted(drafts.unnamed)
    return given


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


def _facts(applied: apply.Applied, evaluation: Any) -> Callable[[str], Any]:
    """Give a function from an action to what its conditions and its computed elements read."""

    def facts(action: str) -> Any:
        computed = applied.expressions.get(action, {}).values()
        conditions = (reason.trace for reason in applied.reasons if reason.action == action)
        return apply.facts(*conditions, *(evaluation.trace(name) for name in computed))

    return facts
