"""Where the data come from: what is prefetched, what is read from the client's FHIR server, and what cannot be had.

The examination runs a FHIR server of its own and looks at who asks it for what.
https://cds-hooks.hl7.org/2.0/#fhir-resource-access
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ankle_cds.conformance.looking import Look, NotSeenError, NotUsedError, look
from ankle_cds.conformance.records import TOKEN, held, spelled
from ankle_cds.conformance.samples import filled
from ankle_cds.conformance.subject import OK, cards_of, without_uuids

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.client import Reply
    from ankle_cds.conformance.records import Read, Records
    from ankle_cds.conformance.subject import Subject

_FINE = {200, 412}
_PRECONDITION = 412
_OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
_SLOW = 0.9  # seconds; a second round of reads begins in time, a third does not
_SETTLED = 0.4  # seconds in which a read that was begun too late would come


def missing_data_are_read(subject: Subject) -> Iterator[Look]:
    """With access to the FHIR server, what the call lacks is read there: announced queries only, nothing twice."""
    records, keys = _ready(subject)
    half = sorted(keys)[::2]
    reply = _call(subject, {key: value for key, value in _prefetch(subject).items() if key not in half})
    if not records.reads:
        raise NotUsedError("nothing is read from the client's FHIR server")
    wanted = {spelled(filled(keys[key], subject.usual.body["context"])): key for key in keys}
    asked = [wanted.get(read.query) for read in records.reads]
    yield look("the call", reply.status == OK, f"answered {reply.status}")
    yield look("queries", None not in asked, "asks for what discovery does not announce")
    yield look("queries", set(asked) <= {*half, None}, "asks again for what the call carried")
    yield look("queries", len(asked) == len(set(asked)), "asks twice for the same")


def either_way_gives_the_same(subject: Subject) -> Iterator[Look]:
    """Data from prefetch, from the FHIR server, or from each in part give the same cards."""
    records, keys = _ready(subject)
    whole = _cards(subject.post(subject.usual, subject.usual.document()))
    for name, left_out in {"all read": set(keys), "half read": set(sorted(keys)[1::2])}.items():
        records.hold(held(subject, subject.usual))
        reply = _call(subject, {key: value for key, value in _prefetch(subject).items() if key not in left_out})
        yield look(name, records.reads, "reads nothing")
        yield look(name, reply.status == OK and _cards(reply) == whole, "gives other cards")


def reads_carry_the_token(subject: Subject) -> Iterator[Look]:
    """Every read carries the access token of its call."""
    for read in _read_all(subject):
        yield look(_named(subject, read), read.authorization == f"Bearer {TOKEN}", "has no such token")


def nothing_is_read_without_token(subject: Subject) -> Iterator[Look]:
    """A call that names a FHIR server and gives no token leads to no read."""
    records, _ = _ready(subject)
    reply = subject.post(
        subject.usual, subject.usual.document("fhirAuthorization", prefetch={}, fhirServer=records.url)
    )
    yield look("the call", reply.status in _FINE, f"answered {reply.status}")
    yield look("reads", not records.reads, "come without a token")


def expired_tokens_are_not_used(subject: Subject) -> Iterator[Look]:
    """A token whose life is over is not used; a lifetime that cannot be read harms nothing."""
    records, _ = _ready(subject)
    for value in (0, -1):
        records.reads.clear()
        reply = _call(subject, {}, expires_in=value)
        yield look(f"expires_in {value}", not records.reads, "reads all the same")
        yield look(f"expires_in {value}", reply.status in _FINE, f"answered {reply.status}")
    odd_ones: tuple[Any, ...] = (1, "300", "x", 1e9, None, [])
    for odd in odd_ones:
        reply = _call(subject, {}, expires_in=odd)
        yield look(f"expires_in {odd!r}", reply.status in _FINE, f"answered {reply.status}")


def short_tokens_end(subject: Subject) -> Iterator[Look]:
    """No read begins after the token's life is over, however slow the FHIR server is."""
    records, _ = _ready(subject)
    records.hold(held(subject, subject.usual), delay=_SLOW)
    began = time.monotonic()
    reply = _call(subject, {}, expires_in=1)
    time.sleep(_SETTLED)
    if not records.reads:
        raise NotUsedError("nothing is read from the client's FHIR server")
    yield look("the call", reply.status in _FINE, f"answered {reply.status}")
    yield look("reads", all(read.at - began < 2 * _SLOW - 0.1 for read in records.reads), "begin after it")


def nothing_is_read_afterwards(subject: Subject) -> Iterator[Look]:
    """After the answer no read begins: the client may have revoked the token."""
    records, _ = _ready(subject)
    records.hold(held(subject, subject.usual), delay=0.02)
    _call(subject, {})
    answered = time.monotonic()
    time.sleep(_SETTLED)
    if not records.reads:
        raise NotUsedError("nothing is read from the client's FHIR server")
    for read in records.reads:
        yield look(_named(subject, read), read.at <= answered, "comes after the answer")


def refused_reads_are_survived(subject: Subject) -> Iterator[Look]:
    """A FHIR server that refuses its token or fails leads to 412 or to cards without those data."""
    records, _ = _ready(subject)
    for status in (401, 403, 404, 500):
        records.hold(held(subject, subject.usual), status=status)
        reply = _call(subject, {})
        if not records.reads:
            raise NotUsedError("nothing is read from the client's FHIR server")
        yield look(f"FHIR server answers {status}", reply.status in _FINE, f"answered {reply.status}")


def null_is_an_answer(subject: Subject) -> Iterator[Look]:
    """A key that is null has no data: it is not asked for again, and nothing breaks."""
    yield from _not_asked(subject, dict.fromkeys(_ready(subject)[1]))


def an_empty_bundle_is_an_answer(subject: Subject) -> Iterator[Look]:
    """An empty searchset says the same as null: it is not asked for again."""
    searches = [key for key, template in _ready(subject)[1].items() if "?" in template]
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    yield from _not_asked(subject, dict.fromkeys(searches, empty))
    for key in searches:
        replies = [_call(subject, _prefetch(subject) | {key: value}) for value in (None, empty)]
        yield look(f"{key} empty", _cards(replies[0]) == _cards(replies[1]), "gives other cards than null")


def a_failure_is_an_answer(subject: Subject) -> Iterator[Look]:
    """A key whose value is an OperationOutcome could not be had: it is not asked for again, and nothing breaks."""
    yield from _not_asked(subject, dict.fromkeys(_ready(subject)[1], _OUTCOME))
    reply = subject.post(subject.usual, subject.usual.document(prefetch=dict.fromkeys(_keys(subject), _OUTCOME)))
    yield look("every key", reply.status in _FINE, f"answered {reply.status}")
    if cards_of(subject.post(subject.usual, subject.usual.document())):
        silent = reply.status == OK and not cards_of(reply)
        yield look("every key", not silent, "is answered as if there were nothing to say")


def any_key_may_be_missing(subject: Subject) -> Iterator[Look]:
    """Any part of the prefetched data may be left out: the answer is cards or 412, never an error."""
    keys = sorted(_sent(subject))
    parts = {f"without {key}": {key} for key in keys} | {f"only {key}": set(keys) - {key} for key in keys}
    for name, left_out in parts.items():
        prefetch = {key: value for key, value in _prefetch(subject).items() if key not in left_out}
        reply = subject.post(subject.usual, subject.usual.document(prefetch=prefetch))
        yield look(name, reply.status in _FINE, f"answered {reply.status}")


def odd_values_are_survived(subject: Subject) -> Iterator[Look]:
    """A value of another form than was asked for leads to cards or 412, never to an error."""
    wrong = {"resourceType": "Basic", "id": "b"}
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": wrong}, {}, {"resource": None}]}
    values = {"a text": "x", "an array": [1], "no resource": {"a": 1}, "another resource": wrong, "a Bundle": bundle}
    for key in _sent(subject):
        for name, value in values.items():
            reply = subject.post(subject.usual, subject.usual.document(prefetch=_prefetch(subject) | {key: value}))
            yield look(f"{key}: {name}", reply.status in _FINE, f"answered {reply.status}")
    more = _prefetch(subject) | {"neverAskedFor": bundle}
    replies = [subject.post(subject.usual, subject.usual.document(prefetch=one)) for one in (_prefetch(subject), more)]
    yield look("a key nobody asked for", _cards(replies[0]) == _cards(replies[1]), "changes the cards")


def data_that_cannot_be_had_are_412(subject: Subject) -> Iterator[Look]:
    """Where the data a service requires are neither sent nor reachable it answers 412, not with silence."""
    if not subject.templates:
        raise NotUsedError("no prefetch template is announced")
    for sample, before in subject.answers:
        if before.status != OK or not sample.body.get("prefetch"):
            continue
        reply = subject.post(sample, sample.document("prefetch", "fhirServer", "fhirAuthorization"))
        if cards_of(before):
            known = reply.status == _PRECONDITION or (reply.status == OK and cards_of(reply))
            yield look(sample.name, known, f"with no data answered {reply.status} and no card")
        elif reply.status != OK:
            yield look(sample.name, reply.status == _PRECONDITION, f"with no data answered {reply.status}")


def pages_are_followed_safely(subject: Subject) -> Iterator[Look]:
    """A page of prefetched data may name a next one: read from the named server only, and never elsewhere."""
    records, keys = _ready(subject)
    searches = [key for key, template in keys.items() if "?" in template]
    if subject.foreign is None or not searches:
        raise NotSeenError("no template is a search")
    empty = {"resourceType": "Bundle", "type": "searchset", "entry": []}
    for key in searches[:3]:
        for name, server in {"elsewhere": subject.foreign, "here": records}.items():
            records.hold({"page2": empty})
            subject.foreign.hold({"page2": empty})
            first = _prefetch(subject)[key] or empty
            paged = first | {"link": [{"relation": "next", "url": f"{server.url}/page2"}]}
            reply = _call(subject, _prefetch(subject) | {key: paged})
            yield look(f"{key}: page {name}", reply.status in _FINE, f"answered {reply.status}")
            yield look(f"{key}: page {name}", not subject.foreign.reads, "led the token to another server")
            tokens = {read.authorization for read in records.reads}
            yield look(f"{key}: page {name}", tokens <= {f"Bearer {TOKEN}"}, "read without the token")


def _not_asked(subject: Subject, values: Mapping[str, Any]) -> Iterator[Look]:
    records, keys = _ready(subject)
    for key, value in values.items():
        records.reads.clear()
        reply = _call(subject, _prefetch(subject) | {key: value})
        query = spelled(filled(keys[key], subject.usual.body["context"]))
        yield look(key, query not in {read.query for read in records.reads}, "is asked for again")
        yield look(key, reply.status in _FINE, f"answered {reply.status}")


def _read_all(subject: Subject) -> list[Read]:
    records, _ = _ready(subject)
    _call(subject, {})
    if not records.reads:
        raise NotUsedError("nothing is read from the client's FHIR server")
    return list(records.reads)


def _named(subject: Subject, read: Read) -> str:
    """Give the key a read is for: the query itself names a patient."""
    context = subject.usual.body["context"]
    keys = (key for key, template in _keys(subject).items() if spelled(filled(template, context)) == read.query)
    return next(keys, "a read that was not announced")


def _ready(subject: Subject) -> tuple[Records, dict[str, str]]:
    """Give the FHIR server, holding the data of the usual sample, and the templates of its hook by key."""
    if subject.records is None:
        raise NotSeenError("the examination has no FHIR server that the service could read")
    keys = _keys(subject)
    subject.records.hold(held(subject, subject.usual))
    return subject.records, keys


def _keys(subject: Subject) -> dict[str, str]:
    """Give the announced templates that the usual sample has data for."""
    if not subject.templates:
        raise NotUsedError("no prefetch template is announced")
    announced = {key: template for hook, key, template in subject.templates if hook == subject.usual.hook}
    return {key: template for key, template in announced.items() if key in _prefetch(subject)}


def _sent(subject: Subject) -> list[str]:
    """Give the keys the usual sample has data for, announced or not."""
    keys = list(_prefetch(subject))
    if not keys:
        raise NotUsedError("no prefetch template is announced, and no request with prefetch was given")
    return keys


def _prefetch(subject: Subject) -> dict[str, Any]:
    return dict(subject.usual.document().get("prefetch") or {})


def _call(subject: Subject, prefetch: Mapping[str, Any], **access: Any) -> Reply:
    assert subject.records is not None  # noqa: S101  # whoever calls has asked for it
    return subject.post(subject.usual, subject.usual.document(prefetch=prefetch, **subject.records.access(**access)))


def _cards(reply: Reply) -> Any:
    return without_uuids(cards_of(reply))
