"""Which records count: status, date, side, site, reason and text, one fixture on each side of every line."""

from __future__ import annotations

from typing import Any

from charts import (
    ANSWER,
    FINDINGS,
    ICD,
    LOINC,
    R1,
    R3,
    R4,
    R5,
    R7,
    R10,
    R11,
    SCT,
    Case,
    Resource,
    concept,
    condition,
    day,
    encounter,
    item,
    medication,
    months_ago,
    not_improved,
    order,
    patient,
    pattern,
    plan,
    procedure,
    quantity,
    reason,
    xray,
)

ORDER_SET = "https://w3id.org/ankle-cds/PlanDefinition/PaiConservativeCareOrderSet"
PAI_REASON = concept(ICD, "M25.871")


def care_plan(*, status: str = "active", intent: str = "plan", start: int | None = 20, **other: Any) -> Resource:
    resource: Resource = {
        "resourceType": "CarePlan",
        "id": "cp",
        "status": status,
        "intent": intent,
        "subject": {"reference": "Patient/p1"},
        **(other or {"instantiatesCanonical": [ORDER_SET]}),
    }
    if start is not None:
        resource["period"] = {"start": day(start)}
    return resource


def after_surgery(code: str = "427396001", ago: str = "", **other: Any) -> Resource:
    return {**procedure(SCT, code, ago or months_ago(2), side=None), **other}


def booked(text: str, **other: Any) -> Resource:
    return encounter(reasonCode=[{"text": text}], **other)


def care(id_: str, facts: list[Any], on_record: bool | None, **also: Any) -> Case:
    """With the pattern and an X-ray: no care on record gives R7, care of six weeks without an outcome R10."""
    expected = {"PlanOnRecord": on_record, **also}
    return Case(f"care: {id_}", [pattern(), xray(), *facts], _CARDS[phase := _phase(on_record, also)], phase, expected)


_CARDS = {"PhaseCare": {R7}, "PhaseNone": set(), "PhaseEarlyCare": set(), "PhaseReassess": {R10}}


def _phase(on_record: bool | None, also: dict[str, Any]) -> str:
    if not on_record:
        return "PhaseCare"
    weeks = also.get("WeeksOnPlan")
    if weeks is None:
        return "PhaseNone"
    return "PhaseEarlyCare" if weeks < 6 else "PhaseReassess"


def referral(**other: Any) -> Resource:
    return order(SCT, "308447003", **other)


CARE = [
    care("stated start 365 days ago", [plan(365)], True, WeeksOnPlan=52),
    care("stated start 366 days ago", [plan(366)], False),
    care("stated start in the future", [item("conservative-care-start-date", valueDateTime=day(-1))], False),
    care(
        "stated today, recorded tomorrow", [item("conservative-care-start-date", ago=-1, valueDateTime=day(0))], False
    ),
    care(
        "stated for the other ankle", [item("conservative-care-start-date", side="left", valueDateTime=day(20))], False
    ),
    care("stated start entered in error", [{**plan(20), "status": "entered-in-error"}], False),
    care(
        "the latest statement counts",
        [plan(100), item("conservative-care-start-date", ago=3, valueDateTime=day(20))],
        True,
        WeeksOnPlan=2,
    ),
    care("plan active", [care_plan()], True, WeeksOnPlan=2),
    care("plan on hold", [care_plan(status="on-hold")], True, WeeksOnPlan=2),
    care("plan completed", [care_plan(status="completed")], True, WeeksOnPlan=2),
    care("plan revoked", [care_plan(status="revoked")], False),
    care("plan draft", [care_plan(status="draft")], False),
    care("plan as an order", [care_plan(intent="order")], True, WeeksOnPlan=2),
    care("plan as a proposal", [care_plan(intent="proposal")], False),
    care("plan without a date", [care_plan(start=None)], True),
    care("plan dated by its creation", [{**care_plan(start=None), "created": day(21)}], True, WeeksOnPlan=3),
    care("plan of tomorrow", [care_plan(start=-1)], False),
    care("active plan 400 days old", [care_plan(start=400)], True, WeeksOnPlan=57),
    care("completed plan 366 days old", [care_plan(status="completed", start=366)], False),
    care("completed plan 365 days old", [care_plan(status="completed", start=365)], True, WeeksOnPlan=52),
    care("completed plan without a date", [care_plan(status="completed", start=None)], True),
    care("other plan", [care_plan(instantiatesCanonical=["https://example.org/PlanDefinition/other"])], False),
    care(
        "plan by its activity",
        [care_plan(activity=[{"detail": {"status": "in-progress", "code": concept(FINDINGS, "heel-lift")}}])],
        True,
        WeeksOnPlan=2,
    ),
    care(
        "plan by another activity",
        [care_plan(activity=[{"detail": {"status": "in-progress", "code": concept(FINDINGS, "nerve-assessment")}}])],
        False,
    ),
    care(
        "plan for the problem",
        [{**reason("right"), "id": "problem"}, care_plan(addresses=[{"reference": "Condition/problem"}])],
        True,
        WeeksOnPlan=2,
    ),
    care(
        "plan for the other ankle's problem",
        [
            {**condition(ICD, "M25.872", encounter=False), "id": "problem"},
            care_plan(addresses=[{"reference": "Condition/problem"}]),
        ],
        False,
    ),
    care(
        "plan for another problem",
        [
            {**condition(ICD, "E11.9", encounter=False), "id": "problem"},
            care_plan(addresses=[{"reference": "Condition/problem"}]),
        ],
        False,
    ),
    care("referral with a reason", [referral(ago=20, side=None, reason_code=PAI_REASON)], True, WeeksOnPlan=2),
    care(
        "referral with a specific reason",
        [referral(ago=20, side=None, reason_code=concept(FINDINGS, "os-trigonum-syndrome"))],
        True,
        WeeksOnPlan=2,
    ),
    care("referral with another reason", [referral(ago=20, side=None, reason_code=concept(ICD, "E11.9"))], False),
    care(
        "referral for the problem",
        [
            {**condition(FINDINGS, "posterior-ankle-pain", encounter=False), "id": "problem"},
            referral(ago=20, side=None, reasonReference=[{"reference": "Condition/problem"}]),
        ],
        True,
        WeeksOnPlan=2,
    ),
    care(
        "referral for a refuted problem",
        [
            {**condition(FINDINGS, "posterior-ankle-pain", encounter=False, verification="refuted"), "id": "problem"},
            referral(ago=20, side=None, reasonReference=[{"reference": "Condition/problem"}]),
        ],
        False,
    ),
    care("referral for the ankle", [referral(ago=20)], True, WeeksOnPlan=2),
    care("referral for the other ankle", [referral(ago=20, side="left")], False),
    care("referral revoked", [referral(ago=20, status="revoked")], False),
    care("referral not to be done", [referral(ago=20, doNotPerform=True)], False),
    care("referral to something else", [order(SCT, "185389009", ago=20)], False),
    care("referral completed long ago", [referral(ago=366, status="completed")], False),
    care("referral active long ago", [referral(ago=400)], True, WeeksOnPlan=57),
    care("earliest record counts", [referral(ago=20), care_plan(start=30)], True, WeeksOnPlan=4),
    care("stated start wins", [referral(ago=30), plan(20)], True, WeeksOnPlan=2),
    Case(
        "care: the order being written now is no care on record",
        [pattern(), xray(), {**referral(ago=0), "id": "now"}],
        {R7},
        "PhaseCare",
        {"PlanOnRecord": False},
        parameters={"DraftOrderIds": ["ServiceRequest/now"]},
    ),
    Case(
        "care: unavailable care plans are not no plan",
        [pattern(), xray()],
        {R7},
        "PhaseCare",
        {"PlanOnRecord": None, "CareOnRecord": None},
        parameters={"UnavailableInputs": ["carePlans"]},
    ),
    Case(
        "care: an NSAID for another reason is no care",
        [pattern(), xray(), medication("5640", authoredOn=day(20), reasonCode=[concept(ICD, "E11.9")])],
        {R7},
        "PhaseCare",
        {"NsaidForThis": False},
    ),
    Case(
        "care: an NSAID 91 days ago is no care",
        [pattern(), xray(), medication("5640", authoredOn=day(91), reasonCode=[PAI_REASON])],
        {R7},
        "PhaseCare",
        {"NsaidForThis": False},
    ),
    Case(
        "care: an NSAID 90 days ago is care",
        [pattern(), xray(), medication("5640", authoredOn=day(90), reasonCode=[PAI_REASON])],
        set(),
        "PhaseNone",
        {"NsaidForThis": True},
    ),
    Case(
        "care: a plan older than the surgery does not count",
        [pattern(), xray(), care_plan(start=300), procedure(FINDINGS, "os-trigonum-excision-open", day(250))],
        {R7},
        "PhaseCare",
        {"PlanOnRecord": False},
    ),
    Case(
        "care: a stated start older than the surgery does not count",
        [pattern(), xray(), plan(300), procedure(FINDINGS, "os-trigonum-excision-open", day(250))],
        {R7},
        "PhaseCare",
        {"PlanOnRecord": False},
    ),
]

SURGERY = [
    Case(
        "B11.1 six months",
        [procedure(FINDINGS, "os-trigonum-excision-open", months_ago(6))],
        {R10, R11},
        "PhasePostoperative",
    ),
    Case(
        "B11.1 one day more",
        [procedure(FINDINGS, "os-trigonum-excision-open", months_ago(6, -1))],
        {R3},
        "PhaseAssessment",
    ),
    Case(
        "B11.3 in progress",
        [procedure(FINDINGS, "fhl-release", months_ago(2), status="in-progress")],
        {R3},
        "PhaseAssessment",
    ),
    Case(
        "B11.4 tendon release elsewhere",
        [after_surgery("122484000", bodySite=[concept(SCT, "61352006")])],
        {R3},
        "PhaseAssessment",
    ),
    Case("B11 generic code without a site", [after_surgery()], {R3}, "PhaseAssessment"),
    Case(
        "B11 generic code at the ankle", [procedure(SCT, "427396001", months_ago(2))], {R10, R11}, "PhasePostoperative"
    ),
    Case("B11 generic code with a reason", [after_surgery(reasonCode=[PAI_REASON])], {R10, R11}, "PhasePostoperative"),
    Case(
        "B11 generic code with another reason",
        [after_surgery(reasonCode=[concept(ICD, "E11.9")])],
        {R3},
        "PhaseAssessment",
    ),
    Case("B11 performed tomorrow", [procedure(FINDINGS, "fhl-release", day(-1))], {R3}, "PhaseAssessment"),
    Case("B11 without a date", [procedure(FINDINGS, "fhl-release", None)], {R3}, "PhaseAssessment"),
    Case("B11 UK code", [after_surgery("1326551000000102")], {R3}, "PhaseAssessment"),
    Case(
        "B11 UK code allowed",
        [after_surgery("1326551000000102")],
        {R10, R11},
        "PhasePostoperative",
        parameters={"UseUkExtensionCodes": True},
    ),
    Case(
        "B11 procedures unavailable",
        [],
        {R3},
        "PhaseAssessment",
        {"SurgeryDone": None},
        parameters={"UnavailableInputs": ["procedures"]},
    ),
    Case(
        "B11 age unknown: the phase holds, no card",
        [patient(age=None), procedure(FINDINGS, "fhl-release", months_ago(2))],
        set(),
        "PhasePostoperative",
    ),
]

GATE = [
    Case("gate: alive", [patient(deceasedBoolean=False)], {R3}, "PhaseAssessment", {"Deceased": False}),
    Case("gate: class absent", [{k: v for k, v in encounter().items() if k != "class"}], {R3}, "PhaseAssessment"),
    Case("gate: emergency class", [encounter(cls="EMER")], {R3}, "PhaseAssessment"),
    *[
        Case(f"gate: encounter {status}", [encounter(status=status)], {R3}, "PhaseAssessment")
        for status in ("planned", "arrived", "triaged")
    ],
    *[
        Case(f"gate: encounter {status}", [encounter(status=status)], set(), "PhaseAssessment", {"GateClosed": True})
        for status in ("cancelled", "onleave", "entered-in-error")
    ],
    Case("gate: another encounter", [encounter() | {"id": "e2"}], set(), "PhaseAssessment", {"GateClosed": False}),
    Case("gate: open", [], {R3}, "PhaseAssessment", {"GateClosed": False, "GateNeedsConditions": False}),
    Case("gate: no reason at all", [], set(), "PhaseAssessment", {"GateClosed": True}, reasons=[]),
    Case(
        "gate: no reason, problems unavailable",
        [],
        set(),
        "PhaseAssessment",
        {"GateClosed": False, "GateNeedsConditions": True},
        reasons=[],
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    Case(
        "gate: closed encounter needs no problems",
        [encounter(status="finished")],
        set(),
        "PhaseAssessment",
        {"GateClosed": True, "GateNeedsConditions": False},
        reasons=[],
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    Case(
        "gate: inpatient needs no problems",
        [encounter(cls="IMP")],
        set(),
        "PhaseAssessment",
        {"GateNeedsConditions": False},
        reasons=[],
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    Case(
        "gate: deceased needs no problems",
        [patient(deceasedBoolean=True)],
        set(),
        "PhaseAssessment",
        {"GateNeedsConditions": False},
        reasons=[],
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    Case(
        "gate: partial problems that qualify are enough",
        [],
        {R3},
        "PhaseAssessment",
        {"GateNeedsConditions": False},
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    Case(
        "gate: another coded reason needs no problems",
        [encounter(reasonCode=[concept(ICD, "E11.9")])],
        set(),
        "PhaseAssessment",
        {"GateNeedsConditions": False},
        reasons=[],
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    Case(
        "gate: a phrase needs no problems",
        [booked("os trigonum")],
        {R3},
        "PhaseAssessment",
        {"GateNeedsConditions": False},
        reasons=[],
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    Case(
        "gate: a question-only visit records and goes no further",
        [pattern()],
        {R4, R7},
        "PhaseRadiograph",
        {"Restricted": False},
        reasons=[condition(ICD, "M25.571")],
        parameters={"NonSpecificReasonEnabled": True},
    ),
    Case(
        "gate: tier 3 with pain elsewhere",
        [item("pain-location", "anterior-ankle")],
        set(),
        "PhaseAssessment",
        {"GateFull": False},
        reasons=[condition(ICD, "M25.571")],
    ),
    Case(
        "gate: tier 2 switched off, posterior pain recorded",
        [item("pain-location", "posteromedial")],
        {R3},
        "PhaseAssessment",
        reasons=[condition(ICD, "M25.871")],
        parameters={"ResidualIcdOpensGate": False},
    ),
    Case("gate: age 8", [patient(age=8), pattern()], {R4, R7}, "PhaseRadiograph"),
    Case(
        "gate: age 7, urgent finding",
        [patient(age=7), pattern(), item("other-joint-synovitis", "yes", side=None)],
        {"PaiUrgentWorkup"},
        "PhaseUrgent",
    ),
]

SIDES = [
    *[
        Case(
            f"side: from {code}",
            [item(code, value, side="left")],
            {R3},
            "PhaseAssessment",
            {"IndexSide": "left"},
            reasons=[reason(None)],
        )
        for code, value in (
            ("pain-location", "posterior-midline"),
            ("posterior-tenderness-site", "posterior-midline"),
            ("forced-plantarflexion-test", "negative"),
        )
    ],
    Case(
        "side: a finding of 31 days ago says nothing",
        [item("pain-location", "posterior-midline", side="left", ago=31)],
        {R3},
        "PhaseAssessment",
        {"IndexSide": None},
        reasons=[reason(None)],
    ),
    Case(
        "side: a finding of 30 days ago",
        [item("pain-location", "posterior-midline", side="left", ago=30)],
        {R3},
        "PhaseAssessment",
        {"IndexSide": "left"},
        reasons=[reason(None)],
    ),
    Case(
        "side: a cancelled finding says nothing",
        [item("pain-location", "posterior-midline", side="left", status="cancelled")],
        {R3},
        "PhaseAssessment",
        {"IndexSide": None},
        reasons=[reason(None)],
    ),
    Case(
        "side: one finding coded both",
        [item("pain-location", "posterior-midline", side="both")],
        {R3},
        "PhaseAssessment",
        {"IndexSide": None, "SideConflict": True},
        reasons=[reason(None)],
    ),
    Case(
        "side: the reason wins over findings",
        [pattern(side="left")],
        {R3},
        "PhaseAssessment",
        {"IndexSide": "right", "SideConflict": False},
    ),
    Case(
        "side: an exam of both ankles fits the right one",
        pattern(side="both"),
        {R4, R7},
        "PhaseRadiograph",
        {"IndexSide": "right"},
    ),
    Case(
        "side: an exam without a side fits",
        [{k: v for k, v in one.items() if k != "bodySite"} for one in pattern()],
        {R4, R7},
        "PhaseRadiograph",
        {"IndexSide": "right"},
    ),
    Case(
        "side: of the problem code",
        [],
        {R3},
        "PhaseAssessment",
        {"IndexSide": "left"},
        reasons=[condition(ICD, "M77.52")],
    ),
    Case(
        "side: left and right in one text",
        [booked("posterior ankle pain, left more than right")],
        {R3},
        "PhaseAssessment",
        {"IndexSide": None},
        reasons=[],
    ),
    Case(
        "side: right inside another word",
        [booked("bright teen, posterior ankle pain")],
        {R3},
        "PhaseAssessment",
        {"IndexSide": None},
        reasons=[],
    ),
    Case(
        "side: right in the text",
        [booked("Right posterior ankle pain")],
        {R3},
        "PhaseAssessment",
        {"IndexSide": "right"},
        reasons=[],
    ),
    Case(
        "side: a code wins over the words",
        [encounter(reasonCode=[{**concept(ICD, "M25.572"), "text": "posterior ankle pain, right"}])],
        {R3},
        "PhaseAssessment",
        {"IndexSide": "left"},
        reasons=[],
    ),
    Case(
        "side: words beside another phrase do not count",
        [encounter(reasonCode=[{**concept(FINDINGS, "posterior-ankle-pain"), "text": "right shoulder"}])],
        {R3},
        "PhaseAssessment",
        {"IndexSide": None},
        reasons=[],
    ),
    Case(
        "text: a coding without a code",
        [encounter(reasonCode=[{"coding": [{"display": "Os trigonum, left"}]}])],
        {R3},
        "PhaseAssessment",
        {"IndexSide": "left"},
        reasons=[],
    ),
    Case(
        "text: the display of a code is not read",
        [encounter(reasonCode=[{"coding": [{"system": ICD, "code": "E11.9", "display": "os trigonum"}]}])],
        set(),
        "PhaseAssessment",
        reasons=[],
    ),
    *[
        Case(
            f"text: {denial}", [booked(f"here for a cold, {denial} os trigonum")], set(), "PhaseAssessment", reasons=[]
        )
        for denial in ("no", "not", "denies", "without", "history of")
    ],
    Case(
        "text: denied once, said once",
        [booked("no os trigonum on the left, but os trigonum on the x-ray today")],
        {R3},
        "PhaseAssessment",
        reasons=[],
    ),
]

WINDOWS = [
    Case(
        "window: exposure 365 days ago",
        [pattern(), xray(), item("activity-exposure", "ballet-en-pointe", side=None, ago=365)],
        {R7},
        "PhaseCare",
        {"OfferHeelLift": False},
    ),
    Case(
        "window: exposure 366 days ago",
        [pattern(), xray(), item("activity-exposure", "ballet-en-pointe", side=None, ago=366)],
        {R7},
        "PhaseCare",
        {"OfferHeelLift": True},
    ),
    Case(
        "window: exposure entered in error",
        [pattern(), xray(), item("activity-exposure", "ballet-en-pointe", side=None, status="entered-in-error")],
        {R7},
        "PhaseCare",
        {"OfferHeelLift": True},
    ),
    Case(
        "window: elite",
        [pattern(), xray(), item("sport-level", "elite", side=None)],
        {R7},
        "PhaseCare",
        {"OfferHeelLift": False},
    ),
    Case(
        "window: competitive",
        [pattern(), xray(), item("sport-level", "competitive", side=None)],
        {R7},
        "PhaseCare",
        {"OfferHeelLift": True},
    ),
    Case(
        "window: levels of one day contradict",
        [pattern(), xray(), item("sport-level", "elite", side=None), item("sport-level", "competitive", side=None)],
        {R7},
        "PhaseCare",
        {"IsElite": None, "OfferHeelLift": True},
    ),
    Case(
        "window: the later time of the day decides",
        [
            pattern(),
            xray(),
            item("sport-level", "elite", side=None, at="2026-03-10T08:00:00-07:00"),
            item("sport-level", "competitive", side=None, at="2026-03-10T09:00:00-07:00"),
        ],
        {R7},
        "PhaseCare",
        {"IsElite": False},
    ),
    Case(
        "window: fever 31 days ago beside a hot joint",
        [item("hot-swollen-joint", "yes"), item("fever-or-systemic-illness", "yes", side=None, ago=31)],
        {R3},
        "PhaseAssessment",
    ),
    Case(
        "window: fever without a day beside a hot joint",
        [item("hot-swollen-joint", "yes"), item("fever-or-systemic-illness", "yes", side=None, at="2026")],
        {R1},
        "PhaseRedFlag",
    ),
    Case(
        "window: fever entered in error beside a hot joint",
        [
            item("hot-swollen-joint", "yes"),
            item("fever-or-systemic-illness", "yes", side=None, status="entered-in-error"),
        ],
        {R3},
        "PhaseAssessment",
    ),
    Case("window: exam of tomorrow", [pattern(ago=-1)], {R3}, "PhaseAssessment"),
    Case(
        "window: exam without a day",
        [{**one, "effectiveDateTime": "2026-03"} for one in pattern()],
        {R3},
        "PhaseAssessment",
    ),
    Case(
        "window: exam dated by its issue",
        [
            {**{k: v for k, v in one.items() if k != "effectiveDateTime"}, "issued": "2026-03-10T08:00:00-07:00"}
            for one in pattern()
        ],
        {R4, R7},
        "PhaseRadiograph",
    ),
    Case(
        "window: exam in a period",
        [
            {**{k: v for k, v in one.items() if k != "effectiveDateTime"}, "effectivePeriod": {"start": day(5)}}
            for one in pattern()
        ],
        {R4, R7},
        "PhaseRadiograph",
    ),
    Case(
        "window: infection 14 days ago holds surgery back",
        [pattern(), item("skin-infection-near-site", "yes", ago=14)],
        {R4, R7},
        "PhaseRadiograph",
        {"InfectionSign": True},
    ),
    Case(
        "window: infection 15 days ago",
        [pattern(), item("skin-infection-near-site", "yes", ago=15)],
        {R4, R7},
        "PhaseRadiograph",
        {"InfectionSign": None},
    ),
    Case(
        "window: infection as a problem of the other leg",
        [pattern(), condition(ICD, "L03.116", encounter=False)],
        {R4, R7},
        "PhaseRadiograph",
        {"InfectionSign": None},
    ),
    Case(
        "window: infection as a problem",
        [pattern(), condition(ICD, "L03.115", encounter=False)],
        {R4, R7},
        "PhaseRadiograph",
        {"InfectionSign": True},
    ),
]


def scored(code: str, before: float, after: float, *, system: str = FINDINGS, baseline: int = 42) -> list[Resource]:
    return [
        quantity(code, before, system=system, ago=baseline),
        quantity(code, after, system=system, ago=2),
    ]


def response(id_: str, facts: list[Any], expected: str | None) -> Case:
    """Six weeks on a plan with the pattern and an X-ray at its start: how has it responded?"""
    recorded = bool(facts)
    phase = "PhaseNotImproved" if expected == "not-improved" else ("PhaseNone" if recorded else "PhaseReassess")
    return Case(
        f"response: {id_}",
        [plan(42), pattern(ago=42), xray(ago=42), *facts],
        {"PhaseNone": set(), "PhaseReassess": {R10}, "PhaseNotImproved": {R5}}[phase],
        phase,
        {"CareResponse": expected},
    )


RESPONSES = [
    response("nothing recorded", [], None),
    response("resolved", [item("response-to-care", "resolved", ago=2)], "improved"),
    response("improved", [item("response-to-care", "improved", ago=2)], "improved"),
    response("not improved", [not_improved()], "not-improved"),
    response("worse", [item("response-to-care", "worse", ago=2)], "not-improved"),
    response("FAAM Sports +12.3", scored("faam-sports-score", 60, 72.3), "improved"),
    response("FAAM Sports +12.2", scored("faam-sports-score", 60, 72.2), None),
    response("FAAM Sports +9", scored("faam-sports-score", 60, 69), None),
    response("FAAM Sports +8.9", scored("faam-sports-score", 60, 68.9), "not-improved"),
    response("FAAM ADL +8", scored("faam-adl-score", 60, 68), "improved"),
    response("FAAM ADL +5.7", scored("faam-adl-score", 60, 65.7), None),
    response("FAAM ADL +5.6", scored("faam-adl-score", 60, 65.6), "not-improved"),
    response("LEFS +9", scored("lefs-score", 50, 59), "improved"),
    response("LEFS +8", scored("lefs-score", 50, 58), "not-improved"),
    response("pain 6 to 4", scored("72514-3", 6, 4, system=LOINC), "improved"),
    response("pain 6 to 5", scored("72514-3", 6, 5, system=LOINC), None),
    response("pain 6 to 6", scored("72514-3", 6, 6, system=LOINC), "not-improved"),
    response("pain without a baseline", [quantity("72514-3", 6, system=LOINC, ago=2)], None),
    response("the baseline 30 days before", scored("72514-3", 6, 3, system=LOINC, baseline=72), "improved"),
    response("the baseline 31 days before", scored("72514-3", 6, 3, system=LOINC, baseline=73), None),
    response("the baseline 7 days after", scored("72514-3", 6, 3, system=LOINC, baseline=35), "improved"),
    response(
        "the judgement wins over the score", [not_improved(), *scored("72514-3", 6, 3, system=LOINC)], "not-improved"
    ),
]

PREGNANCY = [
    Case(
        "pregnancy: the gestation alone",
        [pattern(), quantity("gestational-age-weeks", 12, unit="wk", side=None, ago=21)],
        {R4, R7},
        "PhaseRadiograph",
        {"PregnancyState": "lt-caution", "NsaidLine": "none"},
    ),
    Case(
        "pregnancy: a later no",
        [
            pattern(),
            quantity("gestational-age-weeks", 12, unit="wk", side=None, ago=21),
            item("82810-3", system=LOINC, side=None, ago=1, valueCodeableConcept=concept(ANSWER, "no")),
        ],
        {R4, R7},
        "PhaseRadiograph",
        {"PregnancyState": "no"},
    ),
    Case(
        "pregnancy: weeks go by",
        [pattern(), quantity("gestational-age-weeks", 18, unit="wk", side=None, ago=14)],
        {R4, R7},
        "PhaseRadiograph",
        {"PregnancyState": "caution"},
    ),
    Case(
        "pregnancy: a gestation of 44 weeks is none",
        [pattern(), quantity("gestational-age-weeks", 40, unit="wk", side=None, ago=28)],
        {R4, R7},
        "PhaseRadiograph",
        {"PregnancyState": "unknown"},
    ),
    Case(
        "pregnancy: 281 days ago",
        [pattern(), item("82810-3", system=LOINC, side=None, ago=281, valueCodeableConcept=concept(SCT, "77386006"))],
        {R4, R7},
        "PhaseRadiograph",
        {"PregnancyState": "unknown"},
    ),
    Case("pregnancy: age 56", [patient(age=56), pattern()], {R4, R7}, "PhaseRadiograph", {"PregnancyState": "no"}),
    Case("pregnancy: age 11", [patient(age=11), pattern()], {R4, R7}, "PhaseRadiograph", {"PregnancyState": "no"}),
    Case("pregnancy: age 12", [patient(age=12), pattern()], {R4, R7}, "PhaseRadiograph", {"PregnancyState": "unknown"}),
    Case("pregnancy: male", [patient(gender="male"), pattern()], {R4, R7}, "PhaseRadiograph", {"PregnancyState": "no"}),
    Case(
        "pregnancy: gender not stated",
        [{k: v for k, v in patient().items() if k != "gender"}, pattern()],
        {R4, R7},
        "PhaseRadiograph",
        {"PregnancyState": "unknown"},
    ),
]

RECORD_CASES = [*CARE, *SURGERY, *GATE, *SIDES, *WINDOWS, *RESPONSES, *PREGNANCY]
