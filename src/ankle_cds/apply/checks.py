"""Is every plan and activity something $apply can execute? Asked once, before the first request.

What is found here would otherwise surface as a card without a button, or as nothing at all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ankle_cds.apply.drafts import ACTIVITY_TYPE, COLLECT_WITH, Dynamic, target_type
from ankle_cds.apply.elements import DRAFTS, TYPES
from ankle_cds.apply.expressions import LANGUAGE
from ankle_cds.apply.paths import resolve
from ankle_cds.apply.plans import ACTION, dynamic_values, is_statement, on_action, walk_actions
from ankle_cds.apply.removals import EXECUTED, TARGET, is_removal, types
from ankle_cds.errors import ContentError
from ankle_cds.fhir import Resource, split_canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.artifacts import Package

_PLAN = "https://hl7.org/fhir/R4/plandefinition-definitions.html"
_ACTIVITY = "https://hl7.org/fhir/R4/activitydefinition-definitions.html"
# Elements that would change what is done for the patient and that this $apply does not execute.
_REFUSED_IN_ACTION = (
    "modifierExtension",
    "goalId",
    "subjectCodeableConcept",
    "subjectReference",
    "participant",
    "transform",
    "definitionUri",
)
_REFUSED_IN_ACTIVITY = (
    "modifierExtension",
    "subjectCodeableConcept",
    "subjectReference",
    "timingAge",
    "timingRange",
    "timingDuration",
    "location",
    "participant",
    "productReference",
    "quantity",
    "dosage",
    "specimenRequirement",
    "observationRequirement",
    "observationResultRequirement",
    "transform",
)
# What $apply sets in every draft; content that set it too would be overwritten without a word.
_OWN = {"status", "intent"}


def check(package: Package) -> list[ContentError]:
    """List everything in the package's plans and activities that `apply` could not execute; empty when all is well."""
    found: list[ContentError] = []
    for plan in package.of_type("PlanDefinition"):
        found += _Plan(package, plan).findings()
    for activity in package.of_type("ActivityDefinition"):
        found += _activity(package, activity)
    return found


class _Plan:
    def __init__(self, package: Package, plan: Resource) -> None:
        self.package = package
        self.plan = plan

    def findings(self) -> Iterator[ContentError]:
        seen: dict[str, str] = {}
        for action, own, where in walk_actions(self.plan):
            if own in seen:
                yield _error("Two actions of the plan have this id; give each its own.", f"{where}.id", _PLAN)
            seen[own] = where
            yield from self._action(action, where)
        yield from self._circle()

    def _action(self, action: dict[str, Any], where: str) -> Iterator[ContentError]:
        for name in _REFUSED_IN_ACTION:
            if name in action:
                yield _error("This element is not executed; leave it out.", f"{where}.{name}", _PLAN)
        yield from self._when(action, where)
        yield from _type(action, where)
        target = None
        if "definitionCanonical" in action:
            place = f"{where}.definitionCanonical"
            target = _target(self.package, action["definitionCanonical"])
            if target is None:
                yield _error("Names no PlanDefinition or ActivityDefinition of the package.", place, _PLAN)
            if action.get("action"):
                yield _error("An action has a definition or actions of its own, not both.", place, _PLAN)
        elif not action.get("action") and not is_removal(action) and not is_statement(action, self.plan):
            yield _error("The action leads to nothing; give it a definition or actions.", where, _PLAN)
        yield from self._dynamic(action, target, where)

    def _when(self, action: dict[str, Any], where: str) -> Iterator[ContentError]:
        for at, trigger in enumerate(action.get("trigger", ())):
            if trigger.get("type") != "named-event" or not trigger.get("name"):
                yield _error(
                    "Only triggers of type named-event with a name are executed.", f"{where}.trigger[{at}]", _PLAN
                )
        for at, condition in enumerate(action.get("condition", ())):
            place = f"{where}.condition[{at}]"
            if condition.get("kind") != "applicability":
                yield _error("Only conditions of kind applicability are executed.", f"{place}.kind", _PLAN)
            yield from _expression(self.package, condition.get("expression", {}), f"{place}.expression", "Boolean")

    def _dynamic(self, action: dict[str, Any], target: Resource | None, where: str) -> Iterator[ContentError]:
        yield from _expressions(self.package, action, where)
        for value in _named(action, where):
            own = on_action(value, action)
            if own is not None:
                if own.path == TARGET and not is_removal(action):
                    yield _error("Only an action of type remove names a resource.", f"{value.where}.path", _PLAN)
                yield from _path(own, ACTION)
            elif target is None or target["resourceType"] != "ActivityDefinition":
                yield _error(
                    "The action produces no resource; begin the path with 'action.' to set an element of the action.",
                    f"{value.where}.path",
                    _PLAN,
                )
            elif target.get("kind") in DRAFTS:
                yield from _draft_path(value, target_type(target))

    def _circle(self) -> Iterator[ContentError]:
        """Find a plan that leads back to itself: it would never end."""
        path: list[str] = []

        def leads_back(plan: Resource) -> bool:
            if plan["url"] in path:
                return bool(plan["url"] == self.plan["url"])
            path.append(plan["url"])
            for action, _, _ in walk_actions(plan):
                target = _target(self.package, action.get("definitionCanonical", ""))
                if target is not None and target["resourceType"] == "PlanDefinition" and leads_back(target):
                    return True
            path.pop()
            return False

        if leads_back(self.plan):
            yield _error("The plan leads back to itself.", f"PlanDefinition/{self.plan['id']}", _PLAN)


def _type(action: dict[str, Any], where: str) -> Iterator[ContentError]:
    """Find a type of action that is not executed, and a removal that does not say of what, and of nothing else."""
    if set(types(action)) - EXECUTED or len(types(action)) > 1:
        yield _error(f"An action has one type of these: {', '.join(sorted(EXECUTED))}.", f"{where}.type", _PLAN)
    if not is_removal(action):
        return
    if "definitionCanonical" in action or action.get("action"):
        yield _error("A removal leads to nothing else; give it no definition and no actions.", where, _PLAN)
    if [value.get("path") for value in action.get("dynamicValue", ())].count(TARGET) != 1:
        yield _error(
            f"A removal names the orders it removes; compute them with one dynamicValue of path '{TARGET}'.",
            where,
            _PLAN,
        )


def _activity(package: Package, activity: Resource) -> Iterator[ContentError]:
    where = f"ActivityDefinition/{activity['id']}"
    for name in _REFUSED_IN_ACTIVITY:
        if name in activity:
            yield _error("This element is not executed; leave it out.", f"{where}.{name}", _ACTIVITY)
    if activity.get("kind") not in DRAFTS:
        yield _error(f"Drafts are made of these kinds only: {', '.join(DRAFTS)}.", f"{where}.kind", _ACTIVITY)
        return
    if activity.get("intent") not in {None, "proposal"}:
        yield _error("Drafts are proposals; use the intent proposal.", f"{where}.intent", _ACTIVITY)
    kind = target_type(activity)
    templates = [part for part in activity.get("contained", ()) if part["resourceType"] in DRAFTS]
    if len(templates) > 1:
        yield _error("An activity produces one resource; keep one template.", f"{where}.contained", _ACTIVITY)
    if not templates:
        uncarried = {name for rules in DRAFTS.values() for name in rules.copied} - set(DRAFTS[kind].copied)
        for name in sorted(uncarried & activity.keys() - {"title", "description", "priority"}):
            yield _error(f"A {kind} has no place for this element; leave it out.", f"{where}.{name}", _ACTIVITY)
    if any(extension["url"] == COLLECT_WITH for extension in activity.get("extension", ())) and kind != "Task":
        yield _error("Only a Task collects information.", f"{where}.kind", _ACTIVITY)
    yield from _expressions(package, activity, where)
    values = _named(activity, where)
    for value in values:
        yield from _draft_path(value, kind)
    yield from _coded(activity, kind, values, where)


def _coded(activity: Resource, kind: str, values: list[Dynamic], where: str) -> Iterator[ContentError]:
    """Find a draft that does not say what is ordered: it would be signed blindly."""
    element = "medicationCodeableConcept" if kind == "MedicationRequest" else "code"
    if kind == "Task" or element not in TYPES[kind] or "contained" in activity:
        return
    computed = any(value.path.removeprefix(f"{kind}.").split(".")[0] == element for value in values)
    code = activity.get("code", {})
    given = (
        "productCodeableConcept" in activity
        if kind == "MedicationRequest"
        else "text" in code or any(coding.get("system") != ACTIVITY_TYPE for coding in code.get("coding", ()))
    )
    if not (computed or given):
        yield _error("Nothing says what is ordered; give a code or compute one.", f"{where}.{element}", _ACTIVITY)


def _draft_path(value: Dynamic, kind: str) -> Iterator[ContentError]:
    rules = DRAFTS[kind]
    first = value.path.removeprefix(f"{kind}.").split(".")[0]
    reserved = {rules.subject, rules.written, "encounter", *(_OWN if rules.request else ())}
    if first in reserved:
        yield _error("This element is set for every draft; do not compute it.", f"{value.where}.path", _ACTIVITY)
        return
    yield from _path(value, kind)


def _path(value: Dynamic, root: str) -> Iterator[ContentError]:
    try:
        resolve(value.path, root, f"{value.where}.path")
    except ContentError as error:
        yield error


def _named(element: dict[str, Any], where: str) -> list[Dynamic]:
    """List the dynamicValues that are complete; the incomplete ones are reported by `_expressions`."""
    complete = [
        value
        for value in element.get("dynamicValue", ())
        if value.get("path")
        and value.get("expression", {}).get("expression")
        and value["expression"].get("language") == LANGUAGE
    ]
    return dynamic_values({"dynamicValue": complete}, where)


def _expressions(package: Package, element: dict[str, Any], where: str) -> Iterator[ContentError]:
    for at, value in enumerate(element.get("dynamicValue", ())):
        place = f"{where}.dynamicValue[{at}]"
        if not value.get("path"):
            yield _error("A dynamicValue needs a path.", place, _PLAN)
        yield from _expression(package, value.get("expression", {}), f"{place}.expression")


def _expression(
    package: Package, expression: dict[str, Any], where: str, result: str | None = None
) -> Iterator[ContentError]:
    """Check that an expression names a public definition of the logic that runs."""
    if expression.get("language") != LANGUAGE:
        yield _error(f"Only expressions in {LANGUAGE} are executed.", f"{where}.language", _PLAN)
        return
    name = expression.get("expression")
    definition = package.program.definitions.get(name) if name else None
    if definition is None:
        yield _error(f"The logic has no definition named '{name}'.", f"{where}.expression", _PLAN)
        return
    url, _ = split_canonical(expression.get("reference", ""))
    library = package.resources.get(url)
    if library is None or library.get("name") != definition.library:
        yield _error(
            f"The reference must be the canonical of the Library {definition.library}.", f"{where}.reference", _PLAN
        )
    if str(definition.access).lower() == "private":
        yield _error(f"'{name}' is private; make it public.", f"{where}.expression", _PLAN)
    if result and definition.result_type and not re.search(rf"\b{result}$", definition.result_type):
        yield _error(f"'{name}' is {definition.result_type}, not {result}.", f"{where}.expression", _PLAN)


def _target(package: Package, canonical: str) -> Resource | None:
    url, version = split_canonical(canonical)
    target = package.resources.get(url)
    if target is None or target["resourceType"] not in {"PlanDefinition", "ActivityDefinition"}:
        return None
    return target if version in {None, target["version"]} else None


def _error(message: str, where: str, spec: str) -> ContentError:
    return ContentError(message, where=where, spec=spec)
