"""What discovery says. https://cds-hooks.hl7.org/2.0/#discovery ."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from ankle_cds.conformance.looking import Look, NotSeenError, NotUsedError, look
from ankle_cds.conformance.samples import compose, example
from ankle_cds.conformance.subject import OK, ROOT, decoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.conformance.subject import Subject

_SEMVER = re.compile(r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
_ONE_SEGMENT = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%-]+")
_NOT_FOUND = 404
_METHOD = 405
_REFUSED = range(400, 500)


def discovery_is_found(subject: Subject) -> Iterator[Look]:
    """A GET at /cds-services below the base URL is answered with 200."""
    yield look(f"GET {ROOT}", subject.discovery.status == OK, f"answered {subject.discovery.status}")


def discovery_stays(subject: Subject) -> Iterator[Look]:
    """Discovery answers the same after the service was called, also after calls it had to refuse."""
    before = subject.discovery
    for body in (b"{", b"[]", b""):
        for entry in subject.entries[:1]:
            subject.send("POST", f"{ROOT}/{entry.get('id')}", body)
    again = subject.send("GET", ROOT, headers=(("Accept", "application/json"),))
    yield look("again", again.status == OK, f"answered {again.status}")
    yield look("again", again.body == before.body, "is not what it was before")


def discovery_lists_services(subject: Subject) -> Iterator[Look]:
    """Discovery is an object whose services are an array of objects."""
    document = decoded(subject.discovery)
    services = document.get("services") if isinstance(document, dict) else None
    yield look("services", isinstance(services, list), "is not an array")
    if isinstance(services, list):
        for at, entry in enumerate(services):
            yield look(f"services[{at}]", isinstance(entry, dict), "is not an object")


def entries_have_hook(subject: Subject) -> Iterator[Look]:
    """Each entry names the hook it is for."""
    yield from _texts(subject, "hook")


def entries_have_title(subject: Subject) -> Iterator[Look]:
    """Each entry has a title for people."""
    yield from _texts(subject, "title")


def entries_have_description(subject: Subject) -> Iterator[Look]:
    """Each entry has a description."""
    yield from _texts(subject, "description")


def entries_have_id(subject: Subject) -> Iterator[Look]:
    """Each entry has an id that can be the last part of an address, and no two of one hook have the same."""
    seen = Counter((entry.get("hook"), entry.get("id")) for entry in subject.entries)
    for at, entry in enumerate(subject.entries):
        identity = entry.get("id")
        fits = isinstance(identity, str) and _ONE_SEGMENT.fullmatch(identity)
        yield look(f"services[{at}].id", fits, "is not one part of a path")
        yield look(f"services[{at}].id", seen[entry.get("hook"), identity] == 1, "stands twice under one hook")


def entries_have_prefetch(subject: Subject) -> Iterator[Look]:
    """Prefetch templates, where announced, are an object of texts under their keys."""
    with_it = [(at, entry["prefetch"]) for at, entry in enumerate(subject.entries) if "prefetch" in entry]
    if not with_it:
        raise NotUsedError("no entry announces prefetch templates")
    for at, prefetch in with_it:
        ok = isinstance(prefetch, dict) and prefetch and all(isinstance(one, str) and one for one in prefetch.values())
        yield look(f"services[{at}].prefetch", ok, "is not an object of templates")


def entries_say_usage(subject: Subject) -> Iterator[Look]:
    """Usage requirements, where stated, are a text."""
    with_it = [
        (at, entry["usageRequirements"]) for at, entry in enumerate(subject.entries) if "usageRequirements" in entry
    ]
    if not with_it:
        raise NotUsedError("no entry states usage requirements")
    for at, text in with_it:
        yield look(f"services[{at}].usageRequirements", isinstance(text, str) and text.strip(), "is not a text")


def discovery_refuses(subject: Subject) -> Iterator[Look]:
    """What is no discovery is refused at its address with a status of the client's kind."""
    for method in ("POST", "PUT", "DELETE"):
        status = subject.send(method, ROOT, {} if method != "DELETE" else None).status
        yield look(f"{method} {ROOT}", status in _REFUSED, f"answered {status}")


def services_are_found(subject: Subject) -> Iterator[Look]:
    """Each listed service is called at its id below /cds-services; no other id leads anywhere."""
    if not subject.entries:
        raise NotSeenError("discovery lists no service")
    for entry in subject.entries:
        sample = compose(entry)
        status = next(
            (r.status for one, r in subject.answers if one.hook == sample.hook and one.service == sample.service), 0
        )
        yield look(f"POST {ROOT}/{sample.service}", status not in {0, _NOT_FOUND, _METHOD}, f"answered {status}")
    unknown = subject.send("POST", f"{ROOT}/no-such-service-as-this", compose(subject.entries[0]).document())
    yield look("POST of an unknown id", unknown.status == _NOT_FOUND, f"answered {unknown.status}")


def one_id_serves_hooks(subject: Subject) -> Iterator[Look]:
    """A service that renews its guidance stands under several hooks with one id."""
    hooks: dict[str, list[str]] = {}
    for entry in subject.entries:
        hooks.setdefault(str(entry.get("id")), []).append(str(entry.get("hook")))
    several = {identity: names for identity, names in hooks.items() if len(names) > 1}
    if not several:
        raise NotUsedError("each id stands under one hook")
    for identity, names in several.items():
        yield look(identity, len(set(names)) == len(names), "stands twice under one hook")
        for entry in subject.entries:
            if entry.get("id") == identity:
                sample = compose(entry)
                status = subject.send("POST", f"{ROOT}/{identity}", sample.document()).status
                yield look(f"{identity} at {sample.hook}", status in {OK, 412}, f"answered {status}")


def entries_have_version(subject: Subject) -> Iterator[Look]:
    """Each entry says which version of the specification it implements, as a semantic version."""
    for at, entry in enumerate(subject.entries):
        version = entry.get("version")
        fits = isinstance(version, str) and _SEMVER.fullmatch(version)
        yield look(f"services[{at}].version", fits, "is not a semantic version" if version else "is not there")


def entries_have_hook_version(subject: Subject) -> Iterator[Look]:
    """The version of the hook, where stated, is that of the hook's published definition."""
    with_it = [(at, entry) for at, entry in enumerate(subject.entries) if "hookVersion" in entry]
    if not with_it:
        raise NotUsedError("no entry states the version of its hook")
    for at, entry in with_it:
        known = example()["hooks"].get(str(entry.get("hook")), {}).get("version", entry["hookVersion"])
        yield look(f"services[{at}].hookVersion", entry["hookVersion"] == known, f"is not {known}")


def _texts(subject: Subject, name: str) -> Iterator[Look]:
    for at, entry in enumerate(subject.entries):
        value = entry.get(name)
        yield look(f"services[{at}].{name}", isinstance(value, str) and value.strip(), "is not a text")
