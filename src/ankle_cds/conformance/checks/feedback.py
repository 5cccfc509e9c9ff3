"""Feedback: what became of a card. https://cds-hooks.hl7.org/2.0/#feedback ."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ankle_cds.conformance.looking import Look, NotSeenError, NotUsedError, look
from ankle_cds.conformance.subject import ROOT, cards_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.conformance.subject import Subject

_TAKEN = range(200, 300)
_REFUSED = range(400, 500)
_ABSENT = {404, 405, 501}
_REASON = {"code": "example", "system": "https://example.org/reasons", "display": "Example"}
_COMMENT = "<script>conformance-canary-value</script>\r\n'; --"


def feedback_is_taken(subject: Subject) -> Iterator[Look]:
    """Feedback about a card, taken or overridden, is accepted at the address below the service."""
    given = {
        "accepted": _accepted(),
        "overridden": _overridden(),
        "overridden for a reason": _overridden(overrideReason={"reason": _REASON}),
    }
    for name, entry in given.items():
        yield _is_taken(subject, name, entry)
    card = next(iter(cards_of(subject.post(subject.usual, subject.usual.document()))), {})
    if card.get("uuid"):
        yield _is_taken(subject, "a card that was shown", _overridden(card=card["uuid"]))
    both = _send(subject, {"feedback": [_accepted(), _overridden()]})
    yield look("two entries", both in _TAKEN, f"answered {both}")
    for name, body in {"no feedback": {}, "an object": {"feedback": {}}, "null": {"feedback": None}}.items():
        status = _send(subject, body)
        yield look(name, status in _REFUSED, f"answered {status}")


def feedback_names_a_card(subject: Subject) -> Iterator[Look]:
    """Feedback names its card by uuid: without one it is refused, about an unknown card it is accepted."""
    yield _is_taken(subject, "unknown card", _overridden(card=str(uuid4())))
    wrong = {"null": None, "a number": 5, "empty": "", "no uuid": "abc"}
    for name, value in wrong.items():
        yield _is_refused(subject, f"card {name}", _overridden(card=value))
    yield _is_refused(subject, "no card", {name: one for name, one in _overridden().items() if name != "card"})


def feedback_has_an_outcome(subject: Subject) -> Iterator[Look]:
    """The outcome of feedback is accepted or overridden, in these letters."""
    yield _is_taken(subject, "overridden", _overridden())
    for value in (None, "Accepted", "ignored", "", 1):
        yield _is_refused(subject, f"outcome {value!r}", _overridden(outcome=value))


def acceptance_names_suggestions(subject: Subject) -> Iterator[Look]:
    """An accepted card says which suggestions, each by its id."""
    yield _is_taken(subject, "accepted", _accepted())
    wrong: dict[str, Any] = {"empty": [], "an object": {}, "without id": [{}], "id a number": [{"id": 5}]}
    for name, value in wrong.items():
        yield _is_refused(subject, f"acceptedSuggestions {name}", _accepted(acceptedSuggestions=value))
    less = {name: one for name, one in _accepted().items() if name != "acceptedSuggestions"}
    yield _is_refused(subject, "without acceptedSuggestions", less)


def feedback_has_a_time(subject: Subject) -> Iterator[Look]:
    """The time of the outcome is given in RFC 3339 and in UTC."""
    for text in ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123Z", "2026-01-31T12:00:00+00:00"):
        yield _is_taken(subject, text, _overridden(outcomeTimestamp=text))
    for value in (None, "", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00:00+02:00", "2026-02-31T12:00:00Z"):
        yield _is_refused(subject, f"outcomeTimestamp {value!r}", _overridden(outcomeTimestamp=value))


def override_reasons_are_taken(subject: Subject) -> Iterator[Look]:
    """A reason is a Coding with code and system; its display may be missing, its system may be any."""
    plain = {name: value for name, value in _REASON.items() if name != "display"}
    yield _is_taken(subject, "without display", _overridden(overrideReason={"reason": plain}))
    for name in ("code", "system"):
        less = {one: value for one, value in _REASON.items() if one != name}
        yield _is_refused(subject, f"without {name}", _overridden(overrideReason={"reason": less}))
    nothing: tuple[Any, ...] = (None, [], {})
    for value in nothing:
        yield _is_refused(subject, f"overrideReason {value!r}", _overridden(overrideReason=value))


def comments_are_survived(subject: Subject) -> Iterator[Look]:
    """A comment of the user is free text: accepted, whatever it holds, and never repeated."""
    entry = _overridden(overrideReason={"reason": _REASON, "userComment": _COMMENT})
    reply = subject.send("POST", _path(subject), {"feedback": [entry]})
    yield look("markup", reply.status in _TAKEN, f"answered {reply.status}")
    yield look("markup", b"conformance-canary-value" not in reply.body, "is repeated")
    entry = _overridden(overrideReason={"reason": _REASON, "userComment": 5})
    yield _is_refused(subject, "a number", entry)


def _accepted(**changes: Any) -> dict[str, Any]:
    return _entry("accepted", {"acceptedSuggestions": [{"id": str(uuid4())}]} | changes)


def _overridden(**changes: Any) -> dict[str, Any]:
    return _entry("overridden", changes)


def _entry(outcome: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    time = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"card": str(uuid4()), "outcome": outcome, "outcomeTimestamp": time} | dict(changes)


def _path(subject: Subject) -> str:
    if not subject.entries:
        raise NotSeenError("discovery lists no service")
    return f"{ROOT}/{subject.usual.service}/feedback"


def _send(subject: Subject, body: Any) -> int:
    status = subject.send("POST", _path(subject), body).status
    if status in _ABSENT:
        raise NotUsedError("the service has no feedback endpoint")
    return status


def _is_taken(subject: Subject, name: str, entry: Any) -> Look:
    status = _send(subject, {"feedback": [entry]})
    return look(name, status in _TAKEN, f"answered {status}")


def _is_refused(subject: Subject, name: str, entry: Any) -> Look:
    status = _send(subject, {"feedback": [entry]})
    return look(name, status in _REFUSED, f"answered {status}")
