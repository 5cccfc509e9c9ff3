"""What silences a card, row by row of part F of the clinical specification, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ankle_cds import artifacts
from ankle_cds.memory import Answer, Durations, Keys, Offer, Store, connect, read_reasons, read_url
from ankle_cds.memory.rules import microseconds
from databases import both, new_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SYSTEM = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
MINUTE = microseconds(timedelta(minutes=1))
HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE
NOW = 1_773_052_200_000_000
DURATIONS = Durations(timedelta(days=180), timedelta(days=14), timedelta(hours=24))
REASONS = {
    (SYSTEM, "patient-refuses"): "F2",
    (SYSTEM, "limited-time"): "F3",
    (SYSTEM, "need-more-info"): "F4",
}


class World:
    """A memory and the clock beside it."""

    def __init__(self, url: str) -> None:
        self.store = Store(connect(read_url(url)), Keys(b"0" * 32), keep=timedelta(days=180))
        self.store.migrate()
        self.now = NOW
        self.calls = 0

    def offer(self, *, encounter: str | None = "e1", user: str = "u1", facts: str = "a", **more: Any) -> Offer:
        """Give the card of one more call."""
        self.calls += 1
        given = {"suggestions": ("s1", "s2"), **more}
        subject = given.pop("subject", "subject")
        return Offer(
            f"card-{self.calls}",
            "Recommendation",
            self.store.keys.issuer(given.pop("issuer", None)),
            subject,
            None if encounter is None else f"{subject}/{encounter}",
            f"{subject}/{encounter}/{user}",
            facts,
            **given,
        )

    def shows(self, offer: Offer) -> bool:
        return offer.uuid in self.store.show([offer], REASONS, DURATIONS, self.now)

    def call(self, **given: Any) -> bool:
        return self.shows(self.offer(**given))

    def shown(self, **given: Any) -> str:
        """Show a card that must be shown; gives its uuid."""
        offer = self.offer(**given)
        assert self.shows(offer)
        return offer.uuid

    def say(self, card: str, *, accepted: bool = False, code: str | None = None, at: int | None = None) -> Any:
        reason = (SYSTEM, code) if code else None
        suggestions = ("s1",) if accepted else ()
        said = Answer(card, accepted, self.now if at is None else at, reason, suggestions)
        return self.store.answer(None, [said], self.now)


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made = World(new_database(request.param, tmp_path))
    yield made
    made.store.engine.dispose()


def test_f1_a_card_is_not_repeated_for_the_user_and_the_encounter(world: World) -> None:
    assert world.call()
    world.now += 30 * DAY
    assert not world.call()
    assert world.call(user="u2")
    assert world.call(encounter="e2")
    assert world.call(subject="other")


def test_f1_changed_facts_are_shown_and_then_those_of_before_again(world: World) -> None:
    assert world.call(facts="a")
    assert world.call(facts="b")
    assert not world.call(facts="b")
    assert world.call(facts="a")


@pytest.mark.parametrize(
    ("code", "days", "elsewhere"),
    [("patient-refuses", 180, True), ("need-more-info", 14, True), ("limited-time", 0, False)],
)
def test_f2_f3_f4_an_override_with_a_reason_holds_for_the_patient(
    world: World, code: str, days: int, elsewhere: bool
) -> None:
    """F2 and F4 for everybody and in any encounter for their days; F3 for everybody in this encounter only."""
    world.say(world.shown(), code=code)
    assert not world.call(user="u2")
    assert world.call(encounter="e2") is not elsewhere
    assert world.call(subject="other")
    world.now += days * DAY - 1
    assert world.call(encounter="e3") is (days == 0)
    world.now += 1
    assert world.call(encounter="e4")


def test_f2_to_f6_hold_for_the_facts_they_were_said_about(world: World) -> None:
    for number, (code, accepted) in enumerate(
        [("patient-refuses", False), ("limited-time", False), ("need-more-info", False), (None, False), (None, True)]
    ):
        about = {"subject": f"s{number}"}
        world.say(world.shown(**about), code=code, accepted=accepted)
        assert not world.call(user="u2", **about)
        assert world.call(facts="b", user="u2", **about)


@pytest.mark.parametrize("code", [None, "too-costly-uncovered", "a code nobody knows"])
def test_f5_any_other_override_holds_for_the_encounter(world: World, code: str | None) -> None:
    world.say(world.shown(), code=code)
    assert not world.call(user="u2")
    assert world.call(encounter="e2", user="u2")


def test_f5_a_known_code_of_another_system_is_another_code(world: World) -> None:
    card = world.shown()
    world.store.answer(None, [Answer(card, accepted=False, at=NOW, reason=("urn:other", "patient-refuses"))], NOW)
    assert not world.call(user="u2")
    assert world.call(encounter="e2")


def test_f6_an_accepted_card_holds_for_the_encounter(world: World) -> None:
    world.say(world.shown(), accepted=True)
    assert not world.call(user="u2")
    assert world.call(encounter="e2", user="u2")


def test_f6_a_reason_beside_an_acceptance_is_ignored(world: World) -> None:
    """F-18: what is extra counts for nothing."""
    world.say(world.shown(), accepted=True, code="patient-refuses")
    assert world.call(encounter="e2")


@pytest.mark.parametrize(("accepted", "code"), [(True, None), (False, None), (False, "patient-refuses")])
def test_f7_an_emergency_is_repeated_until_it_is_answered(world: World, accepted: bool, code: str | None) -> None:
    """Whatever the answer: silent in this encounter only, and never with a new fact."""
    urgent = {"until_answered": True}
    assert world.call(**urgent)
    card = world.shown(**urgent)
    world.say(card, accepted=accepted, code=code)
    assert not world.call(user="u2", **urgent)
    assert world.call(facts="b", **urgent)
    assert world.call(encounter="e2", **urgent)


@pytest.mark.parametrize("more", [{}, {"sends_feedback": False}, {"encounter": None}])
def test_f8_a_check_of_orders_is_shown_until_it_is_answered(world: World, more: dict[str, Any]) -> None:
    """A departure from the table: the next answer replaces this one, and nobody may have seen why it was there."""
    check = {"about_orders": True, "facts": "naproxen", **more}
    assert world.call(**check)
    assert world.call(**check)
    assert world.call(user="u2", **check)
    world.say(world.shown(**check))
    assert not world.call(**check)
    assert world.call(**check | {"facts": "ibuprofen"})


def test_f8_an_answered_check_of_orders_is_silent_for_everybody_in_the_encounter(world: World) -> None:
    check = {"about_orders": True, "facts": "naproxen"}
    world.say(world.shown(**check))
    assert not world.call(user="u2", **check)
    assert world.call(encounter="e2", **check)


def test_f9_a_client_without_feedback_sees_a_card_again_after_hours(world: World) -> None:
    mute = {"sends_feedback": False}
    assert world.call(**mute)
    world.now += DAY - 1
    assert not world.call(**mute)
    assert world.call(user="u2", **mute)
    world.now += 1
    assert world.call(**mute)
    assert not world.call(**mute)


def test_f10_without_an_encounter_a_card_is_silent_for_the_user_and_hours(world: World) -> None:
    """In place of F1: what was shown."""
    visit = {"encounter": None}
    assert world.call(**visit)
    assert not world.call(**visit)
    assert world.call(user="u2", **visit)
    assert world.call(encounter="e1")
    world.now += DAY - 1
    assert not world.call(**visit)
    world.now += 1
    assert world.call(**visit)


@pytest.mark.parametrize("accepted", [True, False])
def test_f10_without_an_encounter_an_answer_is_one_user_s_for_hours(world: World, accepted: bool) -> None:
    """In place of F5 and F6: what was answered; the day counts from the answer."""
    card = world.shown(encounter=None)
    world.now += HOUR
    world.say(card, accepted=accepted)
    assert world.call(encounter=None, user="u2")
    world.now += DAY - 1
    assert not world.call(encounter=None)
    world.now += 1
    assert world.call(encounter=None)


def test_f3_without_an_encounter_holds_for_hours(world: World) -> None:
    """Nothing tells when the encounter is over, so it ends with the hours of F10."""
    world.say(world.shown(encounter=None), code="limited-time")
    assert not world.call(encounter=None, user="u2")
    assert world.call(encounter="e1")
    world.now += DAY
    assert world.call(encounter=None, user="u3")


def test_a_retry_gets_the_cards_it_got_and_is_not_silenced_by_its_own_display(world: World) -> None:
    """12.3: the same uuid is the same request with the same facts; after ten minutes it is a display like any other."""
    offer = world.offer()
    other = world.offer(subject="other")
    assert world.store.show([offer, other], REASONS, DURATIONS, NOW) == {offer.uuid, other.uuid}
    world.say(offer.uuid, code="patient-refuses")
    world.now += 10 * MINUTE - 1
    assert world.store.show([offer, other], REASONS, DURATIONS, world.now) == {offer.uuid, other.uuid}
    world.now += 1
    assert world.store.show([offer, other], REASONS, DURATIONS, world.now) == set()


def test_what_a_request_was_not_shown_its_retry_is_not_shown_either(world: World) -> None:
    assert world.call()
    again = world.offer()
    assert not world.shows(again)
    assert not world.shows(again)


def test_feedback_is_stored_once_and_the_latest_is_in_force(world: World) -> None:
    """F-06, F-07, F-15: by the time of the user, not by the time of arrival; the future counts as now."""
    card = world.shown()
    assert world.say(card, code="patient-refuses").stored == 1
    assert world.say(card, code="patient-refuses").repeated == 1
    assert not world.call(encounter="e2", user="u2")
    world.say(card, accepted=True, at=NOW - 1)  # earlier, arrives late
    assert not world.call(encounter="e3", user="u2")
    world.now += 1
    world.say(card, at=NOW + 1)
    assert world.call(encounter="e4", user="u2")
    world.say(card, code="need-more-info", at=NOW + 400 * DAY)
    world.now += 14 * DAY
    assert world.call(encounter="e5")


def test_feedback_about_another_client_s_card_has_no_effect(world: World) -> None:
    """F-16, SF-E01: it is counted, told from nothing else, and silences nothing."""
    card = world.shown(issuer="https://a.example")
    said = Answer(card, accepted=False, at=NOW, reason=(SYSTEM, "patient-refuses"))
    for client in ("https://b.example", None):
        assert world.store.answer(client, [said], NOW).unknown == 1
    assert world.call(encounter="e2", user="u2")
    assert world.store.answer("https://a.example", [said], NOW).stored == 1
    assert not world.call(encounter="e3", user="u2")


def test_an_unknown_suggestion_is_counted_and_left_out(world: World) -> None:
    """F-17: the acceptance stands."""
    said = Answer(world.shown(), accepted=True, at=NOW, suggestions=("s1", "nobody's"))
    recorded = world.store.answer(None, [said], NOW)
    assert (recorded.stored, recorded.unknown_suggestions) == (1, 1)


def test_a_token_is_used_once_per_issuer(world: World) -> None:
    assert world.store.first_use("a", "nonce", NOW)
    assert not world.store.first_use("a", "nonce", NOW)
    assert world.store.first_use("b", "nonce", NOW)
    assert world.store.first_use("an", "once", NOW)


@both
def test_what_one_process_wrote_another_reads(kind: str, tmp_path: Path) -> None:
    url = new_database(kind, tmp_path)
    one, other = World(url), World(url)
    assert one.call()
    offer = replace(other.offer(), uuid="another")
    assert not other.shows(offer)
    for world in (one, other):
        world.store.engine.dispose()


def test_the_reasons_of_the_content_are_those_of_the_specification() -> None:
    """CS F2 to F4 and the table of override reasons: every code of it that has a row, and no other."""
    (package,) = artifacts.load_all().values()
    found = read_reasons(package)
    assert {system for system, _ in found} == {SYSTEM}
    assert {code: row for (_, code), row in found.items()} == {
        "indication-order-exists": "F2",
        "action-completed": "F2",
        "patient-contraindication": "F2",
        "prefers-alternative": "F2",
        "patient-refuses": "F2",
        "patient-ineligible": "F2",
        "limited-time": "F3",
        "wrong-time-workflow": "F3",
        "inappropriate-recipient": "F3",
        "need-more-info": "F4",
    }
