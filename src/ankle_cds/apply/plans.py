"""PlanDefinition/$apply: what a plan asks for this patient now, as a RequestGroup, and why.

Pure: the same package, evaluation, subject and time give the same bytes. What is carried over unchanged is shared with
the artifacts, not copied: a RequestGroup is read, never changed. The plans named by `definitionCanonical` are
nested actions of the one RequestGroup; activities become drafts in `contained`; a removal names the order it removes.
https://hl7.org/fhir/R4/plandefinition-operation-apply.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds.apply.drafts import Dynamic, Subject, draft
from ankle_cds.apply.expressions import identifier
from ankle_cds.apply.paths import resolve
from ankle_cds.apply.reasons import Reason
from ankle_cds.apply.removals import TARGET, is_removal, removal
from ankle_cds.apply.values import convert
from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from ankle_cds import elm
    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Resource

_SPEC = "https://hl7.org/fhir/R4/plandefinition-operation-apply.html"

# Elements that mean the same in PlanDefinition.action and RequestGroup.action, in the order they are written.
COPIED = (
    "prefix",
    "title",
    "description",
    "textEquivalent",
    "priority",
    "code",
    "documentation",
    "condition",
    "timingDateTime",
    "timingAge",
    "timingPeriod",
    "timingDuration",
    "timingRange",
    "timingTiming",
    "type",
    "groupingBehavior",
    "selectionBehavior",
    "requiredBehavior",
    "precheckBehavior",
    "cardinalityBehavior",
)
ACTION = "RequestGroup.action"
_RULE_TYPE = "eca-rule"


@dataclass(frozen=True, slots=True)
class Applied:
    """What $apply gives back.

    `request_group` holds the actions that apply and their drafts; `reasons` every condition that was evaluated, in
    order, also of what does not apply; `expressions` tells for an action of the RequestGroup which definition gave
    which of its elements (action id, then element name).
    """

    request_group: Resource
    reasons: tuple[Reason, ...]
    expressions: Mapping[str, Mapping[str, str]]


def apply(
    package: Package,
    plan_canonical: str,
    evaluation: elm.Evaluation,
    *,
    subject: Subject,
    now: datetime,
    hook: str | None = None,
) -> Applied:
    """Apply a plan to one patient.

    Only true applies: an action whose condition is false or unknown is left out, with its reason kept. With a `hook`,
    an action that has triggers is considered only if one of them names it; without, all are. An action that leads to a
    plan of which nothing applies is left out. Raises ContentError for content that cannot be executed as written.
    """
    plan = package.get(plan_canonical)
    application = _Application(package, evaluation, subject, now, hook)
    actions = application.plan(plan, recommendation=plan["id"])
    _relate(actions)
    group: Resource = {
        "resourceType": "RequestGroup",
        "contained": list(application.drafts.values()),
        "instantiatesCanonical": [_pinned(plan)],
        "status": "draft",
        "intent": "proposal",
        "subject": {"reference": f"Patient/{subject.patient}"},
        "encounter": {"reference": f"Encounter/{subject.encounter}"} if subject.encounter else None,
        "authoredOn": now.isoformat(timespec="seconds"),
        "action": actions,
    }
    group = {name: part for name, part in group.items() if part}
    return Applied(group, tuple(application.reasons), application.expressions)


def is_recommendation(plan: Resource) -> bool:
    """Tell whether a plan is a recommendation (an event-condition-action rule), not a grouping of them."""
    return any(coding.get("code") == _RULE_TYPE for coding in plan.get("type", {}).get("coding", ()))


def is_statement(action: dict[str, Any], plan: Resource) -> bool:
    """Tell whether an action says something by itself: what a recommendation recommends stands without any draft.

    Any other action is there for what it leads to, and is left out when none of that applies.
    """
    return is_recommendation(plan) and any(action is top for top in plan.get("action", ()))


def walk_actions(plan: Resource) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield each action of a plan with its id (own or by position) and its JSON path, parents first."""

    def below(actions: list[dict[str, Any]], place: str, path: str) -> Iterator[tuple[dict[str, Any], str, str]]:
        for at, action in enumerate(actions):
            position = f"{place}{at + 1}"
            where = f"{path}.action[{at}]"
            yield action, str(action.get("id", position)), where
            yield from below(action.get("action", []), f"{position}.", where)

    yield from below(plan.get("action", []), "", f"PlanDefinition/{plan['id']}")


def dynamic_values(element: dict[str, Any], where: str) -> list[Dynamic]:
    """List the dynamicValues of an action or an activity."""
    return [
        Dynamic(value["path"], identifier(value["expression"], place), place)
        for at, value in enumerate(element.get("dynamicValue", ()))
        if (place := f"{where}.dynamicValue[{at}]")
    ]


def on_action(value: Dynamic, action: dict[str, Any]) -> Dynamic | None:
    """Give the dynamicValue with its path below the action, None when it sets an element of the produced resource.

    An action without a definition produces no resource, so the path is its own; with one, only `action.` is.
    """
    if value.path.startswith("action."):
        return Dynamic(value.path.removeprefix("action."), value.expression, value.where)
    return None if "definitionCanonical" in action else value


def _pinned(artifact: Resource) -> str:
    return f"{artifact['url']}|{artifact['version']}"


class _Application:
    """One run of $apply: what is handed down, and what gathers on the way."""

    def __init__(
        self, package: Package, evaluation: elm.Evaluation, subject: Subject, now: datetime, hook: str | None
    ) -> None:
        self.package = package
        self.evaluation = evaluation
        self.subject = subject
        self.now = now
        self.hook = hook
        self.reasons: list[Reason] = []
        self.drafts: dict[str, Resource] = {}
        self.expressions: dict[str, dict[str, str]] = {}
        self._plans: dict[str, int] = {}

    def plan(self, plan: Resource, recommendation: str) -> list[dict[str, Any]]:
        """Give the actions of a plan that apply."""
        name = plan["id"]
        if is_recommendation(plan):
            recommendation = name
        self._plans[name] = times = self._plans.get(name, 0) + 1
        scope = _Scope(plan, name if times == 1 else f"{name}-{times}", recommendation)
        return self._actions(plan, scope, "", f"PlanDefinition/{name}")

    def _actions(self, parent: dict[str, Any], scope: _Scope, place: str, path: str) -> list[dict[str, Any]]:
        results = (
            self._action(action, scope, f"{place}{at + 1}", f"{path}.action[{at}]")
            for at, action in enumerate(parent.get("action", ()))
        )
        return [result for result in results if result is not None]

    def _action(self, action: dict[str, Any], scope: _Scope, place: str, where: str) -> dict[str, Any] | None:
        identity = f"{scope.prefix}.{action.get('id', place)}"
        if not self._triggered(action) or not self._applicable(action, identity, scope, where):
            return None
        result = {"id": identity} | {name: action[name] for name in COPIED if name in action}
        target = self.package.get(action["definitionCanonical"]) if "definitionCanonical" in action else None
        dynamic = dynamic_values(action, where)
        self._complete(result, target, action, dynamic)
        if "relatedAction" in action:
            result["relatedAction"] = [
                related | {"actionId": f"{scope.prefix}.{related['actionId']}"} for related in action["relatedAction"]
            ]
        children = self._actions(action, scope, f"{place}.", where)
        if target is not None and target["resourceType"] == "PlanDefinition":
            children = self.plan(target, scope.recommendation)
            if not children:
                return None
        # R4 wants either a resource or actions, not both and not neither (rqg-1).
        if children:
            result["action"] = children
        elif is_removal(action):
            return removal(result, self._targets(result["id"], action, dynamic))
        elif target is not None:
            result["resource"] = {"reference": "#" + self._draft(target, action, dynamic)}
        elif is_statement(action, scope.plan):
            result["resource"] = _statement(scope.plan)
        else:
            return None
        return result

    def _triggered(self, action: dict[str, Any]) -> bool:
        triggers = action.get("trigger")
        return not triggers or self.hook is None or any(trigger.get("name") == self.hook for trigger in triggers)

    def _applicable(self, action: dict[str, Any], identity: str, scope: _Scope, where: str) -> bool:
        for at, condition in enumerate(action.get("condition", ())):
            place = f"{where}.condition[{at}]"
            if condition["kind"] != "applicability":
                raise ContentError("Only conditions of kind applicability are executed.", where=place, spec=_SPEC)
            expression = identifier(condition["expression"], f"{place}.expression")
            value = self.evaluation[expression]
            if value is not None and not isinstance(value, bool):
                raise ContentError("A condition must be a Boolean; change the definition.", where=place, spec=_SPEC)
            reason = Reason(
                recommendation=scope.recommendation,
                plan=scope.plan["id"],
                action=identity,
                title=action.get("title"),
                expression=expression,
                rule=condition["expression"].get("description"),
                value=value,
                evaluation=self.evaluation,
            )
            self.reasons.append(reason)
            if value is not True:
                return False
        return True

    def _complete(
        self, result: dict[str, Any], target: Resource | None, action: dict[str, Any], dynamic: list[Dynamic]
    ) -> None:
        """Fill the action from what it names, then from its computed elements."""
        for name in ("title", "description"):
            if target is not None and name not in result and target.get(name):
                result[name] = target[name]
        for value in dynamic:
            own = on_action(value, action)
            if own is None or own.path == TARGET:
                continue
            path = resolve(own.path, ACTION, own.where)
            values = convert(self.evaluation[own.expression], path.type, own.where)
            self.expressions.setdefault(result["id"], {})[own.path] = own.expression
            if values:
                path.put(result, values)
            else:
                result.pop(own.path, None)

    def _targets(self, identity: str, action: dict[str, Any], dynamic: list[Dynamic]) -> list[dict[str, Any]]:
        """Give the references of what a removal takes away."""
        found: list[dict[str, Any]] = []
        for value in dynamic:
            own = on_action(value, action)
            if own is not None and own.path == TARGET:
                found += convert(self.evaluation[own.expression], resolve(TARGET, ACTION, own.where).type, own.where)
                self.expressions.setdefault(identity, {})[TARGET] = own.expression
        return found

    def _draft(self, activity: Resource, action: dict[str, Any], dynamic: list[Dynamic]) -> str:
        """Keep the draft of an activity among the contained resources and give its local id."""
        values = dynamic_values(activity, f"ActivityDefinition/{activity['id']}")
        values += [value for value in dynamic if on_action(value, action) is None]
        resource = draft(activity, values, self.evaluation, subject=self.subject, now=self.now)
        name = activity["id"]
        times = 1 + sum(key == name or key.startswith(f"{name}-") for key in self.drafts)
        local = name if times == 1 else f"{name}-{times}"
        self.drafts[local] = {"resourceType": resource["resourceType"], "id": local} | resource
        return local


@dataclass(frozen=True, slots=True)
class _Scope:
    """The plan being applied, the prefix of its action ids, and the recommendation it belongs to."""

    plan: Resource
    prefix: str
    recommendation: str


def _statement(plan: Resource) -> dict[str, Any]:
    """Point to the plan itself: an action that only tells something has nothing to draft, yet R4 wants a target."""
    return {
        "type": "PlanDefinition",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": _pinned(plan)},
        "display": plan.get("title", plan["id"]),
    }


def _every(level: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the actions of a level, each before those below it."""
    for action in level:
        yield action
        yield from _every(action.get("action", []))


def _relate(actions: list[dict[str, Any]]) -> None:
    """Drop relations to actions that do not apply."""
    present = {action["id"] for action in _every(actions)}
    for action in _every(actions):
        related = [one for one in action.get("relatedAction", ()) if one["actionId"] in present]
        if related:
            action["relatedAction"] = related
        else:
            action.pop("relatedAction", None)
