"""The suppressions as a table: what silences a card, whom it silences it for, and until when.

Every row re-opens when the facts change; that is not a row but the condition of them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Scope(Enum):
    """Whom a card is silenced for: everybody who sees the patient, this encounter, or this user in this encounter.

    A call without an encounter is an encounter of its own: the user's.
    """

    SUBJECT = "subject"
    ENCOUNTER = "encounter"
    USER = "user"


class Window(Enum):
    """How long a card is silenced; `ENCOUNTER` is the rest of the encounter, the others are set by the site."""

    ENCOUNTER = "rest of the encounter"
    DECLINED = "declined"
    MORE_INFORMATION = "more information"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    scope: Scope
    window: Window


RULES: Mapping[str, Rule] = {
    "F1": Rule(Scope.USER, Window.ENCOUNTER),  # shown already
    "F2": Rule(Scope.SUBJECT, Window.DECLINED),  # overridden: declined, done, not for this patient
    "F3": Rule(Scope.SUBJECT, Window.ENCOUNTER),  # overridden: not in this encounter
    "F4": Rule(Scope.SUBJECT, Window.MORE_INFORMATION),  # overridden: waiting for something
    "F5": Rule(Scope.ENCOUNTER, Window.ENCOUNTER),  # overridden in any other way
    "F6": Rule(Scope.SUBJECT, Window.ENCOUNTER),  # accepted
    "F7": Rule(Scope.ENCOUNTER, Window.ENCOUNTER),  # a card that is shown until it is answered was answered
    "F9": Rule(Scope.USER, Window.FALLBACK),  # shown already, by a client that never sends feedback
    "F10": Rule(Scope.USER, Window.FALLBACK),  # shown or answered in a call without an encounter
}
"""The rows by the names of the clinical specification, part F.

F8 is left out on purpose: there a check of draft orders that was shown is silent until the draft changes. A client
replaces what a service showed by its next answer, which it asks for at each change of a draft and when it is signed:
the warning would be gone before anybody answered it, as if the change had helped. It is shown until it is answered.
"""


@dataclass(frozen=True, slots=True)
class Durations:
    """How long the windows are that a site sets."""

    declined: timedelta
    more_information: timedelta
    fallback: timedelta

    def of(self, window: Window) -> timedelta:
        """Give the length of a window; the rest of an encounter that has no name is as long as the fallback."""
        if window is Window.DECLINED:
            return self.declined
        return self.more_information if window is Window.MORE_INFORMATION else self.fallback


@dataclass(frozen=True, slots=True)
class Offer:
    """A card about to be shown, in keyed hashes.

    `subject` is patient, recommendation and side; `encounter` (None where the call names none) and `user` add to it.
    `about_orders` tells whether it is a check of draft orders, `until_answered` whether it is repeated until it is
    answered, `sends_feedback` whether its client ever says what became of a card.
    """

    uuid: str
    recommendation: str
    issuer: str
    subject: str
    encounter: str | None
    user: str
    facts: str
    suggestions: tuple[str, ...] = ()
    about_orders: bool = False
    until_answered: bool = False
    sends_feedback: bool = True


@dataclass(frozen=True, slots=True)
class Said:
    """An answer in force about a card of the same subject; `at` is in microseconds since 1970.

    `reason` is the system and code of an override, None where there was none.
    """

    accepted: bool
    reason: tuple[str, str] | None
    encounter: str | None
    user: str
    facts: str
    at: int


def rule_for_display(offer: Offer) -> str | None:
    """Name the row by which a card that was shown is not shown again; None for one that is shown until answered."""
    if offer.until_answered or offer.about_orders:
        return None
    if offer.encounter is None:
        return "F10"
    return "F1" if offer.sends_feedback else "F9"


def rule_for_answer(offer: Offer, said: Said, reasons: Mapping[tuple[str, str], str]) -> str:
    """Name the row by which an answer silences a card; `reasons` gives the row of each override reason that has one."""
    if offer.until_answered:
        return "F7"
    named = reasons.get(said.reason) if said.reason is not None and not said.accepted else None
    if named is not None:
        return named
    if offer.encounter is None:
        return "F10"
    return "F6" if said.accepted else "F5"


def silences(rule: Rule, said: Said, offer: Offer, now: int, durations: Durations) -> bool:
    """Tell whether an answer silences a card at `now` (microseconds since 1970) by a row of the table."""
    if said.facts != offer.facts:
        return False
    if rule.scope is Scope.ENCOUNTER and said.encounter != offer.encounter:
        return False
    if rule.scope is Scope.USER and said.user != offer.user:
        return False
    if rule.window is Window.ENCOUNTER and offer.encounter is not None:
        return said.encounter == offer.encounter
    return now < said.at + microseconds(durations.of(rule.window))


def microseconds(length: timedelta) -> int:
    """Give a length of time in microseconds."""
    return length // timedelta(microseconds=1)
