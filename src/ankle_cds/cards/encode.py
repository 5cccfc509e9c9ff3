"""The card, element by element. https://cds-hooks.hl7.org/2.0/#card-attributes ."""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ankle_cds.cards import details
from ankle_cds.cards.checks import override_reasons
from ankle_cds.cards.selfcheck import verify
from ankle_cds.cards.sides import Recommendation, Side, Suggestion, limited, recommendations
from ankle_cds.fhir import canonical_json, split_canonical, write_json
from ankle_cds.hooks import HOOKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ankle_cds.artifacts import Package

_MARKDOWN_LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\((https://[^()\s]+)\)")


@dataclass(frozen=True, slots=True)
class CardSettings:
    """What a site decides about cards.

    `uuid_key` is secret and at least 16 bytes, so that an uuid tells nothing to who does not hold it;
    `smart_launch_url` is absolute https, None when no form can be launched; `icon_url` likewise, None where the service
    does not know under which address it is called.
    """

    uuid_key: bytes = field(repr=False)
    max_cards_view: int = 2
    max_cards_order: int = 1
    max_cards_critical: int = 1
    smart_launch_url: str | None = None
    icon_url: str | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A card as it is sent (`wire`), and what a memory asks of it: recommendation and side, and what it rests on.

    `facts` are bytes that are equal as long as everything is that the card was made from.
    """

    wire: dict[str, Any]
    recommendation: str
    side: str | None
    facts: bytes = field(repr=False)


def encode(
    sides: tuple[Side, ...],
    *,
    package: Package,
    settings: CardSettings,
    hook: str,
    joined_title: Callable[[str], str | None],
    drafts: Mapping[str, bool],
    call: Sequence[str | None] = (),
    inputs: Any = None,
) -> list[Card]:
    """Give the cards for the RequestGroups of one request: one for the visit, or one per side, right first.

    The same input gives the same bytes. `call` names the request: another call gets other uuids, and so do other facts;
    a repeated one gets the same. `inputs` is plain JSON: what every card rests on beside the facts of its action.
    `joined_title` gives the title of an action for both sides, by its id. `drafts` are the draft orders of the request
    as `Type/id`, and whether the client knows that name. What the cards that are not shown have to tell is told on the
    last one that is. Raises ContentError when a card would break the contract; the error holds no text of the card.
    """
    ordered = recommendations(sides, joined_title, drafts)
    limit = settings.max_cards_order if HOOKS[hook].is_about_orders else settings.max_cards_view
    shown = limited(ordered, limit, with_critical=settings.max_cards_critical)
    hidden = [one for one in ordered[len(shown) :] if one.recorded]
    reasons = override_reasons(package)
    group = sides[0].request_group if sides else {}
    cards = [
        _card(
            one,
            hidden if one is shown[-1] else (),
            package=package,
            settings=settings,
            reasons=reasons,
            call=[*call, group["subject"], group.get("encounter")],
            inputs=[group["instantiatesCanonical"], inputs],
        )
        for one in shown
    ]
    deletable = frozenset(name for name, known in drafts.items() if known)
    verify(
        [one.wire for one in cards], subject=group.get("subject"), encounter=group.get("encounter"), deletable=deletable
    )
    return cards


def _card(
    one: Recommendation,
    hidden: Sequence[Recommendation],
    *,
    package: Package,
    settings: CardSettings,
    reasons: list[dict[str, str]],
    call: list[Any],
    inputs: list[Any],
) -> Card:
    action = one.action
    recorded = [other.recorded for other in hidden if other.recorded]
    topic = action["code"][0]["coding"][0]
    read = [
        [other.action["id"], [side.facts(other.action["id"]) for side in other.sources]] for other in (one, *hidden)
    ]
    facts = canonical_json([inputs, read])
    name = canonical_json([*call, topic["code"], one.side])

    def identity(part: str = "") -> str:
        """Make an uuid that is random to who has no key: https://www.rfc-editor.org/rfc/rfc9562#section-5.4 ."""
        parts = b"".join(len(text).to_bytes(8) + text for text in (name, facts, part.encode()))
        return str(uuid.UUID(bytes=hmac.digest(settings.uuid_key, parts, hashlib.sha256)[:16], version=4))

    card: dict[str, Any] = {
        "uuid": identity(),
        "summary": action["title"],
        "detail": details.fit(action["description"], recorded),
        "indicator": one.indicator,
        "source": {
            "label": action["documentation"][0]["display"],
            "url": action["documentation"][0]["url"],
            **({"icon": settings.icon_url} if settings.icon_url else {}),
            "topic": {name: topic[name] for name in ("system", "code", "display")},
        },
    }
    if one.suggestions:
        card["suggestions"] = [_suggestion(suggestion, identity(suggestion.key)) for suggestion in one.suggestions]
        card["selectionBehavior"] = action["selectionBehavior"]
    card["overrideReasons"] = [dict(reason) for reason in reasons]
    card["links"] = _links(one, package, settings)
    return Card(card, topic["code"], one.side, facts)


def _suggestion(suggestion: Suggestion, identity: str) -> dict[str, Any]:
    made: dict[str, Any] = {"label": suggestion.label, "uuid": identity}
    if suggestion.recommended:
        made["isRecommended"] = True
    made["actions"] = list(suggestion.actions)
    return made


def _links(one: Recommendation, package: Package, settings: CardSettings) -> list[dict[str, str]]:
    """Give the page of the recommendation, the pages its plan and its detail name, and the forms that can be opened."""
    source = one.action["documentation"][0]["url"]
    plan = package.resources.get(split_canonical(source)[0], {})
    pages = {source: plan.get("title") or one.action["documentation"][0]["display"]}
    for artifact in plan.get("relatedArtifact", ()):
        if artifact.get("url"):
            pages.setdefault(artifact["url"], artifact.get("display") or artifact.get("label") or pages[source])
    for label, url in _MARKDOWN_LINK.findall(one.action["description"]):
        pages.setdefault(url, label)
    links = [{"label": label, "url": url, "type": "absolute"} for url, label in pages.items()]
    if settings.smart_launch_url:
        links += [
            {
                "label": suggestion.label,
                "url": settings.smart_launch_url,
                "type": "smart",
                "appContext": write_json({"questionnaire": form}).decode(),
            }
            for suggestion in one.suggestions
            for form in _forms(suggestion.actions)
        ]
    return links


def _forms(actions: tuple[dict[str, Any], ...]) -> list[str]:
    return [
        given["valueCanonical"]
        for action in actions
        if action.get("resource", {}).get("resourceType") == "Task"
        for given in action["resource"].get("input", ())
        if "valueCanonical" in given
    ]
