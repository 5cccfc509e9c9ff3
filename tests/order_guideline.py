"""The small guideline with two checks of draft orders; its logic reads the drafts and the record it is given.

A drug is risky when it is coded so. With an allergy on record the check is critical, with a problem a warning. A
procedure is checked on its own side. The definitions are what the order hooks ask of any logic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.parameters import Parameter
from ankle_cds.elm import EvaluationError
from small_guideline import FakePackage, button, condition, dynamic, leads_to, plan, small_guideline, top
from stub_service import StubInput

if TYPE_CHECKING:
    from collections.abc import Callable

ORDER_HOOKS = ("order-select", "order-sign")
ALL = ("encounter-start", "patient-view", *ORDER_HOOKS)
REMOVE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/action-type", "code": "remove"}]}


@dataclass
class OrderPackage(FakePackage):
    """The package as the service sees it: with the inputs of every hook, and one thing for a site to set."""

    parameters: tuple[Any, ...] = (Parameter("MaxCardsOrder", "Integer", 1, "cards", "local policy", service=True),)
    constraints: tuple[Any, ...] = ()

    inputs: tuple[StubInput, ...] = field(
        default=(
            StubInput("patient", "Patient/{{context.patientId}}", "required", ALL),
            StubInput("encounter", "Encounter/{{context.encounterId}}", "required", ("encounter-start",)),
            StubInput("encounters", "Encounter?patient={{context.patientId}}&status=arrived", "required", ALL[1:]),
            StubInput("conditions", "Condition?patient={{context.patientId}}", hooks=ALL),
            StubInput("allergies", "AllergyIntolerance?patient={{context.patientId}}", hooks=ALL),
            StubInput("orders", "MedicationRequest?patient={{context.patientId}}", hooks=ALL),
        )
    )


def name(resource: dict[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def drafts(resources: list[dict[str, Any]], parameters: dict[str, Any], code: str) -> list[dict[str, Any]]:
    """Give the drafts of a code; of one side where one is evaluated."""
    found = []
    judged = set(parameters["DraftOrderIds"])
    for one in resources:
        if name(one) not in judged:
            continue
        if not isinstance(one.get("code", {}), dict):
            raise EvaluationError("A code is no concept.")
        side, wanted = one.get("bodySite", [{}])[0].get("text"), parameters.get("EvaluationSide")
        if one.get("code", {}).get("text") == code and (side is None or wanted is None or side == wanted):
            found.append(one)
    return found


def in_scope(resources: Any, parameters: Any) -> list[dict[str, Any]]:
    return [*drafts(resources, parameters, "risky"), *drafts(resources, parameters, "procedure")]


def has(kind: str, resources: Any) -> bool:
    return any(one["resourceType"] == kind for one in resources)


def with_reason(resources: Any, parameters: Any) -> bool:
    return any("reasonCode" in one for one in in_scope(resources, parameters))


def order_side(resources: Any, parameters: Any) -> str | None:
    sides = {one.get("bodySite", [{}])[0].get("text") for one in drafts(resources, parameters, "procedure")} - {None}
    return "both" if len(sides) > 1 else next(iter(sides), None)


def risky(kind: str) -> Callable[[Any, Any], bool]:
    return lambda resources, parameters: bool(drafts(resources, parameters, "risky")) and has(kind, resources)


def warned(resources: Any, parameters: Any) -> bool:
    return risky("Condition")(resources, parameters) and not risky("AllergyIntolerance")(resources, parameters)


def lines(heading: str, code: str) -> Callable[[Any, Any], str]:
    def text(resources: Any, parameters: Any) -> str:
        found = drafts(resources, parameters, code)
        said = "\n".join(f"- {code}, {one.get('bodySite', [{}])[0].get('text', 'no side')}" for one in found)
        return f"{heading}\n\n{said}"

    return text


def named(code: str) -> Callable[[Any, Any], list[str]]:
    return lambda resources, parameters: [name(one) for one in drafts(resources, parameters, code)]


VALUES: dict[str, Any] = {
    "OrderSide": order_side,
    "GateOrderClosed": lambda resources, parameters: (
        not in_scope(resources, parameters)
        or (parameters["EncounterId"] is None and not with_reason(resources, parameters))
    ),
    "GateOrderNeedsPatient": lambda _resources, _parameters: True,
    "GateOrderNeedsEncounters": lambda resources, parameters: not with_reason(resources, parameters),
    "DrugCriticalApplies": risky("AllergyIntolerance"),
    "DrugWarningApplies": warned,
    "DrugDetail": lines("Critical: or warning: look.\n\n**Recorded**", "risky"),
    "DrugRecorded": lines("**Also recorded**", "risky"),
    "DrugDrafts": named("risky"),
    "ProcedureApplies": lambda resources, parameters: bool(drafts(resources, parameters, "procedure")),
    "ProcedureTitle": lambda _resources, parameters: (
        "Procedure check" + (f" ({parameters.get('EvaluationSide')})" if parameters.get("EvaluationSide") else "")
    ),
    "ProcedureDetail": lines("Warning: look.\n\n**Recorded**", "procedure"),
    "ProcedureRecorded": lines("**Also recorded**", "procedure"),
    "ProcedureDrafts": named("procedure"),
}


def check(identity: str, applies: str, priority: str, prefix: str, *actions: dict[str, Any], **elements: Any) -> Any:
    computed = elements.pop("computed")
    return top(
        elements.pop("topic"),
        applies,
        id=identity,
        priority=priority,
        prefix=prefix,
        trigger=[{"type": "named-event", "name": hook} for hook in ORDER_HOOKS],
        dynamicValue=[dynamic(path, definition) for path, definition in computed.items()],
        action=list(actions),
        **elements,
    )


def removal(identity: str, definition: str) -> dict[str, Any]:
    return {
        "id": identity,
        "title": "Remove it",
        "description": "Remove the order.",
        "type": REMOVE,
        "dynamicValue": [dynamic("resource", definition)],
    }


def replaced(identity: str) -> dict[str, Any]:
    return {
        "id": f"{identity}-replace",
        "title": "Replace it",
        "description": "Remove the order and draft the other.",
        "selectionBehavior": "all",
        "action": [removal(f"{identity}-remove", "DrugDrafts"), button(f"{identity}-create", "Drug")],
    }


def order_guideline() -> Any:
    small = small_guideline()
    drug = {"description": "DrugDetail", "textEquivalent": "DrugRecorded"}
    procedure = {"title": "ProcedureTitle", "description": "ProcedureDetail", "textEquivalent": "ProcedureRecorded"}
    plans = [
        plan(
            "Drugs",
            "eca-rule",
            check(
                "critical", "DrugCriticalApplies", "stat", "1", replaced("critical"),
                topic="Drugs", selectionBehavior="at-most-one", computed=drug,
            ),
            check(
                "warning", "DrugWarningApplies", "urgent", "3", replaced("warning"),
                topic="Drugs", selectionBehavior="at-most-one", computed=drug,
            ),
        ),
        plan(
            "Procedures",
            "eca-rule",
            check(
                "procedure", "ProcedureApplies", "urgent", "2", removal("defer", "ProcedureDrafts"),
                topic="Procedures", computed=procedure,
            ),
        ),
    ]  # fmt: skip
    for one in plans:
        small.resources[one["url"]] = one
    small.plan("Pathway")["description"] = "What it is about."
    small.plan("Strategy")["action"] += [
        leads_to("Drugs", id="drugs", title="Drugs", description="They are checked.", condition=condition("Always")),
        leads_to("Procedures", id="procedures", title="Procedures", description="They are checked."),
    ]
    small.program.values |= VALUES | {"Always": True}
    return OrderPackage(small.resources, small.program)
