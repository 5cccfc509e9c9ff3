"""Cases for what a broken rule would have got past the others: each condition, code, number and status on its own.

`tests/mutation/run.py` breaks the rules one place at a time; what a case says stands in the clinical specification.
"""

from __future__ import annotations

from typing import Any

from ankle_cds.elm import Code
from cases_records import PAI_REASON, after_surgery, booked, care, care_plan, referral
from charts import (
    CT,
    FINDINGS,
    ICD,
    LOINC,
    MRI,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
    R11,
    RXNORM,
    SCT,
    XRAY,
    Case,
    Resource,
    concept,
    condition,
    day,
    encounter,
    item,
    medication,
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

OTHER_REASON = concept(ICD, "E11.9")
SURGERY = "os-trigonum-excision-open"
ULTRASOUND = "241505005"
GENERIC_XRAY = "168537006"


def fits(id_: str, facts: list[Any], *, given: dict[str, Any] | None = None, **also: Any) -> Case:
    """The pattern, no image and no care on record: R4 and R7."""
    return Case(f"{id_}", [pattern(), *facts], {R4, R7}, "PhaseRadiograph", also, parameters=given or {})


def imaged(id_: str, facts: list[Any], *, given: dict[str, Any] | None = None, **also: Any) -> Case:
    """The pattern and an image or an order for one on record: R7, not R4."""
    return Case(f"{id_}", [pattern(), *facts], {R7}, "PhaseCare", also, parameters=given or {})


def treated(id_: str, facts: list[Any], *, given: dict[str, Any] | None = None, **also: Any) -> Case:
    """The pattern and an X-ray: R7, and the facts decide what it offers."""
    return imaged(id_, [xray(), *facts], given=given, **also)


def asked(id_: str, facts: list[Any], **also: Any) -> Case:
    """Nothing examined: R3."""
    return Case(id_, facts, {R3}, "PhaseAssessment", also)


def unmatched(id_: str, facts: list[Any], **also: Any) -> Case:
    """A bony variant and no exam: R6."""
    return Case(id_, facts, {R6}, "PhaseImagingUnmatched", also)


def without(resource: Resource, *names: str) -> Resource:
    return {name: value for name, value in resource.items() if name not in names}


def local(*codes: str) -> list[Code]:
    return [Code(code, FINDINGS) for code in codes]


def finding(value: str, modality: str | None = None, *, part: str = "imaging-modality", **other: Any) -> Resource:
    """A coded reading of an image by a person."""
    if modality:
        other["component"] = [{"code": concept(FINDINGS, part), "valueCodeableConcept": concept(FINDINGS, modality)}]
    return item("imaging-finding", value, **other)


def study(
    system: str, code: str, *, status: str = "available", ago: int | None = 10, side: str | None = None
) -> Resource:
    resource: Resource = {
        "resourceType": "ImagingStudy",
        "id": f"study-{code}-{ago}",
        "status": status,
        "subject": {"reference": "Patient/p1"},
        "procedureCode": [concept(system, code)],
    }
    if ago is not None:
        resource["started"] = day(ago)
    if side:
        codes = {"left": "7771000", "right": "24028007"}
        resource["series"] = [{"uid": "1", "modality": {}, "laterality": {"system": SCT, "code": codes[side]}}]
    return resource


def nsaid(code: str = "5640", **other: Any) -> Resource:
    return medication(code, **{"authoredOn": day(20), "reasonCode": [PAI_REASON], **other})


def statement(code: str, status: str = "active") -> Resource:
    return {
        "resourceType": "MedicationStatement",
        "id": f"statement-{code}",
        "status": status,
        "medicationCodeableConcept": concept(RXNORM, code),
        "subject": {"reference": "Patient/p1"},
    }


def problem(system: str, code: str, **other: Any) -> Resource:
    """A problem that is not a reason of this encounter."""
    return condition(system, code, encounter=False, **other)


GATE = [
    Case("gate: virtual visit", [encounter(cls="VR")], {R3}, "PhaseAssessment"),
    Case("gate: home visit", [encounter(cls="HH")], set(), "PhaseAssessment", {"GateView": False}),
    *[
        Case(f"gate: booked for {phrase}", [booked(phrase)], {R3}, "PhaseAssessment", reasons=[])
        for phrase in (
            "posterior ankle pain",
            "posterior ankle impingement",
            "Pain at the back of the ankle",
            "pain in the back of the ankle",
            "back of the ankle pain",
            "back of ankle pain",
            "Os trigonum",
        )
    ],
    Case(
        "gate: a birth date without a day is no age",
        [{**patient(), "birthDate": "1996"}, pattern()],
        {R4},
        "PhaseRadiograph",
        {"Age": None, "R7Conditions": False},
    ),
    Case(
        "gate: age 7 is not treated",
        [patient(age=7), pattern()],
        set(),
        "PhaseNone",
        {"AgeAllowsTreatment": False, "AgeAllowsPathway": False, "R7Conditions": False},
    ),
    Case(
        "gate: the day before the eighth birthday",
        [{**patient(), "birthDate": "2018-03-13"}, pattern()],
        set(),
        "PhaseNone",
    ),
    Case(
        "gate: the eighth birthday", [{**patient(), "birthDate": "2018-03-12"}, pattern()], {R4, R7}, "PhaseRadiograph"
    ),
    Case(
        "gate: a code that is no reason says no side",
        [encounter(reasonCode=[concept(FINDINGS, "posterior-ankle-pain"), concept(ICD, "S86.012A")])],
        {R3},
        "PhaseAssessment",
        {"EncounterSide": None},
        reasons=[],
    ),
    Case(
        "gate: a problem that is no reason says no side",
        [condition(ICD, "S86.012A")],
        {R3},
        "PhaseAssessment",
        {"EncounterSide": None},
        reasons=[reason(None)],
    ),
    Case(
        "gate: a reason of the other ankle in the encounter opens nothing",
        [encounter(reasonCode=[concept(ICD, "M25.872")])],
        set(),
        "PhaseAssessment",
        {"GateView": False},
        reasons=[condition(ICD, "M25.571")],
        parameters={"EvaluationSide": "right"},
    ),
    Case(
        "gate: a problem of the other ankle opens nothing",
        [encounter(reasonCode=[concept(ICD, "M25.571")])],
        set(),
        "PhaseAssessment",
        {"GateView": False},
        reasons=[condition(ICD, "M25.872")],
        parameters={"EvaluationSide": "right"},
    ),
    Case(
        "gate: the encounter is not there, the problems unavailable",
        [encounter() | {"id": "e2"}],
        set(),
        "PhaseAssessment",
        {"GateNeedsConditions": False, "GateView": False},
        reasons=[],
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    Case(
        "gate: the problems are there and hold no reason",
        [],
        set(),
        "PhaseAssessment",
        {"GateNeedsConditions": False, "GateFull": False},
        reasons=[],
    ),
    Case(
        "gate: tier 2 with posterior pain opens it without the switch",
        [item("pain-location", "posterior-midline")],
        {R3},
        "PhaseAssessment",
        {"GateFull": True},
        reasons=[condition(ICD, "M77.51")],
        parameters={"ResidualIcdOpensGate": False},
    ),
    Case(
        "gate: posterior pain without a reason does not open it",
        [item("pain-location", "posterior-midline")],
        set(),
        "PhaseAssessment",
        {"GateFull": False, "PosteriorPainRecorded": True},
        reasons=[condition(ICD, "E11.9")],
    ),
    Case(
        "gate: tier 3 alone is not enough",
        [],
        set(),
        "PhaseAssessment",
        {"GateFull": False, "GateQuestionOnly": False, "PosteriorPainRecorded": False},
        reasons=[condition(ICD, "M25.571")],
    ),
    Case(
        "gate: tier 3, question only",
        [],
        {R3},
        "PhaseAssessment",
        {"GateFull": False, "GateQuestionOnly": True, "Restricted": True},
        reasons=[condition(ICD, "M25.571")],
        parameters={"NonSpecificReasonEnabled": True},
    ),
    Case(
        "gate: tier 2 switched off, question only",
        [],
        {R3},
        "PhaseAssessment",
        {"GateQuestionOnly": True},
        reasons=[condition(ICD, "M25.871")],
        parameters={"NonSpecificReasonEnabled": True, "ResidualIcdOpensGate": False},
    ),
    Case(
        "gate: no reason is no question",
        [],
        set(),
        "PhaseAssessment",
        {"GateQuestionOnly": False, "Restricted": False},
        reasons=[condition(ICD, "E11.9")],
        parameters={"NonSpecificReasonEnabled": True},
    ),
    Case(
        "gate: a specific reason is no question",
        [],
        {R3},
        "PhaseAssessment",
        {"GateFull": True, "GateQuestionOnly": False},
        parameters={"NonSpecificReasonEnabled": True},
    ),
    Case(
        "gate: the pain is elsewhere, the question stays open",
        [pattern()[1:], item("pain-location", "anterior-ankle")],
        set(),
        "PhaseNone",
        {"GateQuestionOnly": True},
        reasons=[condition(ICD, "M25.571")],
        parameters={"NonSpecificReasonEnabled": True},
    ),
    Case(
        "gate: the lowest tier counts, whichever comes first",
        [],
        {R3},
        "PhaseAssessment",
        {"GateFull": True},
        reasons=[condition(ICD, "M25.571"), condition(FINDINGS, "posterior-ankle-pain")],
        parameters={"ResidualIcdOpensGate": False},
    ),
    Case(
        "gate: one concept of two tiers is of the better one",
        [
            encounter(
                reasonCode=[{"coding": [concept(ICD, "M25.571")["coding"][0], concept(ICD, "M25.871")["coding"][0]]}]
            )
        ],
        {R3},
        "PhaseAssessment",
        {"GateFull": True},
        reasons=[],
    ),
    *[
        Case(
            f"gate: {name}",
            [encounter(**change), *([patient(deceasedBoolean=True)] if name == "deceased" else [])],
            set(),
            "PhaseAssessment",
            {"GateClosed": True, "GateView": False},
        )
        for name, change in (("finished", {"status": "finished"}), ("inpatient", {"cls": "IMP"}), ("deceased", {}))
    ],
    Case(
        "gate: no encounter is there",
        [encounter() | {"id": "e2"}],
        set(),
        "PhaseAssessment",
        {"GateClosed": False, "GateView": False},
        reasons=[],
    ),
]

_FLAGGED = {
    "weak-plantarflexion": ({R3}, "PhaseAssessment"),
    "achilles-gap": ({R3}, "PhaseAssessment"),
    "increased-passive-dorsiflexion": ({R3}, "PhaseAssessment"),
    "acute-injury": ({R3}, "PhaseAssessment"),
    "cannot-bear-weight": ({R3}, "PhaseAssessment"),
    "hot-swollen-joint": ({R3}, "PhaseAssessment"),
    "unexplained-bone-pain": ({R3}, "PhaseAssessment"),
    "open-injury": ({R1}, "PhaseRedFlag"),
    "deformity": ({R1}, "PhaseRedFlag"),
    "neurovascular-compromise": ({R1}, "PhaseRedFlag"),
    "suspected-dvt": ({R1}, "PhaseRedFlag"),
    "night-or-rest-pain": ({R2}, "PhaseUrgent"),
    "mass-or-growing-swelling": ({R2}, "PhaseUrgent"),
    "progressive-neurological-signs": ({R2}, "PhaseUrgent"),
    "suspected-posterior-process-fracture": ({R2}, "PhaseUrgent"),
}

FLAG_SIDES = [
    *[
        Case(
            f"side of a flag: {code}",
            [item(code, "yes", side="left")],
            applies,
            phase,
            {"IndexSide": "left", "SideConflict": False},
            reasons=[reason(None)],
        )
        for code, (applies, phase) in _FLAGGED.items()
    ],
    *[
        Case(
            f"side of a flag: {name} says none",
            [fact],
            {R3},
            "PhaseAssessment",
            {"IndexSide": None},
            reasons=[reason(None)],
        )
        for name, fact in (
            ("an injury denied", item("acute-injury", "no", side="left")),
            ("a negative squeeze", item("calf-squeeze-test", "negative", side="left")),
            ("an injury 31 days ago", item("acute-injury", "yes", side="left", ago=31)),
            ("an injury entered in error", item("acute-injury", "yes", side="left", status="entered-in-error")),
        )
    ],
    Case(
        "side of a flag: an injury 30 days ago says one",
        [item("acute-injury", "yes", side="left", ago=30)],
        {R3},
        "PhaseAssessment",
        {"IndexSide": "left"},
        reasons=[reason(None)],
    ),
]

PROCEDURES = [
    Case("surgery: today", [procedure(FINDINGS, "fhl-release", day(0))], {R11}, "PhasePostoperative"),
    asked(
        "surgery: a finding between two operations is older than the later one",
        [mri(ago=270), procedure(FINDINGS, SURGERY, day(300)), procedure(FINDINGS, "fhl-release", day(250))],
        ImagingFinding=[],
    ),
    unmatched(
        "surgery: a finding of the same day is not older",
        [mri(ago=250), procedure(FINDINGS, SURGERY, day(250))],
    ),
    care(
        "a stated start on the day of surgery counts",
        [plan(250), procedure(FINDINGS, SURGERY, day(250))],
        True,
        WeeksOnPlan=35,
    ),
    care(
        "a stated start on the day before surgery does not", [plan(251), procedure(FINDINGS, SURGERY, day(250))], False
    ),
    care(
        "a plan of the day of surgery counts",
        [care_plan(start=250), procedure(FINDINGS, SURGERY, day(250))],
        True,
        WeeksOnPlan=35,
    ),
    *[
        Case(
            f"surgery: code {code}",
            [procedure(system, code, months_ago(2))],
            {R10, R11},
            "PhasePostoperative",
            {"SurgeryDone": True},
        )
        for system, code in (
            (FINDINGS, "os-trigonum-excision-arthroscopic"),
            (FINDINGS, "os-trigonum-excision-open"),
            (FINDINGS, "fhl-release"),
            (SCT, "38015003"),
            (SCT, "122484000"),
            (SCT, "178185004"),
            (SCT, "64926009"),
            (SCT, "447795007"),
        )
    ],
    Case(
        "surgery: a local code needs no place",
        [procedure(FINDINGS, SURGERY, months_ago(2), side=None)],
        {R10, R11},
        "PhasePostoperative",
    ),
    Case(
        "surgery: performed over a period, the end counts",
        [
            {
                **without(procedure(FINDINGS, SURGERY, None), "performedDateTime"),
                "performedPeriod": {"start": months_ago(7), "end": months_ago(6)},
            }
        ],
        {R10, R11},
        "PhasePostoperative",
    ),
    Case(
        "surgery: a period without an end, the start counts",
        [{**procedure(FINDINGS, SURGERY, None), "performedPeriod": {"start": months_ago(6)}}],
        {R10, R11},
        "PhasePostoperative",
    ),
    Case(
        "surgery: for the problem",
        [
            {**reason("right"), "id": "problem"},
            {**after_surgery(), "reasonReference": [{"reference": "Condition/problem"}]},
        ],
        {R10, R11},
        "PhasePostoperative",
    ),
    *[
        treated(f"injection: {name}", [fact], InjectionDone=done, InjectionTooRecent=recent)
        for name, fact, done, recent in (
            ("none", condition(ICD, "E11.9"), False, False),
            ("anaesthetic", procedure(FINDINGS, "diagnostic-anaesthetic-injection", day(90), side=None), True, True),
            ("with cortisone", procedure(FINDINGS, "anaesthetic-steroid-injection", day(91), side=None), True, False),
            ("365 days ago", procedure(SCT, "231274008", day(365)), True, False),
            ("366 days ago", procedure(SCT, "231274008", day(366)), False, False),
            ("without a day", procedure(SCT, "718674009", None), True, True),
            ("tomorrow", procedure(SCT, "231274008", day(-1)), False, False),
            ("not done", procedure(SCT, "431864000", day(10), status="not-done"), False, False),
            ("elsewhere", procedure(SCT, "431864000", day(10), side=None), False, False),
            ("at the ankle", procedure(SCT, "431864000", day(10)), True, True),
            ("by its LOINC code", procedure(LOINC, "36771-4", day(10)), True, True),
            ("of the other ankle", procedure(SCT, "231274008", day(10), side="left"), False, False),
            ("another procedure", procedure(SCT, "232717009", day(200)), False, False),
        )
    ],
    treated(
        "injection: unavailable procedures are not none",
        [],
        given={"UnavailableInputs": ["procedures"]},
        InjectionDone=None,
        SurgeryDone=None,
        Cabg=None,
        NsaidLine="none",
        NsaidInputsMissing=False,
        NsaidContraindicated=True,
    ),
]


def activity(code: str, **detail: Any) -> Resource:
    return care_plan(activity=[{"detail": {"status": "in-progress", "code": concept(FINDINGS, code), **detail}}])


PLANS = [
    care("stated today", [plan(0)], True, WeeksOnPlan=0),
    *[
        care(f"plan by {code}", [activity(code)], True, WeeksOnPlan=2, ConservativeCarePlan=True)
        for code in (
            "activity-modification",
            "technique-modification",
            "ice-after-activity",
            "heel-lift",
            "physical-therapy",
        )
    ],
    care("activity not to be done", [activity("heel-lift", doNotPerform=True)], False, ConservativeCarePlan=False),
    care("activity stopped", [activity("heel-lift", status="stopped")], False),
    care("activity entered in error", [activity("heel-lift", status="entered-in-error")], False),
    care(
        "activity without a status",
        [care_plan(activity=[{"detail": {"code": concept(FINDINGS, "heel-lift")}}])],
        True,
        WeeksOnPlan=2,
    ),
    care("plan on hold, 400 days old", [care_plan(status="on-hold", start=400)], True, WeeksOnPlan=57),
    care("referral on hold, 400 days old", [referral(ago=400, status="on-hold")], True, WeeksOnPlan=57),
    care("referral completed 365 days ago", [referral(ago=365, status="completed")], True, WeeksOnPlan=52),
    care("referral of today", [referral(ago=0)], True, WeeksOnPlan=0),
    care("referral of tomorrow", [referral(ago=-1)], False),
    care("referral without a date", [referral(ago=None)], True),
    care("referral without an id", [without(referral(ago=20), "id")], True, WeeksOnPlan=2),
    care("referral entered in error", [referral(ago=20, status="entered-in-error")], False),
    care("referral as a draft", [referral(ago=20, status="draft")], False),
    care("a dated plan beside an undated one", [care_plan(start=None), referral(ago=20)], True, WeeksOnPlan=2),
    care("41 days", [plan(41)], True, WeeksOnPlan=5),
    care("42 days", [plan(42)], True, WeeksOnPlan=6),
    *[
        care(f"referral code {code}", [order(SCT, code, ago=20)], True, WeeksOnPlan=2)
        for code in ("306170007", "444831000124102", "91251008", "229065009")
    ],
    *[
        treated(f"care: {key} unavailable", [], given={"UnavailableInputs": [key]}, PlanOnRecord=None, **also)
        for key, also in (
            ("carePlans", {"ConservativeCarePlan": None}),
            ("serviceRequests", {"ConservativeCarePlan": False}),
            ("findings", {"ConservativeCarePlan": False}),
        )
    ],
    treated("care: procedures unavailable", [], given={"UnavailableInputs": ["procedures"]}, PlanOnRecord=False),
]


def by_nsaid(id_: str, fact: Resource, *, counts: bool, given: dict[str, Any] | None = None) -> Case:
    """An NSAID for this problem is care on record; without it R7 stands."""
    return Case(
        f"NSAID as care: {id_}",
        [pattern(), xray(), {**problem(ICD, "M25.871"), "id": "mine"}, {**problem(ICD, "E11.9"), "id": "other"}, fact],
        set() if counts else {R7},
        "PhaseNone" if counts else "PhaseCare",
        {"NsaidForThis": counts, "CareOnRecord": counts, "PlanOnRecord": False},
        parameters=given or {},
    )


def _refers_to(name: str) -> dict[str, Any]:
    return {"reasonCode": [], "reasonReference": [{"reference": f"Condition/{name}"}]}


NSAID_AS_CARE = [
    *[
        by_nsaid(f"status {status}", nsaid(status=status), counts=counts)
        for status, counts in (
            ("active", True),
            ("on-hold", True),
            ("completed", True),
            ("stopped", False),
            ("cancelled", False),
            ("entered-in-error", False),
            ("draft", False),
            ("unknown", False),
        )
    ],
    by_nsaid("not to be taken", nsaid(doNotPerform=True), counts=False),
    by_nsaid("being written now", nsaid(id="now"), counts=False, given={"DraftOrderIds": ["MedicationRequest/now"]}),
    by_nsaid(
        "another one being written", nsaid(id="then"), counts=True, given={"DraftOrderIds": ["MedicationRequest/now"]}
    ),
    by_nsaid("without an id", without(nsaid(), "id"), counts=True),
    by_nsaid("the class", nsaid("372665008", system=SCT), counts=True),
    by_nsaid("on the skin", nsaid("855633"), counts=True),
    by_nsaid("on the skin, local code", nsaid("topical-nsaid", system=FINDINGS), counts=True),
    by_nsaid("another drug", nsaid("11289"), counts=False),
    by_nsaid("for the problem", nsaid(**_refers_to("mine")), counts=True),
    by_nsaid("for another problem", nsaid(**_refers_to("other")), counts=False),
    by_nsaid("for no reason", without(nsaid(), "reasonCode"), counts=False),
    by_nsaid("without a date", without(nsaid(), "authoredOn"), counts=True),
    by_nsaid("of tomorrow", nsaid(authoredOn=day(-1)), counts=False),
    by_nsaid("of today", nsaid(authoredOn=day(0)), counts=True),
    treated(
        "NSAID as care: unavailable",
        [],
        given={"UnavailableInputs": ["medicationRequests"]},
        NsaidForThis=None,
        CareOnRecord=None,
    ),
]

HISTORY = [
    asked(
        "history: shown only",
        [
            item("pain-provoking-activity", "running"),
            item("posterior-swelling", "mild"),
            item("achilles-tendon-tenderness", "no"),
            item("calcaneal-squeeze-test", "positive"),
            item("resisted-hallux-flexion-pain", "positive"),
            item("hallux-motion-test", "negative"),
        ],
        PainProvokingActivity=local("running"),
        PosteriorSwelling=Code("mild", FINDINGS),
        AchillesTendonTenderness=False,
        CalcanealSqueezeTest=True,
        ResistedHalluxFlexionPain=True,
        HalluxMotionTest=False,
    ),
    asked(
        "history: nothing recorded is not known",
        [],
        PainProvokingActivity=None,
        PosteriorSwelling=None,
        AchillesTendonTenderness=None,
        CalcanealSqueezeTest=None,
        ResistedHalluxFlexionPain=None,
        HalluxMotionTest=None,
        FluoroquinoloneRecent=None,
        IsElite=None,
        IsDancer=None,
        CanReduceActivity=None,
        AchillesFinding=None,
        InfectionSign=None,
    ),
    *[
        asked(
            f"history: {ago} days ago",
            [
                item("sport-level", "elite", side=None, ago=ago),
                item("can-reduce-activity", "no", side="left", ago=ago),
                item("activity-exposure", "ballet-demi-pointe", side=None, ago=ago),
            ],
            IsElite=elite,
            CanReduceActivity=can,
            EliteCannotReduce=cannot,
            IsDancer=dancer,
        )
        for ago, elite, can, cannot, dancer in ((365, True, False, True, True), (366, None, None, None, None))
    ],
    asked(
        "history: an antibiotic 90 days ago",
        [item("fluoroquinolone-recent", "yes", ago=90)],
        FluoroquinoloneRecent=True,
    ),
    asked(
        "history: an antibiotic 91 days ago",
        [item("fluoroquinolone-recent", "yes", ago=91)],
        FluoroquinoloneRecent=None,
    ),
    *[
        asked(
            f"history: {name}",
            [item("sport-level", level, side=None), item("can-reduce-activity", can, side=None)],
            EliteCannotReduce=expected,
        )
        for name, level, can, expected in (
            ("elite who can reduce", "elite", "yes", False),
            ("elite, not known", "elite", "unknown", None),
            ("elite who cannot", "elite", "no", True),
            ("competitive who cannot", "competitive", "no", False),
            ("competitive, not known", "competitive", "unknown", False),
        )
    ],
    asked(
        "history: unknown level who can reduce",
        [item("can-reduce-activity", "yes", side=None)],
        EliteCannotReduce=False,
    ),
    asked("history: unknown level who cannot", [item("can-reduce-activity", "no", side=None)], EliteCannotReduce=None),
]

ACHILLES = [
    *[
        asked(f"Achilles: {name}", [fact], AchillesFinding=True)
        for name, fact in (
            ("tender tendon", item("achilles-tendon-tenderness", "yes")),
            ("tender there", item("posterior-tenderness-site", "achilles-tendon")),
            ("pain there", item("pain-location", "achilles-tendon")),
            ("tendinopathy", problem(SCT, "11654001")),
            ("tendinitis of this leg", problem(ICD, "M76.61")),
            ("strain of this leg", problem(ICD, "S86.011A")),
        )
    ],
    *[
        asked(f"Achilles: {name}", [fact], AchillesFinding=expected, AchillesCondition=False)
        for name, fact, expected in (
            ("tendon not tender", item("achilles-tendon-tenderness", "no"), None),
            ("tendinitis of the other leg", problem(ICD, "M76.62"), None),
            ("tendinopathy of the other leg", problem(SCT, "11654001", side="left"), None),
            ("resolved", problem(SCT, "11654001", clinical="resolved"), None),
            ("refuted", problem(SCT, "11654001", verification="refuted"), None),
            ("another problem", problem(ICD, "E11.9"), None),
        )
    ],
    asked("Achilles: relapse", [problem(SCT, "11654001", clinical="relapse")], AchillesCondition=True),
    asked("Achilles: recurrence", [problem(SCT, "11654001", clinical="recurrence")], AchillesCondition=True),
    asked("Achilles: no status", [without(problem(SCT, "11654001"), "clinicalStatus")], AchillesCondition=True),
    asked("Achilles: in error", [problem(SCT, "11654001", verification="entered-in-error")], AchillesCondition=False),
    Case(
        "Achilles: problems unavailable",
        [item("pain-location", "posterior-midline"), item("posterior-tenderness-site", "posterior-midline")],
        {R3},
        "PhaseAssessment",
        {"AchillesCondition": None},
        parameters={"UnavailableInputs": ["conditions"]},
    ),
]

ORDERED = [
    *[
        imaged(f"ordered: status {status}", [order(LOINC, "36592-4", status=status)], RadiographOnRecord=True)
        for status in ("active", "on-hold", "completed")
    ],
    *[
        fits(f"ordered: status {status}", [order(LOINC, "36592-4", status=status)], RadiographOnRecord=False)
        for status in ("draft", "revoked", "entered-in-error", "unknown")
    ],
    imaged("ordered: today", [order(LOINC, "36592-4", ago=0)], RadiographOnRecord=True),
    fits("ordered: tomorrow", [order(LOINC, "36592-4", ago=-1)], RadiographOnRecord=False),
    imaged("ordered: 90 days ago", [order(LOINC, "36592-4", ago=90)], RadiographOnRecord=True),
    fits("ordered: 91 days ago", [order(LOINC, "36592-4", ago=91)], RadiographOnRecord=False),
    fits("ordered: for the other ankle", [order(LOINC, "36592-4", side="left")], RadiographOnRecord=False),
    fits("ordered: for the other ankle by its code", [order(LOINC, XRAY["left"], side=None)], RadiographOnRecord=False),
    imaged("ordered: without a side", [order(LOINC, "36592-4", side=None)], RadiographOnRecord=True),
    fits("ordered: any X-ray, no place", [order(SCT, GENERIC_XRAY, side=None)], RadiographOnRecord=False),
    imaged("ordered: any X-ray, of the ankle", [order(SCT, GENERIC_XRAY)], RadiographOnRecord=True),
    fits("ordered: physiotherapy of another kind", [order(SCT, "185389009")], RadiographOnRecord=False),
    imaged("ordered: without an id", [without(order(LOINC, "36592-4"), "id")], RadiographOnRecord=True),
    fits(
        "ordered: being written now",
        [{**order(LOINC, "36592-4"), "id": "now"}],
        given={"DraftOrderIds": ["ServiceRequest/now"]},
        RadiographOnRecord=False,
    ),
    fits(
        "ordered: dated by its occurrence, 91 days ago",
        [order(LOINC, "36592-4", ago=None, occurrenceDateTime=day(91))],
        RadiographOnRecord=False,
    ),
    imaged(
        "ordered: dated by its occurrence, 90 days ago",
        [order(LOINC, "36592-4", ago=None, occurrenceDateTime=day(90))],
        RadiographOnRecord=True,
    ),
    fits(
        "ordered: dated by the start of its occurrence",
        [order(LOINC, "36592-4", ago=None, occurrencePeriod={"start": day(91), "end": day(10)})],
        RadiographOnRecord=False,
    ),
    *[
        imaged(
            f"ordered: {name}", [order(system, code, side=None)], RadiographOnRecord=False, AdvancedImagingOnRecord=True
        )
        for name, system, code in (
            ("MRI", LOINC, MRI["right"]),
            ("CT", LOINC, CT["right"]),
            ("ultrasound", SCT, ULTRASOUND),
        )
    ],
    fits("ordered: MRI of the other ankle", [order(LOINC, MRI["left"], side=None)], AdvancedImagingOnRecord=False),
    *[
        imaged(f"ordered: local code {code}", [order(FINDINGS, code, side=None)], RadiographOnRecord=True)
        for code in ("xr-ankle-lateral-plantarflexion", "xr-ankle-posterior-impingement-view")
    ],
    Case(
        "ordered: 120 days ago, within the episode of a plan",
        [plan(100), pattern(), order(LOINC, "36592-4", ago=130)],
        {R10},
        "PhaseReassess",
        {"RadiographOnRecord": True},
    ),
    Case(
        "ordered: before the episode of a plan",
        [plan(100), pattern(), order(LOINC, "36592-4", ago=131)],
        {R4},
        "PhaseRadiograph",
        {"RadiographOnRecord": False},
    ),
]

IMAGED = [
    *[
        imaged(f"report: status {status}", [xray(status=status)], RadiographOnRecord=True, RadiographResult=result)
        for status, result in (
            ("registered", False),
            ("partial", False),
            ("preliminary", False),
            ("final", True),
            ("amended", True),
            ("corrected", True),
            ("appended", True),
        )
    ],
    *[
        fits(f"report: status {status}", [xray(status=status)], RadiographOnRecord=False, RadiographResult=False)
        for status in ("cancelled", "entered-in-error", "unknown")
    ],
    imaged("report: today", [xray(ago=0)], RadiographOnRecord=True),
    fits("report: tomorrow", [xray(ago=-1)], RadiographOnRecord=False, RadiographResult=False),
    imaged("report: without a date", [without(xray(), "effectiveDateTime")], RadiographOnRecord=True),
    fits(
        "report: a year and nothing more, of long ago", [xray(ago=365)], RadiographOnRecord=False, RadiographResult=True
    ),
    fits("report: 366 days ago", [xray(ago=366)], RadiographOnRecord=False, RadiographResult=False),
    fits("report: of the other ankle", [xray(side="left")], RadiographOnRecord=False, RadiographResult=False),
    fits("report: any X-ray", [{**xray(), "code": concept(SCT, GENERIC_XRAY)}], RadiographOnRecord=False),
    fits("report: another one", [report("24541-9")], RadiographOnRecord=False, AdvancedImagingOnRecord=False),
    fits(
        "report: issued 91 days ago",
        [{**without(xray(), "effectiveDateTime"), "issued": f"{day(91)}T08:00:00-07:00"}],
        RadiographOnRecord=False,
    ),
    imaged(
        "report: issued 90 days ago",
        [{**without(xray(), "effectiveDateTime"), "issued": f"{day(90)}T08:00:00-07:00"}],
        RadiographOnRecord=True,
    ),
    fits(
        "report: of a period that began 91 days ago",
        [{**without(xray(), "effectiveDateTime"), "effectivePeriod": {"start": day(91), "end": day(10)}}],
        RadiographOnRecord=False,
    ),
    *[
        imaged(
            f"report: {name}", [fact], RadiographOnRecord=False, AdvancedImagingOnRecord=True, RadiographResult=False
        )
        for name, fact in (
            ("MRI", mri(conclusion=None)),
            ("CT", report(CT["right"])),
            ("ultrasound", {**xray(), "code": concept(SCT, ULTRASOUND)}),
            ("MRI 90 days ago", mri(conclusion=None, ago=90)),
        )
    ],
    fits("report: MRI 91 days ago", [mri(conclusion=None, ago=91)], AdvancedImagingOnRecord=False),
    fits("report: MRI of the other ankle", [mri(conclusion=None, side="left")], AdvancedImagingOnRecord=False),
    fits("report: MRI cancelled", [mri(conclusion=None, status="cancelled")], AdvancedImagingOnRecord=False),
    Case(
        "report: of the episode of a plan",
        [plan(100), pattern(), xray(ago=130)],
        {R10},
        "PhaseReassess",
        {"RadiographOnRecord": True},
    ),
    Case(
        "report: before the episode of a plan",
        [plan(100), pattern(), xray(ago=131)],
        {R4},
        "PhaseRadiograph",
        {"RadiographOnRecord": False},
    ),
    *[
        imaged(f"study: {name}", [fact], RadiographOnRecord=True, AdvancedImagingOnRecord=False, RadiographResult=False)
        for name, fact in (
            ("X-ray", study(LOINC, "36592-4")),
            ("X-ray of this ankle", study(LOINC, XRAY["right"])),
            ("X-ray, a series of this ankle", study(LOINC, "36592-4", side="right")),
            ("X-ray of today", study(LOINC, "36592-4", ago=0)),
            ("X-ray 90 days ago", study(LOINC, "36592-4", ago=90)),
            ("X-ray without a date", study(LOINC, "36592-4", ago=None)),
        )
    ],
    *[
        fits(f"study: {name}", [fact], RadiographOnRecord=False, AdvancedImagingOnRecord=False)
        for name, fact in (
            ("X-ray of the other ankle", study(LOINC, XRAY["left"])),
            ("X-ray, a series of the other ankle", study(LOINC, "36592-4", side="left")),
            ("X-ray of tomorrow", study(LOINC, "36592-4", ago=-1)),
            ("X-ray 91 days ago", study(LOINC, "36592-4", ago=91)),
            ("X-ray registered", study(LOINC, "36592-4", status="registered")),
            ("X-ray cancelled", study(LOINC, "36592-4", status="cancelled")),
            ("something else", study(LOINC, "24541-9")),
            ("any X-ray, no place", study(SCT, GENERIC_XRAY)),
            ("MRI of the other ankle", study(LOINC, MRI["left"])),
        )
    ],
    *[
        imaged(f"study: {name}", [study(system, code)], RadiographOnRecord=False, AdvancedImagingOnRecord=True)
        for name, system, code in (
            ("MRI", LOINC, MRI["right"]),
            ("CT", LOINC, CT["right"]),
            ("ultrasound", SCT, ULTRASOUND),
        )
    ],
    imaged(
        "finding: X-ray", [finding("other-cause-found", "radiograph")], RadiographOnRecord=True, RadiographResult=True
    ),
    imaged("finding: X-ray 90 days ago", [finding("other-cause-found", "radiograph", ago=90)], RadiographOnRecord=True),
    fits(
        "finding: X-ray 91 days ago",
        [finding("other-cause-found", "radiograph", ago=91)],
        RadiographOnRecord=False,
        RadiographResult=True,
    ),
    *[
        imaged(
            f"finding: {modality}",
            [finding("other-cause-found", modality)],
            RadiographOnRecord=False,
            AdvancedImagingOnRecord=True,
            RadiographResult=False,
        )
        for modality in ("mri", "ct", "ultrasound")
    ],
    fits("finding: MRI 91 days ago", [finding("other-cause-found", "mri", ago=91)], AdvancedImagingOnRecord=False),
    *[
        fits(
            f"finding: {name}",
            [fact],
            RadiographOnRecord=False,
            AdvancedImagingOnRecord=False,
            RadiographResult=False,
        )
        for name, fact in (
            ("modality not recorded", finding("other-cause-found")),
            ("another component", finding("other-cause-found", "radiograph", part="sport-level")),
            ("no modality", finding("other-cause-found", "elite")),
            ("of the other ankle", finding("other-cause-found", "radiograph", side="left")),
            ("entered in error", finding("other-cause-found", "radiograph", status="entered-in-error")),
            ("no answer", finding("elite", "radiograph")),
            (
                "the modality in words",
                {
                    **finding("other-cause-found"),
                    "component": [{"code": concept(FINDINGS, "imaging-modality"), "valueString": "radiograph"}],
                },
            ),
        )
    ],
    *[
        fits(
            f"imaging: {key} unavailable",
            [],
            given={"UnavailableInputs": [key]},
            RadiographOnRecord=None,
            AdvancedImagingOnRecord=None,
            RadiographResult=result,
            OfferRadiograph=False,
        )
        for key, result in (("serviceRequests", False), ("reports", None), ("imagingStudies", False))
    ],
    imaged(
        "imaging: what was found counts, whatever is unavailable",
        [xray()],
        given={"UnavailableInputs": ["serviceRequests", "imagingStudies"]},
        RadiographOnRecord=True,
        AdvancedImagingOnRecord=None,
    ),
]


def recorded(code: str, **other: Any) -> Resource:
    return problem(FINDINGS, code, **{"ago": 10, **other})


def uncertain(id_: str, facts: list[Any], **also: Any) -> Case:
    """The pattern, an X-ray and no care on record; the cause is not clear: R7, and R5 beside it."""
    also = {"R5Conditions": True, **also}
    return Case(f"uncertain: {id_}", [pattern(), xray(), *facts], {R5, R7}, "PhaseCare", also)


IMAGING_FINDINGS = [
    *[
        unmatched(f"imaging finding: {name}", [fact], BonyVariant=True, SupportiveImagingFinding=True)
        for name, fact in (
            ("os trigonum as a problem", recorded("os-trigonum")),
            ("Stieda process as a problem", recorded("stieda-process", side="right")),
            ("problem 365 days ago", recorded("os-trigonum", ago=365)),
            ("problem of today", recorded("os-trigonum", ago=0)),
            ("by observation", finding("os-trigonum")),
            ("by observation, Stieda", finding("stieda-process", "mri")),
            ("by observation 365 days ago", finding("os-trigonum", ago=365)),
            ("by an X-ray", xray(conclusion="os-trigonum")),
            ("by a CT", report(CT["right"], conclusion="os-trigonum")),
            ("by an ultrasound", {**xray(conclusion="os-trigonum"), "code": concept(SCT, ULTRASOUND)}),
            ("by a preliminary report", mri(status="preliminary")),
            ("by an amended report", mri(status="amended")),
            ("by a corrected report", mri(status="corrected")),
            ("by an appended report", mri(status="appended")),
            (
                "problem of the day of surgery",
                [recorded("os-trigonum", ago=250), procedure(FINDINGS, SURGERY, day(250))],
            ),
            (
                "observed on the day of surgery",
                [finding("os-trigonum", ago=250), procedure(FINDINGS, SURGERY, day(250))],
            ),
            (
                "CT before an ultrasound",
                [
                    report(CT["right"], conclusion="os-trigonum", ago=40),
                    {**xray(conclusion="no-posterior-abnormality"), "code": concept(SCT, ULTRASOUND)},
                ],
            ),
            (
                "modality unknown, a later X-ray is normal",
                [finding("os-trigonum", ago=40), xray(conclusion="no-posterior-abnormality")],
            ),
            ("problem whose onset is recent", {**recorded("os-trigonum", ago=700), "onsetDateTime": day(10)}),
        )
    ],
    *[
        asked(f"imaging finding: {name}", [fact], BonyVariant=False, ImagingFinding=[])
        for name, fact in (
            ("none", []),
            ("problem 366 days ago", recorded("os-trigonum", ago=366)),
            ("problem of tomorrow", recorded("os-trigonum", ago=-1)),
            ("problem of the other ankle", recorded("os-trigonum", side="left")),
            ("problem refuted", recorded("os-trigonum", verification="refuted")),
            ("problem resolved", recorded("os-trigonum", clinical="resolved")),
            ("problem without a day", recorded("os-trigonum", ago=None)),
            ("another finding as a problem", recorded("posterior-marrow-oedema")),
            ("problem whose onset is old", {**recorded("os-trigonum"), "onsetDateTime": day(400)}),
            ("problem before surgery", [recorded("os-trigonum", ago=251), procedure(FINDINGS, SURGERY, day(250))]),
            ("observed before surgery", [finding("os-trigonum", ago=251), procedure(FINDINGS, SURGERY, day(250))]),
            ("reported before surgery", [mri(ago=251), procedure(FINDINGS, SURGERY, day(250))]),
            ("observed 366 days ago", finding("os-trigonum", ago=366)),
            ("observed tomorrow", finding("os-trigonum", ago=-1)),
            ("observed on the other side", finding("os-trigonum", side="left")),
            ("observed, cancelled", finding("os-trigonum", status="cancelled")),
            ("observed, absent", finding("os-trigonum", dataAbsentReason={"text": "not read"})),
            ("observed without a day", finding("os-trigonum", at="2026-03")),
            ("reported as registered", mri(status="registered")),
            ("reported as partial", mri(status="partial")),
            ("reported, cancelled", mri(status="cancelled")),
            ("reported tomorrow", mri(ago=-1)),
            ("reported without a date", without(mri(), "effectiveDateTime")),
            ("another report", report("24541-9", conclusion="os-trigonum")),
            ("a conclusion that is no finding", mri(conclusion="elite")),
            ("no conclusion", mri(conclusion=None)),
        )
    ],
    *[
        asked(f"imaging finding: {name}", facts, BonyVariant=False, ImagingFinding=local("no-posterior-abnormality"))
        for name, facts in (
            ("a later X-ray", [xray(ago=40, conclusion="os-trigonum"), xray(conclusion="no-posterior-abnormality")]),
            (
                "a later reading of an X-ray",
                [xray(ago=40, conclusion="os-trigonum"), finding("no-posterior-abnormality", "radiograph")],
            ),
            ("a later MRI", [mri(ago=40), finding("no-posterior-abnormality", "mri")]),
            (
                "a later CT",
                [report(CT["right"], ago=40, conclusion="os-trigonum"), finding("no-posterior-abnormality", "ct")],
            ),
            (
                "a later ultrasound",
                [
                    {**xray(ago=40, conclusion="os-trigonum"), "code": concept(SCT, ULTRASOUND)},
                    finding("no-posterior-abnormality", "ultrasound"),
                ],
            ),
            ("a later reading", [finding("os-trigonum", ago=40), finding("no-posterior-abnormality")]),
            ("a normal X-ray by its SNOMED code", [{**xray(), "conclusionCode": [concept(SCT, "168679009")]}]),
            ("a normal MRI by its SNOMED code", [{**mri(), "conclusionCode": [concept(SCT, "169082008")]}]),
        )
    ],
    asked(
        "imaging finding: all findings of the day",
        [mri(conclusion="fhl-tenosynovitis"), mri(conclusion="posterior-marrow-oedema")],
        ImagingFinding=local("fhl-tenosynovitis", "posterior-marrow-oedema"),
    ),
    *[
        imaged(
            f"imaging finding: {code} with the pattern",
            [mri(conclusion=code)],
            SupportiveImagingFinding=supports,
            ImagingMatchesExam=supports,
            BonyVariant=bony,
        )
        for code, supports, bony in (
            ("os-trigonum", True, True),
            ("stieda-process", True, True),
            ("posterior-marrow-oedema", True, False),
            ("fhl-tenosynovitis", True, False),
            ("posterior-soft-tissue-inflammation", True, False),
            ("posterior-process-fracture", False, False),
            ("other-cause-found", False, False),
            ("no-posterior-abnormality", False, False),
        )
    ],
    asked("imaging finding: no exam, no support", [mri(conclusion="other-cause-found")], ImagingMatchesExam=False),
    asked("imaging finding: no exam, support", [mri(conclusion="fhl-tenosynovitis")], ImagingMatchesExam=None),
    *[
        Case(
            f"imaging finding: {key} unavailable",
            [],
            {R3},
            "PhaseAssessment",
            {
                "ImagingFinding": value,
                "BonyVariant": None if value is None else False,
                "SupportiveImagingFinding": None if value is None else False,
            },
            parameters={"UnavailableInputs": [key]},
        )
        for key, value in (("findings", None), ("reports", None), ("conditions", None), ("procedures", []))
    ],
    treated("X-ray unhelpful: nothing coded", [], XrayUnhelpful=None, DiagnosisUncertain=None, R5Conditions=False),
    *[
        Case(
            f"X-ray unhelpful: {name}",
            [pattern(), *facts],
            {R5, R7} if unclear else {R7},
            "PhaseCare",
            {"XrayUnhelpful": unhelpful, "DiagnosisUncertain": unclear},
        )
        for name, facts, unhelpful, unclear in (
            ("normal", [xray(conclusion="no-posterior-abnormality")], True, True),
            ("normal by its SNOMED code", [{**xray(), "conclusionCode": [concept(SCT, "168679009")]}], True, True),
            ("by a reading", [finding("no-posterior-abnormality", "radiograph")], True, True),
            ("something found", [xray(conclusion="other-cause-found")], False, None),
            (
                "normal beside something found",
                [xray(conclusion="no-posterior-abnormality"), xray(conclusion="other-cause-found")],
                False,
                None,
            ),
            ("a preliminary one", [xray(conclusion="no-posterior-abnormality", status="preliminary")], False, None),
            ("an MRI is no X-ray", [mri(conclusion="no-posterior-abnormality")], None, None),
        )
    ],
    asked(
        "X-ray unhelpful: no exam",
        [xray(conclusion="no-posterior-abnormality")],
        XrayUnhelpful=True,
        DiagnosisUncertain=None,
    ),
    uncertain("stated", [item("diagnosis-uncertain", "yes")], DiagnosisUncertain=True),
    treated(
        "uncertain: stated for the other ankle", [item("diagnosis-uncertain", "yes", side="left")], R5Conditions=False
    ),
    treated("uncertain: stated 31 days ago", [item("diagnosis-uncertain", "yes", ago=31)], R5Conditions=False),
    uncertain("injection considered", [item("injection-or-surgery-considered", "yes")]),
    treated("uncertain: not considered", [item("injection-or-surgery-considered", "no")], R5Conditions=False),
    fits("uncertain: no X-ray yet", [item("diagnosis-uncertain", "yes")], DiagnosisUncertain=True, R5Conditions=False),
    treated(
        "uncertain: an MRI is there", [item("diagnosis-uncertain", "yes"), mri(conclusion=None)], R5Conditions=False
    ),
    imaged(
        "uncertain: an X-ray that has no result yet",
        [item("diagnosis-uncertain", "yes"), xray(status="preliminary")],
        R5Conditions=False,
    ),
    Case(
        "uncertain: fracture suspected",
        [pattern(), xray(), item("suspected-posterior-process-fracture", "yes")],
        {R2, R5},
        "PhaseUrgent",
        {"DiagnosisUncertain": True, "R5Conditions": True, "UrgentXray": True},
    ),
]

FULL = [pattern(ago=170), mri(), xray(), not_improved(), plan_since(months_ago(6))]
REFERRED = {"SurgicalReferral": True, "SurgeryConditions": False}
NOT_REFERRED = {"SurgicalReferral": False, "SurgeryConditions": True}

SURGERY_CONDITIONS = [
    *[
        Case(
            f"surgical referral: {name}", [FULL, {**reason("right"), "id": "mine"}, fact], set(), "PhaseNone", REFERRED
        )
        for name, fact in (
            ("orthopaedic", order(SCT, "308451001")),
            ("for the reason", order(SCT, "308481009", side=None, reason_code=PAI_REASON)),
            (
                "for the problem",
                order(SCT, "308481009", side=None, reasonReference=[{"reference": "Condition/mine"}]),
            ),
            ("on hold", order(SCT, "308481009", status="on-hold")),
            ("completed", order(SCT, "308481009", status="completed")),
            ("without a date", order(SCT, "308481009", ago=None)),
            ("of today", order(SCT, "308481009", ago=0)),
            ("without an id", without(order(SCT, "308481009"), "id")),
        )
    ],
    *[
        Case(f"surgical referral: {name}", [FULL, fact], {R9}, "PhaseSurgery", NOT_REFERRED)
        for name, fact in (
            ("draft", order(SCT, "308481009", status="draft")),
            ("revoked", order(SCT, "308481009", status="revoked")),
            ("not to be done", order(SCT, "308481009", doNotPerform=True)),
            ("for another reason", order(SCT, "308481009", side=None, reason_code=OTHER_REASON)),
            ("for no reason", order(SCT, "308481009", side=None)),
            ("for the other ankle", order(SCT, "308481009", side="left")),
            ("of tomorrow", order(SCT, "308481009", ago=-1)),
            ("to physiotherapy", order(SCT, "91251008")),
        )
    ],
    Case(
        "surgical referral: being written now",
        [FULL, {**order(SCT, "308481009"), "id": "now"}],
        {R9},
        "PhaseSurgery",
        NOT_REFERRED,
        parameters={"DraftOrderIds": ["ServiceRequest/now"]},
    ),
    Case(
        "surgical referral: unavailable",
        FULL,
        {R9},
        "PhaseSurgery",
        {"SurgicalReferral": None, "SurgeryConditions": True},
        parameters={"UnavailableInputs": ["serviceRequests"]},
    ),
    Case(
        "surgery: signs of infection hold it back, and an injection",
        [FULL, item("skin-infection-near-site", "yes")],
        set(),
        "PhaseNotImproved",
        {"SurgeryConditions": False, "R8Conditions": False, "InfectionSign": True},
    ),
    Case(
        "surgery: an imaging finding that does not match",
        [pattern(ago=170), mri(conclusion="other-cause-found"), xray(), not_improved(), plan_since(months_ago(6))],
        {R8},
        "PhaseNotImproved",
        {"SurgeryConditions": False, "R8Conditions": True, "FailedCare": True},
    ),
    Case(
        "surgery: care that is not known to have failed",
        [pattern(ago=170), mri(), xray(), plan_since(months_ago(6))],
        {R10},
        "PhaseReassess",
        {"SurgeryConditions": False, "R8Conditions": False, "NotImproved": None, "FailedCare": False},
    ),
    Case(
        "surgery: care that helped",
        [pattern(ago=170), mri(), xray(), item("response-to-care", "improved", ago=2), plan_since(months_ago(6))],
        set(),
        "PhaseNone",
        {"SurgeryConditions": False, "R8Conditions": False, "FailedCare": False},
    ),
    Case(
        "surgery: no exam that fits",
        [
            item("forced-plantarflexion-test", "negative"),
            item("posterior-tenderness-site", "none-of-these"),
            mri(),
            xray(),
            not_improved(),
            plan_since(months_ago(6)),
        ],
        set(),
        "PhaseNotImproved",
        {"SurgeryConditions": False, "CareCandidate": False, "R8Conditions": False, "ImagingMatchesExam": False},
    ),
    Case(
        "surgery: five weeks and six days are not six weeks",
        [pattern(ago=41), xray(), not_improved(), plan(41)],
        set(),
        "PhaseEarlyCare",
        {"R5Conditions": False, "R8Conditions": False},
    ),
    Case(
        "surgery: age unknown",
        [patient(age=None), FULL],
        set(),
        "PhaseNone",
        {"SurgeryConditions": False, "R8Conditions": False, "R7Conditions": False},
    ),
    Case(
        "surgery: an elite dancer who cannot reduce, and is better",
        [
            pattern(),
            mri(),
            plan(20),
            item("sport-level", "elite", side=None),
            item("can-reduce-activity", "no", side=None),
            item("response-to-care", "improved", ago=2),
        ],
        set(),
        "PhaseEarlyCare",
        {"SurgeryConditions": False, "EliteCannotReduce": True},
    ),
]

_INFECTION = {
    "hot joint 14 days ago": (item("hot-swollen-joint", "yes", ago=14), True),
    "hot joint 15 days ago": (item("hot-swollen-joint", "yes", ago=15), None),
    "hot joint of the other ankle": (item("hot-swollen-joint", "yes", side="left"), None),
    "fever 14 days ago": (item("fever-or-systemic-illness", "yes", ago=14, side="left"), True),
    "fever 15 days ago": (item("fever-or-systemic-illness", "yes", ago=15), None),
    "skin of the other leg": (item("skin-infection-near-site", "yes", side="left"), None),
    "septic arthritis": (problem(SCT, "396234004"), True),
    "cellulitis refuted": (problem(ICD, "L03.115", verification="refuted"), None),
    "cellulitis resolved": (problem(ICD, "L03.115", clinical="resolved"), None),
    "pyogenic arthritis of the other ankle": (problem(ICD, "M00.072"), None),
    "another problem": (problem(ICD, "E11.9"), None),
}

INFECTION = [
    *[fits(f"infection: {name}", [fact], InfectionSign=sign) for name, (fact, sign) in _INFECTION.items()],
    fits(
        "infection: everything is known and none",
        [
            item("hot-swollen-joint", "no"),
            item("fever-or-systemic-illness", "no"),
            item("skin-infection-near-site", "no"),
        ],
        InfectionSign=False,
    ),
    fits(
        "infection: problems unavailable",
        [
            item("hot-swollen-joint", "no"),
            item("fever-or-systemic-illness", "no"),
            item("skin-infection-near-site", "no"),
        ],
        given={"UnavailableInputs": ["conditions"]},
        InfectionSign=None,
    ),
]

MUTANT_CASES = [
    *GATE,
    *FLAG_SIDES,
    *PROCEDURES,
    *PLANS,
    *NSAID_AS_CARE,
    *HISTORY,
    *ACHILLES,
    *ORDERED,
    *IMAGED,
    *IMAGING_FINDINGS,
    *SURGERY_CONDITIONS,
    *INFECTION,
]
