"""Whom the service lets in: calls without a token, and with tokens that are wrong in one way.

With a registered client (a signer) every token is right but for the one thing tried. Without one, tokens are those of a
stranger, who is refused whatever else is wrong with them: then only that is looked at. https://cds-hooks.hl7.org/2.0/#trusting-cds-clients
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ankle_cds.conformance.looking import Look, NotSeenError, look
from ankle_cds.conformance.signing import Signer
from ankle_cds.conformance.subject import JSON, OK, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.client import Reply
    from ankle_cds.conformance.samples import Sample
    from ankle_cds.conformance.subject import Subject

_REFUSED = {401, 403}


def callers_are_authenticated(subject: Subject) -> Iterator[Look]:
    """A call without a token, or with anything else in its place, is refused."""
    guarded = subject.guarded or subject
    token = _signer(guarded).token(_path(guarded))
    yield look("without a token", _call(guarded, None).status in _REFUSED, "is answered")
    for name, values in {
        "Basic": ["Basic eDp5"],
        "empty": ["Bearer"],
        "no token at all": ["Bearer abc"],
        "token without scheme": [token],
        "two headers": [f"Bearer {token}", f"Bearer {token}"],
    }.items():
        headers = [JSON, *(("Authorization", value) for value in values)]
        reply = guarded.send("POST", _path(guarded), _sample(guarded).document(), headers=headers, token=None)
        yield look(name, reply.status in _REFUSED, f"answered {reply.status}")
    if guarded.signer is not None:
        yield _let_in(guarded, "a right token")


def unsigned_tokens_are_refused(subject: Subject) -> Iterator[Look]:
    """A token that says it needs no signature is refused."""
    for alg in ("none", "None", "NONE", "nOnE"):
        yield _shut_out(subject, f"alg {alg}", header={"alg": alg})


def shared_secrets_are_refused(subject: Subject) -> Iterator[Look]:
    """A token signed with a secret that both sides could know is refused, also when it is the public key itself."""
    guarded = _signed(subject)
    signer = _signer(guarded)
    for alg in ("HS256", "HS384", "HS512"):
        for name, secret in {
            "kid": signer.keys[0].kid.encode() * 32,
            "public key": b"\n" + signer.keys[0].public_pem(),
        }.items():
            yield _shut_out(subject, f"{alg} with the {name}", header={"alg": alg}, secret=secret)


def unknown_algorithms_are_refused(subject: Subject) -> Iterator[Look]:
    """A token whose algorithm is none of RFC 7518, or none that was agreed, is refused."""
    for alg in ("XX384", "es384", "", None, "ES256K"):
        yield _shut_out(subject, f"alg {alg!r}", header={"alg": alg})


def keys_are_named(subject: Subject) -> Iterator[Look]:
    """A token names its key by kid, a text: any other, or one that is not known, is refused."""
    for kid in (None, "", 5, "unknown", "../../etc/passwd"):
        yield _shut_out(subject, f"kid {kid!r}", header={"kid": kid})


def tokens_are_typed(subject: Subject) -> Iterator[Look]:
    """A token says in its header that it is a JWT."""
    for typ in (None, "at+jwt", 5):
        yield _shut_out(subject, f"typ {typ!r}", header={"typ": typ})


def strangers_are_refused(subject: Subject) -> Iterator[Look]:
    """An issuer or a key address that is not on the list is refused, and the address is not asked for keys."""
    guarded = _closed(subject)
    foreign = subject.foreign
    for name, issuer in {
        "unknown": "https://stranger.example.org",
        "missing": None,
        "with a slash": f"{_signer(guarded).issuer}/",
    }.items():
        yield _refused(guarded, f"iss {name}", claims={"iss": issuer})
    addresses = ["https://stranger.example.org/jwks.json"]
    if foreign is not None:
        foreign.hold({})
        addresses.append(f"{foreign.url}/jwks")
    for address in addresses:
        yield _refused(guarded, "jku unlisted", header={"jku": address})
    if foreign is not None:
        yield look("jku unlisted", not foreign.reads, "is asked for keys")


def tokens_are_for_this_address(subject: Subject) -> Iterator[Look]:
    """A token for another address is refused; one for this address, alone or among others, is not."""
    guarded = _signed(subject)
    right = f"{_signer(guarded).audience}{_path(guarded)}"
    wrong: dict[str, Any] = {
        "missing": None,
        "another": f"{right}-other",
        "the base": _signer(guarded).audience,
        "slash": f"{right}/",
        "empty": [],
    }
    for name, aud in wrong.items():
        yield _shut_out(subject, f"aud {name}", claims={"aud": aud})
    yield _let_in(guarded, "aud an array", claims={"aud": [right, "https://other.example.org"]})


def tokens_expire(subject: Subject) -> Iterator[Look]:
    """A token whose exp is missing, no number, or over is refused."""
    now = int(time.time())
    for name, exp in {"missing": None, "a text": str(now + 300), "over": now - 120, "true": True}.items():
        claims = {"exp": exp} | ({"iat": now - 300} if name == "over" else {})
        yield _shut_out(subject, f"exp {name}", claims=claims)


def tokens_have_a_beginning(subject: Subject) -> Iterator[Look]:
    """A token whose iat is missing, no number, or not yet reached is refused."""
    now = int(time.time())
    for name, iat in {"missing": None, "a text": str(now), "to come": now + 200}.items():
        yield _shut_out(subject, f"iat {name}", claims={"iat": iat})


def tokens_are_used_once(subject: Subject) -> Iterator[Look]:
    """A token without jti is refused, and so is one that was used before."""
    for jti in (None, "", 5):
        yield _shut_out(subject, f"jti {jti!r}", claims={"jti": jti})
    guarded = _signed(subject)
    token = _signer(guarded).token(_path(guarded))
    statuses = [_call(guarded, token).status for _ in range(2)]
    yield look("the first time", statuses[0] == OK, f"answered {statuses[0]}")
    yield look("the second time", statuses[1] in _REFUSED, f"answered {statuses[1]}")


def tenants_are_texts(subject: Subject) -> Iterator[Look]:
    """A token may name a tenant, a text."""
    guarded = _signed(subject)
    yield _let_in(guarded, "without tenant")
    yield _let_in(guarded, "a tenant", claims={"tenant": "north"})
    yield _shut_out(subject, "a number", claims={"tenant": 5})


def recommended_algorithms_are_accepted(subject: Subject) -> Iterator[Look]:
    """Tokens signed with ES384 and with RS384 are accepted."""
    guarded = _signed(subject)
    for key in _signer(guarded).keys:
        yield _let_in(guarded, key.alg, key=key)


def keys_may_be_exchanged_beforehand(subject: Subject) -> Iterator[Look]:
    """A client whose keys were handed over beforehand sends no jku and is let in."""
    yield _let_in(_signed(subject), "without jku")
    yield _shut_out(subject, "with a jku of nobody", header={"jku": "https://stranger.example.org/jwks.json"})


def refusals_look_alike(subject: Subject) -> Iterator[Look]:
    """Whoever is not let in is not told why."""
    guarded = _closed(subject)
    signer = _signer(guarded)
    tokens = [None, "abc", signer.token(_path(guarded), header={"alg": "none"})]
    tokens += [signer.token(_path(guarded), claims={name: None}) for name in ("iss", "aud", "exp", "jti")]
    bodies = [_call(guarded, token).body for token in tokens]
    for body in bodies[1:]:
        yield look("the answer", body == bodies[0], "differs from that to no token")


def only_own_servers_are_read(subject: Subject) -> Iterator[Look]:
    """A FHIR server that was not registered for the caller is never contacted, whatever the call says."""
    guarded = _signed(subject)
    foreign = subject.foreign
    if foreign is None:
        raise NotSeenError("the examination has no server that would notice")
    foreign.hold({})
    port = foreign.url.rpartition(":")[2]
    for server in (
        foreign.url,
        foreign.url.replace("http:", "https:"),
        f"http://localhost:{port}",
        f"http://2130706433:{port}",
    ):
        access = foreign.access() | {"fhirServer": server}
        reply = guarded.send("POST", _path(guarded), guarded.usual.document(prefetch={}, **access))
        yield look(server.partition(":")[0], reply.status in {*range(400, 500), OK}, f"answered {reply.status}")
    yield look("a server of nobody", not foreign.reads, "is contacted")


def _sample(guarded: Subject) -> Sample:
    """Give a call to make: one that is answered where there is a client, else any."""
    if guarded.signer is not None:
        return guarded.usual
    if not guarded.samples:
        raise NotSeenError("discovery lists no service")
    return guarded.samples[0]


def _path(guarded: Subject) -> str:
    return f"{ROOT}/{_sample(guarded).service}"


def _signer(guarded: Subject) -> Signer:
    """Give the registered client, or one that is not registered."""
    return guarded.signer or _stranger(guarded.base)


_STRANGERS: dict[str, Signer] = {}


def _stranger(base: str) -> Signer:
    if base not in _STRANGERS:
        _STRANGERS[base] = Signer.fresh("https://client.example.org", base)
    return _STRANGERS[base]


def _closed(subject: Subject) -> Subject:
    """Give the service where it asks for tokens; raises NotSeenError where it answers without."""
    guarded = subject.guarded or subject
    if _call(guarded, None).status not in _REFUSED:
        raise NotSeenError("it answers calls without a token, so what it does with wrong ones says nothing")
    return guarded


def _signed(subject: Subject) -> Subject:
    guarded = _closed(subject)
    if guarded.signer is None:
        raise NotSeenError("no registered client was given (--issuer, --key, --kid)")
    return guarded


def _call(guarded: Subject, token: str | None) -> Reply:
    return guarded.post(_sample(guarded), _sample(guarded).document(), token=token)


def _shut_out(subject: Subject, name: str, **changes: Any) -> Look:
    guarded = _signed(subject)
    return _refused(guarded, name, **changes)


def _refused(guarded: Subject, name: str, **changes: Any) -> Look:
    reply = _call(guarded, _signer(guarded).token(_path(guarded), **changes))
    return look(name, reply.status in _REFUSED, f"answered {reply.status}")


def _let_in(guarded: Subject, name: str, **changes: Any) -> Look:
    reply = _call(guarded, _signer(guarded).token(_path(guarded), **changes))
    return look(name, reply.status == OK, f"answered {reply.status}")
