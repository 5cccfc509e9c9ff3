"""What is true of the guideline on every chart about which less is known: an input is lost, or an item was not asked.

Losing data never denies, offers or comforts. The naive form, that less data never give more cards, is false and is not
claimed: without its report an X-ray is not on record, and the card that orders one appears [D.4]; with the red flags
that could not be read the emergency goes, and what it hid comes [D.3, G]. See `properties.py` for the form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from charts import FINDINGS
from journey import Chart, codes_in, evaluate, offers, recommendations, rule_of, without_input
from properties import CLOSED, closed

if TYPE_CHECKING:
    from random_charts import World

MISSING_LINE: Final = "- Not available from the record: "
RECORDED: Final = "**Recorded**"


def known(world: World) -> list[str]:
    """Give the definitions that tell 'nothing found' from 'not looked': those that ask what was known."""
    asks = {"Known", "KnownUnlessUnread"}
    program = world.package.program
    return [name for name in program.definitions if any(used.name in asks for used in program.unit(name).uses)]


WITHHELD: Final = {
    "safetyLabs": {"OfferOralNsaid", "OfferTopicalNsaid"},
    "medicationRequests": {"OfferOralNsaid", "OfferTopicalNsaid"},
    "medicationStatements": {"OfferOralNsaid", "OfferTopicalNsaid"},
    "allergies": {"OfferOralNsaid", "OfferTopicalNsaid"},
    "procedures": {"OfferOralNsaid", "OfferTopicalNsaid"},
    "findings": {"OfferOralNsaid", "OfferTopicalNsaid"},
    "conditions": {"OfferOralNsaid", "OfferTopicalNsaid", "OfferWorkingDiagnosis"},
    "reports": {"OfferRadiograph", "OfferUrgentRadiograph"},
    "imagingStudies": {"OfferRadiograph", "OfferUrgentRadiograph"},
    "carePlans": {"OfferPhysicalTherapy", "OfferActivityModificationPlan"},
    "serviceRequests": {
        *("OfferOralNsaid", "OfferTopicalNsaid", "OfferRadiograph", "OfferUrgentRadiograph"),
        *("OfferPhysicalTherapy", "OfferActivityModificationPlan"),
    },
}
"""[E.0 'Unavailable duplicate inputs', G] The buttons that are not sent when an input could not be had."""


def losing(world: World, chart: Chart, choice: int) -> tuple[str, str, Any, Any]:
    """Take an input away; the side is given, so that the ankle in question stays the same one."""
    key = world.keys[choice % len(world.keys)]
    side = ("right", "left")[choice // len(world.keys) % 2]
    before = evaluate(world.package, chart, EvaluationSide=side)
    after = evaluate(world.package, without_input(world.package, chart, key), EvaluationSide=side)
    return key, side, before, after


def an_input_that_is_lost_denies_nothing(world: World, chart: Chart, choice: int) -> None:
    """[C.1 Absent vs empty] What asks whether something is on record is never answered no by losing an input.

    Only with the ankle in question held fixed: the reasons and findings that are lost may be what named it. The gate
    and the emergency are never opened by it.
    """
    _key, _side, before, after = losing(world, chart, choice)
    denied = {name: before[name] for name in known(world) if after[name] is False and before[name] is not False}
    assert denied == {}
    assert before["GateView"] or not after["GateView"]
    assert before["RedFlag"] or not after["RedFlag"]


def an_input_that_is_lost_offers_nothing(world: World, chart: Chart, choice: int) -> None:
    """[A, E.0, G] The buttons that need it are gone, and no other button appears in its place.

    One exception is as specified: a heel lift is withheld when the sport is recorded [M4 'true'], so it is offered when
    the findings, and with them the sport, cannot be had.
    """
    key, _side, before, after = losing(world, chart, choice)
    for action in recommendations(world.package).values():
        if after[rule_of(action)]:
            sent = {name for name in offers(world.package, action) if after[name]}
            assert sent & WITHHELD.get(key, set()) == set()
    new = {name for name in closed(world) if name.startswith("Offer") and after[name] and not before[name]}
    assert new <= ({"OfferHeelLift"} if key == "findings" else set())


def an_input_that_is_lost_comforts_nobody(world: World, chart: Chart, choice: int) -> None:
    """[A, E.0 (4)] Every card names what could not be read, and tells no fact it did not tell before."""
    key, _side, before, after = losing(world, chart, choice)
    for action in recommendations(world.package).values():
        if not after[rule_of(action)]:
            continue
        detail = after[_detail(action)]
        assert MISSING_LINE in detail
        if before[rule_of(action)] and key != "conditions":
            assert set(facts(detail)) <= set(facts(before[_detail(action)]))


def _detail(action: dict[str, Any]) -> str:
    return next(one["expression"]["expression"] for one in action["dynamicValue"] if one["path"] == "description")


def facts(detail: str) -> list[str]:
    part = detail.partition(RECORDED)[2].partition("**")[0]
    return [line for line in part.split("\n") if line.startswith("- ")]


KLEENE: Final = {"And", "Or", "Not", "ExpressionRef"}


def kleene(world: World) -> list[str]:
    """Give the definitions that are nothing but names joined by and, or and not, and rest on none that is closed."""
    program, found = world.package.program, []
    for name in program.definitions:
        rests_on = {one.rpartition(".")[2] for one in program.closure(name)}
        if _types(program.unit(name).node["expression"]) <= KLEENE and not any(map(CLOSED.fullmatch, rests_on)):
            found.append(name)
    return found


def _types(node: Any) -> set[str]:
    if isinstance(node, list):
        return {found for part in node for found in _types(part)}
    if not isinstance(node, dict):
        return set()
    inner = {found for name, part in node.items() if name == "operand" for found in _types(part)}
    return inner | ({node["type"]} if "type" in node else set())


def an_item_that_was_not_asked_turns_no_unknown_into_an_answer(world: World, chart: Chart, choice: int) -> None:
    """[A Unknown, C.1 Three values] Without an item, what is built on it stays as it was or becomes unknown.

    True of every definition made of and, or and not. Not of items that are dates: another date stands in for them or
    moves a window [D.2, C.5]. Not of where it hurts: a specific reason stands in for it [C.5 PosteriorPain]. Not of an
    imaging finding: when none is found where it could be, there is none [C.4 ImagingFinding]. And not of single
    records: when the latest is gone, the one before it counts [C.1 Which record wins].
    """
    rests, side = kleene(world), ("right", "left")[choice % 2]
    before = evaluate(world.package, chart, EvaluationSide=side)
    for code in sorted({code for one in chart.resources for at, code in codes_in(one.get("code")) if at == FINDINGS}):
        if code.endswith("-date") or code in {"pain-location", "imaging-finding"}:
            continue
        left = chart.with_resources(
            one
            for one in chart.resources
            if one["resourceType"] != "Observation" or (FINDINGS, code) not in codes_in(one.get("code"))
        )
        after = evaluate(world.package, left, EvaluationSide=side)
        changed = {name: (before[name], after[name]) for name in rests if after[name] not in (before[name], None)}
        assert changed == {}, code
        assert before["RedFlag"] or not after["RedFlag"]
