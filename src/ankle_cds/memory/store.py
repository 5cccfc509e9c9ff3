"""One transaction for each thing the memory is asked: it is committed before anything is said outside.

Two processes never show the same card twice in one scope: the row of a scope in `memory_displays` is written by whoever
shows, only where it differs, and the database lets one of them do it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, or_, select, text

from ankle_cds.memory.rules import RULES, Said, Window, microseconds, rule_for_answer, rule_for_display, silences
from ankle_cds.memory.schema import ANSWERS, CARDS, DISPLAYS, TOKENS, VERSION, migrate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Engine, TextClause

    from ankle_cds.memory.keys import Keys
    from ankle_cds.memory.rules import Durations, Offer

RETRY = timedelta(minutes=10)
"""How long a repeated request (same client, same hookInstance, same facts) gets the cards it got before."""
_NEVER = -1
_COMMENT = 1_000  # characters


@dataclass(frozen=True, slots=True)
class Answer:
    """One entry of feedback; `at` is in microseconds since 1970, `reason` the system and code of an override.

    `suggestions` are those that were accepted; `commented` tells whether there was a comment, `comment` is what of it
    may be kept, None for nothing.
    """

    card: str
    accepted: bool
    at: int
    reason: tuple[str, str] | None = None
    suggestions: tuple[str, ...] = ()
    commented: bool = False
    comment: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of the entries of one feedback: stored, known already, about a card this client never got.

    `unknown_suggestions` counts accepted suggestions that are none of their card's; the entries are stored without.
    """

    stored: int = 0
    repeated: int = 0
    unknown: int = 0
    unknown_suggestions: int = 0


class Store:
    """The memory in one database; `keep` is how long a card and what was said about it are kept.

    Every method may be called from any thread, and raises sqlalchemy.exc.SQLAlchemyError where the database fails;
    nothing was changed then, or all of it.
    """

    def __init__(self, engine: Engine, keys: Keys, *, keep: timedelta) -> None:
        self.engine = engine
        self.keys = keys
        self._keep = microseconds(keep)
        self._sql = _Statements(engine.dialect.name)

    def migrate(self) -> tuple[int, int]:
        """Bring the tables to this release; gives the version before and after."""
        with self.engine.begin() as connection:
            return migrate(connection)

    def show(
        self, offers: Sequence[Offer], reasons: Mapping[tuple[str, str], str], durations: Durations, now: int
    ) -> frozenset[str]:
        """Give the uuids of the cards to show, and remember that they were; `now` in microseconds since 1970."""
        if not offers:
            return frozenset()
        with self.engine.begin() as connection:
            given = self._given(connection, offers, now)
            answers = self._answers(connection, offers, now)
            shown = set(given)
            new = []
            # In one order for all, so that no two processes wait for each other.
            for offer in sorted(offers, key=lambda one: one.user):
                if offer.uuid in given or self._is_answered(offer, answers, reasons, durations, now):
                    continue
                if self._claims(connection, offer, durations, now):
                    new.append(offer)
                elif offer.uuid in self._given(connection, [offer], now):
                    shown.add(offer.uuid)  # the same request, answered by another process a moment ago
            if new:
                connection.execute(self._sql.card, [self._card(offer, now) for offer in new])
        return frozenset(shown | {offer.uuid for offer in new})

    def answer(self, issuer: str | None, answers: Sequence[Answer], now: int) -> Recorded:
        """Store the entries of one feedback, all or none; what is stored already changes nothing."""
        if not answers:
            return Recorded()
        stored = repeated = unknown = strange = 0
        with self.engine.begin() as connection:
            wanted = {"uuids": sorted({one.card for one in answers}), "issuer": self.keys.issuer(issuer)}
            cards = {row.uuid: row for row in connection.execute(self._sql.cards, wanted)}
            for one in answers:
                card = cards.get(one.card)
                if card is None:
                    unknown += 1
                    continue
                offered = card.suggestions.split()
                strange += sum(suggestion not in offered for suggestion in one.suggestions)
                done = connection.execute(self._sql.answer, self._answer(one, card, offered, now)).rowcount
                stored, repeated = stored + done, repeated + 1 - done
        return Recorded(stored, repeated, unknown, strange)

    def first_use(self, issuer: str, nonce: str, until: int) -> bool:
        """Remember a token until `until` (microseconds since 1970), and tell whether it was not remembered yet."""
        row = {"token": self.keys.token(issuer, nonce), "expires": until}
        with self.engine.begin() as connection:
            return connection.execute(self._sql.token, row).rowcount == 1

    def probe(self) -> None:
        """Write, without changing anything: raises SQLAlchemyError where nothing could be written."""
        with self.engine.begin() as connection:
            connection.execute(self._sql.probe)

    def _given(self, connection: Connection, offers: Iterable[Offer], now: int) -> set[str]:
        """Find the cards that this same request was answered with, a moment ago."""
        wanted = {"uuids": [offer.uuid for offer in offers], "since": now - microseconds(RETRY)}
        return {row.uuid for row in connection.execute(self._sql.given, wanted)}

    def _answers(self, connection: Connection, offers: Iterable[Offer], now: int) -> dict[str, list[Said]]:
        """Find what is in force about each subject: of the answers to one card the latest."""
        wanted = {"subjects": sorted({offer.subject for offer in offers}), "now": now}
        latest: dict[str, Any] = {}
        for row in connection.execute(self._sql.said, wanted):
            before = latest.get(row.card)
            if before is None or (before.at, before.id) < (row.at, row.id):
                latest[row.card] = row
        found: dict[str, list[Said]] = {}
        for row in latest.values():
            reason = (row.system, row.code) if row.code is not None else None
            said = Said(row.accepted, reason, row.encounter, row.user, row.facts, row.at)
            found.setdefault(row.subject, []).append(said)
        return found

    @staticmethod
    def _is_answered(
        offer: Offer,
        answers: Mapping[str, list[Said]],
        reasons: Mapping[tuple[str, str], str],
        durations: Durations,
        now: int,
    ) -> bool:
        return any(
            silences(RULES[rule_for_answer(offer, said, reasons)], said, offer, now, durations)
            for said in answers.get(offer.subject, ())
        )

    def _claims(self, connection: Connection, offer: Offer, durations: Durations, now: int) -> bool:
        """Take the right to show a card in its scope; False where it was shown, with these facts, within its window."""
        name = rule_for_display(offer)
        if name is None:
            return True
        rule = RULES[name]
        lasting = rule.window is Window.ENCOUNTER
        window = microseconds(durations.of(rule.window))
        row = {
            "scope": offer.user,
            "facts": offer.facts,
            "at": now,
            "expires": now + (self._keep if lasting else min(window, self._keep)),
            "since": _NEVER if lasting else now - window,
        }
        return connection.execute(self._sql.display, row).rowcount == 1

    def _card(self, offer: Offer, now: int) -> dict[str, Any]:
        names = ("uuid", "recommendation", "issuer", "subject", "encounter", "user", "facts")
        row: dict[str, Any] = {name: getattr(offer, name) for name in names}
        return row | {"suggestions": " ".join(offer.suggestions), "at": now, "expires": now + self._keep}

    def _answer(self, one: Answer, card: Any, offered: list[str], now: int) -> dict[str, Any]:
        system, code = one.reason or (None, None)
        comment = "".join(letter for letter in one.comment if letter.isprintable())[:_COMMENT] if one.comment else None
        return {
            "id": self.keys.answer(one.card, "accepted" if one.accepted else "overridden", one.at),
            "card": one.card,
            "recommendation": card.recommendation,
            "subject": card.subject,
            "encounter": card.encounter,
            "user": card.user,
            "facts": card.facts,
            "accepted": one.accepted,
            "suggestions": " ".join(sorted({each for each in one.suggestions if each in offered})),
            "system": system,
            "code": code,
            "commented": one.commented,
            "comment": comment,
            "at": min(one.at, now),
            "expires": now + self._keep,
        }


class _Statements:
    """Every statement of the store, made once.

    SQLAlchemy remembers how it wrote a statement, but not one with ON CONFLICT: writing these again at each call costs
    more than what they do, so that they are written here, by the dialect.
    """

    def __init__(self, dialect: str) -> None:
        spoken: Any = import_module(f"sqlalchemy.dialects.{dialect}")  # the other one is large and need not be loaded
        insert = spoken.insert

        def write(statement: Any) -> TextClause:
            return text(str(statement.compile(dialect=spoken.dialect(paramstyle="named"))))

        display = insert(DISPLAYS)
        changes = or_(
            DISPLAYS.c.facts != display.excluded.facts,
            DISPLAYS.c.at <= bindparam("since"),
            DISPLAYS.c.expires <= display.excluded.at,
        )
        again = {name: display.excluded[name] for name in ("facts", "at", "expires")}
        self.display = write(display.on_conflict_do_update(index_elements=["scope"], set_=again, where=changes))
        card = insert(CARDS)
        later = {name: card.excluded[name] for name in ("at", "expires")}
        self.card = write(card.on_conflict_do_update(index_elements=["uuid"], set_=later))
        self.answer = write(insert(ANSWERS).on_conflict_do_nothing(index_elements=["id"]))
        self.token = write(insert(TOKENS).on_conflict_do_nothing(index_elements=["token"]))
        self.probe = VERSION.update().values(version=VERSION.c.version)
        self.given = select(CARDS.c.uuid).where(
            CARDS.c.uuid.in_(bindparam("uuids", expanding=True)), CARDS.c.at > bindparam("since")
        )
        self.cards = select(CARDS).where(
            CARDS.c.uuid.in_(bindparam("uuids", expanding=True)), CARDS.c.issuer == bindparam("issuer")
        )
        self.said = select(ANSWERS).where(
            ANSWERS.c.subject.in_(bindparam("subjects", expanding=True)), ANSWERS.c.expires > bindparam("now")
        )
