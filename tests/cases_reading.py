"""How one record is read: its day, side, status and answer, and which of several records wins."""

from __future__ import annotations

from ankle_cds.elm import Code, Date
from cases_drafts import two
from cases_mutants import asked, local, problem, treated, unmatched, without
from charts import (
    ANSWER,
    FINDINGS,
    LOINC,
    R1,
    R3,
    R4,
    R7,
    RXNORM,
    TEST_RESULT,
    Case,
    Resource,
    allergy,
    concept,
    day,
    encounter,
    item,
    mri,
    pattern,
    reason,
)

_ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-"
IBUPROFEN = "5640"


def examined(id_: str, facts: list[Resource]) -> Case:
    """The examination counts as it was recorded: R4 and R7."""
    return Case(f"reading: {id_}", facts, {R4, R7}, "PhaseRadiograph")


def redated(resource: Resource, **when: str) -> Resource:
    return {**without(resource, "effectiveDateTime"), **when}


DAYS = [
    examined(
        "an examination at an instant", [redated(one, effectiveInstant=f"{day(5)}T08:00:00-07:00") for one in pattern()]
    ),
    examined(
        "the day of the examination counts, not that of its issue",
        [{**one, "issued": f"{day(60)}T08:00:00-07:00"} for one in pattern()],
    ),
    Case(
        "reading: a test not performed later leaves the painful one",
        [*pattern(), item("forced-plantarflexion-test", "not-performed", ago=1)],
        {R4, R7},
        "PhaseRadiograph",
        {"ForcedPlantarflexionTest": True},
    ),
    asked(
        "reading: a later onset without a date leaves the known one",
        [item("symptom-onset-date", valueDateTime="2026-02-01"), item("symptom-onset-date", ago=1)],
        SymptomOnsetDate=Date(2026, 2, 1),
    ),
    asked(
        "reading: a date said to be absent is none",
        [item("symptom-onset-date", valueDateTime="2026-02-01", dataAbsentReason={"text": "not asked"})],
        SymptomOnsetDate=None,
    ),
]


def onset(value: str, at: str) -> Resource:
    return item("symptom-onset-date", at=at, valueDateTime=value)


def level(value: str, at: str) -> Resource:
    return item("sport-level", value, side=None, at=at)


EARLY, LATE, SAME_DAY = "2026-03-10T08:00:00-07:00", "2026-03-10T09:00:00-07:00", "2026-03-10"
CONTRADICTIONS = [
    *[
        asked(f"reading: two onsets of one day, {name}", facts, SymptomOnsetDate=expected)
        for name, facts, expected in (
            ("the later time decides", [onset("2026-02-01", EARLY), onset("2026-02-20", LATE)], Date(2026, 2, 20)),
            (
                "the later time decides, written first",
                [onset("2026-02-20", LATE), onset("2026-02-01", EARLY)],
                Date(2026, 2, 20),
            ),
            ("at the same time", [onset("2026-02-01", LATE), onset("2026-02-20", LATE)], None),
            ("without a time", [onset("2026-02-01", SAME_DAY), onset("2026-02-20", SAME_DAY)], None),
            ("one without a time", [onset("2026-02-01", LATE), onset("2026-02-20", SAME_DAY)], None),
            ("one without a time, written first", [onset("2026-02-20", SAME_DAY), onset("2026-02-01", LATE)], None),
            ("that agree", [onset("2026-02-01", SAME_DAY), onset("2026-02-01", SAME_DAY)], Date(2026, 2, 1)),
        )
    ],
    asked(
        "reading: two dates of an injury, one recorded nobody knows when",
        [
            without(item("injury-date", valueDateTime="2026-02-20"), "effectiveDateTime"),
            item("injury-date", at=LATE, valueDateTime="2026-03-01"),
        ],
        InjuryDate=None,
    ),
    *[
        asked(f"reading: two levels of sport of one day, {name}", facts, SportLevel=expected)
        for name, facts, expected in (
            ("one without a time", [level("elite", LATE), level("competitive", SAME_DAY)], None),
            ("one without a time, written first", [level("competitive", SAME_DAY), level("elite", LATE)], None),
            ("the later time decides", [level("elite", LATE), level("competitive", EARLY)], Code("elite", FINDINGS)),
        )
    ],
    *[
        asked(
            f"reading: {name}",
            [item("posterior-tenderness-site", one) for one in sites],
            PosteriorTendernessSite=local(*expected),
        )
        for name, sites, expected in (
            ("none of these beside a site", ("none-of-these", "posterior-midline"), ("posterior-midline",)),
            ("a site beside none of these", ("posterior-midline", "none-of-these"), ("posterior-midline",)),
            ("none of these alone", ("none-of-these",), ("none-of-these",)),
            ("two sites", ("posteromedial", "posterior-midline"), ("posteromedial", "posterior-midline")),
        )
    ],
    asked(
        "reading: yes and no in one answer",
        [item("suspected-dvt", valueCodeableConcept=two((ANSWER, "yes"), (ANSWER, "no")))],
        SuspectedDvt=None,
    ),
    asked(
        "reading: positive and negative in one result",
        [item("calf-squeeze-test", valueCodeableConcept=two((TEST_RESULT, "positive"), (TEST_RESULT, "negative")))],
        CalfSqueezeTest=None,
    ),
    asked(
        "reading: a yes said to be absent",
        [item("suspected-dvt", "yes", dataAbsentReason={"text": "not asked"})],
        SuspectedDvt=None,
    ),
    asked(
        "reading: a result said to be absent",
        [item("calf-squeeze-test", "positive", dataAbsentReason={"text": "not done"})],
        CalfSqueezeTest=None,
    ),
    *[
        Case(f"reading: {name}", facts, applies, phase, reasons=[reason(None)])
        for name, facts, applies, phase in (
            (
                "without a side the later squeeze counts",
                [
                    item("calf-squeeze-test", "positive", side=None),
                    item("calf-squeeze-test", "negative", side=None, ago=3),
                ],
                {R3},
                "PhaseAssessment",
            ),
            (
                "without a side and a day the squeeze counts beside a later one",
                [
                    item("calf-squeeze-test", "positive", side=None, at="2026"),
                    item("calf-squeeze-test", "negative", side=None, ago=3),
                ],
                {R1},
                "PhaseRedFlag",
            ),
        )
    ],
]

STATUSES = [
    *[
        Case(f"reading: a flag that is {status}", [item("suspected-dvt", "yes", status=status)], {R1}, "PhaseRedFlag")
        for status in ("preliminary", "final", "amended", "corrected")
    ],
    *[
        asked(f"reading: a flag that is {status}", [item("suspected-dvt", "yes", status=status)], SuspectedDvt=None)
        for status in ("registered", "cancelled", "entered-in-error", "unknown")
    ],
    *[
        treated(f"reading: an allergy that is {name}", [allergy(RXNORM, IBUPROFEN, **status)], NsaidLine=line)
        for name, status, line in (
            ("active", {"clinicalStatus": concept(_ALLERGY + "clinical", "active")}, "none"),
            ("inactive", {"clinicalStatus": concept(_ALLERGY + "clinical", "inactive")}, "oral"),
            ("resolved", {"clinicalStatus": concept(_ALLERGY + "clinical", "resolved")}, "oral"),
            ("unconfirmed", {"verificationStatus": concept(_ALLERGY + "verification", "unconfirmed")}, "none"),
            (
                "entered in error",
                {"verificationStatus": concept(_ALLERGY + "verification", "entered-in-error")},
                "oral",
            ),
        )
    ],
    Case(
        "reading: a reason that is referred to in one version",
        [
            encounter(reasonReference=[{"reference": "Condition/linked/_history/2"}]),
            {**problem(FINDINGS, "posterior-ankle-pain"), "id": "linked"},
        ],
        {R3},
        "PhaseAssessment",
        {"GateView": True},
        reasons=[],
    ),
    Case(
        "reading: an exam that cannot be referred to is not listed as evidence",
        [
            item("forced-plantarflexion-test", "negative", id="test"),
            without(item("forced-plantarflexion-test", "negative"), "id"),
        ],
        {R3},
        "PhaseAssessment",
        {"WorkingDiagnosisEvidence": ["Observation/test"]},
    ),
    unmatched(
        "reading: an MRI of both ankles is told of both",
        [{**mri(ago=30), "code": concept(LOINC, "69164-2")}],
        VariantFacts=[f"- Finding on MRI: os trigonum (both sides, {day(30)})"],
    ),
]

_FOREIGN = (
    ("posterior-tenderness-site", "plantar-heel", "PosteriorTendernessSite"),
    ("pain-location", "running", "PainLocation"),
    ("pain-provoking-activity", "elite", "PainProvokingActivity"),
    ("pain-provoking-activity", "soccer-kicking", "PainProvokingActivity"),
    ("posterior-swelling", "elite", "PosteriorSwelling"),
    ("bony-tenderness-site", "posterior-midline", "BonyTendernessSite"),
    ("activity-exposure", "elite", "ActivityExposure"),
    ("activity-exposure", "heel-lift", "ActivityExposure"),
    ("sport-level", "running", "SportLevel"),
    ("sport-level", "posterior-midline", "SportLevel"),
    ("sport-level", "mild", "SportLevel"),
    ("diagnostic-injection-response", "improved", "DiagnosticInjectionResponse"),
    ("steroid-injection-response", "improved", "SteroidInjectionResponse"),
    ("conservative-care-component", "elite", "ConservativeCareComponent"),
    ("return-to-activity-stage", "improved", "ReturnToActivityStage"),
)
ANSWERS = [
    asked(f"reading: '{answer}' is no answer to {code}", [item(code, answer)], **{feature: None})
    for code, answer, feature in _FOREIGN
]

READING_CASES = [*DAYS, *CONTRADICTIONS, *STATUSES, *ANSWERS]
