"""The clinical safety tests, one fixture each, on the logic that is published.

`T..` are the safety tests and `B..` the boundary tests of the clinical specification. A case names every recommendation
that the specification lets fire; those the package does not have are checked by their phase.
"""

from __future__ import annotations

from typing import Any

import pytest

from ankle_cds import artifacts
from cases_drafts import DRAFT_CASES
from cases_last import LAST_CASES
from cases_later import LATER_CASES
from cases_medicines import MEDICINE_CASES
from cases_mutants import MUTANT_CASES
from cases_outcomes import OUTCOME_CASES
from cases_reading import READING_CASES
from cases_records import RECORD_CASES
from cases_review import REVIEW_CASES
from cases_safety import SAFETY_CASES
from cases_unread import UNREAD_CASES
from charts import (
    ANSWER,
    CT,
    ENCOUNTER,
    FINDINGS,
    ICD,
    LOINC,
    NOW,
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
    not_improved,
    order,
    patient,
    pattern,
    plan,
    plan_since,
    pregnant,
    procedure,
    quantity,
    reason,
    report,
    xray,
)

PHASES = (
    "PhaseRedFlag",
    "PhaseUrgent",
    "PhasePostoperative",
    "PhaseImagingUnmatched",
    "PhaseAssessment",
    "PhaseSurgery",
    "PhaseRadiograph",
    "PhaseCare",
    "PhaseEarlyCare",
    "PhaseReassess",
    "PhaseNotImproved",
    "PhaseNone",
)


@pytest.fixture(scope="session")
def package() -> artifacts.Package:
    return artifacts.load_all()["posterior-ankle-impingement"]


def recommendations(package: artifacts.Package) -> tuple[str, ...]:
    """The recommendations this package has; a case also names those the specification has and the package not yet."""
    return tuple(
        plan["id"] for plan in package.of_type("PlanDefinition") if plan["type"]["coding"][0]["code"] == "eca-rule"
    )


def flattened(facts: list[Any]) -> list[Resource]:
    return [one for fact in facts for one in (flattened(fact) if isinstance(fact, list) else [fact])]


def evaluate(
    package: artifacts.Package, facts: list[Any], *, reasons: list[Resource] | None = None, **other: Any
) -> Any:
    """Evaluate the logic on BASE plus `facts` (lists are flattened; a Patient or Encounter replaces that of BASE)."""
    flat = flattened(facts)
    kinds = {resource["resourceType"] for resource in flat}
    if "Patient" not in kinds:
        flat.append(patient())
    if "Encounter" not in kinds:
        flat.append(encounter())
    flat.extend([reason()] if reasons is None else reasons)
    return package.program.evaluate(flat, now=NOW, parameters={"EncounterId": "e1", **other})


OTHER_ANKLE = pattern(side="left")
NEGATIVE_EXAM = [
    item("forced-plantarflexion-test", "negative"),
    item("posterior-tenderness-site", "none-of-these"),
]
NORMAL_XRAY = xray(conclusion="no-posterior-abnormality")
M25_571 = condition(ICD, "M25.571")


def t37(injured: int) -> list[Any]:
    return [
        pattern(),
        item("acute-injury", "yes"),
        item("injury-date", valueDateTime=day(injured)),
        item("bony-tenderness-site", "talus"),
        item("cannot-bear-weight", "no"),
    ]


T13 = [pattern(ago=60), xray(), plan(56), not_improved(), mri()]
T20 = [
    pattern(),
    mri(),
    item("activity-exposure", "ballet-en-pointe", side=None),
    item("sport-level", "elite", side=None),
    item("can-reduce-activity", "no", side=None),
]


def t46(start: str) -> list[Any]:
    return [pattern(ago=170), mri(), xray(), not_improved(), plan_since(start)]


CASES = [
    Case("base", [], {R3}, "PhaseAssessment", {"IndexSide": "right", "OfferWorkingDiagnosis": True}),
    Case("pattern", [pattern()], {R4, R7}, "PhaseRadiograph", {"OfferRadiograph": True}),
    Case(
        "T01",
        [
            patient(age=13),
            item("forced-plantarflexion-test", "negative"),
            item("posterior-tenderness-site", "behind-lateral-malleolus"),
            item("pain-worse-plantarflexion", "yes"),
            item("pain-location", "behind-lateral-malleolus"),
            NORMAL_XRAY,
        ],
        {R5, R7},
        "PhaseCare",
        {"R5Conditions": True, "OfferOralNsaid": False, "OfferTopicalNsaid": False},
    ),
    Case(
        "T02",
        [report(CT["right"], ago=40, conclusion="os-trigonum"), NEGATIVE_EXAM],
        {R6},
        "PhaseImagingUnmatched",
    ),
    Case("T03", [pattern(), item("calf-squeeze-test", "positive")], {R1}, "PhaseRedFlag"),
    Case(
        "T04",
        [
            pattern(),
            item("hot-swollen-joint", "yes"),
            item("symptom-onset-date", valueDateTime=day(5)),
            item("fever-or-systemic-illness", "no", side=None),
        ],
        {R1},
        "PhaseRedFlag",
        {"OfferSepticJointAssessment": True, "EmergencyPrecheck": "yes"},
    ),
    Case(
        "T05",
        [pattern(), pregnant(22)],
        {R4, R7},
        "PhaseRadiograph",
        {"OfferRadiograph": True, "NsaidLine": "none", "PregnancyState": "caution"},
    ),
    Case("T07", [pattern(), xray(), egfr(28)], {R7}, "PhaseCare", {"NsaidLine": "none", "EgfrState": "stop"}),
    Case(
        "T08",
        [pattern(), xray()],
        {R7},
        "PhaseCare",
        {"NsaidLine": "none", "NsaidInputsMissing": True},
        parameters={"UnavailableInputs": ["safetyLabs"]},
    ),
    Case(
        "T09",
        [patient(gender="male"), pattern(), xray()],
        {R7},
        "PhaseCare",
        {"NsaidLine": "oral", "EgfrState": "none-found"},
    ),
    Case("T13", T13, {R8}, "PhaseNotImproved", {"R5Conditions": False, "R8Conditions": True}),
    Case(
        "T15",
        [pattern(side="left"), xray(side="right")],
        {R4, R7},
        "PhaseRadiograph",
        {"IndexSide": "left"},
        reasons=[reason("left")],
    ),
    Case("T20", T20, {R7, R9}, "PhaseSurgery", {"OfferHeelLift": False, "EliteCannotReduce": True}),
    Case("T21", [T20, xray(), plan(56), not_improved()], {R9}, "PhaseSurgery"),
    Case(
        "T21 improved",
        [T20, xray(), plan(56), item("response-to-care", "improved", ago=2)],
        set(),
        "PhaseNone",
    ),
    Case(
        "T22",
        [
            plan(42),
            pattern(ago=42),
            xray(ago=42),
            quantity("faam-sports-score", 60, ago=42),
            quantity("faam-sports-score", 69.5, ago=2),
        ],
        set(),
        "PhaseNone",
        {"CareResponse": None},
    ),
    Case(
        "T23",
        [condition(FINDINGS, "posterior-ankle-impingement", encounter=False)],
        set(),
        "PhaseAssessment",
        {"GateView": False},
        reasons=[condition(ICD, "E11.9")],
    ),
    Case("T24", [], set(), "PhaseAssessment", {"GateView": False}, reasons=[M25_571]),
    Case(
        "T25",
        [],
        {R3},
        "PhaseAssessment",
        {"Restricted": True},
        reasons=[M25_571],
        parameters={"NonSpecificReasonEnabled": True},
    ),
    Case(
        "T26",
        [item("pain-location", "posterior-midline", ago=3)],
        {R3},
        "PhaseAssessment",
        {"Restricted": False, "IndexSide": "right"},
        reasons=[M25_571],
    ),
    Case("T27", [], {R3}, "PhaseAssessment", reasons=[condition(ICD, "M25.871")]),
    Case(
        "T27 off",
        [],
        set(),
        "PhaseAssessment",
        reasons=[condition(ICD, "M25.871")],
        parameters={"ResidualIcdOpensGate": False},
    ),
    Case("T28 inpatient", [encounter(cls="IMP")], set(), "PhaseAssessment"),
    Case("T28 finished", [encounter(status="finished")], set(), "PhaseAssessment"),
    Case("T28 deceased", [patient(deceasedBoolean=True)], set(), "PhaseAssessment"),
    Case("T28 deceased on a date", [patient(deceasedDateTime=day(1))], set(), "PhaseAssessment"),
    Case("T29", [patient(age=7), pattern()], set(), "PhaseNone"),
    Case(
        "T29 red flag",
        [patient(age=7), pattern(), item("acute-injury", "yes"), item("cannot-bear-weight", "yes")],
        {R1},
        "PhaseRedFlag",
    ),
    Case("T30", [patient(age=None), pattern()], {R4}, "PhaseRadiograph"),
    Case("T31", [patient(age=None), pattern(), xray()], set(), "PhaseNone"),
    Case(
        "T35",
        [encounter(reasonCode=[concept(FINDINGS, "posterior-ankle-pain")])],
        {R3},
        "PhaseAssessment",
        {"IndexSide": None, "GateNeedsConditions": False},
        reasons=[],
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    Case(
        "T36",
        [encounter(reasonCode=[{"text": "ankle problem"}])],
        set(),
        "PhaseAssessment",
        {"GateNeedsConditions": True},
        reasons=[],
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    Case("T37", t37(14), {R2}, "PhaseUrgent", {"OfferUrgentRadiograph": True}),
    Case("T38", t37(15), {R4, R7}, "PhaseRadiograph"),
    Case("T39", [patient(age=17), item("unexplained-bone-pain", "yes")], {R2}, "PhaseUrgent"),
    Case("T39 at 18", [patient(age=18), item("unexplained-bone-pain", "yes")], {R3}, "PhaseAssessment"),
    Case("T40", [item("fever-or-systemic-illness", "yes", side=None)], {R3}, "PhaseAssessment"),
    Case("T41", [pattern(ago=31)], {R3}, "PhaseAssessment"),
    Case("T42", [pattern(ago=31), xray(ago=31), plan(20)], set(), "PhaseEarlyCare"),
    Case("T43 day 41", [pattern(ago=41), xray(ago=41), plan(41)], set(), "PhaseEarlyCare"),
    Case("T43 day 42", [pattern(ago=42), xray(ago=42), plan(42)], {R10}, "PhaseReassess"),
    Case("T44", [pattern(), xray(), plan(56), not_improved()], {R5}, "PhaseNotImproved", {"R5Conditions": True}),
    Case(
        "T45 90 days",
        [T13, procedure(SCT, "231274008", day(90))],
        set(),
        "PhaseNotImproved",
        {"R8Conditions": False},
    ),
    Case(
        "T45 91 days",
        [T13, procedure(SCT, "231274008", day(91))],
        {R8},
        "PhaseNotImproved",
        {"R8Conditions": True},
    ),
    Case("T46", t46(months_ago(6)), {R9}, "PhaseSurgery", {"FailedCare": True}),
    Case("T46 one day later", t46(months_ago(6, 1)), {R8}, "PhaseNotImproved", {"FailedCare": False}),
    Case(
        "T47 180 days",
        [t46(months_ago(6)), order(SCT, "308481009", ago=180)],
        set(),
        "PhaseNone",
        {"SurgicalReferral": True},
    ),
    Case("T47 181 days", [t46(months_ago(6)), order(SCT, "308481009", ago=181)], {R9}, "PhaseSurgery"),
    Case(
        "T48",
        [procedure(FINDINGS, "os-trigonum-excision-arthroscopic", months_ago(2))],
        {R10, R11},
        "PhasePostoperative",
        {"R10Due": True},
    ),
    Case(
        "T49",
        [procedure(FINDINGS, "os-trigonum-excision-arthroscopic", day(7))],
        {R11},
        "PhasePostoperative",
        {"R10Due": False},
    ),
    Case(
        "T50",
        [procedure(FINDINGS, "os-trigonum-excision-arthroscopic", months_ago(2), side="left")],
        {R3},
        "PhaseAssessment",
    ),
    Case(
        "T51",
        [],
        {R3},
        "PhaseAssessment",
        {"EncounterSide": "both", "IndexSide": None, "SideConflict": True},
        reasons=[condition(ICD, "M25.871"), condition(ICD, "M25.872")],
    ),
    Case(
        "T51 right",
        [],
        {R3},
        "PhaseAssessment",
        {"IndexSide": "right", "SideConflict": False},
        reasons=[condition(ICD, "M25.871"), condition(ICD, "M25.872")],
        parameters={"EvaluationSide": "right"},
    ),
    Case(
        "T52",
        [pattern(), OTHER_ANKLE],
        {R3},
        "PhaseAssessment",
        {"SideConflict": True, "IndexSide": None},
        reasons=[reason(None)],
    ),
    Case("T53", [pattern()], {R4, R7}, "PhaseRadiograph", {"IndexSide": "right"}, reasons=[reason(None)]),
    Case(
        "T54",
        [condition(FINDINGS, "posterior-ankle-impingement", side="right", encounter=False)],
        {R3, R7},
        "PhaseAssessment",
        {"OfferWorkingDiagnosis": False},
    ),
    Case(
        "T55",
        [
            item("pain-location", "achilles-tendon"),
            item("forced-plantarflexion-test", "negative"),
            item("posterior-tenderness-site", "achilles-tendon"),
        ],
        set(),
        "PhaseNone",
    ),
    Case("T56", [item("pain-location", "achilles-tendon")], {R3}, "PhaseAssessment", {"AchillesFinding": True}),
    Case("T69", [pattern(), xray(), medication("855633000")], {R7}, "PhaseCare", {"NsaidLine": "none"}),
    Case(
        "T70",
        T13,
        {R8},
        "PhaseNotImproved",
        {"R8Conditions": True, "InjectionDone": None},
        parameters={"UnavailableInputs": ["procedures"]},
    ),
    Case(
        "T71",
        [item("calf-squeeze-test", "positive", ago=5), item("calf-squeeze-test", "not-performed", ago=0)],
        {R1},
        "PhaseRedFlag",
    ),
    Case(
        "T74",
        [pattern(), xray()],
        {R7},
        "PhaseCare",
        {
            "OfferPhysicalTherapy": False,
            "OfferActivityModificationPlan": False,
            "NsaidLine": "none",
            "PlanOnRecord": None,
        },
        parameters={"UnavailableInputs": ["carePlans", "serviceRequests"]},
    ),
    Case("T75", [mri(ago=20)], {R6}, "PhaseImagingUnmatched"),
    Case("T76", [pattern(), item("other-joint-synovitis", "yes", side=None)], {R2, R4}, "PhaseUrgent"),
    Case(
        "T77",
        [
            pattern(),
            NORMAL_XRAY,
            medication("5640", authoredOn=day(20), reasonCode=[concept(FINDINGS, "posterior-ankle-impingement")]),
        ],
        {R5},
        "PhaseCare",
        {"R5Conditions": True, "R7Conditions": False},
    ),
    Case("T80", [], {R3}, "PhaseAssessment", {"IndexSide": None}, reasons=[condition(ICD, "M25.87")]),
    Case(
        "T82",
        [encounter(reasonCode=[{**concept(ICD, "M25.571"), "text": "Posterior ankle pain, right"}])],
        {R3},
        "PhaseAssessment",
        {"IndexSide": "right"},
        reasons=[],
    ),
    Case(
        "T83",
        [encounter(reasonCode=[{"text": "3 months of LEFT posterior ankle pain"}]), OTHER_ANKLE],
        {R4, R7},
        "PhaseRadiograph",
        {"IndexSide": "left"},
        reasons=[],
    ),
    Case(
        "T84",
        [
            encounter(
                reasonCode=[
                    {**concept(ICD, "M25.571"), "text": "ankle sprain follow-up, no posterior ankle pain"},
                ]
            )
        ],
        set(),
        "PhaseAssessment",
        {"GateView": False},
        reasons=[],
    ),
    Case(
        "T85",
        [encounter(reasonCode=[{**concept(ICD, "M25.571"), "text": "Posterior ankle pain, right"}])],
        set(),
        "PhaseAssessment",
        {"GateView": False},
        reasons=[],
        parameters={"ReasonPhrases": []},
    ),
    # ------------------------------------------------------------ boundaries of the recommendations
    Case(
        "B1.1 day 14",
        [item("hot-swollen-joint", "yes"), item("symptom-onset-date", valueDateTime=day(14))],
        {R1},
        "PhaseRedFlag",
    ),
    Case(
        "B1.1 day 15",
        [item("hot-swollen-joint", "yes"), item("symptom-onset-date", valueDateTime=day(15))],
        {R3},
        "PhaseAssessment",
    ),
    Case(
        "B1.3",
        [
            item("weak-plantarflexion", "yes"),
            item("achilles-gap", "yes"),
            item("calf-squeeze-test", "not-performed"),
        ],
        {R1},
        "PhaseRedFlag",
        {"OfferUrgentOrthopaedicReferral": True},
    ),
    Case(
        "B1.4",
        [
            item("acute-injury", "yes", ago=10),
            item("cannot-bear-weight", "yes", ago=9),
            item("cannot-bear-weight", "no", ago=5),
        ],
        {R3},
        "PhaseAssessment",
    ),
    Case(
        "B1.5",
        [item("acute-injury", "unknown"), item("cannot-bear-weight", "yes")],
        {R3},
        "PhaseAssessment",
    ),
    Case("B1 31 days ago", [item("suspected-dvt", "yes", ago=31)], {R3}, "PhaseAssessment"),
    Case("B1 30 days ago", [item("suspected-dvt", "yes", ago=30)], {R1}, "PhaseRedFlag"),
    Case("B1 other ankle", [item("suspected-dvt", "yes", side="left")], {R3}, "PhaseAssessment"),
    Case("B1 tomorrow", [item("suspected-dvt", "yes", ago=-1)], {R3}, "PhaseAssessment"),
    Case("B1 entered in error", [item("suspected-dvt", "yes", status="entered-in-error")], {R3}, "PhaseAssessment"),
    Case("B1 without a day", [item("suspected-dvt", "yes", at="2026")], {R1}, "PhaseRedFlag"),
    Case(
        "B1 unable to weight-bear as a problem",
        [item("acute-injury", "yes"), condition(SCT, "285674009")],
        {R1},
        "PhaseRedFlag",
    ),
    Case(
        "B1 unable to weight-bear, problem of another visit",
        [item("acute-injury", "yes"), condition(SCT, "285674009", encounter=False)],
        {R3},
        "PhaseAssessment",
    ),
    Case("B1 open injury", [item("open-injury", "yes")], {R1}, "PhaseRedFlag"),
    Case("B1 deformity", [item("deformity", "yes")], {R1}, "PhaseRedFlag"),
    Case("B1 neurovascular", [item("neurovascular-compromise", "yes")], {R1}, "PhaseRedFlag"),
    Case(
        "B1 hot joint with restriction",
        [item("hot-swollen-joint", "yes"), item("restricted-joint-movement", "yes")],
        {R1},
        "PhaseRedFlag",
    ),
    Case(
        "B1 hot joint with fever",
        [item("hot-swollen-joint", "yes"), item("fever-or-systemic-illness", "yes", side=None)],
        {R1},
        "PhaseRedFlag",
    ),
    Case(
        "B1 one soft rupture sign",
        [item("increased-passive-dorsiflexion", "yes")],
        {R3},
        "PhaseAssessment",
    ),
    Case(
        "B1 two soft rupture signs",
        [item("increased-passive-dorsiflexion", "yes"), item("achilles-gap", "yes")],
        {R1},
        "PhaseRedFlag",
    ),
    Case("B2.2", [item("posterior-tenderness-site", "posterior-midline")], {R3}, "PhaseAssessment"),
    Case("B2 night pain", [item("night-or-rest-pain", "yes")], {R2}, "PhaseUrgent"),
    Case("B2 mass", [item("mass-or-growing-swelling", "yes")], {R2}, "PhaseUrgent"),
    Case("B2 weight loss", [item("unexplained-weight-loss", "yes", side=None)], {R2}, "PhaseUrgent"),
    Case("B2 cancer", [item("cancer-history", "yes", side=None)], {R2}, "PhaseUrgent"),
    Case(
        "B2 nerve signs",
        [item("progressive-neurological-signs", "yes")],
        {R2},
        "PhaseUrgent",
        {"OfferNerveAssessment": True, "OfferUrgentRadiograph": False},
    ),
    Case(
        "B2 posterior process fracture",
        [item("suspected-posterior-process-fracture", "yes")],
        {R2},
        "PhaseUrgent",
        {"OfferUrgentCt": True},
    ),
    Case(
        "B2 posterior process fracture at 17",
        [patient(age=17), item("suspected-posterior-process-fracture", "yes")],
        {R2},
        "PhaseUrgent",
        {"OfferUrgentCt": False},
    ),
    Case(
        "B2 bone tenderness without injury",
        [item("bony-tenderness-site", "talus")],
        {R3},
        "PhaseAssessment",
    ),
    Case(
        "B2 injury without a date, recorded 14 days ago",
        [item("acute-injury", "yes", ago=14), item("bony-tenderness-site", "calcaneus", ago=14)],
        {R2},
        "PhaseUrgent",
    ),
    Case(
        "B2 injury without a date, recorded 15 days ago",
        [item("acute-injury", "yes", ago=15), item("bony-tenderness-site", "calcaneus", ago=15)],
        {R3},
        "PhaseAssessment",
    ),
    Case(
        "B2 X-ray on record",
        [item("night-or-rest-pain", "yes"), xray()],
        {R2},
        "PhaseUrgent",
        {"OfferUrgentRadiograph": False},
    ),
    Case("B3.1 30 days", [pattern(ago=30)], {R4, R7}, "PhaseRadiograph"),
    Case("B3.2", [NEGATIVE_EXAM, item("pain-location", "posterior-midline")], set(), "PhaseNone"),
    Case(
        "B3.3",
        [
            item("forced-plantarflexion-test", "not-performed"),
            item("posterior-tenderness-site", "unknown"),
        ],
        {R3},
        "PhaseAssessment",
    ),
    Case("B3.4", [OTHER_ANKLE], {R3}, "PhaseAssessment"),
    Case("B3.5", [plan(20)], set(), "PhaseEarlyCare"),
    Case(
        "B3 findings unavailable",
        [],
        {R3},
        "PhaseAssessment",
        {"AssessmentComplete": None, "ExamRecorded": None},
        parameters={"UnavailableInputs": ["findings"]},
    ),
    Case("B4.1 90 days", [pattern(), xray(ago=90)], {R7}, "PhaseCare"),
    Case("B4.1 91 days", [pattern(), xray(ago=91)], {R4, R7}, "PhaseRadiograph"),
    Case("B4.2", [pattern(), xray(side="left")], {R4, R7}, "PhaseRadiograph"),
    Case(
        "B4.3",
        [
            item("pain-location", "posteromedial"),
            item("forced-plantarflexion-test", "negative"),
            item("posterior-tenderness-site", "posteromedial"),
            item("pain-worse-plantarflexion", "yes"),
        ],
        {R4, R7},
        "PhaseRadiograph",
    ),
    Case("B4.4", [pattern(), xray(side="both")], {R7}, "PhaseCare"),
    Case("B4.5", [pattern(), order(LOINC, XRAY["right"], status="draft")], {R4, R7}, "PhaseRadiograph"),
    Case("B4 ordered", [pattern(), order(LOINC, XRAY["right"])], {R7}, "PhaseCare"),
    Case("B4 order revoked", [pattern(), order(LOINC, XRAY["right"], status="revoked")], {R4, R7}, "PhaseRadiograph"),
    Case(
        "B4 order not to be done", [pattern(), order(LOINC, "36592-4", doNotPerform=True)], {R4, R7}, "PhaseRadiograph"
    ),
    Case("B4 order without a day", [pattern(), order(LOINC, "36592-4", ago=None)], {R7}, "PhaseCare"),
    Case("B4.6", [pattern(), mri(conclusion=None)], {R7}, "PhaseCare"),
    Case(
        "B4.7",
        [plan(150), pattern(), xray(ago=200), item("response-to-care", "improved", ago=2)],
        set(),
        "PhaseNone",
        {"R4Conditions": False},
    ),
    Case(
        "B4 imaging inputs unavailable",
        [pattern()],
        {R4, R7},
        "PhaseRadiograph",
        {"OfferRadiograph": False, "RadiographOnRecord": None},
        parameters={"UnavailableInputs": ["reports"]},
    ),
    Case(
        "B4 conditions unavailable",
        [pattern(), encounter(reasonCode=[concept(FINDINGS, "posterior-ankle-pain")])],
        {R4, R7},
        "PhaseRadiograph",
        {"OfferWorkingDiagnosis": False, "WorkingDiagnosis": None},
        reasons=[],
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    Case("B6.1 365 days", [mri(ago=365)], {R6}, "PhaseImagingUnmatched"),
    Case("B6.1 366 days", [mri(ago=366)], {R3}, "PhaseAssessment"),
    Case(
        "B6.3",
        [mri(), item("forced-plantarflexion-test", "negative")],
        {R3},
        "PhaseAssessment",
        {"ExamSupports": None, "ExamRecorded": True},
    ),
    Case("B6.4", [mri(side="left")], {R3}, "PhaseAssessment"),
    Case("B6.5", [condition(ICD, "Q66.89", encounter=False)], {R3}, "PhaseAssessment"),
    Case(
        "B6 findings unavailable",
        [mri()],
        {R3},
        "PhaseAssessment",
        parameters={"UnavailableInputs": ["findings"]},
    ),
    Case(
        "B6 a later normal X-ray does not cancel the MRI",
        [mri(), NORMAL_XRAY],
        {R6},
        "PhaseImagingUnmatched",
    ),
    Case(
        "B6 finding older than the surgery",
        [mri(ago=300), procedure(FINDINGS, "os-trigonum-excision-open", day(250))],
        {R3},
        "PhaseAssessment",
    ),
    Case(
        "B7.1",
        [
            pattern(),
            xray(),
            order(SCT, "308447003", ago=90, status="completed", reason_code=concept(ICD, "M25.871")),
        ],
        {R10},
        "PhaseReassess",
        {"PlanOnRecord": True},
    ),
    Case("B7.1 unlinked", [pattern(), xray(), order(SCT, "308447003", ago=90, side=None)], {R7}, "PhaseCare"),
    Case("B7.2", [pattern(), xray(), medication("1364430")], {R7}, "PhaseCare", {"NsaidLine": "topical"}),
    Case("B7.3 eGFR 30", [pattern(), xray(), egfr(30)], {R7}, "PhaseCare", {"NsaidLine": "topical"}),
    Case("B7.3 eGFR 60", [pattern(), xray(), egfr(60)], {R7}, "PhaseCare", {"NsaidLine": "oral"}),
    Case("B7.5 age 65", [patient(age=65), pattern(), xray()], {R7}, "PhaseCare", {"NsaidLine": "topical"}),
    Case("B7.5 age 64", [patient(age=64), pattern(), xray()], {R7}, "PhaseCare", {"NsaidLine": "oral"}),
    Case(
        "B7.6",
        [pattern(), xray(), medication("198440")],
        {R7},
        "PhaseCare",
        {"NsaidLine": "none", "UnclassifiedMedication": True},
    ),
    Case(
        "B7.6 declared",
        [pattern(), xray(), medication("198440")],
        {R7},
        "PhaseCare",
        {"NsaidLine": "oral", "UnclassifiedMedication": False},
        parameters={"DrugValueSetsExpanded": True},
    ),
    Case(
        "B7.7",
        [pattern(), xray(), item("activity-exposure", "ballet-demi-pointe", side=None)],
        {R7},
        "PhaseCare",
        {"OfferHeelLift": False},
    ),
    Case(
        "B7 minor",
        [patient(age=17), pattern(), xray()],
        {R7},
        "PhaseCare",
        {"NsaidLine": "none"},
    ),
    Case(
        "B7 minor allowed",
        [patient(age=17), pattern(), xray()],
        {R7},
        "PhaseCare",
        {"NsaidLine": "oral"},
        parameters={"NsaidLineForMinors": True},
    ),
    Case(
        "B7 allergy",
        [pattern(), xray(), allergy(RXNORM, "7258")],
        {R7},
        "PhaseCare",
        {"NsaidLine": "none", "NsaidContraindicated": True},
    ),
    Case(
        "B7 allergy refuted",
        [
            pattern(),
            xray(),
            allergy(
                RXNORM,
                "7258",
                verificationStatus=concept(
                    "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "refuted"
                ),
            ),
        ],
        {R7},
        "PhaseCare",
        {"NsaidLine": "oral"},
    ),
    Case(
        "B7 allergy as text only",
        [
            pattern(),
            xray(),
            {
                "resourceType": "AllergyIntolerance",
                "id": "text",
                "code": {"text": "some pill"},
                "patient": {"reference": "Patient/p1"},
            },
        ],
        {R7},
        "PhaseCare",
        {"NsaidLine": "none", "NsaidInputsMissing": True},
    ),
    Case(
        "B7 ulcer long ago",
        [pattern(), xray(), condition(ICD, "K25.4", encounter=False, clinical="resolved")],
        {R7},
        "PhaseCare",
        {"NsaidLine": "topical"},
    ),
    Case(
        "B7 heart failure",
        [pattern(), xray(), condition(SCT, "84114007", encounter=False)],
        {R7},
        "PhaseCare",
        {"NsaidLine": "topical"},
    ),
    Case(
        "B7 heart failure refuted",
        [pattern(), xray(), condition(SCT, "84114007", encounter=False, verification="refuted")],
        {R7},
        "PhaseCare",
        {"NsaidLine": "oral"},
    ),
    Case(
        "B7 heart attack 365 days ago",
        [pattern(), xray(), condition(SCT, "22298006", encounter=False, ago=365)],
        {R7},
        "PhaseCare",
        {"NsaidLine": "topical"},
    ),
    Case(
        "B7 heart attack 366 days ago",
        [pattern(), xray(), condition(SCT, "22298006", encounter=False, ago=366)],
        {R7},
        "PhaseCare",
        {"NsaidLine": "oral"},
    ),
    Case(
        "B7 bypass 30 days ago",
        [pattern(), xray(), procedure(SCT, "232717009", day(30), side=None)],
        {R7},
        "PhaseCare",
        {"NsaidLine": "none"},
    ),
    Case(
        "B7 bypass 31 days ago",
        [pattern(), xray(), procedure(SCT, "232717009", day(31), side=None)],
        {R7},
        "PhaseCare",
        {"NsaidLine": "oral"},
    ),
    Case(
        "B7 bypass without a day",
        [pattern(), xray(), procedure(SCT, "232717009", None, side=None)],
        {R7},
        "PhaseCare",
        {"NsaidLine": "oral"},
    ),
    Case(
        "B7 bypass planned",
        [pattern(), xray(), order(SCT, "232717009", side=None, occurrenceDateTime=day(-30))],
        {R7},
        "PhaseCare",
        {"NsaidLine": "none"},
    ),
    Case(
        "B7 bypass planned later",
        [pattern(), xray(), order(SCT, "232717009", side=None, occurrenceDateTime=day(-31))],
        {R7},
        "PhaseCare",
        {"NsaidLine": "oral"},
    ),
    Case(
        "B7 kidney disease, no eGFR",
        [pattern(), xray(), condition(SCT, "709044004", encounter=False)],
        {R7},
        "PhaseCare",
        {"NsaidLine": "none"},
    ),
    Case(
        "B7 eGFR other unit",
        [pattern(), xray(), egfr(80, unit="mL/min")],
        {R7},
        "PhaseCare",
        {"NsaidLine": "none", "EgfrState": "unknown"},
    ),
    Case("B7 eGFR <60", [pattern(), xray(), egfr(60, comparator="<")], {R7}, "PhaseCare", {"EgfrState": "unknown"}),
    Case("B7 eGFR <30", [pattern(), xray(), egfr(30, comparator="<")], {R7}, "PhaseCare", {"EgfrState": "stop"}),
    Case("B7 eGFR >60", [pattern(), xray(), egfr(60, comparator=">")], {R7}, "PhaseCare", {"EgfrState": "ok"}),
    Case(
        "B7 eGFR 366 days ago", [pattern(), xray(), egfr(20, ago=366)], {R7}, "PhaseCare", {"EgfrState": "none-found"}
    ),
    Case(
        "B7 third trimester",
        [pattern(), xray(), condition(SCT, "41587001", encounter=False, ago=10)],
        {R7},
        "PhaseCare",
        {"PregnancyState": "stop"},
    ),
    Case("B7 pregnant week 29", [pattern(), xray(), pregnant(29)], {R7}, "PhaseCare", {"PregnancyState": "caution"}),
    Case("B7 pregnant week 30", [pattern(), xray(), pregnant(30)], {R7}, "PhaseCare", {"PregnancyState": "stop"}),
    Case(
        "B7 pregnant week 19",
        [pattern(), xray(), pregnant(19)],
        {R7},
        "PhaseCare",
        {"PregnancyState": "lt-caution", "NsaidLine": "none"},
    ),
    Case(
        "B7 pregnant, week unknown",
        [pattern(), xray(), pregnant(None)],
        {R7},
        "PhaseCare",
        {"PregnancyState": "week-unknown", "NsaidLine": "none"},
    ),
    Case(
        "B7 not pregnant",
        [pattern(), xray(), item("82810-3", system=LOINC, side=None, valueCodeableConcept=concept(ANSWER, "no"))],
        {R7},
        "PhaseCare",
        {"PregnancyState": "no", "NsaidLine": "oral"},
    ),
    Case(
        "B7 plan proposed only",
        [
            pattern(),
            xray(),
            {
                "resourceType": "CarePlan",
                "id": "cp",
                "status": "active",
                "intent": "proposal",
                "subject": {"reference": "Patient/p1"},
                "instantiatesCanonical": ["https://w3id.org/ankle-cds/PlanDefinition/PaiConservativeCareOrderSet"],
            },
        ],
        {R7},
        "PhaseCare",
        {"PlanOnRecord": False},
    ),
    Case(
        "B7 plan active",
        [
            pattern(),
            xray(),
            {
                "resourceType": "CarePlan",
                "id": "cp",
                "status": "active",
                "intent": "plan",
                "subject": {"reference": "Patient/p1"},
                "period": {"start": day(20)},
                "instantiatesCanonical": [
                    "https://w3id.org/ankle-cds/PlanDefinition/PaiConservativeCareOrderSet|0.1.0"
                ],
            },
        ],
        set(),
        "PhaseEarlyCare",
        {"PlanOnRecord": True, "WeeksOnPlan": 2},
    ),
    Case(
        "M6 non-prescriber",
        [pattern()],
        {R4, R7},
        "PhaseRadiograph",
        {
            "UserCanOrder": False,
            "OfferRadiograph": False,
            "OfferIceAfterActivity": False,
            "OfferWorkingDiagnosis": True,
        },
        parameters={"UserRoleCodes": ["scribe"], "NonPrescriberRoleCodes": ["scribe"]},
    ),
    Case(
        "reason of another visit's problem linked by reference",
        [
            encounter(reasonReference=[{"reference": "Condition/linked"}]),
            {**condition(FINDINGS, "posterior-ankle-pain", encounter=False), "id": "linked"},
        ],
        {R3},
        "PhaseAssessment",
        reasons=[],
    ),
    Case(
        "reason as diagnosis of the encounter",
        [
            encounter(diagnosis=[{"condition": {"reference": "https://ehr.example/fhir/Condition/linked"}}]),
            {**condition(FINDINGS, "os-trigonum-syndrome", encounter=False), "id": "linked"},
        ],
        {R3, R7},
        "PhaseAssessment",
        reasons=[],
    ),
    Case(
        "reason refuted",
        [],
        set(),
        "PhaseAssessment",
        reasons=[condition(FINDINGS, "posterior-ankle-pain", verification="refuted")],
    ),
    Case(
        "reason resolved",
        [],
        set(),
        "PhaseAssessment",
        reasons=[condition(FINDINGS, "posterior-ankle-pain", clinical="resolved")],
    ),
    Case(
        "contradiction on one day: any yes is yes",
        [item("suspected-dvt", "no"), item("suspected-dvt", "yes")],
        {R1},
        "PhaseRedFlag",
    ),
    Case(
        "a later unknown does not clear an earlier yes",
        [item("suspected-dvt", "yes", ago=4), item("suspected-dvt", "unknown", ago=1)],
        {R1},
        "PhaseRedFlag",
    ),
    Case(
        "codes without a system are no answer",
        [item("suspected-dvt", valueCodeableConcept={"coding": [{"code": "yes"}]})],
        {R3},
        "PhaseAssessment",
    ),
    Case("text is no answer", [item("suspected-dvt", valueCodeableConcept={"text": "yes"})], {R3}, "PhaseAssessment"),
    Case("a Boolean is an answer", [item("suspected-dvt", valueBoolean=True)], {R1}, "PhaseRedFlag"),
]


ALL_CASES = [
    *CASES,
    *RECORD_CASES,
    *REVIEW_CASES,
    *MUTANT_CASES,
    *DRAFT_CASES,
    *MEDICINE_CASES,
    *OUTCOME_CASES,
    *SAFETY_CASES,
    *READING_CASES,
    *LATER_CASES,
    *UNREAD_CASES,
    *LAST_CASES,
]


@pytest.mark.parametrize("case", ALL_CASES, ids=[case.id for case in ALL_CASES])
def test_case(package: artifacts.Package, case: Case) -> None:
    """The recommendations that apply, the one phase, and the features named are exactly those of the specification."""
    evaluation = evaluate(package, case.facts, reasons=case.reasons, **case.parameters)
    known = recommendations(package)
    applies = {name for name in known if evaluation[f"{name}Applies"]}
    assert applies == case.applies & set(known)
    assert [phase for phase in PHASES if evaluation[phase]] == [case.phase]
    assert {name: evaluation[name] for name in case.also} == case.also


def worded(package: artifacts.Package) -> list[tuple[str, str, str]]:
    """For every card: the definitions that say whether it applies, its title and its detail."""
    found = []
    for one in package.of_type("PlanDefinition"):
        for top in one["action"] if one["id"] in recommendations(package) else ():
            named = {value["path"]: value["expression"]["expression"] for value in top["dynamicValue"]}
            found.append((top["condition"][0]["expression"]["expression"], named["title"], named["description"]))
    return found


@pytest.mark.parametrize("case", ALL_CASES, ids=[case.id for case in ALL_CASES])
def test_words(package: artifacts.Package, case: Case) -> None:
    """Every card that applies has a summary and a detail within the limits, and never a forbidden word."""
    evaluation = evaluate(package, case.facts, reasons=case.reasons, **case.parameters)
    for applies, title_of, detail_of in worded(package):
        title, detail = evaluation[title_of], evaluation[detail_of]
        assert len(title) <= 139
        if not evaluation[applies]:
            continue
        assert len(detail) <= 2000, len(detail)
        assert "**About this advice**" in detail
        for word in ("excluded", "ruled out", "no red flags", "diagnosed with", "not allergic", "safe "):
            assert word not in detail.lower()
        assert "<" not in detail


def test_closed_definitions_are_never_null(package: artifacts.Package) -> None:
    """Applies, Phase, Gate and Offer answer true or false on an empty chart and on one where nothing is available."""
    names = [
        name
        for name in package.program.definitions
        if name.endswith("Applies") or name.startswith(("Phase", "Gate", "Offer"))
    ]
    everything = [i.key for i in package.inputs]
    for resources, parameters in (
        ([], {}),
        ([patient()], {"UnavailableInputs": everything}),
        ([], {"EncounterId": "x"}),
    ):
        evaluation = package.program.evaluate(resources or [patient(age=None)], now=NOW, parameters=parameters)
        assert {name: evaluation[name] for name in names if not isinstance(evaluation[name], bool)} == {}


def test_encounter_constant() -> None:
    """The fixtures link problems to the encounter the hook opens."""
    assert ENCOUNTER == "Encounter/e1"
