"""What a hostile clinical reviewer found wrong once, each as a fixture that stays: facts, and what must be said."""

from __future__ import annotations

from typing import Any

from charts import (
    ANSWER,
    FINDINGS,
    ICD,
    LOINC,
    R1,
    R2,
    R3,
    R4,
    R6,
    R7,
    R10,
    RXNORM,
    SCT,
    Case,
    Resource,
    allergy,
    concept,
    condition,
    day,
    egfr,
    encounter,
    item,
    medication,
    months_ago,
    mri,
    order,
    patient,
    pattern,
    plan,
    procedure,
    quantity,
    reason,
    report,
    xray,
)

CPT = "http://www.ama-assn.org/go/cpt"
PATTERN_CARDS = {R4, R7}


def twice_coded(resource: Resource, system: str, code: str) -> Resource:
    """Give the code of a resource a second coding, as real records have."""
    return {**resource, "code": {"coding": [*resource["code"]["coding"], {"system": system, "code": code}]}}


def undated(resource: Resource) -> Resource:
    return {name: value for name, value in resource.items() if name != "effectiveDateTime"}


def onset(resource: Resource, ago: int) -> Resource:
    return {**resource, "onsetDateTime": day(ago)}


def contained(code: str, **other: Any) -> Resource:
    """A medication request that holds its drug as a contained resource."""
    request = {name: value for name, value in medication(code, **other).items() if name != "medicationCodeableConcept"}
    drug = {"resourceType": "Medication", "id": "drug", "code": concept(RXNORM, code)}
    return {**request, "contained": [drug], "medicationReference": {"reference": "#drug"}}


def with_pattern(id_: str, facts: list[Any], **also: Any) -> Case:
    return Case(f"review: {id_}", [pattern(), *facts], PATTERN_CARDS, "PhaseRadiograph", also)


def with_care(id_: str, facts: list[Any], **also: Any) -> Case:
    return Case(f"review: {id_}", [pattern(), xray(), *facts], {R7}, "PhaseCare", also)


REVIEW_CASES = [
    with_pattern(
        "a second coding makes no wrist an ankle",
        [twice_coded(procedure(SCT, "122484000", months_ago(2), side=None), CPT, "X0001")],
        SurgeryDone=False,
    ),
    with_pattern(
        "a second coding makes no knee X-ray an ankle X-ray",
        [twice_coded(order(SCT, "168537006", side=None), "https://ehr.example/codes", "KNEE2V")],
        RadiographOnRecord=False,
    ),
    with_pattern(
        "a generic X-ray at the ankle counts not as another",
        [twice_coded(report("24541-5"), CPT, "X0001") | {"status": "cancelled"}],
        RadiographOnRecord=False,
    ),
    Case(
        "review: an ankle code beside a local code counts",
        [pattern(), twice_coded(xray(), "https://ehr.example/codes", "ANK2V")],
        {R7},
        "PhaseCare",
        {"RadiographOnRecord": True},
    ),
    with_care(
        "a gestation without a date says pregnant",
        [undated(quantity("gestational-age-weeks", 32, unit="wk", side=None))],
        PregnancyState="week-unknown",
        NsaidLine="none",
    ),
    with_care(
        "a gestation of 30 weeks 200 days ago is over",
        [quantity("gestational-age-weeks", 30, unit="wk", side=None, ago=200)],
        PregnancyState="unknown",
    ),
    with_care(
        "a no of 31 days ago is not fresh",
        [item("82810-3", system=LOINC, side=None, ago=31, valueCodeableConcept=concept(ANSWER, "no"))],
        PregnancyState="unknown",
    ),
    with_care(
        "a no of 30 days ago is fresh",
        [item("82810-3", system=LOINC, side=None, ago=30, valueCodeableConcept=concept(ANSWER, "no"))],
        PregnancyState="no",
    ),
    Case(
        "review: an answer of another item is no response to care",
        [pattern(ago=56), xray(), plan(56), item("response-to-care", "complete-relief", ago=2)],
        {R10},
        "PhaseReassess",
        {"CareResponse": None},
    ),
    Case(
        "review: full activity is no failed care",
        [pattern(ago=170), mri(), xray(), plan(200), item("response-to-care", "full-activity", ago=2)],
        {R10},
        "PhaseReassess",
        {"CareResponse": None, "FailedCare": False},
    ),
    Case(
        "review: a bone site is no answer about the back of the ankle",
        [
            item("posterior-tenderness-site", "lateral-malleolus"),
            item("forced-plantarflexion-test", "negative"),
            item("pain-worse-plantarflexion", "yes"),
            item("pain-location", "posterior-midline"),
        ],
        {R3},
        "PhaseAssessment",
        {"PosteriorTenderness": None},
    ),
    Case(
        "review: an imaging finding is no place of pain",
        [item("pain-location", "os-trigonum")],
        {R3},
        "PhaseAssessment",
        {"PainLocation": None},
    ),
    Case(
        "review: the onset of the other ankle is not this one's",
        [item("hot-swollen-joint", "yes")],
        {R3},
        "PhaseAssessment",
        {"FlagHotJoint": None},
        reasons=[onset(condition(ICD, "M25.871"), 700), onset(condition(ICD, "M25.872"), 3)],
        parameters={"EvaluationSide": "right"},
    ),
    Case(
        "review: an onset in the future is none",
        [item("hot-swollen-joint", "yes")],
        {R1},
        "PhaseRedFlag",
        reasons=[onset(reason("right"), 3), onset(reason("right"), -30)],
    ),
    Case(
        "review: a flag of 2020 is not recent",
        [item("calf-squeeze-test", "positive", at="2020")],
        {R3},
        "PhaseAssessment",
    ),
    Case(
        "review: a period without a start is dated by its issue",
        [
            {
                **undated(item("calf-squeeze-test", "positive")),
                "effectivePeriod": {"end": day(5)},
                "issued": "2020-09-01T08:00:00Z",
            },
        ],
        {R3},
        "PhaseAssessment",
    ),
    Case(
        "review: a plan whose period has no start is dated by its creation",
        [
            pattern(ago=60),
            xray(ago=60),
            {
                "resourceType": "CarePlan",
                "id": "cp",
                "status": "active",
                "intent": "plan",
                "subject": {"reference": "Patient/p1"},
                "period": {"end": day(-30)},
                "created": day(60),
                "instantiatesCanonical": ["https://w3id.org/ankle-cds/PlanDefinition/PaiConservativeCareOrderSet"],
            },
        ],
        {R10},
        "PhaseReassess",
        {"WeeksOnPlan": 8},
    ),
    with_care(
        "a heart attack of 2015 by its year is not recent",
        [{**condition(SCT, "22298006", encounter=False), "onsetDateTime": "2015", "recordedDate": "2015-06-01"}],
        RecentMyocardialInfarction=False,
        NsaidLine="oral",
    ),
    with_care("a contained anticoagulant", [contained("1364430")], OnAnticoagulant=True, NsaidLine="topical"),
    with_care(
        "a drug that is only referred to stays unknown",
        [{**contained("1364430"), "contained": []} | {"medicationReference": {"reference": "Medication/m1"}}],
        UnclassifiedMedication=True,
        NsaidLine="none",
    ),
    Case(
        "review: a contained NSAID for this is care on record",
        [pattern(), xray(), contained("5640", authoredOn=day(20), reasonCode=[concept(ICD, "M25.871")])],
        set(),
        "PhaseNone",
        {"NsaidForThis": True},
    ),
    with_care(
        "a cancelled activity is no plan",
        [
            {
                "resourceType": "CarePlan",
                "id": "cp",
                "status": "active",
                "intent": "plan",
                "subject": {"reference": "Patient/p1"},
                "period": {"start": day(20)},
                "activity": [{"detail": {"status": "cancelled", "code": concept(FINDINGS, "heel-lift")}}],
            }
        ],
        PlanOnRecord=False,
    ),
    with_care(
        "a plan for the other ankle, by the reason of its activity",
        [
            {
                "resourceType": "CarePlan",
                "id": "cp",
                "status": "active",
                "intent": "plan",
                "subject": {"reference": "Patient/p1"},
                "period": {"start": day(20)},
                "activity": [
                    {
                        "detail": {
                            "status": "in-progress",
                            "code": concept(FINDINGS, "heel-lift"),
                            "reasonCode": [concept(ICD, "M25.872")],
                        }
                    }
                ],
            }
        ],
        PlanOnRecord=False,
    ),
    Case(
        "review: a negative of one ankle does not clear the other",
        [item("calf-squeeze-test", "positive", ago=5), item("calf-squeeze-test", "negative", side="left", ago=3)],
        {R1},
        "PhaseRedFlag",
        {"IndexSide": "right"},
        reasons=[reason(None)],
    ),
    Case(
        "review: findings of one ankle and a flag of the other are a conflict, and the flag is heard",
        [pattern(), item("suspected-dvt", "yes", side="left")],
        {R1},
        "PhaseRedFlag",
        {"IndexSide": None, "SideConflict": True},
        reasons=[reason(None)],
    ),
    Case(
        "review: the flag alone says the side",
        [item("calf-squeeze-test", "positive", side="left")],
        {R1},
        "PhaseRedFlag",
        {"IndexSide": "left"},
        reasons=[reason(None)],
    ),
    Case(
        "review: an old injury date does not hide a new injury",
        [
            item("injury-date", valueDateTime=day(25), ago=25),
            item("acute-injury", "yes", ago=0),
            item("bony-tenderness-site", "talus", ago=0),
        ],
        {R2},
        "PhaseUrgent",
    ),
    Case(
        "review: an injury of tomorrow is no date",
        [
            item("injury-date", valueDateTime=day(-1)),
            item("acute-injury", "yes"),
            item("bony-tenderness-site", "talus"),
        ],
        {R2},
        "PhaseUrgent",
    ),
    Case(
        "review: a reason of the left ankle opens nothing for the right",
        [item("forced-plantarflexion-test", "positive")],
        set(),
        "PhaseAssessment",
        {"GateView": False},
        reasons=[reason("left"), condition(ICD, "S93.401A")],
        parameters={"EvaluationSide": "right"},
    ),
    Case(
        "review: a phrase over two lines is a phrase",
        [encounter(reasonCode=[{"text": "Posterior\nankle  pain, left"}])],
        {R3},
        "PhaseAssessment",
        {"IndexSide": "left"},
        reasons=[],
    ),
    Case(
        "review: a denial with two spaces is a denial",
        [encounter(reasonCode=[{"text": "no  posterior ankle pain"}])],
        set(),
        "PhaseAssessment",
        reasons=[],
    ),
    with_care(
        "a drug allergy under a code outside the lists",
        [allergy(SCT, "44465007", category=["medication"])],
        NsaidLine="none",
        NsaidInputsMissing=True,
    ),
    with_care(
        "a food allergy says nothing about drugs", [allergy(SCT, "44465007", category=["food"])], NsaidLine="oral"
    ),
    with_care("no known drug allergy", [allergy(SCT, "409137002")], NsaidLine="oral"),
    with_care(
        "the later eGFR of the day decides",
        [
            {**egfr(28), "effectiveDateTime": "2026-03-01T08:00:00-07:00"},
            {**egfr(90), "effectiveDateTime": "2026-03-01T10:00:00-07:00"},
        ],
        EgfrState="ok",
    ),
    with_care("without times the lowest eGFR of the day decides", [egfr(90), egfr(28)], EgfrState="stop"),
    Case("review: nobody is known, the pattern fits", [patient(age=None), pattern()], {R4}, "PhaseRadiograph"),
    Case(
        "review: a CT finding and a silent exam",
        [report("36428-1", conclusion="stieda-process")],
        {R6},
        "PhaseImagingUnmatched",
    ),
]
