"""What every kind of request is made with: the words it plants, the examples, and how it is written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from canaries import Canaries
from exchange import post

SERVICE = "/cds-services/posterior-ankle-impingement"
FEEDBACK = f"{SERVICE}/feedback"
CARD = "ca4dca4d-0000-4000-8000-000000000000"
"""Stands for a card that was answered lately; put in when the request is sent."""
CLOSED_PORT = b"99901"
FHIR_PORT = b"99902"
TOKEN = b"@token@"
"""These three stand in a request for what is known only when it is sent: two ports, and a token that is right."""

READ = frozenset({200, 400, 412, 422})
ANSWERED = frozenset({200, 412, 422})
REFUSED = frozenset({400})
SMALL = 24_000  # bytes; most changes are made to small examples, which cost less


@dataclass(frozen=True, slots=True)
class Case:
    """One request: bytes with the pause before each piece, and what may be answered.

    `body` is what is sent to be read as JSON, None where it is not sent as it should be; `example` names the example
    that is sent unchanged. `broken`: it is no proper HTTP, so it may be answered in plain text or by closing.
    """

    kind: str
    pieces: tuple[tuple[float, bytes], ...] = field(repr=False)
    allowed: frozenset[int]
    body: bytes | None = field(default=None, repr=False)
    example: str | None = None
    head_only: bool = False
    end: bool = False
    broken: bool = False


class Making:
    """What a kind is made with: the choices of its number, the words it plants, the examples."""

    def __init__(self, seed: int, number: int, examples: dict[str, bytes], *, tokens: bool) -> None:
        self.choose = Random(f"{seed}:{number}")  # noqa: S311 - a fixed sequence, not a secret
        self.canaries = Canaries(number, self.choose)
        self.examples = examples
        self.tokens = tokens

    def example(self) -> dict[str, Any]:
        """Give an example, orders as often as visits; sometimes the one order hook's request as the other's."""
        names = [
            name
            for name, body in self.examples.items()
            if len(body) < SMALL or b'"hook": "order' in body or self.choose.random() < 0.15
        ]
        if self.choose.random() < 0.3:
            names = [name for name in names if b'"hook": "order' in self.examples[name]]
        document: dict[str, Any] = json.loads(self.examples[self.choose.choice(names)])
        if document["hook"].startswith("order") and self.choose.random() < 0.4:
            document["hook"] = self.choose.choice(("order-sign", "order-select"))
            document["context"]["selections"] = [
                f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
                for entry in document["context"]["draftOrders"]["entry"]
                if self.choose.random() < 0.7
            ]
        document["hookInstance"] = str(UUID(int=self.choose.getrandbits(128)))
        return document

    def headers(self) -> list[tuple[str, str]]:
        """Give the headers of an ordinary call: words are planted in those a caller may fill as it likes."""
        found = []
        if self.tokens:
            found.append(("Authorization", f"Bearer {TOKEN.decode()}"))
        elif self.choose.random() < 0.2:
            found.append(("Authorization", f"Bearer {self.canaries.word()}.{self.canaries.word()}.x"))
        names = ("User-Agent", "X-Request-Id", "Referer", "Cookie", "Traceparent", "X-Forwarded-For", "Origin")
        found += [(name, self.canaries.word()) for name in names if self.choose.random() < 0.08]
        return found

    def path(self, path: str = SERVICE) -> str:
        """Give an address, sometimes with a query of planted words."""
        return f"{path}?patient={self.canaries.word()}" if self.choose.random() < 0.05 else path

    def call(self, kind: str, body: bytes, allowed: frozenset[int], path: str = SERVICE, **given: Any) -> Case:
        """Give a proper HTTP call with this body."""
        return Case(kind, ((0, post(self.path(path), body, self.headers())),), allowed, body, **given)

    def document(self, kind: str, document: Any, allowed: frozenset[int], path: str = SERVICE) -> Case:
        """Give a proper call with this JSON."""
        return self.call(kind, dumped(document, self.choose), allowed, path)


def dumped(document: Any, choose: Random) -> bytes:
    """Write JSON in one of the ways of writing it."""
    indent, ascii_only = choose.choice(((None, False), (None, True), (None, False), (1, False)))
    return json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


_Make = Callable[[Making], Case]
KINDS: dict[str, tuple[float, _Make]] = {}
"""Every kind by name, with its weight."""


def kind(weight: float) -> Callable[[_Make], _Make]:
    """Register a kind of request under the name of the function that makes it, as often as its weight says."""

    def take(make: _Make) -> _Make:
        KINDS[make.__name__] = (weight, make)
        return make

    return take
