"""What is true of the memory on every chart: a new fact is never hidden, and nothing that was not said before is."""

from __future__ import annotations

import secrets
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from ankle_cds.memory import Answer, Keys, Store, connect, read_url
from journey import answer, hook_request
from properties import plain, unnamed
from random_charts import charts, fresh_items
from test_memory_rules import DURATIONS, NOW, REASONS, SYSTEM
from test_properties import SETTINGS, WORLD

if TYPE_CHECKING:
    from ankle_cds.memory import Offer
    from journey import Answer as Given
    from journey import Chart

SAID = (None, *((accepted, code) for accepted in (True, False) for code in (None, *(code for _, code in REASONS))))


@given(charts(WORLD), st.lists(fresh_items(WORLD), max_size=2), st.sampled_from(SAID))
@SETTINGS
def test_what_is_silenced_was_shown_word_for_word(
    chart: Chart, added: list[dict[str, Any]], said: tuple[bool, str | None] | None
) -> None:
    """Whatever was answered, a card that is not shown again says and offers exactly what one shown before said."""
    before, after = (
        answer(WORLD.package, chart),
        answer(WORLD.package, chart.with_resources([*chart.resources, *added])),
    )
    shown, silenced = recall(before, after, said)
    assert shown == len(before.made)
    known = [plain(unnamed(card)) for card in before.cards]
    for card in silenced:
        assert plain(unnamed(card)) in known
    if not added:
        urgent = [card for card in after.cards if card["indicator"] == "critical" and said is None]
        assert len(silenced) == len(after.cards) - len(urgent)


@given(charts(WORLD))
@SETTINGS
def test_what_is_missing_is_a_fact(chart: Chart) -> None:
    """An input that could be read before and cannot be now shows the card again, and so does another version."""
    before = answer(WORLD.package, chart)
    for changed in (replace(chart, unavailable=chart.unavailable ^ {"user"}),):
        after = answer(WORLD.package, changed)
        assert recall(before, after, None)[1] == []


def recall(before: Given, after: Given, said: tuple[bool, str | None] | None) -> tuple[int, list[dict[str, Any]]]:
    """Show an answer, let the user act on each of its cards, and give the cards of the next that are not shown."""
    with tempfile.TemporaryDirectory() as folder:
        engine = connect(read_url(f"sqlite:///{Path(folder) / 'm.sqlite3'}"))
        store = Store(engine, Keys(secrets.token_bytes(32)), keep=timedelta(days=180))
        store.migrate()
        first = offers(store, before, "first")
        shown = store.show(first, REASONS, DURATIONS, NOW)
        if said is not None:
            accepted, code = said
            reason = (SYSTEM, code) if code else None
            store.answer(None, [Answer(one.uuid, accepted, NOW, reason) for one in first], NOW)
        second = offers(store, after, "second")
        again = store.show(second, REASONS, DURATIONS, NOW)
        engine.dispose()
    return len(shown), [made.wire for made, one in zip(after.made, second, strict=True) if one.uuid not in again]


def offers(store: Store, given: Given, call: str) -> list[Offer]:
    found = store.keys.offers(hook_request(), given.made, sends_feedback=True)
    return [replace(one, uuid=f"{call}-{number}") for number, one in enumerate(found)]
