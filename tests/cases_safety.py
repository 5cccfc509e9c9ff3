"""Safety first: each red-flag question alone, which phase wins, what a closed or limited gate lets through."""

from __future__ import annotations

from typing import Any

from ankle_cds.elm import Date
from cases_drafts import IMPINGEMENT, two
from cases_mutants import FULL, SURGERY, asked, finding, imaged, local, problem, recorded, unmatched, without
from cases_records import booked, care, care_plan
from charts import (
    CT,
    FINDINGS,
    ICD,
    LOINC,
    R1,
    R2,
    R3,
    R4,
    R6,
    R7,
    SCT,
    TODAY,
    XRAY,
    Case,
    Resource,
    condition,
    day,
    encounter,
    item,
    months_ago,
    mri,
    order,
    patient,
    pattern,
    plan,
    procedure,
    reason,
    report,
    xray,
)

_ALWAYS = {
    "acute-injury": "no",
    "hot-swollen-joint": "no",
    "fever-or-systemic-illness": "no",
    "suspected-dvt": "no",
    "calf-squeeze-test": "negative",
    "night-or-rest-pain": "no",
    "mass-or-growing-swelling": "no",
    "unexplained-weight-loss": "no",
    "cancer-history": "no",
    "other-joint-synovitis": "no",
    "progressive-neurological-signs": "no",
}
_AFTER_INJURY = {
    "acute-injury": "yes",
    "cannot-bear-weight": "no",
    "bony-tenderness-site": "none-of-these",
    "open-injury": "no",
    "deformity": "no",
    "neurovascular-compromise": "no",
}


def answered(answers: dict[str, str], *, but: str = "") -> list[Resource]:
    """All these questions answered, but for one."""
    return [item(code, value) for code, value in answers.items() if code != but]


QUESTIONS = [
    asked("red flags: all asked, none present", answered(_ALWAYS), RedFlagsFullyRecorded=True),
    *[
        asked(f"red flags: {code} not asked", answered(_ALWAYS, but=code), RedFlagsFullyRecorded=False)
        for code in _ALWAYS
    ],
    asked("red flags: after an injury, all asked", answered({**_ALWAYS, **_AFTER_INJURY}), RedFlagsFullyRecorded=True),
    *[
        asked(
            f"red flags: after an injury {code} not asked",
            answered({**_ALWAYS, **_AFTER_INJURY}, but=code),
            RedFlagsFullyRecorded=False,
        )
        for code in _AFTER_INJURY
    ],
    asked("red flags: nothing asked", [], RedFlagsFullyRecorded=False, FlagAchillesRupture=False, AchillesSignCount=0),
]


def injured(id_: str, facts: list[Any], *, urgent: bool, **also: Any) -> Case:
    """A tender talus, and what is recorded of the injury: acute gives R2, else the assessment goes on."""
    return Case(
        f"injury: {id_}",
        [item("bony-tenderness-site", "talus"), *facts],
        {R2} if urgent else {R3},
        "PhaseUrgent" if urgent else "PhaseAssessment",
        also,
    )


ONSET_TODAY = {**reason("right"), "onsetDateTime": day(0)}
INJURIES = [
    injured(
        "of today",
        [item("acute-injury", "yes"), item("injury-date", valueDateTime=day(0), ago=0)],
        urgent=True,
        InjuryDate=Date(TODAY.year, TODAY.month, TODAY.day),
    ),
    injured(
        "denied, with a date",
        [item("acute-injury", "no"), item("injury-date", valueDateTime=day(3))],
        urgent=False,
        AcuteInjury=False,
    ),
    injured("without a day", [item("acute-injury", "yes", at="2026")], urgent=True, AcuteInjury=True),
    injured(
        "without a day, its date long ago",
        [item("acute-injury", "yes", at="2026"), item("injury-date", valueDateTime=day(20))],
        urgent=False,
        AcuteInjury=False,
    ),
    *[
        Case(
            f"injury: tender {site}",
            [item("acute-injury", "yes"), item("bony-tenderness-site", site)],
            {R2} if urgent else {R3},
            "PhaseUrgent" if urgent else "PhaseAssessment",
            {"BonyTenderness": urgent},
        )
        for site, urgent in (
            ("lateral-malleolus", True),
            ("medial-malleolus", True),
            ("talus", True),
            ("calcaneus", True),
            ("none-of-these", False),
        )
    ],
    injured(
        "a later question without an answer clears no tender bone",
        [item("acute-injury", "yes"), item("bony-tenderness-site", "unknown", ago=1)],
        urgent=True,
    ),
    Case(
        "injury: long ago without a side, denied later for one ankle",
        [
            item("acute-injury", "yes", side=None, ago=20),
            item("acute-injury", "no", side="left", ago=3),
            item("bony-tenderness-site", "talus", side=None),
        ],
        {R3},
        "PhaseAssessment",
        {"IndexSide": None, "AcuteInjury": False},
        reasons=[reason(None)],
    ),
    *[
        asked(f"four steps: {name}", [item("acute-injury", "yes"), fact], CannotBearWeight=None)
        for name, fact in (
            ("a problem of the other ankle", condition(SCT, "285674009", side="left")),
            ("a resolved problem", condition(SCT, "285674009", clinical="resolved")),
        )
    ],
    asked(
        "rupture: two signs asked and absent",
        [item("weak-plantarflexion", "no"), item("achilles-gap", "no")],
        AchillesSignCount=0,
        FlagAchillesRupture=False,
    ),
    Case(
        "rupture: the squeeze and a gap are two signs",
        [item("calf-squeeze-test", "positive"), item("achilles-gap", "yes")],
        {R1},
        "PhaseRedFlag",
        {"AchillesSignCount": 2},
    ),
    asked(
        "rupture: of one known ankle the later squeeze counts, also against one without a side",
        [item("calf-squeeze-test", "positive", side=None, ago=5), item("calf-squeeze-test", "negative", ago=3)],
        CalfSqueezeTest=False,
    ),
    Case(
        "rupture: of an unknown ankle a later negative of one clears nothing",
        [
            item("calf-squeeze-test", "positive", side=None, ago=5),
            item("calf-squeeze-test", "negative", side="left", ago=3),
        ],
        {R1},
        "PhaseRedFlag",
        {"IndexSide": None},
        reasons=[reason(None)],
    ),
    Case(
        "hot joint: the problem began today",
        [item("hot-swollen-joint", "yes")],
        {R1},
        "PhaseRedFlag",
        reasons=[ONSET_TODAY],
    ),
    Case(
        "hot joint: of two reasons the one that began last is the short history",
        [item("hot-swollen-joint", "yes")],
        {R1},
        "PhaseRedFlag",
        reasons=[{**reason("right"), "onsetDateTime": day(3)}, {**reason("right"), "onsetDateTime": day(300)}],
    ),
    asked(
        "onset: asked 365 days ago",
        [item("symptom-onset-date", ago=365, valueDateTime="2025-01-05")],
        SymptomOnsetDate=Date(2025, 1, 5),
    ),
    asked(
        "onset: asked 366 days ago",
        [item("symptom-onset-date", ago=366, valueDateTime="2025-01-05")],
        SymptomOnsetDate=None,
    ),
]

RUPTURE = item("calf-squeeze-test", "positive")
SYNOVITIS = item("other-joint-synovitis", "yes", side=None)
BOTH = [reason("right"), reason("left")]
UNSPECIFIC = {"reasons": [condition(ICD, "M25.571")], "parameters": {"NonSpecificReasonEnabled": True}}
OPERATED = procedure(FINDINGS, SURGERY, months_ago(2), side=None)
NO_PAIN_THERE = [
    item("pain-location", "anterior-ankle"),
    item("pain-worse-plantarflexion", "no"),
    item("forced-plantarflexion-test", "negative"),
    item("posterior-tenderness-site", "none-of-these"),
]
FINISHED = encounter(status="finished")


def flagged(id_: str, facts: list[Any]) -> Case:
    """A red flag wins over whatever else is true."""
    return Case(f"first the red flag: {id_}", [RUPTURE, *facts], {R1}, "PhaseRedFlag")


PHASES = [
    flagged("then the urgent finding", [item("night-or-rest-pain", "yes")]),
    flagged("then the time after surgery", [OPERATED]),
    flagged("then an unmatched finding", [mri()]),
    flagged("then early care", [plan(20)]),
    flagged("then the working diagnosis", [IMPINGEMENT]),
    flagged("then surgery", [FULL]),
    Case("after surgery: below eight", [patient(age=7), OPERATED], set(), "PhaseNone"),
    Case("after surgery: which ankle", [OPERATED], {R3}, "PhaseAssessment", {"Restricted": True}, reasons=BOTH),
    Case("after surgery: question only", [OPERATED], {R3}, "PhaseAssessment", {"Restricted": True}, **UNSPECIFIC),
    Case("unmatched: which ankle", [finding("os-trigonum", side=None)], {R3}, "PhaseAssessment", reasons=BOTH),
    Case("unmatched: below eight", [patient(age=7), mri()], set(), "PhaseNone"),
    Case(
        "unmatched: an operation comes first",
        [procedure(FINDINGS, SURGERY, day(20)), mri(ago=10)],
        {"PaiPostoperativeRecovery"},
        "PhasePostoperative",
        {"BonyVariant": True},
    ),
    Case("unmatched: urgent first", [SYNOVITIS, mri()], {R2}, "PhaseUrgent"),
    Case(
        "unmatched: care plans cannot be looked up",
        [mri()],
        {R6},
        "PhaseImagingUnmatched",
        {"PlanOnRecord": None},
        parameters={"UnavailableInputs": ["carePlans"]},
    ),
    Case(
        "unmatched: a working diagnosis starts no care against the exam",
        [
            mri(),
            IMPINGEMENT,
            item("forced-plantarflexion-test", "negative"),
            item("posterior-tenderness-site", "none-of-these"),
        ],
        {R6},
        "PhaseImagingUnmatched",
        {"R7Conditions": True},
    ),
    Case(
        "question only: earlier findings cannot be looked up",
        [],
        {R3},
        "PhaseAssessment",
        {"AssessmentComplete": None},
        reasons=UNSPECIFIC["reasons"],
        parameters={"NonSpecificReasonEnabled": True, "UnavailableInputs": ["findings"]},
    ),
    Case(
        "question only: a working diagnosis starts no care",
        [*NO_PAIN_THERE, IMPINGEMENT],
        set(),
        "PhaseNone",
        {"R7Conditions": True, "GateQuestionOnly": True},
        **UNSPECIFIC,
    ),
    Case(
        "which ankle: asked before care is started for a working diagnosis",
        [without(IMPINGEMENT, "bodySite")],
        {R3},
        "PhaseAssessment",
        {"WorkingDiagnosis": True, "SideConflict": True},
        reasons=BOTH,
    ),
    Case(
        "which ankle: the urgent finding alone, no X-ray beside it",
        [pattern(side="both"), SYNOVITIS],
        {R2},
        "PhaseUrgent",
        {"SideConflict": True, "R4Conditions": True},
        reasons=BOTH,
    ),
    Case("closed gate: red flag", [FINISHED, RUPTURE], set(), "PhaseRedFlag"),
    Case("closed gate: urgent finding", [FINISHED, pattern(), SYNOVITIS], set(), "PhaseUrgent"),
    Case("closed gate: pattern", [FINISHED, pattern()], set(), "PhaseRadiograph"),
    Case("closed gate: unmatched finding", [FINISHED, mri()], set(), "PhaseImagingUnmatched"),
    Case("closed gate: care", [FINISHED, pattern(), xray()], set(), "PhaseCare"),
]

GATE = [
    Case(
        "gate: whether the patient has died is not said",
        [
            {
                **patient(),
                "_deceasedBoolean": {
                    "extension": [
                        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
                    ]
                },
            }
        ],
        {R3},
        "PhaseAssessment",
        {"Deceased": False},
    ),
    Case(
        "gate: a site that leaves the switch of the unspecific codes empty",
        [],
        set(),
        "PhaseAssessment",
        {"GateView": False},
        reasons=UNSPECIFIC["reasons"],
        parameters={"NonSpecificReasonEnabled": None},
    ),
    Case(
        "gate: a site that leaves the switch of the residual codes empty",
        [],
        set(),
        "PhaseAssessment",
        {"GateFull": False},
        reasons=[condition(ICD, "M25.871")],
        parameters={"ResidualIcdOpensGate": None},
    ),
    Case(
        "gate: a phrase is as good as a specific code",
        [booked("posterior ankle pain")],
        {R3},
        "PhaseAssessment",
        {"GateFull": True, "PosteriorPain": True},
        reasons=[],
        parameters={"ResidualIcdOpensGate": False},
    ),
    Case(
        "gate: a residual code says nothing of the place of the pain",
        [],
        {R3},
        "PhaseAssessment",
        {"PosteriorPain": None},
        reasons=[condition(ICD, "M25.871")],
    ),
    asked("gate: a specific reason says where the pain is", [], PosteriorPain=True, CareCandidate=False),
    *[
        Case(
            f"gate: an unlinked problem beside another {name}",
            [
                encounter(**link),
                {**problem(ICD, "E11.9"), "id": "other"},
                problem(FINDINGS, "posterior-ankle-pain"),
            ],
            set(),
            "PhaseAssessment",
            {"GateView": False},
            reasons=[],
        )
        for name, link in (
            ("reason", {"reasonReference": [{"reference": "Condition/other"}]}),
            ("diagnosis", {"diagnosis": [{"condition": {"reference": "Condition/other"}}]}),
        )
    ],
    Case(
        "gate: problems cannot be looked up, the exam does not fit",
        NO_PAIN_THERE,
        set(),
        "PhaseNone",
        {"CareCandidate": False, "WorkingDiagnosis": None},
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    Case(
        "exam: all of today",
        pattern(ago=0),
        {R4, R7},
        "PhaseRadiograph",
    ),
    Case(
        "exam: a painful test stands in for the question about pointing the foot",
        [one for one in pattern() if one["code"]["coding"][0]["code"] != "pain-worse-plantarflexion"],
        {R4, R7},
        "PhaseRadiograph",
        {"PlantarflexionProvokesPain": True},
    ),
    Case(
        "exam: tenderness alone is an exam",
        [item("posterior-tenderness-site", "posterior-midline"), item("pain-worse-plantarflexion", "yes")],
        {R4, R7},
        "PhaseRadiograph",
        {"ExamRecorded": True, "ExamSupports": True},
    ),
    *[
        asked(f"working diagnosis: {name}", [fact], WorkingDiagnosis=False)
        for name, fact in (
            ("of the other ankle", problem(FINDINGS, "posterior-ankle-impingement", side="left")),
            ("resolved", problem(FINDINGS, "posterior-ankle-impingement", clinical="resolved")),
        )
    ],
    Case(
        "UK codes: another procedure at the ankle is no operation",
        [procedure(SCT, "231274008", months_ago(2))],
        {R3},
        "PhaseAssessment",
        {"SurgeryDone": False},
        parameters={"UseUkExtensionCodes": True},
    ),
    care(
        "an undated plan, and an operation on record",
        [care_plan(start=None), procedure(FINDINGS, SURGERY, day(250))],
        True,
    ),
]

IMAGES = [
    imaged("images: an X-ray is no advanced image", [order(LOINC, XRAY["right"])], AdvancedImagingOnRecord=False),
    asked(
        "images: the report of an injection is no image",
        [{**mri(), "code": {"coding": [{"system": FINDINGS, "code": "diagnostic-anaesthetic-injection"}]}}],
        ImagingFinding=[],
    ),
    unmatched(
        "images: a later X-ray that nobody coded leaves the coded one",
        [xray(ago=40, conclusion="os-trigonum"), xray()],
        ImagingFinding=local("os-trigonum"),
    ),
    unmatched(
        "images: another problem on the list hides no finding",
        [finding("os-trigonum", ago=40), problem(ICD, "E11.9", ago=10)],
        ImagingFinding=local("os-trigonum"),
    ),
    unmatched(
        "images: of a problem only the finding is read",
        [{**recorded("os-trigonum"), "code": two((ICD, "Q68.8"), (FINDINGS, "os-trigonum"))}],
        ImagingFinding=local("os-trigonum"),
    ),
    unmatched(
        "images: the modality is the code that is one",
        [
            item(
                "imaging-finding",
                "os-trigonum",
                ago=40,
                component=[
                    {
                        "code": two((FINDINGS, "imaging-modality")),
                        "valueCodeableConcept": two(("https://ehr.example/codes", "MR"), (FINDINGS, "mri")),
                    }
                ],
            ),
            report(CT["right"], conclusion="no-posterior-abnormality"),
        ],
        ImagingFinding=local("os-trigonum", "no-posterior-abnormality"),
    ),
    unmatched(
        "images: a modality in two codings is one study",
        [
            item(
                "imaging-finding",
                "os-trigonum",
                ago=5,
                component=[
                    {
                        "code": two((FINDINGS, "imaging-modality")),
                        "valueCodeableConcept": two(("https://ehr.example/codes", "MR"), (FINDINGS, "mri")),
                    }
                ],
            ),
            mri(conclusion="no-posterior-abnormality"),
        ],
        ImagingFinding=local("os-trigonum"),
    ),
    unmatched(
        "images: each finding is referred to",
        [
            finding("os-trigonum", "ct", id="o"),
            {**mri(), "id": "r"},
            {**recorded("os-trigonum"), "id": "c"},
        ],
        PaiMatchImagingToExamFacts=["Observation/o", "DiagnosticReport/r", "Condition/c"],
    ),
]

SAFETY_CASES = [*QUESTIONS, *INJURIES, *PHASES, *GATE, *IMAGES]
