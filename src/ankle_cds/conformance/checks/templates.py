"""The prefetch templates, read one by one. https://cds-hooks.hl7.org/2.0/#prefetch-template ."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ankle_cds.conformance.looking import Look, NotUsedError, look
from ankle_cds.conformance.samples import TOKEN, example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.conformance.subject import Subject

_USER_TOKENS = {"userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId"}
_CONTEXT = re.compile(r"context\.([A-Za-z][A-Za-z0-9]*)")
_NOT_PRIMITIVE = {"draftOrders", "selections", "appointments", "conditions"}
_READ = re.compile(r"(?:[A-Z][A-Za-z]+/\{\{[^{}]+\}\}|\{\{context\.userId\}\})")
_SEARCH = re.compile(r"[A-Z][A-Za-z]+\?[^?]+")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?::in)?")
_CONTROLS = {"_sort", "_count", "_maxresults"}
_DATE = re.compile(r"(?:eq|lt|gt|ge|le)?\d{4}(?:-\d{2}(?:-\d{2}.*)?)?")


def templates_have_keys(subject: Subject) -> Iterator[Look]:
    """Each template stands under a key that can name its data in a request."""
    for where, key, template in _templates(subject):
        yield look(where, re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", key) and template, "is no name with a template")


def templates_use_tokens(subject: Subject) -> Iterator[Look]:
    """Tokens stand in templates where the query depends on the context."""
    used = [(where, template) for where, _, template in _templates(subject) if "{" in template]
    if not used:
        raise NotUsedError("no template has a token")
    for where, template in used:
        yield look(where, TOKEN.search(template), "has a brace and no token")


def tokens_are_delimited(subject: Subject) -> Iterator[Look]:
    """Every token stands between two opening and two closing braces, and no other brace is there."""
    for where, _, template in _templates(subject):
        rest = TOKEN.sub("", template)
        blank = any(token != token.strip() or not token for token in TOKEN.findall(template))
        yield look(where, not blank and "{" not in rest and "}" not in rest, "has a brace out of place")


def tokens_name_allowed_things(subject: Subject) -> Iterator[Look]:
    """A token is a path into the context, or one of the four identifiers of the user."""
    for where, token in _tokens(subject):
        yield look(where, token in _USER_TOKENS or token.startswith("context."), "names neither")


def tokens_are_primitive(subject: Subject) -> Iterator[Look]:
    """A token names a field of the context itself, and one that holds a single value."""
    for where, token in _tokens(subject):
        match = _CONTEXT.fullmatch(token)
        fits = token in _USER_TOKENS or (match and match[1] not in _NOT_PRIMITIVE)
        yield look(where, fits, "names no field that holds one value")


def tokens_are_of_the_hook(subject: Subject) -> Iterator[Look]:
    """A context token names a field that the hook of its entry has."""
    for hook, key, template in subject.templates:
        fields = example()["hooks"].get(hook, {}).get("fields")
        for token in TOKEN.findall(template) if fields else ():
            match = _CONTEXT.match(token)
            yield look(f"{hook} {key}", match is None or match[1] in fields, "names a field the hook does not have")
    if not subject.templates:
        raise NotUsedError("no prefetch template is announced")


def queries_stay_simple(subject: Subject) -> Iterator[Look]:
    """Each template is a read or a search by type, with the parameters every server can be asked for."""
    for where, _, template in _templates(subject):
        yield look(where, _is_simple(template), "asks for more than the recommended part of FHIR")


def _is_simple(template: str) -> bool:
    if _READ.fullmatch(template):
        return True
    if not _SEARCH.fullmatch(template):
        return False
    for part in template.partition("?")[2].split("&"):
        name, equals, value = part.partition("=")
        if not equals or not value or (name.startswith("_") and name not in _CONTROLS and name != "_id"):
            return False
        if not _PARAMETER.fullmatch(name) or re.search(r"[()%|]", "".join(TOKEN.findall(value))):
            return False
        if name == "date" and not TOKEN.search(value) and not _DATE.fullmatch(value):
            return False
    return True


def _templates(subject: Subject) -> Iterator[tuple[str, str, str]]:
    if not subject.templates:
        raise NotUsedError("no prefetch template is announced")
    for hook, key, template in subject.templates:
        yield f"{hook} {key}", key, template


def _tokens(subject: Subject) -> Iterator[tuple[str, str]]:
    found = [(where, token) for where, _, template in _templates(subject) for token in TOKEN.findall(template)]
    if not found:
        raise NotUsedError("no template has a token")
    yield from found
