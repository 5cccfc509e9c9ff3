"""Which anti-inflammatory is offered: kidney, pregnancy, current medicines, allergies, history; each fact alone."""

from __future__ import annotations

from typing import Any

from cases_mutants import fits, problem, statement, treated, without
from charts import (
    ANSWER,
    ICD,
    LOINC,
    RXNORM,
    SCT,
    Case,
    Resource,
    allergy,
    concept,
    day,
    egfr,
    item,
    medication,
    order,
    patient,
    pattern,
    pregnant,
    procedure,
    quantity,
    xray,
)

APIXABAN = "1364430"
IBUPROFEN = "5640"
# Codes that a site supplies for groups of which the package has no verified code.
SITE_DRUG, OTHER_SITE_DRUG = "900001", "900002"
DECLARED = {"DrugValueSetsExpanded": True}


def timed(resource: Resource, hour: str) -> Resource:
    return {**resource, "effectiveDateTime": f"2026-03-01T{hour}:00:00-07:00"}


def measured(value: Any, **quantity_: Any) -> Resource:
    """An eGFR whose quantity is written in another way."""
    return {**egfr(90), "valueQuantity": {"value": value, **quantity_}}


UNIT = "mL/min/{1.73_m2}"
KIDNEY = [
    *[
        treated(f"kidney: {name}", [fact], Egfr=[state], EgfrState=state, NsaidLine=line)
        for name, fact, state, line in (
            ("29.95", egfr(29.95), "stop", "none"),
            ("59.95", egfr(59.95), "caution", "topical"),
            ("60", egfr(60), "ok", "oral"),
            ("at most 30", egfr(30, comparator="<="), "stop", "none"),
            ("below 31", egfr(31, comparator="<"), "unknown", "none"),
            ("at least 60", egfr(60, comparator=">="), "ok", "oral"),
            ("above 90", egfr(90, comparator=">"), "ok", "oral"),
            ("above 59", egfr(59, comparator=">"), "unknown", "none"),
            ("a comparator that is not understood", egfr(90, comparator="ad"), "unknown", "none"),
            ("no unit", measured(90), "ok", "oral"),
            ("no unit, low", measured(28), "stop", "none"),
            ("another unit in words alone", measured(90, unit="mL/min"), "unknown", "none"),
            ("the code of the unit counts, not its words", measured(90, code="mL/min", unit=UNIT), "unknown", "none"),
            ("the unit in other words", measured(90, code=UNIT, unit="ml/min/1.73 sqm"), "ok", "oral"),
            ("no value", {**egfr(90), "valueQuantity": {"unit": UNIT}}, "unknown", "none"),
            ("words", {**without(egfr(90), "valueQuantity"), "valueString": "normal"}, "unknown", "none"),
            ("without a day", without(egfr(90), "effectiveDateTime"), "unknown", "none"),
            ("365 days ago", egfr(28, ago=365), "stop", "none"),
        )
    ],
    treated(
        "kidney: of one day the lowest, when not all have a time",
        [timed(egfr(90), "10"), {**egfr(28), "effectiveDateTime": "2026-03-01"}],
        EgfrState="stop",
    ),
    *[
        treated(
            f"kidney: laboratory unavailable, {name}",
            facts,
            given={"UnavailableInputs": ["safetyLabs"]},
            EgfrState="unknown",
            NsaidLine="none",
        )
        for name, facts in (("nothing found", []), ("one normal value found", [egfr(90)]))
    ],
    treated(
        "kidney: disease with a recent normal value",
        [egfr(90), problem(SCT, "709044004")],
        KidneyRiskWithoutEgfr=False,
        NsaidLine="oral",
    ),
]


def status(answer: Resource | None = None, **other: Any) -> Resource:
    """The pregnancy status; without an answer what `other` says."""
    if answer:
        other["valueCodeableConcept"] = answer
    return item("82810-3", system=LOINC, side=None, **other)


def weeks(value: float, **other: Any) -> Resource:
    return quantity("gestational-age-weeks", value, unit="wk", side=None, **other)


YES, NO, PREGNANT = concept(ANSWER, "yes"), concept(ANSWER, "no"), concept(SCT, "77386006")
ABSENT = {"dataAbsentReason": {"text": "not asked"}}
PREGNANCY = [
    treated(f"pregnancy: {name}", facts, PregnancyState=state, **also)
    for name, facts, state, also in (
        ("280 days ago", [status(PREGNANT, ago=280)], "week-unknown", {"PregnancyStatus": True, "IsPregnant": True}),
        ("answered yes", [status(YES)], "week-unknown", {"PregnancyStatus": True}),
        (
            "answered unknown",
            [status(concept(ANSWER, "unknown"))],
            "unknown",
            {"PregnancyStatus": None, "IsPregnant": False},
        ),
        ("the answer is said to be absent", [status(YES, **ABSENT)], "unknown", {"PregnancyStatus": None}),
        ("age 55", [patient(age=55)], "unknown", {"CouldBePregnant": True}),
        ("as a problem 280 days ago", [problem(ICD, "Z33.1", ago=280)], "week-unknown", {"ThirdTrimester": False}),
        ("as a problem 281 days ago", [problem(ICD, "Z33.1", ago=281)], "unknown", {"ThirdTrimester": False}),
        ("as a problem without a day", [problem(ICD, "Z33.1")], "week-unknown", {"ThirdTrimester": False}),
        ("as a resolved problem", [problem(ICD, "Z33.1", ago=10, clinical="resolved")], "unknown", {}),
        ("another problem", [problem(ICD, "E11.9", ago=10)], "unknown", {}),
        ("third trimester as a problem", [problem(SCT, "41587001", ago=10)], "stop", {"ThirdTrimester": True}),
        ("third trimester, and a week", [problem(SCT, "41587001", ago=10), weeks(25)], "caution", {}),
        ("43 weeks today", [weeks(43, ago=0)], "stop", {"IsPregnant": True}),
        (
            "the weeks are said to be absent",
            [without(weeks(0), "valueQuantity") | ABSENT],
            "unknown",
            {"IsPregnant": False},
        ),
        ("weeks beside a reason why they are absent", [weeks(12) | ABSENT], "unknown", {"IsPregnant": False}),
        ("weeks in words", [without(weeks(0), "valueQuantity") | {"valueString": "12"}], "unknown", {}),
        ("of one day the higher week", [weeks(19, ago=0), weeks(21, ago=0)], "caution", {}),
        ("a no before the weeks", [status(NO, ago=10), weeks(12, ago=5)], "lt-caution", {"IsPregnant": True}),
        ("a no of the day of the weeks", [status(NO, ago=5), weeks(12, ago=5)], "lt-caution", {"IsPregnant": True}),
        ("a no after 32 weeks", [weeks(32, ago=5), status(NO, ago=1)], "no", {"IsPregnant": False}),
        ("a no after 25 weeks", [weeks(25, ago=5), status(NO, ago=1)], "no", {"IsPregnant": False}),
        ("nothing recorded", [], "unknown", {"IsPregnant": False, "CouldBePregnant": True}),
        ("30 weeks are a reason against", [pregnant(30)], "stop", {"NsaidContraindicated": True, "NsaidLine": "none"}),
        (
            "20 weeks are a reason against",
            [pregnant(20)],
            "caution",
            {"NsaidContraindicated": True, "NsaidLine": "none"},
        ),
    )
] + [
    fits("pregnancy: of a man no question", [patient(gender="male")], CouldBePregnant=False),
    Case(
        "pregnancy: age not known",
        [patient(age=None), item("pain-location", "posterior-midline")],
        {"PaiRecordAssessment"},
        "PhaseAssessment",
        {"CouldBePregnant": True},
    ),
]


def contained(code: str, *others: Resource) -> Resource:
    """A request that refers to the first of the resources it holds."""
    drug = {"resourceType": "Medication", "id": "drug", "code": concept(RXNORM, code)}
    request = without(medication(code), "medicationCodeableConcept")
    return {**request, "contained": [*others, drug], "medicationReference": {"reference": "#drug"}}


MEDICINES = [
    *[
        treated(f"medicine: {name}", [fact], OnAnticoagulant=taken, NsaidLine="topical" if taken else "oral")
        for name, fact, taken in (
            ("prescribed", medication(APIXABAN), True),
            ("prescribed, on hold", medication(APIXABAN, status="on-hold"), True),
            ("prescribed, stopped", medication(APIXABAN, status="stopped"), False),
            ("prescribed, completed", medication(APIXABAN, status="completed"), False),
            ("not to be taken", medication(APIXABAN, doNotPerform=True), False),
            ("stopped, not to be taken", medication(APIXABAN, status="stopped", doNotPerform=True), False),
            ("listed", statement(APIXABAN), True),
            ("listed as intended", statement(APIXABAN, "intended"), True),
            ("listed as on hold", statement(APIXABAN, "on-hold"), True),
            ("listed as completed", statement(APIXABAN, "completed"), False),
            ("listed as not taken", statement(APIXABAN, "not-taken"), False),
            ("held inside the request", contained(APIXABAN), True),
            (
                "held inside the request of another",
                contained(IBUPROFEN, {"resourceType": "Medication", "id": "x", "code": concept(RXNORM, APIXABAN)}),
                False,
            ),
        )
    ],
    *[
        treated(
            f"medicine: {name}",
            [{**medication(APIXABAN), "id": "now"}],
            given={"DraftOrderIds": ids},
            OnAnticoagulant=taken,
        )
        for name, ids, taken in (
            ("being written now is not taken yet", ["MedicationRequest/now"], False),
            ("another draft of the same number", ["ServiceRequest/now"], True),
        )
    ],
    *[
        treated(f"medicine: {name} is a known drug", [fact], UnclassifiedMedication=False, NsaidLine=line)
        for name, fact, line in (
            ("ibuprofen", medication(IBUPROFEN), "oral"),
            ("a topical anti-inflammatory", medication("855633"), "oral"),
            ("methylprednisolone", medication("6902"), "oral"),
            ("lidocaine", medication("6387"), "oral"),
            ("clopidogrel", medication("32968"), "topical"),
            ("prednisone", medication("8640"), "topical"),
        )
    ],
    *[
        treated(
            f"medicine: {name}",
            [medication(SITE_DRUG)],
            given={key: [SITE_DRUG]},
            UnclassifiedMedication=False,
            NsaidLine=line,
        )
        for name, key, line in (
            ("an SSRI the site names", "SsriSnriRxNormCodes", "topical"),
            ("an ACE inhibitor alone, no kidney value", "RaasAgentRxNormCodes", "none"),
            ("a diuretic alone, no kidney value", "DiureticRxNormCodes", "none"),
        )
    ],
    *[
        treated(
            f"medicine: {name} with a kidney value",
            [medication(SITE_DRUG), egfr(90)],
            given={key: [SITE_DRUG]},
            NsaidCaution=False,
            NsaidLine="oral",
        )
        for name, key in (("an ACE inhibitor", "RaasAgentRxNormCodes"), ("a diuretic", "DiureticRxNormCodes"))
    ],
    treated(
        "medicine: an ACE inhibitor with a diuretic",
        [medication(SITE_DRUG), medication(OTHER_SITE_DRUG), egfr(90)],
        given={"RaasAgentRxNormCodes": [SITE_DRUG], "DiureticRxNormCodes": [OTHER_SITE_DRUG]},
        NsaidCaution=True,
        NsaidLine="topical",
    ),
    *[
        treated(f"medicine: {name}", [fact], given=DECLARED, UnclassifiedMedication=unknown)
        for name, fact, unknown in (
            ("only a SNOMED CT code", medication("372665008", system=SCT), True),
            ("only words", {**medication(IBUPROFEN), "medicationCodeableConcept": {"text": "a pill"}}, True),
            ("another drug, where the sets are complete", medication("198440"), False),
        )
    ],
    *[
        treated(
            f"medicine: {key} unavailable",
            [],
            given={"UnavailableInputs": [key]},
            UnclassifiedMedication=None,
            NsaidInputsMissing=True,
            NsaidLine="none",
        )
        for key in ("medicationRequests", "medicationStatements")
    ],
    *[
        treated(
            f"input missing: {key}",
            [],
            given={"UnavailableInputs": [key]},
            NsaidInputsMissing=missing,
            NsaidLine="none",
        )
        for key, missing in (
            ("findings", True),
            ("safetyLabs", True),
            ("allergies", True),
            ("procedures", False),
            ("serviceRequests", False),
        )
    ],
    Case(
        "input missing: conditions",
        [pattern(), xray()],
        {"PaiStartConservativeCare"},
        "PhaseCare",
        {"NsaidInputsMissing": True, "NsaidLine": "none"},
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    treated("input missing: none", [], NsaidInputsMissing=False, AllergiesUnknown=False, UnclassifiedMedication=False),
]

_CAUTIONS = {
    "heart failure": (problem(SCT, "84114007"), "topical"),
    "heart failure, resolved": (problem(SCT, "84114007", clinical="resolved"), "oral"),
    "long-term anticoagulant": (problem(ICD, "Z79.01"), "topical"),
    "long-term antiplatelet": (problem(ICD, "Z79.02"), "topical"),
    "long-term steroid": (problem(ICD, "Z79.52"), "topical"),
    "an ulcer": (problem(ICD, "K25.4"), "topical"),
    "an ulcer, refuted": (problem(ICD, "K25.4", verification="refuted"), "oral"),
    "a heart attack without a day": (problem(SCT, "22298006"), "topical"),
    "asthma by aspirin": (problem(SCT, "407674008"), "none"),
    "asthma by aspirin, resolved": (problem(SCT, "407674008", clinical="resolved"), "oral"),
    "kidney disease without a value": (problem(SCT, "709044004"), "none"),
    "kidney disease, refuted": (problem(SCT, "709044004", verification="refuted"), "oral"),
}
BYPASS = "232717009"
HISTORY = [
    *[treated(f"history: {name}", [fact], NsaidLine=line) for name, (fact, line) in _CAUTIONS.items()],
    *[
        treated(f"bypass: {name}", [fact], Cabg=counts, NsaidLine="none" if counts else "oral")
        for name, fact, counts in (
            ("done", procedure(SCT, BYPASS, day(5), side=None), True),
            ("not done", procedure(SCT, BYPASS, day(5), side=None, status="not-done"), False),
            ("ordered for today", order(SCT, BYPASS, side=None, occurrenceDateTime=day(0)), True),
            ("ordered for yesterday", order(SCT, BYPASS, side=None, occurrenceDateTime=day(1)), False),
            ("ordered without a day", order(SCT, BYPASS, side=None), False),
            ("order on hold", order(SCT, BYPASS, side=None, status="on-hold", occurrenceDateTime=day(-5)), False),
            ("order completed", order(SCT, BYPASS, side=None, status="completed", occurrenceDateTime=day(-5)), False),
            ("not to be done", order(SCT, BYPASS, side=None, doNotPerform=True, occurrenceDateTime=day(-5)), False),
            (
                "on hold, not to be done",
                order(SCT, BYPASS, side=None, status="on-hold", doNotPerform=True, occurrenceDateTime=day(-5)),
                False,
            ),
        )
    ],
    *[
        treated(
            f"bypass: {name}",
            [order(SCT, BYPASS, side=None, id="now", occurrenceDateTime=day(-5))],
            given={"DraftOrderIds": ids},
            Cabg=counts,
        )
        for name, ids, counts in (
            ("being written now", ["ServiceRequest/now"], False),
            ("another draft of the same number", ["MedicationRequest/now"], True),
        )
    ],
    *[
        treated(f"allergy: {name}", facts, AllergiesUnknown=unknown, NsaidLine="none" if unknown else line)
        for name, facts, unknown, line in (
            ("none recorded", [], False, "oral"),
            ("none known", [allergy(SCT, "409137002")], False, "oral"),
            ("ibuprofen by RxNorm", [allergy(RXNORM, IBUPROFEN)], False, "none"),
            ("methylprednisolone", [allergy(RXNORM, "6902")], False, "oral"),
            ("lidocaine", [allergy(RXNORM, "6387")], False, "oral"),
            ("another drug, no category", [allergy(SCT, "44465007")], True, ""),
            ("another drug", [allergy(SCT, "44465007", category=["medication"])], True, ""),
            ("another drug by RxNorm", [allergy(RXNORM, "198440", category=["food"])], False, "oral"),
            ("a code of the record system", [allergy("https://ehr.example/codes", "A1", category=["food"])], True, ""),
        )
    ],
    *[
        treated(f"allergy: {name}, where the sets are complete", [fact], given=DECLARED, AllergiesUnknown=unknown)
        for name, fact, unknown in (
            ("another drug", allergy(SCT, "44465007", category=["medication"]), False),
            ("a code of the record system", allergy("https://ehr.example/codes", "A1"), True),
        )
    ],
    treated(
        "allergy: unavailable",
        [],
        given={"UnavailableInputs": ["allergies"]},
        AllergiesUnknown=True,
        NsaidLine="none",
    ),
]

MEDICINE_CASES = [*KIDNEY, *PREGNANCY, *MEDICINES, *HISTORY]
