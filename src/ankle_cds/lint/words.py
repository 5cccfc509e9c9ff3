"""AC-29 and AC-30: the words of titles and texts, and the values that are computed into them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ankle_cds.apply.paths import resolve
from ankle_cds.apply.plans import ACTION
from ankle_cds.errors import ContentError
from ankle_cds.lint.elements import STATEMENT, actions, level, texts
from ankle_cds.lint.looking import look, thing
from ankle_cds.lint.plans import RECOMMENDATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Look

_HTML = re.compile(r"<[A-Za-z/!?]|&[a-z]+;")
_IMAGE = re.compile(r"!\[")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n")
_ON_ACTION = "action."
# FHIR types of a computed element, and the types of CQL that become it.
_BECOMES = {
    "string": {"string"},
    "markdown": {"string"},
    "code": {"string", "Coding"},
    "canonical": {"string"},
    "uri": {"string"},
    "boolean": {"boolean"},
    "CodeableConcept": {"CodeableConcept", "Coding"},
    "Coding": {"Coding"},
    "dateTime": {"dateTime", "date"},
    "Period": {"Period"},
    "Timing": {"Any"},
}


def ac_29_length(built: Built) -> Iterator[Look]:
    """A title fits on a card with every word that may be added to it, also as it was computed for a reviewed answer."""
    longest = max(map(len, built.expected["sideWords"]))
    limit = built.expected["maxSummary"]
    for plan in built.plans(RECOMMENDATION):
        for index, action in enumerate(plan.get("action", [])):
            ok = 0 < len(str(action.get("title", ""))) <= limit - longest
            yield look(plan, f"action[{index}].title", ok, f"is empty or has more than {limit} with the side word")
    for case in built.cases:
        for index, card in enumerate(case.cards()):
            ok = len(str(card.get("summary", ""))) <= limit
            yield thing(f"examples {case.id} card {index + 1}", ok, f"the summary has more than {limit} characters")


def ac_29_markdown(built: Built) -> Iterator[Look]:
    """Texts are Markdown without HTML and without images, also as they were computed."""
    for one in built.of_type("PlanDefinition", "ActivityDefinition", "Questionnaire"):
        for text, path in texts(one):
            yield look(one, path, not _HTML.search(text) and not _IMAGE.search(text), "holds HTML or an image")
    for case in built.cases:
        for index, card in enumerate(case.cards()):
            detail = str(card.get("detail", "")).replace("&lt;", "").replace("&amp;", "")
            ok = not _HTML.search(detail) and not _IMAGE.search(detail)
            yield thing(f"examples {case.id} card {index + 1}", ok, "the detail holds HTML or an image")


def ac_29_words(built: Built) -> Iterator[Look]:
    """No text says a word of the banned list, but in a sentence that names the statement it is quoted from."""
    banned = re.compile("|".join(built.expected["bannedWords"]), re.IGNORECASE)
    quotable = re.compile("|".join(built.expected["mayQuote"]), re.IGNORECASE)
    for one in built.of_type("PlanDefinition", "ActivityDefinition", "Questionnaire", "StructureDefinition"):
        for text, path in texts(one):
            said = _said(text, banned, quotable)
            yield look(one, path, said is None, f'says "{said}"')
    for case in built.cases:
        for index, card in enumerate(case.cards()):
            said = _said(f"{card.get('summary', '')}\n{card.get('detail', '')}", banned, quotable)
            yield thing(f"examples {case.id} card {index + 1}", said is None, f'says "{said}"')


def _said(text: str, banned: re.Pattern[str], quotable: re.Pattern[str]) -> str | None:
    for sentence in _SENTENCE.split(text):
        match = banned.search(sentence)
        if match and not (quotable.fullmatch(match[0]) and STATEMENT.search(sentence)):
            return match[0]
    return None


def ac_30_paths(built: Built) -> Iterator[Look]:
    """The path of every computed value is an element of what it fills."""
    for one, root, value, path in _values(built):
        yield look(one, f"{path}.path", root is None or _type_at(root, value) is not None, "is no element there")


def ac_30_defined(built: Built) -> Iterator[Look]:
    """The expression of every computed value is a public definition of the logic."""
    for one, _, value, path in _values(built):
        name = value.get("expression", {}).get("expression")
        yield look(one, f"{path}.expression", name in built.definitions, f"{name} is not defined")


def ac_30_types(built: Built) -> Iterator[Look]:
    """The type of its result can become the type of the element."""
    for one, root, value, path in _values(built):
        kind = _type_at(root, value) if root else None
        found = built.types.get(str(value.get("expression", {}).get("expression")))
        if kind is not None and found is not None:
            ok = found in _BECOMES.get(kind, set()) or (kind == "Reference" and (found == "string" or found.istitle()))
            ok = ok or (kind == "Reference" and found[:1].isupper())
            yield look(one, f"{path}.expression", ok, f"is {found}, which does not become {kind}")


def _values(built: Built) -> Iterator[tuple[Resource, str | None, dict[str, Any], str]]:
    """Yield every dynamicValue with its artifact, the type it fills and its path."""
    for activity in built.of_type("ActivityDefinition"):
        for index, value in enumerate(activity.get("dynamicValue", [])):
            yield activity, _produced(activity), value, f"dynamicValue[{index}]"
    for plan in built.of_type("PlanDefinition"):
        for action, path in actions(plan):
            target = built.by_url.get(str(action.get("definitionCanonical", "")).partition("|")[0])
            produced = _produced(target) if target and not level(target) else None
            for index, value in enumerate(action.get("dynamicValue", [])):
                on_action = str(value.get("path", "")).startswith(_ON_ACTION) or target is None
                yield plan, ACTION if on_action else produced, value, f"{path}.dynamicValue[{index}]"


def _produced(activity: Resource) -> str:
    template = next((part for part in activity.get("contained", []) if "resourceType" in part), None)
    return str(template["resourceType"] if template else activity.get("kind"))


def _type_at(root: str, value: dict[str, Any]) -> str | None:
    path = str(value.get("path", "")).removeprefix(_ON_ACTION).removeprefix(f"{root}.")
    try:
        return resolve(path, root, "").type
    except ContentError:
        return None
