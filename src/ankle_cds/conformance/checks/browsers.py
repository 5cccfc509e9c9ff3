"""Which browser pages may read the answers. https://cds-hooks.hl7.org/2.0/#cors ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ankle_cds.conformance.looking import Look, NotSeenError, look
from ankle_cds.conformance.subject import JSON, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.client import Reply
    from ankle_cds.conformance.subject import Subject

_ALLOW = "access-control-allow-origin"
_CREDENTIALS = "access-control-allow-credentials"
_STRANGER = "https://stranger.example.org"
_TAKEN = range(200, 300)


def listed_origins_may_read(subject: Subject) -> Iterator[Look]:
    """A page of a listed origin may ask beforehand, call, and read answers and errors."""
    if subject.origin is None:
        raise NotSeenError("no origin that the service lets in was given (--origin)")
    asked = _preflight(subject, subject.origin)
    yield look("preflight", asked.status in _TAKEN, f"answered {asked.status}")
    allowed = (asked.header("access-control-allow-headers") or "").lower()
    yield look("preflight", "content-type" in allowed and "authorization" in allowed, "does not allow both headers")
    yield look("preflight", "POST" in (asked.header("access-control-allow-methods") or ""), "does not allow POST")
    for name, reply in {"preflight": asked, **_calls(subject, subject.origin)}.items():
        yield look(name, reply.header(_ALLOW) == subject.origin, "does not name the origin")


def other_origins_may_not(subject: Subject) -> Iterator[Look]:
    """No other page is let in, by likeness or by pattern, and never with the user's credentials."""
    others = [_STRANGER, "null"]
    if subject.origin is not None:
        others += [f"{subject.origin}.example.org", subject.origin.replace("://", "://sub."), subject.origin + "0"]
    for origin in others:
        for name, reply in {"preflight": _preflight(subject, origin), **_calls(subject, origin)}.items():
            named = reply.header(_ALLOW)
            yield look(f"{name} from another origin", named is None, "lets it in")
            yield look(f"{name} from another origin", reply.header(_CREDENTIALS) is None, "takes credentials along")


def _preflight(subject: Subject, origin: str) -> Reply:
    headers = (
        ("Origin", origin),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,content-type"),
    )
    return subject.send("OPTIONS", f"{ROOT}/{subject.usual.service}", headers=headers, token=None)


def _calls(subject: Subject, origin: str) -> dict[str, Reply]:
    headers = (JSON, ("Origin", origin))
    return {
        "discovery": subject.send("GET", ROOT, headers=(("Origin", origin),)),
        "call": subject.post(subject.usual, subject.usual.document(), headers=headers),
        "refusal": subject.post(subject.usual, {}, headers=headers),
    }
