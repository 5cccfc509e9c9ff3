"""What the later recommendations (R5, R8 to R11) offer, in which place, with which codes; and the route of R9."""

from __future__ import annotations

from typing import Any

from cases_drafts import SCRIBE, Coded, coded
from charts import (
    CT,
    FINDINGS,
    LOINC,
    R2,
    R5,
    R7,
    R8,
    R9,
    R10,
    R11,
    SCT,
    Case,
    day,
    item,
    months_ago,
    mri,
    not_improved,
    order,
    patient,
    pattern,
    plan,
    plan_since,
    procedure,
    reason,
    report,
    xray,
)

EXCISION = "os-trigonum-excision-arthroscopic"
FRACTURE = item("suspected-posterior-process-fracture", "yes")
NO_MRI = item("mri-contraindicated", "yes", side=None)
ELITE = [item("sport-level", "elite", side=None), item("can-reduce-activity", "no", side=None)]
UNCHANGED = [pattern(ago=60), xray(), plan(56), not_improved()]


def imaging(id_: str, facts: list[Any], *, given: dict[str, Any] | None = None, **also: Any) -> Case:
    """Care has not helped for eight weeks and an X-ray is done: R5."""
    return Case(f"R5: {id_}", [*UNCHANGED, *facts], {R5}, "PhaseNotImproved", also, parameters=given or {})


def injection(id_: str, facts: list[Any], *, given: dict[str, Any] | None = None, **also: Any) -> Case:
    """The same with an MRI on record: R8."""
    return Case(f"R8: {id_}", [*UNCHANGED, mri(), *facts], {R8}, "PhaseNotImproved", also, parameters=given or {})


def surgery(id_: str, facts: list[Any], *, given: dict[str, Any] | None = None, **also: Any) -> Case:
    """Care has not helped for six months and imaging matches: R9."""
    charted = [pattern(ago=170), mri(), xray(), not_improved(), plan_since(months_ago(6)), *facts]
    return Case(f"R9: {id_}", charted, {R9}, "PhaseSurgery", also, parameters=given or {})


def operated(id_: str, facts: list[Any], *, given: dict[str, Any] | None = None, **also: Any) -> Case:
    """An excision two months ago, no outcome since: R11 and R10."""
    charted = [procedure(FINDINGS, EXCISION, months_ago(2)), *facts]
    return Case(f"R11: {id_}", charted, {R10, R11}, "PhasePostoperative", also, parameters=given or {})


def due(id_: str, facts: list[Any], **also: Any) -> Case:
    """Six weeks of care and no outcome: R10."""
    return Case(f"R10: {id_}", [pattern(ago=42), xray(ago=42), plan(42), *facts], {R10}, "PhaseReassess", also)


LATER_CASES = [
    imaging("MRI alone is offered", [], OfferMri=True, OfferCt=False, OfferUltrasound=False),
    imaging("a user who cannot order", [], given=SCRIBE, OfferMri=False),
    imaging("MRI contraindicated", [NO_MRI], OfferMri=False, OfferUltrasound=True),
    imaging("MRI contraindicated, a user who cannot order", [NO_MRI], given=SCRIBE, OfferUltrasound=False),
    imaging("no MRI at the site", [], given={"MriAvailable": False}, OfferMri=False, OfferUltrasound=True),
    imaging("MRI possible", [item("mri-contraindicated", "no", side=None)], OfferMri=True, OfferUltrasound=False),
    imaging("MRI contraindicated a year ago", [item("mri-contraindicated", "yes", side=None, ago=365)], OfferMri=False),
    imaging("MRI contraindicated before that", [item("mri-contraindicated", "yes", side=None, ago=366)], OfferMri=True),
    imaging("earlier imaging not known", [], given={"UnavailableInputs": ["imagingStudies"]}, OfferMri=False),
    imaging(
        "earlier imaging not known, MRI contraindicated",
        [NO_MRI],
        given={"UnavailableInputs": ["imagingStudies"]},
        OfferUltrasound=False,
    ),
    imaging("its place", [], PaiOrderAdvancedImagingPlace="11.1"),
    imaging("MRI of the right", [], AnkleMriCode=coded(LOINC, "36429-9", "MRI ankle without contrast, right")),
    imaging("ultrasound", [], PaiAnkleUltrasoundOrderCode=coded(SCT, "241505005", "Ultrasound of ankle")),
    Case(
        "R5: MRI of the left",
        [pattern(side="left"), xray(side="left"), item("diagnosis-uncertain", "yes", side="left")],
        {R5, R7},
        "PhaseCare",
        {
            "AnkleMriCode": coded(LOINC, "36427-3", "MRI ankle without contrast, left"),
            "PaiOrderAdvancedImagingPlace": "08.2",
        },
        reasons=[reason("left")],
    ),
    Case(
        "R5: MRI of no side",
        [xray(), FRACTURE | {"bodySite": {"coding": [{"system": SCT, "code": "344001"}]}}],
        {R2, R5},
        "PhaseUrgent",
        {"AnkleMriCode": coded(LOINC, "30680-3", "MRI ankle without contrast"), "PaiOrderAdvancedImagingPlace": "02.2"},
        reasons=[reason(None)],
    ),
    Case("R5: CT for a suspected fracture", [xray(), FRACTURE], {R2, R5}, "PhaseUrgent", {"OfferCt": True}),
    Case(
        "R5: CT, cannot order",
        [xray(), FRACTURE],
        {R2, R5},
        "PhaseUrgent",
        {"OfferCt": False},
        parameters=SCRIBE,
    ),
    Case("R5: no CT at 17", [patient(age=17), xray(), FRACTURE], {R2, R5}, "PhaseUrgent", {"OfferCt": False}),
    Case("R5: CT at 18", [patient(age=18), xray(), FRACTURE], {R2, R5}, "PhaseUrgent", {"OfferCt": True}),
    Case(
        "R5: no CT, age unknown",
        [patient(age=None), xray(), FRACTURE],
        {R2, R5},
        "PhaseUrgent",
        {"OfferCt": False},
    ),
    Case(
        "R5: no CT while earlier imaging is not known",
        [xray(), FRACTURE],
        {R2, R5},
        "PhaseUrgent",
        {"OfferCt": False},
        parameters={"UnavailableInputs": ["imagingStudies"]},
    ),
    Case("R5: not beside an X-ray order", [FRACTURE, report(CT["right"])], {R2}, "PhaseUrgent"),
    injection("offered", [], OfferInjection=True, PaiConsiderInjectionPlace="11.2"),
    injection("a user who cannot order", [], given=SCRIBE, OfferInjection=False),
    injection("T70 procedures not known", [], given={"UnavailableInputs": ["procedures"]}, OfferInjection=False),
    injection("T73 not at 16", [patient(age=16)], OfferInjection=False),
    injection("at 18", [patient(age=18)], OfferInjection=True),
    injection(
        "the codes",
        [],
        PaiDiagnosticInjectionOrderCode=coded(
            FINDINGS, "diagnostic-anaesthetic-injection", "Image-guided diagnostic injection, local anaesthetic"
        ),
        PaiSteroidInjectionOrderCode=coded(
            FINDINGS, "anaesthetic-steroid-injection", "Image-guided injection, local anaesthetic and cortisone"
        ),
        InjectionBodySite=Coded(((FINDINGS, "posterior-ankle-site"), (SCT, "344001"), (SCT, "24028007"))),
    ),
    surgery(
        "the route of failed care",
        [],
        PaiReferForSurgeryFailedCareApplies=True,
        PaiReferForSurgeryEliteApplies=False,
        PaiReferForSurgeryPlace="06.2",
        OfferSurgicalReferral=True,
    ),
    surgery("failed care comes before elite", [*ELITE], PaiReferForSurgeryEliteApplies=False),
    surgery("a user who cannot order", [], given=SCRIBE, OfferSurgicalReferral=False),
    surgery("referrals not known", [], given={"UnavailableInputs": ["serviceRequests"]}, OfferSurgicalReferral=False),
    surgery(
        "the codes",
        [],
        PaiSurgeonReferralCode=coded(SCT, "308481009", "Referral to orthopaedic surgeon"),
        PaiPodiatryReferralCode=coded(SCT, "308451001", "Referral to podiatrist"),
    ),
    Case(
        "R9: the elite route",
        [pattern(), mri(), *ELITE],
        {R7, R9},
        "PhaseSurgery",
        {"PaiReferForSurgeryFailedCareApplies": False, "PaiReferForSurgeryEliteApplies": True},
    ),
    Case(
        "R9: neither route without surgery",
        [pattern(), *ELITE, xray()],
        {R7},
        "PhaseCare",
        {"PaiReferForSurgeryFailedCareApplies": False, "PaiReferForSurgeryEliteApplies": False},
    ),
    Case(
        "R9: failed care whose imaging does not match is no route",
        [pattern(ago=170), xray(), mri(conclusion=None), not_improved(), plan_since(months_ago(6))],
        {R8},
        "PhaseNotImproved",
        {"PaiReferForSurgeryFailedCareApplies": False, "FailedCare": True},
    ),
    due("its place", [], PaiReassessOutcomePlace="10.1"),
    operated(
        "its places",
        [],
        PaiPostoperativeRecoveryPlace="03.1",
        PaiReassessOutcomePlace="03.2",
        OfferPostoperativeVisit=True,
        PaiPostoperativeVisitCode=coded(SCT, "439740005", "Postoperative follow-up visit"),
    ),
    operated("a user who cannot order", [], given=SCRIBE, OfferPostoperativeVisit=False),
    Case(
        "R5: a finished course of care does not hide the question",
        [pattern(ago=60), xray(), order(SCT, "308447003", ago=56, status="completed"), not_improved()],
        {R5},
        "PhaseNotImproved",
        {"WeeksOnPlan": 8},
    ),
    Case("R10: a child of seven", [patient(age=7), plan(60)], set(), "PhaseNone"),
    Case(
        "R11: a child of seven",
        [patient(age=7), procedure(FINDINGS, EXCISION, day(30))],
        set(),
        "PhaseNone",
    ),
]
