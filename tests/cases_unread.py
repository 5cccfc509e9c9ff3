"""Records whose reason is only a reference to a problem, when the problems could not be read: neither yes nor no.

[C.1 Absent vs empty] A second referral must not be offered, nor an operation denied, because the list of problems was
not there to say what the first one was for. Each record is said beside the same one with the problems at hand, where
the reference leads to nothing that counts, and beside those that could not count whatever the problem is.
"""

from __future__ import annotations

from typing import Any

from cases_mutants import nsaid, without
from cases_records import care_plan, referral
from charts import (
    FINDINGS,
    R4,
    R7,
    R10,
    R11,
    SCT,
    Case,
    Resource,
    concept,
    day,
    months_ago,
    order,
    pattern,
    procedure,
    xray,
)

UNREAD = {"UnavailableInputs": ["conditions"]}
ELSEWHERE = {"reasonReference": [{"reference": "Condition/elsewhere"}]}
ADDRESSES = {"addresses": [{"reference": "Condition/elsewhere"}]}
NO_BUTTONS = {"OfferPhysicalTherapy": False, "OfferActivityModificationPlan": False}
BUTTONS = {"OfferPhysicalTherapy": True, "OfferActivityModificationPlan": True}
EXCISION = "os-trigonum-excision-open"
ARTHROSCOPY = "427396001"
SURGEON = "308481009"


def unread(id_: str, fact: Resource, *, given: dict[str, Any] | None = None, **also: Any) -> Case:
    """With the pattern and an X-ray R7 stands: nothing here is known to be care."""
    return Case(f"unread: {id_}", [pattern(), xray(), fact], {R7}, "PhaseCare", also, parameters=UNREAD | (given or {}))


def read(id_: str, fact: Resource, **also: Any) -> Case:
    """The same with the problems at hand."""
    return Case(f"read: {id_}", [pattern(), xray(), fact], {R7}, "PhaseCare", also)


def therapy(**other: Any) -> Resource:
    """A referral to physical therapy that names no ankle."""
    return referral(**{"side": None, **ELSEWHERE, **other})


def surgeon(**other: Any) -> Resource:
    return order(SCT, SURGEON, **{"side": None, **ELSEWHERE, **other})


def operation(performed: str | None, **other: Any) -> Resource:
    """An operation by a code that says no place."""
    return {**procedure(SCT, ARTHROSCOPY, performed, side=None), **ELSEWHERE, **other}


def drug(**other: Any) -> Resource:
    return {**without(nsaid(), "reasonCode"), **ELSEWHERE, **other}


UNREAD_CASES = [
    # ------------------------------------------------------------ physical therapy
    unread("therapy", therapy(), PlanOnRecord=None, CareOnRecord=None, **NO_BUTTONS),
    read("therapy", therapy(), PlanOnRecord=False, CareOnRecord=False, **BUTTONS),
    unread("therapy without a reason", without(therapy(), "reasonReference"), PlanOnRecord=False),
    unread("therapy of the other ankle", therapy(bodySite=[concept(SCT, "7771000")]), PlanOnRecord=False),
    unread("therapy, a draft", therapy(status="draft"), PlanOnRecord=False),
    unread(
        "therapy being written", therapy(id="now"), given={"DraftOrderIds": ["ServiceRequest/now"]}, PlanOnRecord=False
    ),
    unread("another order", order(SCT, "77477000", side=None, **ELSEWHERE), PlanOnRecord=False),
    unread("therapy ended 365 days ago", therapy(ago=365, status="completed"), PlanOnRecord=None),
    unread("therapy ended 366 days ago", therapy(ago=366, status="completed"), PlanOnRecord=False),
    unread("therapy on hold, 400 days old", therapy(ago=400, status="on-hold"), PlanOnRecord=None),
    unread("therapy active, 400 days old", therapy(ago=400), PlanOnRecord=None),
    # ------------------------------------------------------------ plan of care
    unread("plan", care_plan(**ADDRESSES), PlanOnRecord=None, ConservativeCarePlan=None, **NO_BUTTONS),
    read("plan", care_plan(**ADDRESSES), PlanOnRecord=False, ConservativeCarePlan=False, **BUTTONS),
    unread("plan for nothing", care_plan(addresses=[]), PlanOnRecord=False, ConservativeCarePlan=False),
    unread("plan revoked", care_plan(status="revoked", **ADDRESSES), PlanOnRecord=False, ConservativeCarePlan=False),
    unread("plan proposed", care_plan(intent="proposal", **ADDRESSES), PlanOnRecord=False, ConservativeCarePlan=False),
    unread("plan of order", care_plan(intent="order", **ADDRESSES), PlanOnRecord=None),
    unread(
        "plan ended 366 days ago",
        care_plan(status="completed", start=366, **ADDRESSES),
        PlanOnRecord=False,
        ConservativeCarePlan=None,
    ),
    unread("plan on hold, 400 days old", care_plan(status="on-hold", start=400, **ADDRESSES), PlanOnRecord=None),
    # ------------------------------------------------------------ NSAID
    unread("NSAID", drug(), NsaidForThis=None, CareOnRecord=None, PlanOnRecord=False),
    read("NSAID", drug(), NsaidForThis=False, CareOnRecord=False),
    unread("NSAID for no reason", without(drug(), "reasonReference"), NsaidForThis=False),
    unread("NSAID stopped", drug(status="stopped"), NsaidForThis=False),
    unread("NSAID of tomorrow", drug(authoredOn=day(-1)), NsaidForThis=False),
    # ------------------------------------------------------------ surgeon
    unread("surgeon", surgeon(), SurgicalReferral=None),
    read("surgeon", surgeon(), SurgicalReferral=False),
    unread("surgeon for no reason", without(surgeon(), "reasonReference"), SurgicalReferral=False),
    unread("surgeon, a draft", surgeon(status="draft"), SurgicalReferral=False),
    unread("surgeon 181 days ago", surgeon(ago=181), SurgicalReferral=False),
    # ------------------------------------------------------------ operation
    unread("operation", operation(months_ago(2)), SurgeryDone=None),
    read("operation", operation(months_ago(2)), SurgeryDone=False),
    unread("operation for no reason", without(operation(months_ago(2)), "reasonReference"), SurgeryDone=False),
    unread("operation six months ago", operation(months_ago(6)), SurgeryDone=None),
    unread("operation a day longer ago", operation(months_ago(6, -1)), SurgeryDone=False),
    unread("operation not done", operation(months_ago(2), status="not-done"), SurgeryDone=False),
    unread("operation of tomorrow", operation(day(-1)), SurgeryDone=False),
    unread("another procedure", {**procedure(SCT, "80146002", day(60), side=None), **ELSEWHERE}, SurgeryDone=False),
    # ------------------------------------------------------------ imaging that only a finding would tell of
    Case(
        "unread: findings of imaging",
        [pattern()],
        {R4, R7},
        "PhaseRadiograph",
        {
            "RadiographOnRecord": None,
            "AdvancedImagingOnRecord": None,
            "RadiographResult": None,
            "OfferRadiograph": False,
        },
        parameters={"UnavailableInputs": ["findings"]},
    ),
    # ------------------------------------------------------------ what could be read still says yes
    Case(
        "unread: operation with an ankle code",
        [{**procedure(FINDINGS, EXCISION, months_ago(2)), **ELSEWHERE}],
        {R10, R11},
        "PhasePostoperative",
        {"SurgeryDone": True},
        parameters=UNREAD,
    ),
]
