"""Small charts in the words of the clinical specification: BASE, PATTERN, XR, PLAN n, NI, MRI and single facts.

Every fact is a FHIR R4 resource dated relative to TODAY, so that a boundary reads as a number of days.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from itertools import count
from typing import Any

Resource = dict[str, Any]

# The recommendations of the clinical specification, part E. A case names all that fire, those of a later release too.
R1 = "PaiRedFlagEmergency"
R2 = "PaiUrgentWorkup"
R3 = "PaiRecordAssessment"
R4 = "PaiOrderLateralRadiograph"
R5 = "PaiOrderAdvancedImaging"
R6 = "PaiMatchImagingToExam"
R7 = "PaiStartConservativeCare"
R8 = "PaiConsiderInjection"
R9 = "PaiReferForSurgery"
R10 = "PaiReassessOutcome"
R11 = "PaiPostoperativeRecovery"

NOW = datetime(2026, 3, 12, 9, 30, tzinfo=timezone(timedelta(hours=-7)))
TODAY = NOW.date()

BASE = "https://w3id.org/ankle-cds/CodeSystem/"
FINDINGS = BASE + "pai-findings"
ANSWER = BASE + "pai-answer"
TEST_RESULT = BASE + "pai-test-result"
SCT = "http://snomed.info/sct"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"

ENCOUNTER = "Encounter/e1"
PATIENT = {"reference": "Patient/p1"}
SIDES = {"left": "7771000", "right": "24028007", "both": "51440002"}
_ids = count(1)


def day(ago: int) -> str:
    """The calendar day `ago` days before TODAY (negative: after)."""
    return (TODAY - timedelta(days=ago)).isoformat()


def months_before(value: date, months: int) -> date:
    """The same day of an earlier month; TODAY's day exists in every month."""
    index = value.year * 12 + value.month - 1 - months
    return value.replace(year=index // 12, month=index % 12 + 1)


def months_ago(months: int, extra_days: int = 0) -> str:
    """The same calendar day `months` months before TODAY, `extra_days` later."""
    return (months_before(TODAY, months) + timedelta(days=extra_days)).isoformat()


def concept(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def body_site(side: str | None) -> Resource:
    coding = [{"system": SCT, "code": "344001"}]
    if side:
        coding.append({"system": SCT, "code": SIDES[side]})
    return {"coding": coding}


def _id() -> str:
    return f"r{next(_ids)}"


def answer(value: str) -> Resource:
    """The value of an item: a test result, yes/no/unknown, or one of our answer codes."""
    if value in {"positive", "negative", "indeterminate", "not-performed"}:
        return concept(TEST_RESULT, value)
    if value in {"yes", "no", "unknown"}:
        return concept(ANSWER, value)
    return concept(FINDINGS, value)


def item(
    code: str,
    value: str | None = None,
    *,
    ago: int = 5,
    side: str | None = "right",
    system: str = FINDINGS,
    status: str = "final",
    at: str | None = None,
    **other: Any,
) -> Resource:
    """An Observation of one item; `other` are further elements (valueDateTime, valueQuantity, component ...)."""
    resource: Resource = {
        "resourceType": "Observation",
        "id": _id(),
        "status": status,
        "code": concept(system, code),
        "subject": PATIENT,
        "effectiveDateTime": at or day(ago),
        **other,
    }
    if value is not None:
        resource["valueCodeableConcept"] = answer(value)
    if side:
        resource["bodySite"] = body_site(side)
    return resource


def quantity(code: str, value: float, *, unit: str = "{score}", system: str = FINDINGS, **other: Any) -> Resource:
    return item(
        code,
        system=system,
        valueQuantity={"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
        **other,
    )


def condition(
    system: str,
    code: str,
    *,
    side: str | None = None,
    encounter: bool = True,
    ago: int | None = None,
    clinical: str = "active",
    verification: str = "confirmed",
) -> Resource:
    base = "http://terminology.hl7.org/CodeSystem/"
    resource: Resource = {
        "resourceType": "Condition",
        "id": _id(),
        "clinicalStatus": concept(base + "condition-clinical", clinical),
        "verificationStatus": concept(base + "condition-ver-status", verification),
        "code": concept(system, code),
        "subject": PATIENT,
    }
    if side:
        resource["bodySite"] = [body_site(side)]
    if encounter:
        resource["encounter"] = {"reference": ENCOUNTER}
    if ago is not None:
        resource["recordedDate"] = day(ago)
    return resource


def patient(*, age: int | None = 30, gender: str = "female", **other: Any) -> Resource:
    resource: Resource = {"resourceType": "Patient", "id": "p1", "gender": gender, **other}
    if age is not None:
        resource["birthDate"] = date(TODAY.year - age, 1, 15).isoformat()
    return resource


def encounter(*, status: str = "in-progress", cls: str = "AMB", **other: Any) -> Resource:
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": cls},
        "subject": PATIENT,
        **other,
    }


def reason(side: str | None = "right") -> Resource:
    return condition(FINDINGS, "posterior-ankle-pain", side=side)


def pattern(*, side: str = "right", ago: int = 5) -> list[Resource]:
    return [
        item("pain-location", "behind-lateral-malleolus", side=side, ago=ago),
        item("pain-worse-plantarflexion", "yes", side=side, ago=ago),
        item("forced-plantarflexion-test", "positive", side=side, ago=ago),
        item("posterior-tenderness-site", "behind-lateral-malleolus", side=side, ago=ago),
    ]


def report(code: str, *, ago: int = 10, conclusion: str | None = None, status: str = "final") -> Resource:
    resource: Resource = {
        "resourceType": "DiagnosticReport",
        "id": _id(),
        "status": status,
        "code": concept(LOINC, code),
        "subject": PATIENT,
        "effectiveDateTime": day(ago),
    }
    if conclusion:
        resource["conclusionCode"] = [concept(FINDINGS, conclusion)]
    return resource


XRAY = {"right": "26099-2", "left": "26098-4", "both": "26097-6"}
MRI = {"right": "36429-9", "left": "36427-3"}
CT = {"right": "36428-1", "left": "36426-5"}


def xray(*, side: str = "right", ago: int = 10, **other: Any) -> Resource:
    return report(XRAY[side], ago=ago, **other)


def mri(*, side: str = "right", ago: int = 30, conclusion: str | None = "os-trigonum", **other: Any) -> Resource:
    return report(MRI[side], ago=ago, conclusion=conclusion, **other)


def order(
    system: str,
    code: str,
    *,
    ago: int | None = 10,
    side: str | None = "right",
    status: str = "active",
    reason_code: Resource | None = None,
    **other: Any,
) -> Resource:
    resource: Resource = {
        "resourceType": "ServiceRequest",
        "id": _id(),
        "status": status,
        "intent": "order",
        "code": concept(system, code),
        "subject": PATIENT,
        **other,
    }
    if ago is not None:
        resource["authoredOn"] = day(ago)
    if side:
        resource["bodySite"] = [body_site(side)]
    if reason_code:
        resource["reasonCode"] = [reason_code]
    return resource


def procedure(
    system: str, code: str, performed: str | None, *, side: str | None = "right", status: str = "completed"
) -> Resource:
    resource: Resource = {
        "resourceType": "Procedure",
        "id": _id(),
        "status": status,
        "code": concept(system, code),
        "subject": PATIENT,
    }
    if performed:
        resource["performedDateTime"] = performed
    if side:
        resource["bodySite"] = [body_site(side)]
    return resource


def plan(days: int) -> Resource:
    """The stated start of conservative care, recorded on the day it began."""
    return item("conservative-care-start-date", ago=days, valueDateTime=day(days))


def plan_since(start: str) -> Resource:
    return item("conservative-care-start-date", at=start, valueDateTime=start)


def not_improved() -> Resource:
    return item("response-to-care", "not-improved", ago=2)


def medication(code: str, *, system: str = RXNORM, status: str = "active", **other: Any) -> Resource:
    return {
        "resourceType": "MedicationRequest",
        "id": _id(),
        "status": status,
        "intent": "order",
        "medicationCodeableConcept": concept(system, code),
        "subject": PATIENT,
        **other,
    }


def allergy(system: str, code: str, **other: Any) -> Resource:
    return {
        "resourceType": "AllergyIntolerance",
        "id": _id(),
        "code": concept(system, code),
        "patient": PATIENT,
        **other,
    }


def egfr(value: float, *, ago: int = 20, comparator: str | None = None, unit: str = "mL/min/{1.73_m2}") -> Resource:
    resource = quantity("98979-8", value, unit=unit, system=LOINC, ago=ago, side=None)
    if comparator:
        resource["valueQuantity"]["comparator"] = comparator
    return resource


def pregnant(weeks: int | None) -> list[Resource]:
    status = item("82810-3", system=LOINC, side=None, valueCodeableConcept=concept(SCT, "77386006"))
    if weeks is None:
        return [status]
    return [status, quantity("gestational-age-weeks", weeks, unit="wk", side=None, ago=0)]


@dataclass
class Case:
    """One fixture: the facts on top of BASE, and what the logic must say."""

    id: str
    facts: list[Any]
    applies: set[str]
    phase: str
    also: dict[str, Any] = field(default_factory=dict)
    reasons: list[Resource] | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
