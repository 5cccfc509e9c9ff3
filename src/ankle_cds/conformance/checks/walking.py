"""What holds for every answer, whatever was asked. https://cds-hooks.hl7.org/2.0/#use-of-json ."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ankle_cds.conformance.looking import Look, NotUsedError, look
from ankle_cds.conformance.subject import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.conformance.subject import Subject

_OWN_NAME = re.compile(r"[a-z]{2,}(?:\.[A-Za-z0-9-]+){2,}")
_NAME = re.compile(r"[A-Za-z]{1,40}")
_MAY_BE_EMPTY = {"cards", "services"}


def everything_is_json(subject: Subject) -> Iterator[Look]:
    """Every answer with a body is JSON, and says so."""
    for exchange in subject.survey:
        reply = exchange.reply
        kind = (reply.header("content-type") or "").partition(";")[0].strip().lower()
        yield look(exchange.where, kind in {"application/json", "application/fhir+json"}, f"is declared as {kind}")
        yield look(exchange.where, decoded(reply) is not None, "is no JSON")


def nothing_is_empty(subject: Subject) -> Iterator[Look]:
    """No member of an answer is null or empty, but for the arrays that may be."""
    for exchange in subject.survey:
        for place in _empty(decoded(exchange.reply)):
            yield Look(exchange.where, f"has {place} empty")
        yield look(exchange.where, exchange.reply.body, "has no body")


def extensions_are_objects(subject: Subject) -> Iterator[Look]:
    """An extension that is sent is an object whose names are the sender's own, in reverse domain form."""
    found = [
        (exchange.where, value)
        for exchange in subject.survey
        for value in _extensions(_without_resources(decoded(exchange.reply)))
    ]
    if not found:
        raise NotUsedError("no extension is sent")
    for where, value in found:
        yield look(where, isinstance(value, dict) and value, "sends an extension that is no object")
        names = list(value) if isinstance(value, dict) else []
        yield look(
            where, all(_OWN_NAME.fullmatch(name) for name in names), "sends an extension whose name is not its own"
        )


def _empty(value: Any, name: str = "the answer") -> Iterator[str]:
    if value is None or value in ("", [], {}):
        if not (value == [] and name in _MAY_BE_EMPTY):
            yield name
    elif isinstance(value, dict):
        for member, inner in value.items():
            yield from _empty(inner, member if _NAME.fullmatch(member) else "a member")
    elif isinstance(value, list):
        for inner in value:
            yield from _empty(inner, f"an item of {name}")


def _extensions(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "extension":
                yield inner
            else:
                yield from _extensions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _extensions(inner)


def _without_resources(value: Any) -> Any:
    """Leave FHIR resources out: their extensions are arrays, by FHIR's own rules."""
    if isinstance(value, dict):
        kept = {name: inner for name, inner in value.items() if name != "resource"}
        return {} if "resourceType" in value else {name: _without_resources(inner) for name, inner in kept.items()}
    return [_without_resources(item) for item in value] if isinstance(value, list) else value
