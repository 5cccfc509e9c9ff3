"""Every card that came back, member by member. https://cds-hooks.hl7.org/2.0/#card-attributes ."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ankle_cds.conformance.forms import is_absolute, is_coding
from ankle_cds.conformance.looking import Look, NotSeenError, NotUsedError, look
from ankle_cds.conformance.subject import OK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.conformance.subject import Card, Subject

_SUMMARY_UNITS = 140
_INDICATORS = ("info", "warning", "critical")
_HTML = re.compile(r"<[A-Za-z/!?]")
_ICON_SIDE = 100
_PNG = b"\x89PNG\r\n\x1a\n"
_TRANSPARENT = {4, 6}


def cards_have_own_uuids(subject: Subject) -> Iterator[Look]:
    """The uuid of a card, where given, is a text, and no card about something or somebody else has it."""
    found = _with(subject, "uuid")
    seen: dict[str, set[str]] = {}
    for card in found:
        about = (card.sample.body["context"].get("patientId"), card.body.get("summary"), _source(card).get("topic"))
        seen.setdefault(str(card.body["uuid"]), set()).add(str(about))
    for card in found:
        uuid = card.body["uuid"]
        yield look(card.where, isinstance(uuid, str) and uuid, "has a uuid that is no text")
        yield look(card.where, len(seen[str(uuid)]) == 1, "has the uuid of another card")


def summaries_are_short(subject: Subject) -> Iterator[Look]:
    """The summary is a text of fewer than 140 characters."""
    for card in _cards(subject):
        summary = card.body.get("summary")
        units = len(summary.encode("utf-16-le")) // 2 if isinstance(summary, str) else 0
        yield look(card.where, 0 < units < _SUMMARY_UNITS, "has no summary of fewer than 140 characters")


def details_are_texts(subject: Subject) -> Iterator[Look]:
    """The detail, where given, is a text."""
    for card in _with(subject, "detail"):
        detail = card.body["detail"]
        yield look(card.where, isinstance(detail, str) and detail.strip(), "has a detail that is no text")


def details_hold_no_html(subject: Subject) -> Iterator[Look]:
    """The detail is Markdown that a client can show without trusting it: no HTML and no image in it."""
    for card in _with(subject, "detail"):
        detail = str(card.body["detail"])
        yield look(card.where, not _HTML.search(detail) and "![" not in detail, "has HTML or an image in its detail")


def indicators_are_known(subject: Subject) -> Iterator[Look]:
    """The indicator is there, and is info, warning or critical."""
    for card in _cards(subject):
        yield look(card.where, card.body.get("indicator") in _INDICATORS, "has no such indicator")


def sources_are_objects(subject: Subject) -> Iterator[Look]:
    """Each card has a source, an object."""
    for card in _cards(subject):
        yield look(card.where, isinstance(card.body.get("source"), dict), "has no source")


def sources_have_labels(subject: Subject) -> Iterator[Look]:
    """The source has a label that people can read."""
    for card in _cards(subject):
        label = _source(card).get("label")
        fits = isinstance(label, str) and label.strip() and "://" not in label
        yield look(card.where, fits, "has no label on its source")


def source_urls_are_absolute(subject: Subject) -> Iterator[Look]:
    """The address of the source, where given, is absolute."""
    for card, url in _of_source(subject, "url"):
        yield look(card.where, is_absolute(url), "has a source that is no absolute address")


def source_urls_are_general(subject: Subject) -> Iterator[Look]:
    """The address of the source leads to the source itself, not to something about this patient."""
    for card, url in _of_source(subject, "url"):
        parts = urlsplit(str(url))
        told = _told(card)
        yield look(card.where, not parts.query and not any(one in str(url) for one in told), "is about this case")


def source_icons_are_absolute(subject: Subject) -> Iterator[Look]:
    """The icon of the source, where given, is an absolute address."""
    for card, url in _of_source(subject, "icon"):
        yield look(card.where, is_absolute(url), "has an icon without absolute address")


def source_icons_are_square(subject: Subject) -> Iterator[Look]:
    """The icon of the source is a PNG of 100 by 100 pixels without transparency."""
    for url in sorted({str(url) for _, url in _of_source(subject, "icon")}):
        # By its path at the host that was called: a service in front of which nothing stands yet names another.
        body = subject.send("GET", urlsplit(url).path, headers=(), root=True).body
        size = (int.from_bytes(body[16:20], "big"), int.from_bytes(body[20:24], "big"))
        opaque = len(body) > 25 and body[25] not in _TRANSPARENT  # noqa: PLR2004  # where PNG keeps its colour type
        yield look("icon", body.startswith(_PNG) and size == (_ICON_SIDE, _ICON_SIDE) and opaque, "is another image")


def topics_are_codings(subject: Subject) -> Iterator[Look]:
    """The topic of the source, where given, is a Coding, with a display that is a text if it has one."""
    for card, topic in _of_source(subject, "topic"):
        yield look(card.where, is_coding(topic), "has a topic without code and system")
        display = topic.get("display", "x") if isinstance(topic, dict) else "x"
        yield look(card.where, isinstance(display, str) and display, "has a topic whose display is no text")


def override_reasons_are_codings(subject: Subject) -> Iterator[Look]:
    """Override reasons, where offered, are an array of Codings."""
    for card in _with(subject, "overrideReasons"):
        reasons = card.body["overrideReasons"]
        yield look(card.where, isinstance(reasons, list) and reasons, "has no array of reasons")
        for reason in reasons if isinstance(reasons, list) else ():
            yield look(card.where, is_coding(reason), "has a reason without code and system")


def override_reasons_are_readable(subject: Subject) -> Iterator[Look]:
    """Each override reason has a display."""
    for card in _with(subject, "overrideReasons"):
        reasons = card.body["overrideReasons"]
        for reason in reasons if isinstance(reasons, list) else ():
            display = reason.get("display") if isinstance(reason, dict) else None
            yield look(card.where, isinstance(display, str) and display.strip(), "has a reason without display")


def _cards(subject: Subject) -> list[Card]:
    if not subject.cards:
        answered = sum(reply.status == OK for _, reply in subject.answers)
        raise NotSeenError(f"none of {answered} answers had a card; give requests that lead to cards with --request")
    return subject.cards


def _with(subject: Subject, name: str) -> list[Card]:
    found = [card for card in _cards(subject) if name in card.body]
    if not found:
        raise NotUsedError(f"no card has {name}")
    return found


def _source(card: Card) -> Mapping[str, Any]:
    source = card.body.get("source")
    return source if isinstance(source, dict) else {}


def _of_source(subject: Subject, name: str) -> list[tuple[Card, Any]]:
    found = [(card, _source(card)[name]) for card in _cards(subject) if name in _source(card)]
    if not found:
        raise NotUsedError(f"no source has {name}")
    return found


def _told(card: Card) -> list[str]:
    """Give what the request says of whom it is about."""
    context = card.sample.body["context"]
    names = ("patientId", "encounterId", "userId")
    return [str(context[name]).rpartition("/")[2] for name in names if context.get(name)]
