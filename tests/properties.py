"""What is true of the guideline on every chart; `test_properties.py` tries each on random ones, and breaks it once.

A property takes the world charts are drawn from, one chart, and a number that decides about whatever else it needs
(a key, an order, a distance in days); it raises AssertionError when it does not hold, and `Beside` when it says
nothing about this chart. Letters and numbers in brackets are places in the clinical specification.
"""

from __future__ import annotations

import json
import random
import re
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from ankle_cds.fhir import canonical_json
from charts import ICD, LOINC, NOW, PATIENT, SCT, TODAY, Resource, concept, day
from journey import (
    Answer,
    Chart,
    answer,
    evaluate,
    gathered,
    key_of,
    recommendations,
    rule_of,
)
from random_charts import DAY, each_text, shifted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from random_charts import World

CLOSED: Final = re.compile(r"(Phase|Gate|Offer).*|.*Applies")
FORBIDDEN: Final = re.compile(
    r"exclude[sd]\b(?<!not exclude)|ruled out|no red flags|diagnosed with|not allergic|\bsafe\b"
)
NOT_EXCLUDE: Final = "does not exclude"
MORE: Final = re.compile(r"^- and \d+ more$", re.MULTILINE)
SUMMARY: Final = 139


class Beside(Exception):  # noqa: N818 - not an error: the property says nothing about this chart
    """The property makes no claim about this chart."""


def closed(world: World) -> list[str]:
    return [name for name in world.package.program.definitions if CLOSED.fullmatch(name)]


def evaluations(world: World, chart: Chart) -> Iterator[Any]:
    """Open the logic as the service does: once, and once for each side of a visit about both."""
    visit = evaluate(world.package, chart)
    yield visit
    if visit["EncounterSide"] == "both":
        yield from (evaluate(world.package, chart, EvaluationSide=side) for side in ("right", "left"))


# ---------------------------------------------------------------- what is closed, and what a user is shown


def what_is_closed_is_never_unknown(world: World, chart: Chart, _choice: int) -> None:
    """[C.1, D.3] Applies, Phase, Gate and Offer are true or false, and the phases are one and only one."""
    names = closed(world)
    for ev in evaluations(world, chart):
        assert {name: ev[name] for name in names if not isinstance(ev[name], bool)} == {}
        assert len([name for name in names if name.startswith("Phase") and ev[name]]) == 1


def the_cards_are_those_that_apply_and_keep_their_limits(world: World, chart: Chart, _choice: int) -> None:
    """[D.6, I] No card means that nothing applies; few cards, an emergency alone, short summaries, no false comfort."""
    given = answer(world.package, chart)
    cards = given.cards
    actions = recommendations(world.package)
    if not given.refused:
        applied = any(
            ev[rule_of(action)]
            for ev in list(evaluations(world, chart.as_asked()))[-len(given.groups) :]
            for action in actions.values()
            if any(trigger["name"] == "encounter-start" for trigger in action.get("trigger", ()))
        )
        assert bool(cards) == applied
    assert len(cards) <= 2
    emergencies = {action["plan"] for action in actions.values() if action["priority"] == "stat"}
    if emergencies & set(given.topics()):
        assert len(cards) == 1
    for card in cards:
        assert len(card["summary"]) <= SUMMARY
        words = json.dumps(card, default=str).lower().replace(NOT_EXCLUDE, "")
        assert FORBIDDEN.search(words) is None


# ---------------------------------------------------------------- what says nothing


def plain(value: Any) -> Any:
    """Give an answer without what follows the order in which equal records arrived.

    Left out: the order of the choices of one day in a line, the order of references, and which five are given where
    there are more. The identities of the cards stay: they are made from the facts, in whatever order these came.
    """
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(one, dict) and set(one) <= {"reference", "detail"} for one in value):
            return len(value) if len(value) == 5 else sorted(canonical_json(plain(one)).decode() for one in value)
        return [plain(one) for one in value]
    return [sorted(re.split(r"[:;,()]?\s+", line)) for line in value.split("\n")] if _is_detail(value) else value


def _is_detail(value: Any) -> bool:
    return isinstance(value, str) and "**" in value


def the_order_of_records_says_nothing(world: World, chart: Chart, choice: int) -> None:
    """[C.1: the latest day wins, and of one day any yes] The same records in another order get the same answer."""
    mixed = list(chart.resources)
    random.Random(choice).shuffle(mixed)  # noqa: S311 - a fixed order, not a secret
    same(answer(world.package, chart), answer(world.package, chart.with_resources(mixed)))


def same(one: Answer, other: Answer) -> None:
    assert one.refused == other.refused
    assert one.topics() == other.topics()
    assert plain(list(one.cards)) == plain(list(other.cards))


def unrelated() -> list[Resource]:
    """Give records of other conditions, of every type the guideline reads."""
    own: dict[str, Any] = {"subject": PATIENT, "status": "final"}
    return [
        {**own, "resourceType": "Observation", "code": concept(LOINC, "8867-4"), "effectiveDateTime": day(1)},
        {**own, "resourceType": "Observation", "code": {"text": "forced plantarflexion test positive, left"}},
        {**own, "resourceType": "Condition", "code": concept(ICD, "J45.20"), "recordedDate": day(3)},
        {**own, "resourceType": "Condition", "code": {"text": "os trigonum"}, "bodySite": [concept(SCT, "7771000")]},
        {**own, "resourceType": "DiagnosticReport", "code": concept(LOINC, "36643-5"), "effectiveDateTime": day(3)},
        {**own, "resourceType": "ImagingStudy", "status": "available", "started": day(2)},
        {**own, "resourceType": "Procedure", "status": "completed", "code": concept(SCT, "80146002")},
        {**own, "resourceType": "ServiceRequest", "status": "active", "intent": "order", "authoredOn": day(2)},
        {**own, "resourceType": "CarePlan", "status": "active", "intent": "plan", "period": {"start": day(50)}},
        {
            **own,
            "resourceType": "MedicationRequest",
            "status": "completed",
            "intent": "order",
            "medicationCodeableConcept": {"text": "amoxicillin"},
        },
        {**own, "resourceType": "Encounter", "status": "finished", "reasonCode": [{"text": "os trigonum, left"}]},
        {"resourceType": "Immunization", "status": "completed", "patient": PATIENT},
    ]


def unrelated_records_say_nothing(world: World, chart: Chart, choice: int) -> None:
    """[C.4: what no feature reads] Records of other conditions, anywhere between the others, change no word or draft.

    The identities of cards are left out: today an unrelated problem or care plan changes some of them.
    """
    dice = random.Random(choice)  # noqa: S311 - a fixed order, not a secret
    more = list(chart.resources)
    for number, one in enumerate(unrelated() * 2):
        more.insert(dice.randint(0, len(more)), {**one, "id": f"unrelated{number}"})
    one, other = answer(world.package, chart), answer(world.package, chart.with_resources(more))
    assert one.refused == other.refused
    assert one.cards == other.cards


def another_patients_records_say_nothing(world: World, chart: Chart, choice: int) -> None:
    """[C.1 Patient match, G] They are dropped; that one was sent leaves its input partial, as if it had been cut off.

    So the answer is that of the same chart with this input incomplete, whatever the other patient's record says.
    """
    kinds = {one["resourceType"] for one in chart.resources} - {"Patient", "Encounter", "AllergyIntolerance"}
    others = [one for one in chart.resources if one["resourceType"] in kinds and "subject" in one]
    if not others or chart.unavailable:
        raise Beside
    taken = others[choice % len(others)]
    foreign = {**taken, "id": "foreign", "subject": {"reference": "Patient/other"}}
    key = key_of(world.package, taken)
    assert key is not None
    incomplete = Chart(chart.resources, frozenset({key}), chart.parameters)
    same(gathered(world.package, chart.with_resources([*chart.resources, foreign])), answer(world.package, incomplete))


# ---------------------------------------------------------------- the other ankle


def the_other_ankle_gets_the_same_answer(world: World, chart: Chart, _choice: int) -> None:
    """[C.1 Side, C.3 side table] Every side exchanged in the chart is every side exchanged in the answer, no more.

    Right is read before left by rule, so lines are compared without their order, and for a visit about both ankles the
    two evaluations are compared (which cards fit on the screen is decided right first).
    """
    mirror = world.mirror
    turned = Chart(tuple(mirror(list(chart.resources))), chart.unavailable, mirror(chart.parameters))
    one, other = answer(world.package, chart), answer(world.package, turned)
    assert one.refused == other.refused
    if len(one.groups) == 1:
        assert unsorted(mirror(list(one.cards))) == unsorted(list(other.cards))
    groups = {mirror(side): mirror(group) for side, group in one.groups}
    assert unsorted(groups) == unsorted(dict(other.groups))


def unsorted(value: Any) -> Any:
    """Give an answer without the order of its lines; of more facts than are told, only how many."""
    if isinstance(value, dict):
        return {name: unsorted(part) for name, part in value.items() if name != "uuid"}
    if isinstance(value, list):
        return [unsorted(one) for one in value]
    if not _is_detail(value):
        return value
    sections = value.split("\n\n")
    return [sorted(one.split("\n")) if not MORE.search(one) else len(one.split("\n")) for one in sections]


# ---------------------------------------------------------------- another day

OFFSET: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(T[0-9:.]+)-0[78]:00")
MOMENTS: Final = ("Date", "DateTime", "start", "end", "issued", "created", "authoredOn", "started")
CALENDAR: Final = re.compile(r'"(?:precision|unit|value)": "(?:Month|Year|months?|years?)"')


def on_the_west_coast(moment: date) -> timezone:
    """Give the offset of a day: summer time from the second Sunday of March to the first of November."""
    march, november = date(moment.year, 3, 8), date(moment.year, 11, 1)
    begins, ends = (start + timedelta(days=6 - start.weekday()) for start in (march, november))
    return timezone(timedelta(hours=-7 if begins <= moment < ends else -8))


def later(value: Any, days: int) -> Any:
    """Give a JSON value so many days later, its times by the clock on the wall of that day."""

    def wall(text: str) -> str:
        return OFFSET.sub(
            lambda at: (
                f"{at[1]}{at[2]}{datetime.combine(TODAY, NOW.time(), on_the_west_coast(date.fromisoformat(at[1]))):%z}"[
                    :-2
                ]
                + ":00"
            ),
            text,
        )

    return each_text(shifted(value, days), wall)


def is_vague(value: Any, name: str = "") -> bool:
    """Tell whether a record holds a date without a day, which no number of days can be added to."""
    if isinstance(value, dict):
        return any(is_vague(part, key) for key, part in value.items())
    if isinstance(value, list):
        return any(is_vague(part, name) for part in value)
    return isinstance(value, str) and name.endswith(MOMENTS) and DAY.match(value) is None


def by_the_calendar(world: World) -> list[str]:
    """Give the definitions that count months or years, which have not all as many days."""
    program = world.package.program
    return [name for name in program.definitions if CALENDAR.search(json.dumps(program.unit(name).node))]


def another_day_gets_the_same_answer(world: World, chart: Chart, choice: int) -> None:
    """[C.1 Clock] Chart and clock moved by whole days, over leap days and summer time, move the dates and nothing else.

    Beside it are the charts in which a definition that counts calendar months or years (found in the logic) says
    something else, because months and years have not all as many days; and records dated by year or month only.
    """
    days = choice % 2_000 - 1_000
    chart = chart.with_resources(one for one in chart.resources if not is_vague(one))
    moved = Chart(tuple(later(list(chart.resources), days)), chart.unavailable, chart.parameters)
    then = TODAY + timedelta(days=days)
    now = datetime.combine(then, NOW.time(), on_the_west_coast(then))
    here, there = evaluate(world.package, chart), evaluate(world.package, moved, now=now)
    for name in by_the_calendar(world):
        if _shown(here[name]) != _shown(there[name]):
            raise Beside
    one, other = answer(world.package, chart), answer(world.package, moved, now=now)
    assert one.refused == other.refused
    assert plain(unnamed(later(list(one.cards), days))) == plain(unnamed(list(other.cards)))


def unnamed(value: Any) -> Any:
    """Give an answer without identities: these are made from the facts, as they were written and on their days."""
    if isinstance(value, dict):
        return {name: unnamed(part) for name, part in value.items() if name != "uuid"}
    return [unnamed(one) for one in value] if isinstance(value, list) else value


def _shown(value: Any) -> Any:
    return [getattr(one, "reference", one) for one in value] if isinstance(value, list) else value
