"""The codec from RequestGroup to CDS Hooks cards."""

from __future__ import annotations

import copy
import datetime as dt
import json
import uuid
from typing import Any

import pytest

from ankle_cds import elm
from ankle_cds.apply import Subject, apply
from ankle_cds.cards import CardSettings, Side, check, encode, verify
from ankle_cds.cards.details import join
from ankle_cds.errors import ContentError
from ankle_cds.fhir import write_json
from small_guideline import BASE, small_guideline

NOW = dt.datetime(2026, 11, 22, 9, 30, tzinfo=dt.UTC)
SETTINGS = CardSettings(uuid_key=b"0" * 32)
PATIENT, ENCOUNTER = {"reference": "Patient/p1"}, {"reference": "Encounter/e1"}


def side(package: Any, name: str | None = None, facts: Any = "facts", **values: Any) -> Side:
    package.program.by_side[name] = values
    evaluation = package.program.evaluate([], now=NOW, parameters={"EvaluationSide": name})
    result = apply(package, f"{BASE}/PlanDefinition/Pathway", evaluation, subject=Subject("p1", "e1"), now=NOW)
    return Side(name, result.request_group, lambda action: [action, facts])


def cards(
    *sides: Side,
    package: Any = None,
    settings: CardSettings = SETTINGS,
    hook: str = "encounter-start",
    call: str = "call",
    inputs: Any = None,
    **drafts: bool,
) -> Any:
    made = encode(
        sides,
        package=package or small_guideline(),
        settings=settings,
        hook=hook,
        joined_title=lambda action: f"{action.partition('.')[0]} is recommended (both)",
        drafts={f"MedicationRequest/{name}": known for name, known in drafts.items()},
        call=(call,),
        inputs=inputs,
    )
    return [one.wire for one in made]


def labels(card: dict[str, Any]) -> list[str]:
    return [suggestion["label"] for suggestion in card["suggestions"]]


def test_a_card_carries_the_recommendation_element_by_element() -> None:
    (card,) = cards(side(small_guideline()))
    assert card["summary"] == "Care is recommended (right)"
    assert card["detail"].startswith("**Recorded**")
    assert card["indicator"] == "info"
    assert card["source"] == {
        "label": "The article",
        "url": f"{BASE}/PlanDefinition/Care",
        "topic": {"system": f"{BASE}/CodeSystem/topic", "code": "Care", "display": "Topic Care"},
    }
    assert card["selectionBehavior"] == "any"
    assert card["links"] == [{"label": "The Care", "url": f"{BASE}/PlanDefinition/Care", "type": "absolute"}]
    assert [reason["code"] for reason in card["overrideReasons"]] == ["action-completed", "prefers-alternative"]
    assert all(set(reason) == {"code", "system", "display"} for reason in card["overrideReasons"])


def test_every_draft_is_a_suggestion_with_one_create_also_those_of_an_order_set() -> None:
    (card,) = cards(side(small_guideline()))
    assert labels(card) == ["Press diagnosis", "Press plan", "Press drug", "Press form"]
    for suggestion in card["suggestions"]:
        (action,) = suggestion["actions"]
        assert action["type"] == "create"
        assert action["description"].startswith("Do ")
        assert "id" not in action["resource"]
    recommended = [suggestion.get("isRecommended") for suggestion in card["suggestions"]]
    assert recommended == [None, True, None, True]


def test_a_group_whose_actions_are_all_wanted_is_one_suggestion() -> None:
    package = small_guideline()
    package.plan("CareSet")["action"][0]["selectionBehavior"] = "all"
    (card,) = cards(side(package))
    assert labels(card) == ["Press diagnosis", "First care", "Press form"]
    assert len(card["suggestions"][1]["actions"]) == 2


def test_without_suggestions_there_is_no_selection_behavior_either() -> None:
    emergency, _ = cards(
        side(small_guideline(), EmergencyApplies=True, OfferImage=False),
        settings=CardSettings(SETTINGS.uuid_key, max_cards_critical=2),
    )
    assert emergency["indicator"] == "critical"
    assert not {"suggestions", "selectionBehavior"} & set(emergency)


def test_no_recommendation_gives_no_card() -> None:
    assert cards(side(small_guideline(), CareApplies=False)) == []


def test_the_most_urgent_card_comes_first_and_an_emergency_stands_alone() -> None:
    both = side(small_guideline(), EmergencyApplies=True)
    topics = [card["source"]["topic"]["code"] for card in cards(both)]
    assert topics == ["Emergency"]
    more = CardSettings(SETTINGS.uuid_key, max_cards_critical=2)
    assert [card["source"]["topic"]["code"] for card in cards(both, settings=more)] == ["Emergency", "Care"]


def test_right_comes_before_left_and_the_limit_holds_for_both_together() -> None:
    package = small_guideline()
    right = side(package, "right", CareTitle="Care (right)")
    left = side(package, "left", CareTitle="Care (left)")
    assert [card["summary"] for card in cards(right, left)] == ["Care (right)", "Care (left)"]
    assert [card["summary"] for card in cards(left, right)] == ["Care (right)", "Care (left)"]
    one = CardSettings(SETTINGS.uuid_key, max_cards_view=1)
    assert [card["summary"] for card in cards(right, left, settings=one)] == ["Care (right)"]
    assert [card["summary"] for card in cards(right, left, hook="order-sign")] == ["Care (right)"]


def test_content_may_say_where_among_its_equals_a_card_stands() -> None:
    package = small_guideline()
    package.plan("Care")["action"][0]["prefix"] = "7.1"
    package.plan("Emergency")["action"][0] |= {"priority": "routine", "prefix": "7.2"}
    found = cards(side(package, EmergencyApplies=True))
    assert [card["source"]["topic"]["code"] for card in found] == ["Care", "Emergency"]


def test_a_single_recommendation_of_both_sides_is_one_card_that_says_both() -> None:
    package = small_guideline()
    right = side(package, "right", EmergencyApplies=True, BodySite=elm.Concept((elm.Code("R", "urn:s"),)))
    left = side(package, "left", EmergencyApplies=True, BodySite=elm.Concept((elm.Code("L", "urn:s"),)))
    (card,) = cards(right, left)
    assert card["summary"] == "Emergency is recommended (both)"
    assert labels(card) == ["Press image (right)", "Press image (left)"]
    sites = [one["actions"][0]["resource"]["bodySite"][0]["coding"][0]["code"] for one in card["suggestions"]]
    assert sites == ["R", "L"]


def test_of_exclusive_suggestions_joined_from_two_sides_none_is_recommended() -> None:
    package = small_guideline()
    right = side(package, "right", EmergencyApplies=True)
    left = side(package, "left", EmergencyApplies=True, BodySite=elm.Concept((elm.Code("L", "urn:s"),)))
    (card,) = cards(right, left)
    assert not any("isRecommended" in suggestion for suggestion in card["suggestions"])


def test_a_single_recommendation_of_one_side_keeps_its_own_title() -> None:
    package = small_guideline()
    right = side(package, "right", CareApplies=False)
    left = side(package, "left", CareApplies=False, EmergencyApplies=True, EmergencyTitle="Emergency (left)")
    (card,) = cards(right, left)
    assert card["summary"] == "Emergency (left)"


def test_joined_details_keep_each_section_once_with_the_lines_of_right_then_left() -> None:
    package = small_guideline()
    package.plan("Care")["action"][0]["cardinalityBehavior"] = "single"
    text = "Fits.\n\n**Recorded**\n\n- test positive, {0}\n\n**Source**\n\n- a statement"
    right = side(package, "right", CareDetail=text.format("right"))
    left = side(package, "left", CareDetail=text.format("left"))
    (card,) = cards(right, left)
    assert card["detail"].split("\n") == [
        "Fits.",
        "",
        "**Recorded**",
        "",
        "- test positive, right",
        "- test positive, left",
        "",
        "**Source**",
        "",
        "- a statement",
    ]
    assert labels(card) == ["Press diagnosis", "Press plan", "Press drug", "Press form"]


def facts_of(side: str, count: int) -> str:
    return "\n".join(f"- fact {number} ({side})" for number in range(1, count + 1))


def test_a_joined_list_keeps_ten_facts_of_both_sides_and_says_how_many_more() -> None:
    right = f"**Recorded**\n\n{facts_of('right', 10)}\n- and 2 more"
    left = f"**Recorded**\n\n{facts_of('left', 7)}"
    lines = join(right, left).split("\n")
    assert lines[2:7] == facts_of("right", 5).split("\n")
    assert lines[7:12] == facts_of("left", 5).split("\n")
    assert lines[12:] == ["- and 9 more"]
    assert join(f"**Recorded**\n\n{facts_of('right', 9)}", "**Recorded**\n\n- one (left)").endswith("- one (left)")


def test_facts_that_do_not_fit_are_counted_and_nothing_else_is_cut() -> None:
    """A rich record must not turn an emergency into an error."""
    facts = "\n".join(f"- fact {number} {'x' * 300}" for number in range(1, 11))
    detail = f"First.\n\n**Recorded**\n\n{facts}\n- and 3 more\n\n**Not known**\n\n- a\n- b\n\n**About**\n\nLimits."
    (card,) = cards(side(small_guideline(), CareDetail=detail))
    assert len(card["detail"]) <= 2000
    assert "fact 5" in card["detail"]
    assert card["detail"].endswith("- and 7 more\n\n**Not known**\n\n- a\n- b\n\n**About**\n\nLimits.")
    with pytest.raises(ContentError, match="2000"):
        cards(side(small_guideline(), CareDetail="x" * 2001))


def test_a_section_only_one_side_has_keeps_its_place() -> None:
    right = "First.\n\n**Recorded**\n\n- a\n\n**About**\n\nLimits."
    left = "First.\n\n**Not known**\n\n- b\n\n**About**\n\nLimits.\n\nMore limits."
    assert join(right, left) == (
        "First.\n\n**Not known**\n\n- b\n\n**Recorded**\n\n- a\n\n**About**\n\nLimits.\n\nMore limits."
    )
    assert join(left, right).startswith("First.\n\n**Recorded**\n\n- a\n\n**Not known**")
    assert join(right, right) == right


def test_uuids_are_those_of_the_call_and_its_facts_and_new_for_others() -> None:
    """K-09: a repeated call gets the same uuids; another call, other facts and another installation get others."""

    def uuids(**change: Any) -> list[str]:
        facts = change.pop("facts", "facts")
        given = {name: change.pop(name) for name in ("settings", "call", "inputs") if name in change}
        (card,) = cards(side(small_guideline(), facts=facts, **change), **given)
        return [card["uuid"], *(suggestion["uuid"] for suggestion in card["suggestions"])]

    assert uuids() == uuids(When=elm.Date(2027, 1, 1))
    assert len(set(uuids())) == len(uuids())
    assert not set(uuids()) & set(uuids(facts="others"))
    assert not set(uuids()) & set(uuids(call="another"))
    assert not set(uuids()) & set(uuids(inputs=["unavailable"]))
    assert not set(uuids()) & set(uuids(settings=CardSettings(b"1" * 32)))
    assert {uuid.UUID(one).version for one in uuids()} == {4}


def test_the_same_input_gives_the_same_bytes() -> None:
    assert write_json(cards(side(small_guideline()))) == write_json(cards(side(small_guideline())))


def test_pages_named_in_the_detail_are_links_of_the_card() -> None:
    detail = "See [the trial](https://doi.org/10.1/x)."
    (card,) = cards(side(small_guideline(), CareDetail=detail))
    assert {"label": "the trial", "url": "https://doi.org/10.1/x", "type": "absolute"} in card["links"]


def test_a_form_is_a_smart_link_only_where_the_site_can_launch_one() -> None:
    settings = CardSettings(SETTINGS.uuid_key, smart_launch_url="https://forms.example.org/launch")
    (card,) = cards(side(small_guideline()), settings=settings)
    smart = [link for link in card["links"] if link["type"] == "smart"]
    assert [link["label"] for link in smart] == ["Press form"]
    assert json.loads(smart[0]["appContext"]) == {"questionnaire": f"{BASE}/Questionnaire/Form"}
    (card,) = cards(side(small_guideline()))
    assert {link["type"] for link in card["links"]} == {"absolute"}


def good() -> dict[str, Any]:
    (card,) = cards(side(small_guideline()))
    return copy.deepcopy(card)


def first_action(card: dict[str, Any]) -> dict[str, Any]:
    action: dict[str, Any] = card["suggestions"][2]["actions"][0]
    return action


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.update(summary="x" * 140),
        lambda c: c.update(summary="\U0001f9b6" * 70),
        lambda c: c.update(summary="two\nlines"),
        lambda c: c.pop("summary"),
        lambda c: c.update(detail="x" * 2001),
        lambda c: c.update(detail="<b>bold</b>"),
        lambda c: c.update(detail="![image](https://example.org/x.png)"),
        lambda c: c.update(detail="a\u202eb"),
        lambda c: c.update(detail="see https://elsewhere.example.org/page"),
        lambda c: c.update(detail=""),
        lambda c: c.update(extension=None),
        lambda c: c.update(indicator="hard-stop"),
        lambda c: c.update(indicator="warning"),
        lambda c: c["source"].pop("topic"),
        lambda c: c["source"].update(url="http://example.org"),
        lambda c: c["source"].update(label=""),
        lambda c: c.update(uuid="abc"),
        lambda c: c.pop("selectionBehavior"),
        lambda c: c.pop("suggestions"),
        lambda c: c.update(selectionBehavior="exactly-one"),
        lambda c: c.update(selectionBehavior="at-most-one"),
        lambda c: c["suggestions"][0].update(label="x" * 81),
        lambda c: c["suggestions"][0].update(isRecommended=False),
        lambda c: c["suggestions"][0].update(actions=[]),
        lambda c: c["suggestions"][0].update(label=c["suggestions"][1]["label"]),
        lambda c: c["suggestions"][0].update(uuid=c["uuid"]),
        lambda c: first_action(c).pop("description"),
        lambda c: first_action(c).update(type="delete"),
        lambda c: first_action(c)["resource"].update(id="x"),
        lambda c: first_action(c)["resource"].update(status="active"),
        lambda c: first_action(c)["resource"].update(intent="order"),
        lambda c: first_action(c)["resource"].update(subject={"reference": "Patient/p2"}),
        lambda c: first_action(c)["resource"].pop("encounter"),
        lambda c: first_action(c)["resource"].update(dosageInstruction=[{"text": "one"}]),
        lambda c: c["links"][0].update(url="javascript:x"),
        lambda c: c["links"][0].update(type="other"),
        lambda c: c["links"][0].update(appContext="x"),
        lambda c: c.update(links=[]),
        lambda c: c["overrideReasons"][0].pop("display"),
    ],
)
def test_a_card_that_breaks_the_contract_is_never_sent_and_never_quoted(change: Any) -> None:
    card = good()
    verify([card], subject=PATIENT, encounter=ENCOUNTER)
    change(card)
    with pytest.raises(ContentError) as caught:
        verify([card], subject=PATIENT, encounter=ENCOUNTER)
    assert "test positive" not in str(caught.value)


DELETE = {"type": "delete", "description": "Remove it.", "resourceId": "MedicationRequest/m1"}
DRAFTS = frozenset({"MedicationRequest/m1"})


def deleting(*actions: dict[str, Any]) -> list[dict[str, Any]]:
    card = good()
    card["suggestions"][0]["actions"][:0] = actions
    return [card]


def test_a_delete_of_a_draft_of_the_request_is_sent() -> None:
    verify(deleting(DELETE), subject=PATIENT, encounter=ENCOUNTER, deletable=DRAFTS)


@pytest.mark.parametrize(
    "actions",
    [
        [DELETE | {"resourceId": "MedicationRequest/m2"}],
        [DELETE | {"resourceId": "ServiceRequest/m1"}],
        [DELETE | {"resourceId": "m1"}],
        [DELETE | {"resource": {"resourceType": "MedicationRequest"}}],
        [DELETE | {"description": ""}],
        [{name: DELETE[name] for name in ("type", "description")}],
        [DELETE | {"type": "update"}],
        [DELETE | {"type": "remove"}],
        [DELETE, DELETE],
    ],
)
def test_any_other_delete_is_never_sent(actions: list[dict[str, Any]]) -> None:
    with pytest.raises(ContentError):
        verify(deleting(*actions), subject=PATIENT, encounter=ENCOUNTER, deletable=DRAFTS)


def test_nothing_is_deleted_where_no_draft_is_known() -> None:
    with pytest.raises(ContentError, match="deletes something else"):
        verify(deleting(DELETE), subject=PATIENT, encounter=ENCOUNTER)


def test_cards_out_of_order_are_never_sent() -> None:
    info, critical = good(), good()
    critical |= {"indicator": "critical", "detail": "Critical: now.", "uuid": str(uuid.uuid4())}
    for suggestion in critical["suggestions"]:
        suggestion["uuid"] = str(uuid.uuid4())
    verify([critical, info], subject=PATIENT, encounter=ENCOUNTER)
    with pytest.raises(ContentError, match="order"):
        verify([info, critical], subject=PATIENT, encounter=ENCOUNTER)


def test_markdown_with_smaller_than_and_tables_passes() -> None:
    card = good()
    card["detail"] = "| score | value |\n|---|---|\n| pain < 3 | 2 |\n\n&lt;b&gt; and 5 <6"
    verify([card], subject=PATIENT, encounter=ENCOUNTER)


def test_the_small_guideline_can_become_cards() -> None:
    assert [str(error) for error in check(small_guideline())] == []


def top(package: Any) -> dict[str, Any]:
    action: dict[str, Any] = package.plan("Care")["action"][0]
    return action


@pytest.mark.parametrize(
    "change",
    [
        lambda p: top(p).pop("priority"),
        lambda p: top(p).update(priority="asap"),
        lambda p: top(p).pop("description"),
        lambda p: top(p)["documentation"][0].pop("url"),
        lambda p: top(p)["code"][0]["coding"][0].pop("display"),
        lambda p: top(p).update(selectionBehavior="exactly-one"),
        lambda p: top(p)["action"][0].pop("title"),
        lambda p: p.plan("Strategy")["action"][0].update(priority="stat"),
        lambda p: p.resources.pop(f"{BASE}/ValueSet/small-override-reason"),
        lambda p: p.resources[f"{BASE}/ValueSet/small-override-reason"]["compose"]["include"][0]["concept"][0].pop(
            "display"
        ),
    ],
)
def test_a_recommendation_that_could_not_be_a_card_is_found_at_load(change: Any) -> None:
    package = small_guideline()
    change(package)
    assert len(check(package)) == 1
