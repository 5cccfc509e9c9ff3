"""What cards offer to do: suggestions, their actions, and links. https://cds-hooks.hl7.org/2.0/#suggestion ."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds.conformance.forms import is_absolute
from ankle_cds.conformance.looking import Look, NotSeenError, NotUsedError, look

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.conformance.subject import Card, Subject

_BEHAVIOURS = ("any", "at-most-one")
_TYPES = ("create", "update", "delete")
_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")
_KEEP_TYPE = "resourceType"


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a card, where it stands, and the card."""

    where: str
    body: Mapping[str, Any]
    card: Card


def suggestions_are_arrays(subject: Subject) -> Iterator[Look]:
    """Suggestions, where offered, are an array of objects with something in it."""
    for card in _cards_with(subject, "suggestions"):
        listed = card.body["suggestions"]
        fits = isinstance(listed, list) and listed and all(isinstance(one, dict) for one in listed)
        yield look(card.where, fits, "has suggestions that are no array of objects")


def suggestions_say_how_many(subject: Subject) -> Iterator[Look]:
    """A card with suggestions says whether one or several may be taken: any, or at-most-one."""
    for card in _cards_with(subject, "suggestions"):
        yield look(card.where, card.body.get("selectionBehavior") in _BEHAVIOURS, "has no such selectionBehavior")


def only_suggestions_are_selected(subject: Subject) -> Iterator[Look]:
    """A card without suggestions says nothing about selecting them."""
    without = [card for card in _cards(subject) if not card.body.get("suggestions")]
    if not without:
        raise NotUsedError("every card has suggestions")
    for card in without:
        spare = {"selectionBehavior", "suggestions"} & set(card.body)
        yield look(card.where, not spare, "speaks of suggestions it does not have")


def suggestions_have_labels(subject: Subject) -> Iterator[Look]:
    """Each suggestion has a label."""
    for part in _suggestions(subject):
        yield look(part.where, _is_text(part.body.get("label")), "has no label")


def suggestions_have_own_uuids(subject: Subject) -> Iterator[Look]:
    """The uuid of a suggestion, where given, is a text that nothing else in the answer has."""
    parts = [part for part in _suggestions(subject) if "uuid" in part.body]
    if not parts:
        raise NotUsedError("no suggestion has a uuid")
    for part in parts:
        uuid = part.body["uuid"]
        others = [one.get("uuid") for one in (part.card.body, *part.card.body["suggestions"]) if isinstance(one, dict)]
        yield look(part.where, isinstance(uuid, str) and uuid, "has a uuid that is no text")
        yield look(part.where, others.count(uuid) == 1, "has the uuid of something else")


def recommendations_are_true(subject: Subject) -> Iterator[Look]:
    """isRecommended, where given, is a boolean."""
    parts = [part for part in _suggestions(subject) if "isRecommended" in part.body]
    if not parts:
        raise NotUsedError("no suggestion is recommended")
    for part in parts:
        yield look(part.where, isinstance(part.body["isRecommended"], bool), "is recommended by no boolean")


def one_of_many_is_recommended(subject: Subject) -> Iterator[Look]:
    """Of suggestions that exclude each other at most one is recommended."""
    for card in _cards_with(subject, "suggestions"):
        listed = card.body["suggestions"] if isinstance(card.body["suggestions"], list) else []
        count = sum(isinstance(one, dict) and one.get("isRecommended") is True for one in listed)
        yield look(card.where, count < 2 or card.body.get("selectionBehavior") == "any", "recommends more than one")  # noqa: PLR2004


def actions_are_arrays(subject: Subject) -> Iterator[Look]:
    """The actions of a suggestion, where there are any, are an array with something in it."""
    parts = [part for part in _suggestions(subject) if "actions" in part.body]
    if not parts:
        raise NotUsedError("no suggestion has actions")
    for part in parts:
        actions = part.body["actions"]
        fits = isinstance(actions, list) and actions and all(isinstance(one, dict) for one in actions)
        yield look(part.where, fits, "has actions that are no array of objects")


def actions_belong_together(subject: Subject) -> Iterator[Look]:
    """All actions of a suggestion are meant together: no client is asked to choose among them, unless it can."""
    for part in _suggestions(subject):
        yield look(
            part.where, "actionSelectionBehavior" not in part.body, "asks the client to choose among its actions"
        )


def actions_have_types(subject: Subject) -> Iterator[Look]:
    """An action creates, updates or deletes."""
    for part in _actions(subject):
        yield look(part.where, part.body.get("type") in _TYPES, "has no such type")


def actions_are_described(subject: Subject) -> Iterator[Look]:
    """Each action says in plain words what it does."""
    for part in _actions(subject):
        said = part.body.get("description")
        yield look(part.where, _is_text(said) and "<" not in str(said), "has no description in plain words")


def actions_carry_resources(subject: Subject) -> Iterator[Look]:
    """What is created or updated is a FHIR resource."""
    for part in _actions(subject, "create", "update"):
        resource = part.body.get("resource")
        typed = isinstance(resource, dict) and re.fullmatch(r"[A-Z][A-Za-z]+", str(resource.get(_KEEP_TYPE)))
        yield look(part.where, typed and len(resource or ()) > 1, "carries no resource")


def created_resources_are_new(subject: Subject) -> Iterator[Look]:
    """What is created has no id yet, and is about the patient of the call."""
    for part in _actions(subject, "create"):
        resource = part.body.get("resource") or {}
        yield look(part.where, "id" not in resource, "has an id already")
        about = (resource.get("subject") or resource.get("patient") or resource.get("for") or {}).get("reference")
        mine = f"Patient/{str(part.card.sample.body['context']['patientId']).removeprefix('Patient/')}"
        yield look(part.where, about in {None, mine}, "is about somebody else")


def updated_resources_are_whole(subject: Subject) -> Iterator[Look]:
    """What is updated is the whole resource that was received, under its id."""
    for part in _actions(subject, "update"):
        resource = part.body.get("resource") or {}
        sent = _drafts(part.card).get(f"{resource.get(_KEEP_TYPE)}/{resource.get('id')}")
        yield look(part.where, resource.get("id"), "has no id")
        yield look(part.where, sent is None or set(sent) <= set(resource), "has lost members of what was received")


def deletions_carry_no_resource(subject: Subject) -> Iterator[Look]:
    """What is deleted is named, not carried along."""
    for part in _actions(subject, "delete"):
        yield look(part.where, "resource" not in part.body, "carries a resource")


def deletions_name_what_was_sent(subject: Subject) -> Iterator[Look]:
    """A deletion names by resourceId, as type and id, something the call had sent."""
    for part in _actions(subject, "delete"):
        named = part.body.get("resourceId")
        yield look(part.where, isinstance(named, str) and _REFERENCE.fullmatch(named), "names nothing by type and id")
        drafts = _drafts(part.card)
        yield look(part.where, not drafts or named in drafts, "names what the call had not sent")


def links_are_arrays(subject: Subject) -> Iterator[Look]:
    """Links, where given, are an array of objects with something in it."""
    for card in _cards_with(subject, "links"):
        listed = card.body["links"]
        fits = isinstance(listed, list) and listed and all(isinstance(one, dict) for one in listed)
        yield look(card.where, fits, "has links that are no array of objects")


def links_have_labels(subject: Subject) -> Iterator[Look]:
    """Each link has a label."""
    for part in _links(subject):
        yield look(part.where, _is_text(part.body.get("label")), "has no label")


def links_are_absolute(subject: Subject) -> Iterator[Look]:
    """Each link has an absolute address, and no patient's id in it."""
    for part in _links(subject):
        url = part.body.get("url")
        yield look(part.where, is_absolute(url), "has no absolute address")
        patient = str(part.card.sample.body["context"]["patientId"]).removeprefix("Patient/")
        yield look(part.where, patient not in str(url), "has the patient in its address")


def links_have_types(subject: Subject) -> Iterator[Look]:
    """Each link is absolute or smart."""
    for part in _links(subject):
        yield look(part.where, part.body.get("type") in {"absolute", "smart"}, "has no such type")


def app_contexts_are_texts(subject: Subject) -> Iterator[Look]:
    """appContext, where given, is a text, and names nobody."""
    for part in _with_app_context(subject):
        value = part.body["appContext"]
        patient = str(part.card.sample.body["context"]["patientId"]).removeprefix("Patient/")
        yield look(part.where, isinstance(value, str) and value, "has an appContext that is no text")
        yield look(part.where, patient not in str(value), "has the patient in its appContext")


def app_contexts_are_smart(subject: Subject) -> Iterator[Look]:
    """AppContext stands on smart links only."""
    for part in _with_app_context(subject):
        yield look(part.where, part.body.get("type") == "smart", "has an appContext and is not smart")


def links_are_not_launched(subject: Subject) -> Iterator[Look]:
    """No link asks to be opened by itself, which would hide the card."""
    for part in _links(subject):
        launches = {name for name in part.body if name.lower() == "autolaunchable"}
        yield look(part.where, not launches, "asks to be opened by itself")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _cards(subject: Subject) -> list[Card]:
    if not subject.cards:
        raise NotSeenError("no card came back; give requests that lead to cards with --request")
    return subject.cards


def _cards_with(subject: Subject, name: str) -> list[Card]:
    found = [card for card in _cards(subject) if name in card.body]
    if not found:
        raise NotUsedError(f"no card has {name}")
    return found


def _parts(subject: Subject, name: str) -> list[_Part]:
    return [
        _Part(f"{card.where} {name}[{at}]", part, card)
        for card in _cards_with(subject, name)
        for at, part in enumerate(card.body[name] if isinstance(card.body[name], list) else ())
        if isinstance(part, dict)
    ]


def _suggestions(subject: Subject) -> list[_Part]:
    return _parts(subject, "suggestions")


def _links(subject: Subject) -> list[_Part]:
    return _parts(subject, "links")


def _actions(subject: Subject, *types: str) -> list[_Part]:
    found = [
        _Part(f"{part.where} actions[{at}]", action, part.card)
        for part in _suggestions(subject)
        for at, action in enumerate(part.body.get("actions") or ())
        if isinstance(action, dict) and (not types or action.get("type") in types)
    ]
    if not found:
        raise NotUsedError(f"no action is of type {' or '.join(types)}" if types else "no suggestion has actions")
    return found


def _with_app_context(subject: Subject) -> list[_Part]:
    found = [part for part in _links(subject) if "appContext" in part.body]
    if not found:
        raise NotUsedError("no link has appContext")
    return found


def _drafts(card: Card) -> dict[str, Any]:
    """Give the draft orders of the call, as type and id."""
    bundle = card.sample.body["context"].get("draftOrders") or {}
    resources = [entry.get("resource") or {} for entry in bundle.get("entry", ())]
    return {
        f"{one.get(_KEEP_TYPE)}/{one['id']}": json.loads(json.dumps(one, default=str))
        for one in resources
        if one.get("id")
    }
