"""No response leaves that breaks the contract: the last look at every card, whatever made it.

Clients show what they get, some of them as raw HTML; a wrong card is worse than an error.
https://cds-hooks.hl7.org/2.0/#cds-service-response
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds.cards.details import LIMIT, units
from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPEC = "https://cds-hooks.hl7.org/2.0/#cds-service-response"
_SUMMARY_UNITS = 139  # UTF-16 code units: the specification says less than 140 characters
_LABEL_UNITS = 80
_LEVELS = ("critical", "warning", "info")
_SELECTION = ("any", "at-most-one")
_MARKUP = re.compile(r"<[A-Za-z/!?]|!\[")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BARE_URL = re.compile(r"https?://[^\s()<>\]]+")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_HTTPS = re.compile(r"https://[^\s]+")
# Types whose R4 definition has an intent. https://hl7.org/fhir/R4/request.html
_REQUESTS = ("ServiceRequest", "MedicationRequest", "Task", "CarePlan", "CommunicationRequest")


@dataclass(frozen=True, slots=True)
class _Expected:
    """Whom a draft must be for, and which draft orders an action may delete."""

    subject: Any
    encounter: Any
    deletable: frozenset[str]


def verify(
    cards: list[dict[str, Any]], *, subject: Any, encounter: Any, deletable: frozenset[str] = frozenset()
) -> None:
    """Raise ContentError naming the card's topic and every rule it breaks; the error quotes nothing of the card.

    `subject` and `encounter` are the References that every draft must carry, `encounter` None when not known;
    `deletable` are the draft orders of the request, as `Type/id`, that the client can find under that name.
    """
    expected = _Expected(subject, encounter, deletable)
    uuids: list[str] = []
    levels: list[int] = []
    for at, card in enumerate(cards):
        broken = list(_card(card, expected))
        if broken:
            topic = card.get("source", {}).get("topic", {}).get("code", "")
            raise ContentError(
                f"The card {topic} cannot be sent: {' '.join(broken)} Correct the content that makes it.",
                where=f"cards[{at}]",
                spec=_SPEC,
            )
        uuids += [card["uuid"], *(suggestion["uuid"] for suggestion in card.get("suggestions", ()))]
        levels.append(_LEVELS.index(card["indicator"]))
    if len(set(uuids)) != len(uuids):
        raise ContentError("Two cards or suggestions have the same uuid.", where="cards", spec=_SPEC)
    if levels != sorted(levels):
        raise ContentError("The cards are not in the order of their levels.", where="cards", spec=_SPEC)


def _card(card: dict[str, Any], expected: _Expected) -> Iterator[str]:
    if _has_empty(card):
        yield "It has an empty element."
    yield from _text(card)
    yield from _source(card.get("source", {}))
    if not _UUID.fullmatch(card.get("uuid", "")):
        yield "It has no uuid."
    yield from _suggestions(card, expected)
    yield from _links(card)
    for reason in card.get("overrideReasons", ()):
        if not all(reason.get(name) for name in ("code", "system", "display")):
            yield "An override reason has no code, system or display."


def _text(card: dict[str, Any]) -> Iterator[str]:
    summary, detail, level = card.get("summary", ""), card.get("detail", ""), card.get("indicator")
    if not 0 < units(summary) <= _SUMMARY_UNITS or "\n" in summary:
        yield f"Its summary is not one line of 1 to {_SUMMARY_UNITS} characters."
    if units(detail) > LIMIT:
        yield f"Its detail is longer than {LIMIT} characters."
    if any(_MARKUP.search(text) or _CONTROL.search(text) for text in (summary, detail)):
        yield "Its text has markup or control characters."
    if level not in _LEVELS:
        yield "Its indicator is not one of the three."
    elif level != "info" and level not in detail.lower():
        yield "Its level is not said in words."


def _source(source: dict[str, Any]) -> Iterator[str]:
    if not source.get("label"):
        yield "Its source has no label."
    if any(not _HTTPS.fullmatch(source[name]) for name in ("url", "icon") if name in source):
        yield "Its source has a URL that is not absolute https."
    if not all(source.get("topic", {}).get(name) for name in ("system", "code", "display")):
        yield "Its source has no topic."


def _suggestions(card: dict[str, Any], expected: _Expected) -> Iterator[str]:
    suggestions = card.get("suggestions", [])
    if ("suggestions" in card) != ("selectionBehavior" in card):
        yield "It has suggestions or a selectionBehavior, but not both."
    if card.get("selectionBehavior", "any") not in _SELECTION:
        yield "Its selectionBehavior is not one of CDS Hooks."
    if card.get("selectionBehavior") == "at-most-one" and sum("isRecommended" in one for one in suggestions) > 1:
        yield "More than one of its exclusive suggestions is recommended."
    labels = [suggestion.get("label") for suggestion in suggestions]
    if len(set(labels)) != len(labels):
        yield "Two of its suggestions read alike."
    for suggestion in suggestions:
        yield from _suggestion(suggestion)
        for action in suggestion.get("actions", ()):
            yield from _action(action, expected)


def _suggestion(suggestion: dict[str, Any]) -> Iterator[str]:
    label = suggestion.get("label", "")
    if not 0 < units(label) <= _LABEL_UNITS or _MARKUP.search(label) or "\n" in label:
        yield f"A label is not one plain line of 1 to {_LABEL_UNITS} characters."
    if not _UUID.fullmatch(suggestion.get("uuid", "")):
        yield "A suggestion has no uuid."
    if not suggestion.get("actions"):
        yield "A suggestion has no action."
    if suggestion.get("isRecommended", True) is not True:
        yield "isRecommended is sent only when true."
    deleted = [action.get("resourceId") for action in suggestion.get("actions", ()) if action.get("type") == "delete"]
    if len(set(deleted)) != len(deleted):
        yield "A suggestion deletes the same draft twice."


def _action(action: dict[str, Any], expected: _Expected) -> Iterator[str]:
    if not action.get("description"):
        yield "An action has no description."
    if action.get("type") == "delete":
        if action.keys() - {"type", "description", "resourceId"} or action.get("resourceId") not in expected.deletable:
            yield "An action deletes something else than a draft order of the request that the client named."
        return
    if action.get("type") != "create" or "resource" not in action or "resourceId" in action:
        yield "An action is neither a create with its resource nor a delete."
        return
    resource = action["resource"]
    if "id" in resource:
        yield "A draft has an id."
    if resource["resourceType"] in _REQUESTS:
        if (resource.get("status"), resource.get("intent")) != ("draft", "proposal"):
            yield "A draft is not a draft proposal."
        if any(name in resource for name in ("dosageInstruction", "dispenseRequest")):
            yield "A draft states a dose."
    owner = "for" if resource["resourceType"] == "Task" else "subject"
    if resource.get(owner) != expected.subject or resource.get("encounter") != expected.encounter:
        yield "A draft names another patient or encounter."


def _links(card: dict[str, Any]) -> Iterator[str]:
    links = card.get("links", [])
    for link in links:
        if not link.get("label") or not _HTTPS.fullmatch(link.get("url", "")):
            yield "A link has no label or no absolute https URL."
        if link.get("type") not in {"absolute", "smart"} or ("appContext" in link and link["type"] != "smart"):
            yield "A link has the wrong type or an appContext it must not have."
    known = {link.get("url") for link in links}
    if not known >= {url.rstrip(".,;:") for url in _BARE_URL.findall(card.get("detail", ""))}:
        yield "Its detail names an address that is not among its links."
    if card.get("source", {}).get("url") not in known | {None}:
        yield "The address of its source is not among its links."


def _has_empty(value: Any) -> bool:
    """Tell whether anything in a JSON value is null, an empty string, an empty object or an empty list."""
    pending = [value]
    for part in pending:
        if isinstance(part, dict):
            inside = list(part.values())
        elif isinstance(part, list):
            inside = part
        elif part is None or part == "":
            return True
        else:
            continue
        if not inside:
            return True
        pending += inside
    return False
