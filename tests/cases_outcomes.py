"""How care has gone: which record is the baseline, the latest score, the response, the outcome, the event."""

from __future__ import annotations

from typing import Any

from ankle_cds.elm import Code
from cases_mutants import SURGERY, asked, local, problem, uncertain, without
from cases_records import care_plan
from charts import (
    FINDINGS,
    ICD,
    LOINC,
    R5,
    R7,
    R8,
    R9,
    R10,
    R11,
    SCT,
    Case,
    Resource,
    concept,
    day,
    item,
    medication,
    months_ago,
    mri,
    not_improved,
    patient,
    pattern,
    plan,
    plan_since,
    procedure,
    quantity,
    xray,
)

INJECTION = "231274008"


def trial(
    id_: str,
    facts: list[Any],
    applies: set[str],
    phase: str,
    *,
    days: int = 100,
    given: dict[str, Any] | None = None,
    **also: Any,
) -> Case:
    """The pattern and an X-ray at the start of a plan of care that many days ago."""
    return Case(
        f"outcome: {id_}",
        [plan(days), pattern(ago=days), xray(ago=days), *facts],
        applies,
        phase,
        also,
        parameters=given or {},
    )


def due(id_: str, facts: list[Any], **also: Any) -> Case:
    """No outcome that counts is on record: R10."""
    return trial(id_, facts, {R10}, "PhaseReassess", R10Due=True, **also)


def known(id_: str, facts: list[Any], **also: Any) -> Case:
    """An outcome that counts is on record, and it does not say that care has failed: nothing to say."""
    return trial(id_, facts, set(), "PhaseNone", R10Due=False, **also)


def score(code: str, value: float, ago: int, **other: Any) -> Resource:
    return quantity(code, value, ago=ago, **other)


def pain(value: float, ago: int, **other: Any) -> Resource:
    return score("72514-3", value, ago, system=LOINC, **other)


def responded(value: str, ago: int, **other: Any) -> Resource:
    return item("response-to-care", value, ago=ago, **other)


def whole(value: int, ago: int) -> Resource:
    return item("72514-3", system=LOINC, ago=ago, valueInteger=value)


IMPROVED = [
    known("pain fell by less than is much better", [pain(6, 100), pain(4.05, 2)], CareResponse=None),
    trial(
        "pain fell by less than the least change",
        [pain(6, 100), pain(5.05, 2)],
        {R5},
        "PhaseNotImproved",
        CareResponse="not-improved",
    ),
    known(
        "FAAM ADL rose by less than the real change",
        [score("faam-adl-score", 60, 100), score("faam-adl-score", 67.95, 2)],
        CareResponse=None,
    ),
    trial(
        "LEFS rose by less than nine",
        [score("lefs-score", 50, 100), score("lefs-score", 58.95, 2)],
        {R5},
        "PhaseNotImproved",
        CareResponse="not-improved",
    ),
    known("pain in whole numbers", [whole(6, 100), whole(3, 2)], CareResponse="improved"),
    *[
        known(f"pain: {name}", facts, CareResponse=expected)
        for name, facts, expected in (
            ("of two scores before the start the nearer counts", [pain(9, 120), pain(6, 110), pain(5, 2)], None),
            ("of two scores after the start the first counts", [pain(9, 98), pain(6, 95), pain(5, 2)], "improved"),
            ("a score eight days after the start is no baseline", [pain(9, 92), pain(5, 2)], None),
            ("the last score counts", [pain(6, 100), pain(6, 30), pain(3, 2)], "improved"),
            ("a score of today counts", [pain(6, 100), pain(6, 30), pain(3, 0)], "improved"),
            ("a score of tomorrow does not", [pain(6, 100), pain(3, 2), pain(6, -1)], "improved"),
            ("two scores of the last day contradict each other", [pain(6, 100), pain(3, 2), pain(6, 2)], None),
            ("the same score twice on the last day", [pain(6, 100), pain(3, 2), pain(3, 2)], "improved"),
            ("of three days only the first and the last", [pain(6, 100), pain(5, 50), pain(3, 2)], "improved"),
            (
                "a score that is at most three is no number",
                [pain(6, 100), pain(3, 2), {**pain(6, 1), "valueQuantity": {"value": 6, "comparator": "<="}}],
                "improved",
            ),
            (
                "a score said to be absent is no number",
                [pain(6, 100), pain(3, 2), pain(6, 1, dataAbsentReason={"text": "refused"})],
                "improved",
            ),
            (
                "a score in words is no number",
                [pain(6, 100), pain(3, 2), without(pain(6, 1), "valueQuantity") | {"valueString": "six"}],
                "improved",
            ),
            ("of the other ankle", [pain(6, 100), pain(3, 2), pain(6, 1, side="left")], "improved"),
            (
                "resolved wins over an older not improved",
                [responded("not-improved", 20), responded("resolved", 2)],
                "improved",
            ),
            ("a response of today counts", [responded("not-improved", 20), responded("improved", 0)], "improved"),
            ("a response of tomorrow does not", [responded("improved", 2), responded("not-improved", -1)], "improved"),
        )
    ],
    due("one score in the first week is no latest score", [pain(6, 100), pain(3, 93)], CareResponse=None),
    due("a response of the day the plan began is none", [responded("not-improved", 100)], CareResponse=None),
    due("a response before the plan is none", [responded("not-improved", 110)], CareResponse=None),
]

RECORDED = [
    known("recorded 42 days ago", [pain(6, 42)], OutcomeRecorded=True),
    due("recorded 43 days ago", [pain(6, 43)], OutcomeRecorded=False),
    due(
        "not improved 50 days ago", [responded("not-improved", 50)], CareResponse="not-improved", OutcomeRecorded=False
    ),
    known("response to the anaesthetic", [item("diagnostic-injection-response", "no-relief", ago=2)]),
    known("response to cortisone", [item("steroid-injection-response", "no-relief", ago=2)]),
    due("pain of the other ankle", [pain(6, 2, side="left")]),
    due("pain entered in error", [pain(6, 2, status="entered-in-error")]),
    due(
        "response to the anaesthetic entered in error",
        [item("diagnostic-injection-response", "no-relief", status="entered-in-error")],
    ),
    due("a response that is not known", [responded("unknown", 2)]),
    known(
        "two responses of one day that contradict each other are recorded all the same",
        [responded("improved", 2), responded("worse", 2)],
        CareResponse=None,
    ),
    due("before the injection", [pain(6, 50), procedure(SCT, INJECTION, day(42))], LastEventWeeks=6),
    trial(
        "on the day of the injection",
        [pain(6, 20), procedure(SCT, INJECTION, day(20))],
        set(),
        "PhaseNone",
        LastEventWeeks=2,
        OutcomeRecorded=False,
        WeeksOnPlan=14,
    ),
    trial(
        "the later of two injections counts",
        [procedure(SCT, INJECTION, day(80)), procedure(SCT, INJECTION, day(20))],
        set(),
        "PhaseNone",
        LastEventWeeks=2,
    ),
    *[
        trial(
            f"{key} unavailable, nothing found",
            [],
            set(),
            "PhaseNone",
            given={"UnavailableInputs": [key]},
            OutcomeRecorded=None,
            R10Due=False,
        )
        for key in ("findings", "scores")
    ],
    Case(
        "outcome: the later of two operations counts",
        [procedure(FINDINGS, SURGERY, day(80)), procedure(FINDINGS, "fhl-release", day(20))],
        {R11},
        "PhasePostoperative",
        {"LastEventWeeks": 2, "R10Due": False},
    ),
    Case(
        "outcome: an operation on the day of its outcome leaves the outcome open",
        [procedure(FINDINGS, SURGERY, day(42)), pain(3, 42)],
        {R10, R11},
        "PhasePostoperative",
        {"LastEventWeeks": 6, "OutcomeRecorded": False},
    ),
    Case(
        "outcome: an operation, and the outcome of the day after",
        [procedure(FINDINGS, SURGERY, day(43)), pain(3, 42)],
        {R11},
        "PhasePostoperative",
        {"LastEventWeeks": 6, "OutcomeRecorded": True},
    ),
    Case(
        "outcome: nobody's event is none",
        [],
        {"PaiRecordAssessment"},
        "PhaseAssessment",
        {"LastEventWeeks": None, "R10Due": False},
    ),
]

SHOWN = [
    asked(
        f"shown: recorded {ago} days ago",
        [
            item("diagnostic-injection-response", "partial-relief", ago=ago),
            item("steroid-injection-response", "no-relief", ago=ago),
            item("return-to-activity-stage", "in-boot", ago=ago),
            item("recurrence-after-treatment", "yes", ago=ago),
            item("mri-contraindicated", "yes", ago=ago, side=None),
            item("conservative-care-component", "heel-lift", ago=ago),
        ],
        DiagnosticInjectionResponse=Code("partial-relief", FINDINGS) if counts else None,
        SteroidInjectionResponse=Code("no-relief", FINDINGS) if counts else None,
        ReturnToActivityStage=Code("in-boot", FINDINGS) if counts else None,
        RecurrenceAfterTreatment=counts,
        MriContraindicated=counts,
        ConservativeCareComponent=local("heel-lift") if counts else None,
    )
    for ago, counts in ((365, True), (366, None))
]

SIX_WEEKS = [plan(42), pattern(ago=42), xray(ago=42)]
ELITE = [item("sport-level", "elite", side=None), item("can-reduce-activity", "no", side=None)]
NORMAL = xray(conclusion="no-posterior-abnormality")
FOR_THIS = {"authoredOn": day(20), "reasonCode": [concept(ICD, "M25.871")]}
CONDITIONS = [
    trial("six weeks without a response are no failure", [], {R10}, "PhaseReassess", days=42, R5Conditions=False),
    trial("six weeks and not improved", [not_improved()], {R5}, "PhaseNotImproved", days=42, R5Conditions=True),
    trial(
        "six weeks, not improved, an MRI",
        [not_improved(), mri(conclusion=None)],
        {R8},
        "PhaseNotImproved",
        days=42,
        R8Conditions=True,
    ),
    Case(
        "outcome: T14, an X-ray known only from a reading while images cannot be looked up",
        [
            pattern(ago=60),
            plan(56),
            not_improved(),
            item(
                "imaging-finding",
                "no-posterior-abnormality",
                ago=10,
                component=[
                    {
                        "code": concept(FINDINGS, "imaging-modality"),
                        "valueCodeableConcept": concept(FINDINGS, "radiograph"),
                    }
                ],
            ),
        ],
        {R5},
        "PhaseNotImproved",
        {"R5Conditions": True, "AdvancedImagingOnRecord": None},
        parameters={"UnavailableInputs": ["serviceRequests", "reports", "imagingStudies"]},
    ),
    Case(
        "outcome: no X-ray can be looked up",
        [pattern(), item("diagnosis-uncertain", "yes")],
        {"PaiOrderLateralRadiograph", R7},
        "PhaseRadiograph",
        {"R5Conditions": False, "RadiographResult": None},
        parameters={"UnavailableInputs": ["reports"]},
    ),
    Case(
        "outcome: a plan without a date has no weeks",
        [pattern(), NORMAL, care_plan(start=None)],
        {R5},
        "PhaseCare",
        {"R8Conditions": False, "WeeksOnPlan": None, "PlanOnRecord": True},
    ),
    uncertain("no response yet", [item("diagnosis-uncertain", "yes")], R8Conditions=False),
    Case(
        "outcome: failed care and an MRI, but no exam that could match",
        [
            problem(FINDINGS, "posterior-ankle-impingement", side="right"),
            mri(),
            not_improved(),
            plan_since(months_ago(6)),
        ],
        {R8},
        "PhaseNotImproved",
        {"SurgeryConditions": False, "ImagingMatchesExam": None, "FailedCare": True, "R8Conditions": True},
    ),
    Case(
        "outcome: failed care while referrals cannot be looked up",
        [pattern(ago=60), xray(), plan(56), not_improved(), mri()],
        {R8},
        "PhaseNotImproved",
        {"SurgicalReferral": None},
        parameters={"UnavailableInputs": ["serviceRequests"]},
    ),
    Case(
        "outcome: surgery is discussed before a first X-ray",
        [pattern(), mri(ago=100), *ELITE],
        {R7, R9},
        "PhaseSurgery",
        {"R4Conditions": True, "SurgeryConditions": True},
    ),
    Case(
        "outcome: age unknown, the normal X-ray asks for the next image also on a plan",
        [patient(age=None), pattern(), NORMAL, plan(20)],
        {R5},
        "PhaseCare",
        {"R5Conditions": True, "R7Conditions": False},
    ),
    Case(
        "outcome: a reassessment after an injection comes before the next image",
        [pattern(), NORMAL, medication("5640", **FOR_THIS), procedure(SCT, INJECTION, day(60))],
        {R10},
        "PhaseReassess",
        {"R5Conditions": True, "R10Due": True},
    ),
    Case(
        "outcome: age unknown, nothing is reassessed",
        [patient(age=None), *SIX_WEEKS],
        set(),
        "PhaseNone",
        {"R10Due": True, "NsaidInputsMissing": True},
    ),
]

OUTCOME_CASES = [*IMPROVED, *RECORDED, *SHOWN, *CONDITIONS]
