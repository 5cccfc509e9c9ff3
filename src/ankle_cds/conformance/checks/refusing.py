"""Calls that are not right, each wrong in one way: refused, and the service lives on.

https://cds-hooks.hl7.org/2.0/#http-request_1
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ankle_cds.conformance.looking import Look, look
from ankle_cds.conformance.samples import example
from ankle_cds.conformance.subject import JSON, OK, ROOT, decoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.client import Reply
    from ankle_cds.conformance.subject import Subject

_REFUSED = range(400, 500)
_FINE = {200, 412}
_CANARY = "conformance-canary-value"
_TOO_LARGE = 12 * 1024 * 1024
_DEEP = 100_000
_ACCESS = {"access_token": _CANARY, "token_type": "Bearer", "expires_in": 300, "scope": "user/*.read", "subject": "x"}


def hook_is_required(subject: Subject) -> Iterator[Look]:
    """A call without hook, or with one that is no text, is refused."""
    yield from _refused(subject, {"without hook": subject.usual.document("hook")})
    wrong = {"hook null": None, "hook empty": "", "hook a number": 5}
    yield from _refused(subject, {name: subject.usual.document(hook=value) for name, value in wrong.items()})
    yield _taken(subject, "hook offered", subject.usual.document())


def foreign_hooks_are_refused(subject: Subject) -> Iterator[Look]:
    """A call for a hook that the service does not offer is refused, not answered with silence."""
    offered = {entry.get("hook") for entry in subject.entries if entry.get("id") == subject.usual.service}
    for hook in sorted({*example()["hooks"], "no-such-hook"} - offered):
        yield from _refused(subject, {f"hook {hook}": subject.usual.document(hook=hook)})


def instance_is_a_uuid(subject: Subject) -> Iterator[Look]:
    """A call without hookInstance, or with one that is no UUID, is refused; letters may be large or small."""
    yield from _refused(subject, {"without hookInstance": subject.usual.document("hookInstance")})
    whole = str(subject.usual.body["hookInstance"])
    wrong = {"null": None, "a word": "abc", "one short": whole[:-1], "one more": whole + "0", "a number": 7}
    yield from _refused(
        subject, {f"hookInstance {name}": subject.usual.document(hookInstance=one) for name, one in wrong.items()}
    )
    yield _taken(subject, "hookInstance in capitals", subject.usual.document(hookInstance=whole.upper()))


def context_is_required(subject: Subject) -> Iterator[Look]:
    """A call without context, or whose context lacks a field the hook requires, is refused."""
    yield from _refused(subject, {"without context": subject.usual.document("context")})
    shapes: dict[str, Any] = {"null": None, "empty": {}, "an array": [], "a text": _CANARY}
    for name, value in shapes.items():
        yield from _refused(subject, {f"context {name}": subject.usual.document(context=value)})
    context = subject.usual.document()["context"]
    for field in ("userId", "patientId"):
        less = {name: value for name, value in context.items() if name != field}
        yield from _refused(subject, {f"context without {field}": subject.usual.document(context=less)})
        for odd in (None, "", 5, {"a": _CANARY}):
            wrong = subject.usual.document(context={**context, field: odd})
            yield from _refused(subject, {f"{field} {type(odd).__name__}": wrong})


def access_needs_a_server(subject: Subject) -> Iterator[Look]:
    """A call with fhirAuthorization and no fhirServer is refused, and so is a fhirServer that is no URL."""
    yield from _refused(
        subject, {"fhirAuthorization alone": subject.usual.document("fhirServer", fhirAuthorization=_ACCESS)}
    )
    for value in (None, "", 5, _CANARY, "//ehr.example.org"):
        yield from _refused(subject, {f"fhirServer {value!r}": subject.usual.document(fhirServer=value)})


def access_has_a_shape(subject: Subject) -> Iterator[Look]:
    """FhirAuthorization may be left out; where given it is an object with a bearer token."""
    yield _taken(subject, "without fhirAuthorization", subject.usual.document("fhirAuthorization", "fhirServer"))
    server = "https://ehr.example.org/fhir"
    less = {name: value for name, value in _ACCESS.items() if name != "access_token"}
    wrong: dict[str, Any] = {
        "null": None,
        "an array": [],
        "empty": {},
        "no token": less,
        "MAC": _ACCESS | {"token_type": "MAC"},
    }
    for name, value in wrong.items():
        document = subject.usual.document(fhirServer=server, fhirAuthorization=value)
        yield from _refused(subject, {f"fhirAuthorization {name}": document})


def prefetch_may_be_left_out(subject: Subject) -> Iterator[Look]:
    """No prefetch and an empty one are the same; one that is no object is refused."""
    absent = subject.post(subject.usual, subject.usual.document("prefetch"))
    empty = subject.post(subject.usual, subject.usual.document(prefetch={}))
    yield look("without prefetch", absent.status in _FINE, f"answered {absent.status}")
    yield look("prefetch empty", empty.status == absent.status, f"answered {empty.status}, without {absent.status}")
    shapes: dict[str, Any] = {"null": None, "a text": _CANARY, "an array": [1]}
    for name, value in shapes.items():
        yield from _refused(subject, {f"prefetch {name}": subject.usual.document(prefetch=value)})


def one_patient_is_meant(subject: Subject) -> Iterator[Look]:
    """A token for another patient than that of the call is not answered with cards."""
    context = subject.usual.document()["context"]
    own = {"fhirServer": "https://ehr.example.org/fhir"}
    mine = _ACCESS | {"patient": context["patientId"]}
    yield _taken(subject, "the same patient", subject.usual.document(**own, fhirAuthorization=mine))
    other = _ACCESS | {"patient": "somebody-else-entirely"}
    yield from _refused(subject, {"another patient": subject.usual.document(**own, fhirAuthorization=other)})


def services_take_post(subject: Subject) -> Iterator[Look]:
    """A service is called by POST: any other method is refused."""
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        subject.usual.arrange()
        body = None if method in {"GET", "DELETE"} else subject.usual.document()
        reply = subject.send(method, f"{ROOT}/{subject.usual.service}", body)
        yield look(method, reply.status in _REFUSED, f"answered {reply.status}")


def bad_bodies_are_refused(subject: Subject) -> Iterator[Look]:
    """What is not JSON, has two readings, or is not declared as JSON is refused, never answered and never an error."""
    for name, body, headers in _bad_bodies(subject):
        reply = subject.post(subject.usual, body, headers=headers)
        yield look(name, reply.status in _REFUSED, _said(reply))
    yield _taken(subject, "afterwards", subject.usual.document())


def large_bodies_are_refused(subject: Subject) -> Iterator[Look]:
    """A body without end or without bottom is refused: 12 MiB, and 100,000 objects inside one another."""
    large = subject.post(subject.usual, b'{"hook": "' + b"x" * _TOO_LARGE + b'"}')
    yield look("12 MiB", large.status == 413, _said(large))  # noqa: PLR2004  # the status for it
    deep = subject.post(subject.usual, b'{"hook": ' + b'{"a":' * _DEEP + b"1" + b"}" * _DEEP + b"}")
    yield look("deep", deep.status in _REFUSED, _said(deep))


def refusals_are_outcomes(subject: Subject) -> Iterator[Look]:
    """Whatever is refused is told as an OperationOutcome."""
    for name, reply in _refusals(subject):
        document = decoded(reply)
        issues = document.get("issue") if isinstance(document, dict) else None
        told = isinstance(issues, list) and issues and document.get("resourceType") == "OperationOutcome"
        whole = all(isinstance(one, dict) and one.get("severity") and one.get("code") for one in issues or ())
        yield look(name, told and whole, "is told in another form")


def refusals_tell_nothing(subject: Subject) -> Iterator[Look]:
    """A refusal repeats nothing of what was sent."""
    for name, reply in _refusals(subject):
        yield look(name, _CANARY.encode() not in reply.body, "repeats what was sent")


def _bad_bodies(subject: Subject) -> Iterator[tuple[str, bytes, tuple[tuple[str, str], ...]]]:
    """Bodies that must be refused, each with its name and its headers."""
    good = json.dumps(subject.usual.document()).encode()
    twice = good[:-1] + b', "hook": "patient-view"}'
    bodies = {
        "empty": b"",
        "blank": b"  \n",
        "cut short": good[: len(good) // 2],
        "trailing comma": good[:-1] + b",}",
        "two documents": good + good,
        "NaN": good[:-1] + b', "x": NaN}',
        "not UTF-8": good[:-1] + b', "x": "\xff\xfe"}',
        "a member twice": twice,
        "null": b"null",
        "an array": b"[" + good + b"]",
        "a text": f'"{_CANARY}"'.encode(),
        "no JSON": f"<html>{_CANARY}</html>".encode(),
    }
    for name, body in bodies.items():
        yield name, body, (JSON,)
    yield "text/plain", good, (("Content-Type", "text/plain"),)
    yield "XML", good, (("Content-Type", "application/xml"),)


def _refusals(subject: Subject) -> Iterator[tuple[str, Reply]]:
    """Give answers to calls that have to be refused; those that were not say so elsewhere."""
    replies = [(name, subject.post(subject.usual, body, headers=head)) for name, body, head in _bad_bodies(subject)]
    context = {**subject.usual.document()["context"], "patientId": {"a": _CANARY}}
    wrong = {
        "hook not offered": subject.usual.document(hook=_CANARY),
        "wrong context": subject.usual.document(context=context),
        "wrong hookInstance": subject.usual.document(hookInstance=_CANARY),
        "access without server": subject.usual.document("fhirServer", fhirAuthorization=_ACCESS),
    }
    replies += [(name, subject.post(subject.usual, body)) for name, body in wrong.items()]
    replies.append(("unknown service", subject.send("POST", f"{ROOT}/{_CANARY}", subject.usual.document())))
    replies.append(("unknown path", subject.send("GET", f"/{_CANARY}")))
    replies.append(("other method", subject.send("GET", f"{ROOT}/{subject.usual.service}")))
    for name, reply in replies:
        if reply.status >= _REFUSED.start:
            yield name, reply


def _refused(subject: Subject, bodies: Mapping[str, Any]) -> Iterator[Look]:
    for name, body in bodies.items():
        reply = subject.post(subject.usual, body)
        yield look(name, reply.status in _REFUSED, _said(reply))


def _taken(subject: Subject, name: str, body: Any) -> Look:
    reply = subject.post(subject.usual, body)
    return look(name, reply.status == OK, _said(reply))


def _said(reply: Reply) -> str:
    return f"answered {reply.status}" if reply.status else "was not answered"
