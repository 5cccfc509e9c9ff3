"""The service under examination: what is asked of it, how, and everything it has answered so far.

https://cds-hooks.hl7.org/2.0/
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from ankle_cds.client import RawClient, Reply
from ankle_cds.conformance import samples as composing
from ankle_cds.conformance.looking import NotSeenError
from ankle_cds.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ankle_cds.conformance.records import Records
    from ankle_cds.conformance.samples import Sample
    from ankle_cds.conformance.signing import Signer

ROOT = "/cds-services"
JSON = ("Content-Type", "application/json")
OK = 200
_NO_CONTENT = 204
NO_ANSWER = 0
"""The status of a call that no answer came to."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call that was made: what kind of call, method and path, and the answer."""

    method: str
    path: str
    reply: Reply

    @property
    def where(self) -> str:
        """Name of the call in a report."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Card:
    """A card that came back, where, and the sample it answered."""

    where: str
    body: Mapping[str, Any] = field(repr=False)
    sample: Sample = field(repr=False)


def decoded(reply: Reply) -> Any:
    """Give the JSON of an answer, None where it is none."""
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None


class Subject:
    """A CDS service at a base URL.

    `samples` are requests it is known to answer; one for each entry of discovery is composed in any case. `signer`
    makes the tokens it asks for, `origin` is a browser origin it lets in, `records` the FHIR server to name in calls,
    `foreign` one it must never be led to. `guarded` is the same service where it does ask for tokens, if that is
    another address; `metrics` the address of its numbers, where that is one of its own.
    """

    def __init__(
        self,
        base: str,
        client: RawClient,
        *,
        given: Sequence[Sample] = (),
        signer: Signer | None = None,
        origin: str | None = None,
        records: Records | None = None,
        foreign: Records | None = None,
        guarded: Subject | None = None,
        metrics: str | None = None,
    ) -> None:
        self.base = base.rstrip("/")
        self.given = tuple(given)
        self.signer = signer
        self.origin = origin
        self.records = records
        self.foreign = foreign
        self.guarded = guarded
        self.metrics = metrics
        self.exchanges: list[Exchange] = []
        self.client = client

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Sequence[tuple[str, str]] = (JSON,),
        token: str | None = "",
        root: bool = False,
    ) -> Reply:
        """Make one call; bytes are sent as they are, anything else as JSON.

        `token` replaces the one of the signer ("" its own, None no token); `root` takes the path from the root of the
        host. No answer is one of status 0.
        """
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if token == "" and self.signer is not None:
            token = self.signer.token(path)
        authorization = [("Authorization", f"Bearer {token}")] if token else []
        try:
            address = urljoin(self.base, path) if root else self.base + path
            reply = self.client.send(method, address, headers=[*headers, *authorization], body=sent)
        except ServerError:
            reply = Reply(NO_ANSWER, (), b"", 0.0)
        self.exchanges.append(Exchange(method, path.partition("?")[0], reply))
        return reply

    def post(self, sample: Sample, body: Any, **more: Any) -> Reply:
        """Call the service of a sample with a body of one's own."""
        sample.arrange()
        return self.send("POST", f"{ROOT}/{sample.service}", body, **more)

    def connect(self) -> None:
        """Ask for discovery once; raises ServerError where nothing answers, the only failure that ends it all."""
        if self.discovery.status == NO_ANSWER:
            raise ServerError("No answer from the service; check its address and that it runs.")

    @cached_property
    def discovery(self) -> Reply:
        """The answer to discovery."""
        return self.send("GET", ROOT, headers=(("Accept", "application/json"),))

    @cached_property
    def entries(self) -> list[Mapping[str, Any]]:
        """The entries of discovery that are objects, none where it did not answer as it should."""
        document = decoded(self.discovery) if self.discovery.status == OK else None
        listed = document.get("services") if isinstance(document, dict) else None
        return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []

    @cached_property
    def templates(self) -> list[tuple[str, str, str]]:
        """Hook, key and template of every prefetch that is announced; raises nothing for what is none."""
        return [
            (str(entry.get("hook")), str(key), str(template))
            for entry in self.entries
            if isinstance(entry.get("prefetch"), dict)
            for key, template in entry["prefetch"].items()
        ]

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """The given requests, and one composed for each entry of discovery."""
        composed = (composing.compose(entry) for entry in self.entries if entry.get("id") and entry.get("hook"))
        return (*self.given, *composed)

    @cached_property
    def answers(self) -> list[tuple[Sample, Reply]]:
        """Every sample with the answer to it."""
        return [(sample, self.post(sample, sample.document())) for sample in self.samples]

    @cached_property
    def cards(self) -> list[Card]:
        """Every card of these answers."""
        return [
            Card(f"{sample.name} cards[{at}]", card, sample)
            for sample, reply in self.answers
            for at, card in enumerate(cards_of(reply))
        ]

    @cached_property
    def usual(self) -> Sample:
        """The sample whose variations are tried: the first with cards, else the first that is answered.

        Raises NotSeenError where none is.
        """
        answered = [(sample, reply) for sample, reply in self.answers if reply.status == OK]
        with_cards = [sample for sample, reply in answered if cards_of(reply) and sample.body.get("prefetch")]
        chosen = with_cards or [sample for sample, _ in answered]
        if not chosen:
            raise NotSeenError("no call was answered with 200; give requests it answers with --request")
        return chosen[0]

    @cached_property
    def survey(self) -> list[Exchange]:
        """Make every kind of call once, right and wrong, and give those that an answer with a body came to."""
        since = len(self.exchanges)
        self.send("GET", ROOT)
        for sample in self.samples:
            self.post(sample, sample.document())
        for entry in self.entries[:1]:
            path = f"{ROOT}/{entry.get('id')}"
            self.send("POST", path, b"{")
            self.send("POST", path, {"hook": 5})
            self.send("POST", f"{path}/feedback", {"feedback": 5})
            self.send("POST", f"{path}/feedback", {"feedback": []})
            self.send("GET", path)
        self.send("POST", f"{ROOT}/no-such-service-as-this", {})
        self.send("GET", "/no-such-path-as-this")
        return [one for one in self.exchanges[since:] if one.reply.body or one.reply.status != _NO_CONTENT]

    def template(self, sample: Sample, key: str) -> str | None:
        """Give the template announced for a key at the hook of a sample, None where there is none."""
        found = (template for hook, name, template in self.templates if hook == sample.hook and name == key)
        return next(found, None)


def cards_of(reply: Reply) -> list[Mapping[str, Any]]:
    """Give the cards of an answer that are objects."""
    document = decoded(reply) if reply.status == OK else None
    cards = document.get("cards") if isinstance(document, dict) else None
    return [card for card in cards if isinstance(card, dict)] if isinstance(cards, list) else []


def without_uuids(value: Any) -> Any:
    """Give a document without the members that may differ from one answer to the next."""
    if isinstance(value, dict):
        return {name: without_uuids(member) for name, member in value.items() if name != "uuid"}
    return [without_uuids(item) for item in value] if isinstance(value, list) else value
