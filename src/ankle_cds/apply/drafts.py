"""From an ActivityDefinition to a draft: the resource a clinician may accept, complete but for the server's own id.

Status is draft and intent proposal: nothing here is an order until a person makes it one.
https://hl7.org/fhir/R4/activitydefinition.html#12.16.4.3
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds.apply.elements import DRAFTS, TYPES
from ankle_cds.apply.paths import resolve
from ankle_cds.apply.values import convert
from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ankle_cds import elm
    from ankle_cds.fhir import Resource

# Codings that say what kind of activity this is, next to those that say what is ordered.
ACTIVITY_TYPE = "http://hl7.org/fhir/uv/cpg/CodeSystem/cpg-activity-type-cs"
# The Questionnaire to collect information with. http://hl7.org/fhir/uv/cpg/StructureDefinition-cpg-collectWith.html
COLLECT_WITH = "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-collectWith"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom the recommendations are for: FHIR ids, without the type in front; the encounter is None when not known."""

    patient: str
    encounter: str | None = None


@dataclass(frozen=True, slots=True)
class Dynamic:
    """One dynamicValue: the element it sets, the definition that gives the value, and where it is written."""

    path: str
    expression: str
    where: str


def target_type(activity: Resource) -> str:
    """Give the type of the resource an activity produces.

    Its `kind`; or the type of its contained template, where the Task of the activity only carries another resource.
    """
    template = _template(activity)
    return str(template["resourceType"] if template else activity["kind"])


def draft(
    activity: Resource,
    dynamic: Sequence[Dynamic],
    evaluation: elm.Evaluation,
    *,
    subject: Subject,
    now: datetime,
) -> Resource:
    """Make the draft of an activity, with `dynamic` values applied in order; no id.

    It instantiates the activity, then whatever else the content computes; `now` is the evaluation time. Raises
    ContentError when a value does not fit its element.
    """
    kind = target_type(activity)
    if kind not in DRAFTS:
        raise ContentError(
            f"Drafts are made of these kinds only: {', '.join(DRAFTS)}.",
            where=f"ActivityDefinition/{activity['id']}.kind",
        )
    rules = DRAFTS[kind]
    template = _template(activity)
    made: dict[str, Any] = {name: part for name, part in (template or {}).items() if name not in {"id", "resourceType"}}
    if rules.request:
        made["status"] = "draft"
        made["intent"] = "proposal"
    if template is None:
        made |= _carried(activity, kind)
    for value in dynamic:
        path = resolve(value.path, kind, value.where)
        values = convert(evaluation[value.expression], path.type, value.where)
        if values:
            path.put(made, values)
    canonical = f"{activity['url']}|{activity['version']}"
    if rules.instantiates:
        repeats = TYPES[kind][rules.instantiates].endswith("*")
        made[rules.instantiates] = [canonical, *made.get(rules.instantiates, [])] if repeats else canonical
    made[rules.subject] = {"reference": f"Patient/{subject.patient}"}
    if subject.encounter:
        made["encounter"] = {"reference": f"Encounter/{subject.encounter}"}
    made[rules.written] = now.isoformat(timespec="seconds")
    return {"resourceType": kind} | {name: made[name] for name in [*TYPES[kind], *made] if name in made}


def _carried(activity: Resource, kind: str) -> dict[str, Any]:
    """Copy what the activity itself says of the order."""
    carried: dict[str, Any] = {to: activity[name] for name, to in DRAFTS[kind].copied.items() if name in activity}
    if activity.get("doNotPerform") is True and "doNotPerform" in TYPES[kind]:
        carried["doNotPerform"] = True
    if "code" in TYPES[kind]:
        code = _code(activity, kind)
        if code:
            carried["code"] = code
    for extension in activity.get("extension", ()):
        if extension["url"] == COLLECT_WITH:
            form = extension.get("valueCanonical") or extension.get("valueUri")
            carried["input"] = [{"type": {"text": "questionnaire"}, "valueCanonical": form}]
    return carried


def _code(activity: Resource, kind: str) -> dict[str, Any]:
    """Give the code of the order itself; only a Task is about the kind of activity."""
    code = dict(activity.get("code", {}))
    if kind != "Task" and "coding" in code:
        code["coding"] = [coding for coding in code["coding"] if coding.get("system") != ACTIVITY_TYPE]
        if not code["coding"]:
            del code["coding"]
    return code


def _template(activity: Resource) -> Resource | None:
    for contained in activity.get("contained", ()):
        if contained["resourceType"] in DRAFTS:
            template: Resource = contained
            return template
    return None
