"""The R4 elements a draft can be given, as data: the one table that says what type a computed value must become.

A type ending in `*` repeats. A type that is itself a key of `TYPES` is entered with a longer path
(`activity.detail.code`). An element that is not in the table cannot be computed; the content check refuses it.

https://hl7.org/fhir/R4/resourcelist.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Rows stand in the order in which the elements are written in a draft.
TYPES: Final[dict[str, dict[str, str]]] = {
    "ServiceRequest": {
        "instantiatesCanonical": "canonical*",
        "status": "code",
        "intent": "code",
        "category": "CodeableConcept*",
        "priority": "code",
        "doNotPerform": "boolean",
        "code": "CodeableConcept",
        "orderDetail": "CodeableConcept*",
        "subject": "Reference",
        "encounter": "Reference",
        "occurrenceDateTime": "dateTime",
        "occurrencePeriod": "Period",
        "occurrenceTiming": "Timing",
        "authoredOn": "dateTime",
        "performerType": "CodeableConcept",
        "reasonCode": "CodeableConcept*",
        "reasonReference": "Reference*",
        "supportingInfo": "Reference*",
        "bodySite": "CodeableConcept*",
        "patientInstruction": "string",
    },
    "MedicationRequest": {
        "status": "code",
        "intent": "code",
        "category": "CodeableConcept*",
        "priority": "code",
        "doNotPerform": "boolean",
        "medicationCodeableConcept": "CodeableConcept",
        "subject": "Reference",
        "encounter": "Reference",
        "supportingInformation": "Reference*",
        "authoredOn": "dateTime",
        "reasonCode": "CodeableConcept*",
        "reasonReference": "Reference*",
        "instantiatesCanonical": "canonical*",
    },
    "Task": {
        "instantiatesCanonical": "canonical",
        "status": "code",
        "intent": "code",
        "priority": "code",
        "code": "CodeableConcept",
        "description": "string",
        "focus": "Reference",
        "for": "Reference",
        "encounter": "Reference",
        "authoredOn": "dateTime",
        "reasonCode": "CodeableConcept",
        "reasonReference": "Reference",
        "input": "Task.input*",
    },
    "Task.input": {
        "type": "CodeableConcept",
        "valueCanonical": "canonical",
        "valueReference": "Reference",
        "valueString": "string",
    },
    "CarePlan": {
        "instantiatesCanonical": "canonical*",
        "status": "code",
        "intent": "code",
        "category": "CodeableConcept*",
        "title": "string",
        "description": "string",
        "subject": "Reference",
        "encounter": "Reference",
        "period": "Period",
        "created": "dateTime",
        "addresses": "Reference*",
        "supportingInfo": "Reference*",
        "activity": "CarePlan.activity*",
    },
    "CarePlan.activity": {"detail": "CarePlan.activity.detail"},
    "CarePlan.activity.detail": {
        "kind": "code",
        "instantiatesCanonical": "canonical*",
        "code": "CodeableConcept",
        "reasonCode": "CodeableConcept*",
        "reasonReference": "Reference*",
        "status": "code",
        "description": "string",
    },
    "Condition": {
        "clinicalStatus": "CodeableConcept",
        "verificationStatus": "CodeableConcept",
        "category": "CodeableConcept*",
        "severity": "CodeableConcept",
        "code": "CodeableConcept",
        "bodySite": "CodeableConcept*",
        "subject": "Reference",
        "encounter": "Reference",
        "onsetDateTime": "dateTime",
        "recordedDate": "dateTime",
        "evidence": "Condition.evidence*",
    },
    "Condition.evidence": {"code": "CodeableConcept*", "detail": "Reference*"},
    "RequestGroup.action": {
        "prefix": "string",
        "title": "string",
        "description": "string",
        "textEquivalent": "string",
        "priority": "code",
        "timingDateTime": "dateTime",
        "selectionBehavior": "code",
        "requiredBehavior": "code",
        "precheckBehavior": "code",
        "cardinalityBehavior": "code",
        "resource": "Reference",
    },
    "CodeableConcept": {"coding": "Coding*", "text": "string"},
    "Coding": {"system": "uri", "version": "string", "code": "code", "display": "string"},
    "Reference": {"reference": "string", "type": "uri", "display": "string"},
    "Period": {"start": "dateTime", "end": "dateTime"},
}

# Elements R4 requires inside a repeating part that the content reaches only through one of its members.
REQUIRED_WITHIN: Final[dict[str, dict[str, str]]] = {"CarePlan.activity.detail": {"status": "not-started"}}


@dataclass(frozen=True, slots=True)
class Draft:
    """Which elements of one resource type $apply itself fills, and which of the activity it carries over.

    `copied` maps an ActivityDefinition element to the draft's element; `request` tells that the type has an intent.
    """

    subject: str
    written: str
    instantiates: str | None
    request: bool
    copied: dict[str, str]


DRAFTS: Final[dict[str, Draft]] = {
    "ServiceRequest": Draft(
        subject="subject",
        written="authoredOn",
        instantiates="instantiatesCanonical",
        request=True,
        copied={
            "priority": "priority",
            "bodySite": "bodySite",
            "timingDateTime": "occurrenceDateTime",
            "timingPeriod": "occurrencePeriod",
            "timingTiming": "occurrenceTiming",
        },
    ),
    "MedicationRequest": Draft(
        subject="subject",
        written="authoredOn",
        instantiates="instantiatesCanonical",
        request=True,
        copied={"priority": "priority", "productCodeableConcept": "medicationCodeableConcept"},
    ),
    "Task": Draft(
        subject="for",
        written="authoredOn",
        instantiates="instantiatesCanonical",
        request=True,
        copied={"priority": "priority", "description": "description"},
    ),
    "CarePlan": Draft(
        subject="subject",
        written="created",
        instantiates="instantiatesCanonical",
        request=True,
        copied={"title": "title", "description": "description"},
    ),
    # A statement, not a request: it has no intent and instantiates nothing in R4.
    "Condition": Draft(subject="subject", written="recordedDate", instantiates=None, request=False, copied={}),
}
