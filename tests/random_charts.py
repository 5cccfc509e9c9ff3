"""Whole random charts that a practice could hold, for `test_properties.py`.

A chart is one of the fixtures of `test_logic.py`, mixed with facts of the others and with single items, answers, days,
sides and statuses of its own; then some of its records are moved to a day next to the end of a window, to the other
ankle, to another status, or dropped. What a later release adds to the fixtures or to the package is drawn from at once.
"""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

import test_logic
from ankle_cds.fhir import reference
from charts import FINDINGS, TODAY, Resource, answer, encounter, item, patient, reason
from journey import Chart
from mirrored import Mirror

if TYPE_CHECKING:
    from collections.abc import Callable

    from ankle_cds.artifacts import Package

TEST = ("positive", "negative", "indeterminate", "not-performed")
YES_NO = ("yes", "no", "unknown")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
OBSERVATION_STATUS = ("final", "amended", "preliminary", "entered-in-error", "cancelled", "unknown")
OTHER_STATUS = ("active", "on-hold", "completed", "final", "revoked", "draft", "entered-in-error", "unknown")


@cache
def pool() -> tuple[Resource, ...]:
    """Give every record of every fixture, the patient and the encounter too."""
    return tuple(one for case in test_logic.ALL_CASES for one in chart_of(case)[0])


def chart_of(case: Any) -> tuple[list[Resource], dict[str, Any]]:
    """Complete the facts of a fixture to a chart, as the tests of the logic do."""
    facts = test_logic.flattened(case.facts)
    kinds = {one["resourceType"] for one in facts}
    facts += [] if "Patient" in kinds else [patient()]
    facts += [] if "Encounter" in kinds else [encounter()]
    facts += [reason()] if case.reasons is None else case.reasons
    return facts, case.parameters


def ends_of_windows(package: Package) -> tuple[int, ...]:
    """Give the days ago on both sides of the end of every window the logic has, and those around today."""
    ends = {0, 5, 365}
    for name, parameter in package.program.parameters.items():
        if name.endswith(("Days", "Weeks")) and parameter.type.endswith("Integer"):
            ends.add(parameter.default * (7 if name.endswith("Weeks") else 1))
    return tuple(sorted({end + near for end in ends for near in (-1, 0, 1)}))


def items(package: Package) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Give the code of every item that is recorded, with the answers it may have (none: a day or a number)."""
    (system,) = (one for one in package.of_type("CodeSystem") if one["url"] == FINDINGS)
    found = []
    for concept in system["concept"]:
        if any(part.get("valueString") == "item" for part in concept.get("property", ())):
            words = concept["code"].title().replace("-", "")
            members = package.value_sets.get(f"{FINDINGS.rpartition('/CodeSystem/')[0]}/ValueSet/Pai{words}Answer")
            choices = tuple(sorted(code for at, code in members if at == FINDINGS)) if members else (*YES_NO, *TEST)
            is_measured = concept["code"].endswith(("-date", "-score", "-weeks", "-week"))
            found.append((concept["code"], () if is_measured else (*choices, "unknown")))
    return tuple(found)


class World:
    """What charts are drawn from, read from the package once."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.mirror = Mirror(package)
        self.ends = ends_of_windows(package)
        self.items = items(package)
        limits = {one.default for name, one in package.program.parameters.items() if "Age" in name and one.default}
        self.ages = sorted({one + near for one in limits for near in (-1, 0, 1)})
        self.keys = sorted({one.key for one in package.inputs if one.need == "optional" or one.key == "conditions"})


@st.composite
def fresh_items(draw: Any, world: World) -> Resource:
    """Draw one item as somebody recorded it, rightly or not."""
    code, answers = draw(st.sampled_from(world.items))
    ends = st.sampled_from(world.ends)
    side = draw(st.sampled_from(("right", "right", "left", "both", None)))
    recorded = draw(ends)
    day = (TODAY - timedelta(days=recorded)).isoformat()
    at = draw(st.sampled_from((day, day, day, f"{day}T08:00:00-07:00", f"{day}T22:15:00-07:00", day[:7], day[:4])))
    made = item(code, at=at, side=side, status=draw(st.sampled_from(OBSERVATION_STATUS[:1] * 5 + OBSERVATION_STATUS)))
    form = draw(st.sampled_from(("coded",) * 8 + ("boolean", "absent", "text", "no system", "none")))
    if not answers and form == "coded":
        date_answered = (TODAY - timedelta(days=draw(ends))).isoformat()
        number = draw(st.integers(0, 100))
        value: dict[str, Any] = (
            {"valueDateTime": date_answered} if code.endswith("date") else {"valueQuantity": {"value": number}}
        )
    else:
        word = draw(st.sampled_from(answers)) if answers else "yes"
        value = {
            "coded": {"valueCodeableConcept": answer(word)},
            "boolean": {"valueBoolean": word in {"yes", "positive"}},
            "absent": {"dataAbsentReason": {"text": "asked but unknown"}},
            "text": {"valueCodeableConcept": {"text": word}},
            "no system": {"valueCodeableConcept": {"coding": [{"code": word}]}},
            "none": {},
        }[form]
    return {**made, **value}


@st.composite
def people(draw: Any, world: World) -> Resource:
    """Draw a patient at one of the ages where a rule changes, or of no known age."""
    age = draw(st.sampled_from([None, 30, *world.ages]))
    gender = draw(st.sampled_from(("female", "male", "other", None)))
    made = patient(age=age)
    return {name: value for name, value in {**made, "gender": gender}.items() if value is not None}


def changed(draw: Any, world: World, resource: Resource) -> list[Resource]:
    """Change one record as another practice, or another day, would have written it; or write it again."""
    what = draw(st.sampled_from(("day", "day", "again", "again", "drop", "other ankle", "no side", "status")))
    made = resource
    if resource["resourceType"] in {"Patient", "Encounter"}:
        return [resource]
    if what == "day":
        made = moved(resource, draw(st.sampled_from(world.ends)))
    elif what == "again":
        again = moved(resource, draw(st.sampled_from(world.ends)))
        code = resource.get("code", {}).get("coding", [{}])[0].get("code")
        if answers := dict(world.items).get(code):
            again = {**again, "valueCodeableConcept": answer(draw(st.sampled_from(answers)))}
        return [resource, {**again, "id": f"{resource.get('id', 'unnamed')}-again"}]
    elif what == "other ankle":
        made = world.mirror(resource)
    elif what == "no side":
        made = {name: part for name, part in resource.items() if name != "bodySite"}
    elif what == "status" and "status" in resource:
        statuses = OBSERVATION_STATUS if resource["resourceType"] == "Observation" else OTHER_STATUS
        made = {**resource, "status": draw(st.sampled_from(statuses))}
    return [] if what == "drop" else [made]


def each_text(value: Any, replacement: Callable[[str], str]) -> Any:
    """Give a copy of a JSON value with every text in it replaced."""
    if isinstance(value, dict):
        return {name: each_text(part, replacement) for name, part in value.items()}
    if isinstance(value, list):
        return [each_text(part, replacement) for part in value]
    return replacement(value) if isinstance(value, str) else value


def moved(resource: Resource, ago: int) -> Resource:
    """Move the latest day of a record to so many days ago, and its other days by as much."""
    days = [date.fromisoformat(found) for text in _texts(resource) for found in DAY.findall(text)]
    return shifted(resource, (TODAY - timedelta(days=ago) - max(days)).days) if days else resource


def shifted(value: Any, days: int) -> Any:
    """Give a copy of a JSON value with every day in it so many days later."""

    def later(text: str) -> str:
        return DAY.sub(lambda found: (date.fromisoformat(found[0]) + timedelta(days=days)).isoformat(), text)

    return each_text(value, later)


def _texts(value: Any) -> list[str]:
    found: list[str] = []
    each_text(value, lambda text: found.append(text) or text)  # type: ignore[func-returns-value]
    return found


@st.composite
def charts(draw: Any, world: World) -> Chart:
    """Draw a chart; every record has its own id, and one patient and one encounter are in it."""
    resources, parameters = chart_of(draw(st.sampled_from(test_logic.ALL_CASES)))
    resources = copy.deepcopy(resources)
    for one in draw(st.lists(st.sampled_from(pool()), max_size=4)):
        if one["resourceType"] not in {"Patient", "Encounter"}:
            resources.append(copy.deepcopy(one))
    for place, one in enumerate(draw(st.lists(fresh_items(world), max_size=5))):
        resources.append({**one, "id": f"fresh{place}"})
    if draw(st.integers(0, 3)) == 0:
        resources = [one for one in resources if one["resourceType"] != "Patient"] + [draw(people(world))]
    places = draw(st.lists(st.integers(0, 20), max_size=4, unique=True))
    resources = [
        made
        for place, one in enumerate(resources)
        for made in (changed(draw, world, one) if place in places else [one])
    ]
    lost = draw(st.sets(st.sampled_from(world.keys), max_size=2)) if draw(st.integers(0, 3)) == 0 else set()
    named = {reference(one): one for one in reversed(resources)}
    lost |= set(parameters.get("UnavailableInputs", ()))
    given = {name: value for name, value in parameters.items() if name != "UnavailableInputs"}
    return replace(Chart(tuple(reversed(named.values()))), unavailable=frozenset(lost), parameters=given)
