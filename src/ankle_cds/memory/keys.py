"""Patients, encounters, users, facts and tokens as keyed hashes: equal when they are equal, and nothing more.

HMAC-SHA-256 with a key of the installation: https://www.rfc-editor.org/rfc/rfc2104 . Who holds the database alone can
neither read an identifier out of it nor try identifiers against it.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from ankle_cds.hooks import HOOKS
from ankle_cds.memory.rules import Offer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ankle_cds.cards import Card
    from ankle_cds.hooks import Request

_CRITICAL = "critical"


class Keys:
    """Makes the hashes of one installation; `key` is secret, and another one makes all that is remembered unfindable.

    Every kind of hash has a domain of its own, so that none can stand for one of another kind.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, kind: str, *parts: str | bytes | None) -> str:
        """Give the hash of a thing of a kind, 64 hexadecimal digits; each part counts with its bounds."""
        told = [kind.encode(), *(_bytes(part) for part in parts)]
        message = b"".join(b"-" if part is None else b"%d:%b" % (len(part), part) for part in told)
        return hmac.digest(self._key, message, hashlib.sha256).hex()

    def issuer(self, issuer: str | None) -> str:
        """Give the hash of a client; those without a token are one client."""
        return self.of("issuer", issuer)

    def token(self, issuer: str, nonce: str) -> str:
        """Give the hash of a token that was used."""
        return self.of("token", issuer, nonce)

    def answer(self, card: str, outcome: str, microseconds: int) -> str:
        """Give the hash of an entry of feedback: the same entry sent again has the same."""
        return self.of("answer", card, outcome, str(microseconds))

    def offers(self, request: Request, made: Iterable[Card], *, sends_feedback: bool) -> Iterator[Offer]:
        """Give what the memory is asked about each card of a request; `sends_feedback` is what its client does."""
        context = request.context
        for card in made:
            about = (request.issuer, context.patient_id, card.recommendation, card.side)
            encounter = context.encounter_id
            orders = HOOKS[request.hook].is_about_orders
            yield Offer(
                uuid=card.wire["uuid"],
                recommendation=card.recommendation,
                issuer=self.issuer(request.issuer),
                subject=self.of("subject", *about),
                encounter=self.of("encounter", *about, encounter) if encounter is not None else None,
                user=self.of("user", *about, encounter, context.user_id),
                facts=self.of("facts", card.facts),
                suggestions=tuple(one["uuid"] for one in card.wire.get("suggestions", ())),
                about_orders=orders,
                until_answered=card.wire["indicator"] == _CRITICAL and not orders,
                sends_feedback=sends_feedback,
            )


def _bytes(part: str | bytes | None) -> bytes | None:
    return part.encode() if isinstance(part, str) else part
