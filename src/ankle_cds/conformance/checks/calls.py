"""What a call that is right gets. https://cds-hooks.hl7.org/2.0/#calling-a-cds-service ."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from ankle_cds.conformance.looking import Look, NotSeenError, NotUsedError, look
from ankle_cds.conformance.samples import compose
from ankle_cds.conformance.subject import OK, cards_of, decoded, without_uuids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.client import Reply
    from ankle_cds.conformance.subject import Subject

_PRECONDITION = 412
_PROMPT = 500.0
_CALLS = 20
_EXTENSION = {"org.example.conformance": {"note": ["text", 1, {"deep": True}]}}


def calls_get_cards(subject: Subject) -> Iterator[Look]:
    """A call that can be answered gets 200 and an object with an array of cards."""
    for sample, reply in subject.answers:
        if sample.composed and reply.status == _PRECONDITION:
            continue
        yield look(sample.name, reply.status == OK, f"answered {reply.status}")
        document = decoded(reply)
        cards = document.get("cards") if isinstance(document, dict) else None
        well = isinstance(cards, list) and all(isinstance(card, dict) for card in cards)
        yield look(sample.name, well, "has no array of cards")


def silence_is_an_empty_array(subject: Subject) -> Iterator[Look]:
    """No guidance is 200 with an empty array of cards."""
    for sample, reply in subject.answers:
        if reply.status == OK and not cards_of(reply):
            document = decoded(reply)
            said = isinstance(document, dict) and document.get("cards") == []
            yield look(sample.name, said, "has no empty array of cards")


def calls_are_prompt(subject: Subject) -> Iterator[Look]:
    """Half of the calls are answered within 500 ms."""
    took = [reply.milliseconds for _, reply in subject.answers if reply.status == OK]
    took += [subject.post(subject.usual, subject.usual.document()).milliseconds for _ in range(_CALLS)]
    middle = statistics.median(took)
    yield look(f"{len(took)} calls", middle < _PROMPT, f"half of them took more than {middle:.0f} ms")


def prefetch_is_taken(subject: Subject) -> Iterator[Look]:
    """Data that come with the call are enough: without access to a FHIR server it is answered."""
    if not subject.templates:
        raise NotUsedError("no prefetch template is announced")
    for sample, reply in subject.answers:
        if sample.body.get("prefetch") and not (sample.composed and reply.status == _PRECONDITION):
            yield look(sample.name, reply.status == OK, f"answered {reply.status}")


def announced_data_are_enough(subject: Subject) -> Iterator[Look]:
    """Whoever sends what discovery announces, and nothing else, is answered."""
    if not subject.templates:
        raise NotUsedError("no prefetch template is announced")
    sample = subject.usual
    keys = {key for hook, key, _ in subject.templates if hook == sample.hook}
    prefetch = {key: value for key, value in (sample.body.get("prefetch") or {}).items() if key in keys}
    full, only = _twice(subject, {"prefetch": {**(sample.body.get("prefetch") or {})}}, {"prefetch": prefetch})
    yield look(sample.name, only.status == OK, f"answered {only.status}")
    yield look(sample.name, _same(full, only), "gives other cards")


def calls_are_repeatable(subject: Subject) -> Iterator[Look]:
    """The same call once more is answered whole and with the same cards, identifiers apart."""
    sample = subject.usual
    body = sample.document()
    first, second = subject.post(sample, body), subject.post(sample, body)
    yield look(sample.name, second.status == first.status == OK, f"answered {first.status}, then {second.status}")
    yield look(sample.name, _same(first, second), "gives other cards")


def nothing_is_kept(subject: Subject) -> Iterator[Look]:
    """Cards follow from the facts of their own call: another call in between changes nothing, and gets its own."""
    sample = subject.usual
    before = cards_of(subject.post(sample, sample.document()))
    if not before:
        raise NotSeenError("no card came back; give requests that lead to cards with --request")
    others = [other for other in subject.samples if other.service == sample.service and other is not sample]
    different = 0
    for other in others[:5] + others[-1:]:
        between = cards_of(subject.post(other, other.document()))
        different += without_uuids(between) != without_uuids(before)
        after = cards_of(subject.post(sample, sample.document()))
        yield look(other.name, without_uuids(after) == without_uuids(before), "changes the next answer to another call")
    yield look("other facts", different or not others, "give the same cards as these")


def extensions_are_accepted(subject: Subject) -> Iterator[Look]:
    """A request that carries extensions gets the answer it gets without."""
    body = dict(subject.usual.document())
    extended = {"extension": _EXTENSION, "context": {**body["context"], "extension": _EXTENSION}}
    plain, more = _twice(subject, {}, extended)
    yield look("with extensions", more.status == OK, f"answered {more.status}")
    yield look("with extensions", _same(plain, more), "gives other cards")


def unknown_fields_are_ignored(subject: Subject) -> Iterator[Look]:
    """A request that carries members nobody defined gets the answer it gets without."""
    context = {**subject.usual.document()["context"], "notDefined": {"a": [1]}}
    plain, more = _twice(subject, {}, {"notDefined": 1, "context": context})
    yield look("with unknown members", more.status == OK, f"answered {more.status}")
    yield look("with unknown members", _same(plain, more), "gives other cards")


def encounter_start_is_served(subject: Subject) -> Iterator[Look]:
    """A service for the hook encounter-start answers its calls."""
    offered = [entry for entry in subject.entries if entry.get("hook") == "encounter-start"]
    if not offered:
        raise NotUsedError("no service is offered for encounter-start")
    for entry in offered:
        sample = compose(entry)
        status = next((r.status for one, r in subject.answers if one.composed and one.name == sample.name), 0)
        yield look(sample.name, status in {OK, _PRECONDITION}, f"answered {status}")


def _twice(subject: Subject, first: dict[str, Any], second: dict[str, Any]) -> tuple[Reply, Reply]:
    sample = subject.usual
    return tuple(subject.post(sample, sample.document(**changes)) for changes in (first, second))  # type: ignore[return-value]


def _same(one: Reply, other: Reply) -> bool:
    return bool(without_uuids(cards_of(one)) == without_uuids(cards_of(other)))
