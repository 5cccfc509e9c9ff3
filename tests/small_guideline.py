"""A guideline small enough to read whole: two recommendations, an order set, some activities, logic with set values.

It stands in for the built package and the engine at their seam, so that a test can say what the logic answers.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

BASE = "https://example.org/guide"
LOGIC = f"{BASE}/Library/Logic"
VERSION = "1.2.3"
LOINC = "http://loinc.org"
ACTIVITY_TYPE = "http://hl7.org/fhir/uv/cpg/CodeSystem/cpg-activity-type-cs"


@dataclass(frozen=True)
class FakeTrace:
    name: str
    value: Any
    uses: tuple[FakeTrace, ...] = ()
    resources: tuple[str, ...] = ()


@dataclass(frozen=True)
class FakeDefinition:
    name: str
    library: str = "Logic"
    access: str = "Public"
    result_type: str = ""


class FakeEvaluation:
    """Answers with set values, or with what a function makes of record and parameters; remembers what was asked."""

    def __init__(
        self, values: dict[str, Any], traces: dict[str, FakeTrace], resources: Any, parameters: dict[str, Any]
    ) -> None:
        self.values = values
        self.traces = traces
        self.resources = resources
        self.parameters = parameters
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> Any:
        self.asked.append(name)
        value = self.values[name]
        return value(self.resources, self.parameters) if callable(value) else value

    def trace(self, name: str) -> FakeTrace:
        return self.traces.get(name) or FakeTrace(name, self[name])


@dataclass
class FakeProgram:
    """`values` for every evaluation; `by_side` overrides them by the parameter EvaluationSide."""

    values: dict[str, Any]
    by_side: dict[str | None, dict[str, Any]] = field(default_factory=dict)
    traces: dict[str, FakeTrace] = field(default_factory=dict)
    given: list[dict[str, Any]] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def definitions(self) -> dict[str, FakeDefinition]:
        return {
            name: FakeDefinition(name, result_type="String" if name.endswith("Title") else "Boolean")
            for name in self.values
        }

    def evaluate(self, resources: Any, *, now: Any, parameters: dict[str, Any]) -> FakeEvaluation:  # noqa: ARG002
        self.given.append(parameters)
        values = self.values | self.by_side.get(parameters.get("EvaluationSide"), {})
        return FakeEvaluation(values, self.traces, resources, parameters)


@dataclass
class FakePackage:
    resources: dict[str, dict[str, Any]]
    program: FakeProgram
    version: str = VERSION
    service_id: str = "small"
    pathway: str = f"{BASE}/PlanDefinition/Pathway"

    def get(self, canonical: str) -> dict[str, Any]:
        return self.resources[canonical.partition("|")[0]]

    def of_type(self, resource_type: str) -> list[dict[str, Any]]:
        return [one for one in self.resources.values() if one["resourceType"] == resource_type]

    def locate(self, path: str) -> str:
        return f"file.yaml:{path}"

    def plan(self, name: str) -> dict[str, Any]:
        return self.resources[f"{BASE}/PlanDefinition/{name}"]

    def activity(self, name: str) -> dict[str, Any]:
        return self.resources[f"{BASE}/ActivityDefinition/{name}"]


def expression(name: str) -> dict[str, Any]:
    return {"language": "text/cql-identifier", "expression": name, "reference": LOGIC}


def condition(name: str, words: str = "The rule in words.") -> list[dict[str, Any]]:
    return [{"kind": "applicability", "expression": expression(name) | {"description": words}}]


def dynamic(path: str, name: str) -> dict[str, Any]:
    return {"path": path, "expression": expression(name)}


def artifact(resource_type: str, name: str, **elements: Any) -> dict[str, Any]:
    url = f"{BASE}/{resource_type}/{name}"
    return {"resourceType": resource_type, "id": name, "url": url, "version": VERSION, "name": name, **elements}


def plan(name: str, kind: str, *actions: dict[str, Any], **elements: Any) -> dict[str, Any]:
    return artifact(
        "PlanDefinition",
        name,
        title=f"The {name}",
        type={"coding": [{"code": kind}]},
        library=[LOGIC],
        action=list(actions),
        **elements,
    )


def leads_to(name: str, resource_type: str = "PlanDefinition", **elements: Any) -> dict[str, Any]:
    return {"definitionCanonical": f"{BASE}/{resource_type}/{name}", **elements}


def button(identity: str, activity: str, *values: dict[str, Any], **elements: Any) -> dict[str, Any]:
    made = {"id": identity, "title": f"Press {identity}", "description": f"Do {identity}.", **elements}
    return leads_to(activity, "ActivityDefinition", **made) | ({"dynamicValue": list(values)} if values else {})


def top(name: str, applies: str, **elements: Any) -> dict[str, Any]:
    return {
        "id": "top",
        "title": f"{name} is recommended",
        "description": f"Why {name}.",
        "priority": "routine",
        "code": [{"coding": [{"system": f"{BASE}/CodeSystem/topic", "code": name, "display": f"Topic {name}"}]}],
        "documentation": [
            {"type": "citation", "display": "The article", "url": f"{BASE}/PlanDefinition/{name}"},
            {"type": "derived-from", "label": "S1", "display": "A statement"},
        ],
        "trigger": [
            {"type": "named-event", "name": "encounter-start"},
            {"type": "named-event", "name": "patient-view"},
        ],
        "condition": condition(applies),
        "selectionBehavior": "any",
        "cardinalityBehavior": "multiple",
        **elements,
    }


def activity(name: str, kind: str, **elements: Any) -> dict[str, Any]:
    return artifact("ActivityDefinition", name, title=f"The {name}", kind=kind, intent="proposal", **elements)


def small_guideline() -> Any:
    emergency = top(
        "Emergency",
        "EmergencyApplies",
        priority="stat",
        description="Critical: act today.",
        selectionBehavior="at-most-one",
        cardinalityBehavior="single",
        dynamicValue=[dynamic("title", "EmergencyTitle")],
        action=[
            button(
                "image",
                "ImageOrder",
                dynamic("action.precheckBehavior", "EmergencyPrecheck"),
                dynamic("priority", "EmergencyPriority"),
                dynamic("supportingInfo", "EmergencyFacts"),
                condition=condition("OfferImage"),
            ),
            button("refer", "Referral", condition=condition("OfferReferral")),
        ],
    )
    care = top(
        "Care",
        "CareApplies",
        dynamicValue=[dynamic("title", "CareTitle"), dynamic("description", "CareDetail")],
        action=[
            button("diagnosis", "Diagnosis", condition=condition("OfferDiagnosis")),
            leads_to("CareSet", id="set", title="First care", description="Choose."),
            button("form", "Form", precheckBehavior="yes"),
        ],
    )
    care_set = {
        "id": "all",
        "title": "First care",
        "description": "Parts of it.",
        "groupingBehavior": "logical-group",
        "selectionBehavior": "any",
        "action": [
            button("plan", "LoadPlan", precheckBehavior="yes", condition=condition("OfferPlan")),
            button("drug", "Drug", condition=condition("OfferDrug")),
        ],
    }
    endpoint = {
        "url": "http://hl7.org/fhir/StructureDefinition/cqf-cdsHooksEndpoint",
        "valueUri": f"{BASE}/cds-services/small",
    }
    order_type = {"system": ACTIVITY_TYPE, "code": "order-service"}
    resources = [
        plan(
            "Pathway",
            "clinical-protocol",
            leads_to("Strategy", id="all", title="All", description="Everything."),
            extension=[endpoint],
        ),
        plan(
            "Strategy",
            "workflow-definition",
            leads_to("Emergency", id="first", title="Emergencies", description="They come first."),
            leads_to("Care", id="then", title="Care", description="It comes then."),
        ),
        plan("Emergency", "eca-rule", emergency),
        plan("Care", "eca-rule", care),
        plan("CareSet", "order-set", care_set),
        activity(
            "ImageOrder",
            "ServiceRequest",
            priority="routine",
            doNotPerform=False,
            code={"coding": [order_type, {"system": LOINC, "code": "36592-4"}], "text": "Image"},
            dynamicValue=[
                dynamic("bodySite", "BodySite"),
                dynamic("reasonReference", "ReasonReference"),
                dynamic("reasonCode", "ReasonCode"),
                dynamic("occurrenceDateTime", "When"),
            ],
        ),
        activity("Referral", "ServiceRequest", code={"coding": [order_type], "text": "Referral"}),
        activity(
            "Drug",
            "MedicationRequest",
            code={"coding": [{"system": ACTIVITY_TYPE, "code": "order-medication"}]},
            productCodeableConcept={"text": "A class of drugs"},
        ),
        activity(
            "LoadPlan",
            "CarePlan",
            description="Less load.",
            dynamicValue=[dynamic("activity.detail.code", "Parts"), dynamic("instantiatesCanonical", "SetCanonical")],
        ),
        activity(
            "Form",
            "Task",
            description="Fill in the form.",
            code={"coding": [{"system": ACTIVITY_TYPE, "code": "collect-information"}]},
            extension=[
                {
                    "url": "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-collectWith",
                    "valueCanonical": f"{BASE}/Questionnaire/Form",
                }
            ],
        ),
        activity(
            "Diagnosis",
            "Task",
            code={"coding": [{"system": ACTIVITY_TYPE, "code": "propose-diagnosis"}]},
            contained=[
                {
                    "resourceType": "Condition",
                    "id": "condition",
                    "verificationStatus": {"coding": [{"code": "provisional"}]},
                    "code": {"text": "Suspected"},
                    "subject": {"display": "set when applied"},
                }
            ],
            dynamicValue=[dynamic("Condition.evidence[0].detail", "Evidence"), dynamic("Condition.code", "NoCode")],
        ),
        artifact("Library", "Logic"),
        artifact(
            "ValueSet",
            "small-override-reason",
            compose={
                "include": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes",
                        "concept": [
                            {"code": "action-completed", "display": "Recommended action was already completed"},
                            {"code": "prefers-alternative", "display": "Patient prefers an alternative"},
                        ],
                    }
                ]
            },
        ),
    ]
    values: dict[str, Any] = {
        "EncounterSide": "right",
        "EmergencyApplies": False,
        "EmergencyTitle": "Emergency is recommended (right)",
        "EmergencyPrecheck": "yes",
        "EmergencyPriority": "stat",
        "EmergencyFacts": ["Observation/o1"],
        "CareApplies": True,
        "CareTitle": "Care is recommended (right)",
        "CareDetail": "**Recorded**\n- test positive, right\n\n**Source**\n- a statement",
        "OfferImage": True,
        "OfferReferral": False,
        "OfferDiagnosis": True,
        "OfferPlan": True,
        "OfferDrug": True,
        "BodySite": None,
        "ReasonReference": None,
        "ReasonCode": None,
        "When": None,
        "Parts": None,
        "SetCanonical": f"{BASE}/PlanDefinition/CareSet",
        "Evidence": ["Observation/o1", "Observation/o2"],
        "NoCode": None,
    }
    program = FakeProgram(values)
    return FakePackage({one["url"]: copy.deepcopy(one) for one in resources}, program)
