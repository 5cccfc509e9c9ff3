"""Whether a response is one of the form it names: every departure is told by its place, never by what was answered.

https://hl7.org/fhir/R4/questionnaireresponse.html
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import ContentError
from ankle_cds.fhir import canonical_json, split_canonical, split_reference
from ankle_cds.forms.form import ANSWERED_IN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.fhir import Resource
    from ankle_cds.forms.form import Form, Question

_SPEC = "https://hl7.org/fhir/R4/questionnaireresponse-definitions.html#QuestionnaireResponse."
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")
_AUTHORED = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d))?"
)
_EXTRACTED = ("completed", "amended")
# What an Observation can have as subject (here: of a patient), encounter and performer.
_REFERENCES = {
    "subject": ("Patient",),
    "encounter": ("Encounter",),
    "author": ("Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson"),
}
_NEEDED = ("subject",)
_ROOT = "QuestionnaireResponse"


def read_response(response: Any, forms: Mapping[str, Form], where: str) -> Form:
    """Give the form of a response that may be extracted as it stands.

    Raises ContentError listing every departure from the form; `where` names the file in front of each JSON path.
    """
    if not isinstance(response, dict) or response.get("resourceType") != _ROOT:
        raise ContentError(f"This is no {_ROOT}; give one response to a form.", where=where, spec=_SPEC[:-1])
    form = _form(response, forms, where)
    faults = [*_envelope(response), *_Reading(form).level(form.top, response.get("item"), f"{_ROOT}.item")]
    found = [ContentError(message, where=f"{where}: {path}", spec=_SPEC + element) for path, message, element in faults]
    if len(found) == 1:
        raise found[0]
    if found:
        raise ContentError(
            f"{len(found)} faults in the response; nothing is extracted.", where=where, causes=tuple(found)
        )
    return form


def _form(response: Resource, forms: Mapping[str, Form], where: str) -> Form:
    canonical = response.get("questionnaire")
    url, version = split_canonical(canonical) if isinstance(canonical, str) else ("", None)
    form = forms.get(url)
    if form is None or version != form.version:
        known = ", ".join(f"{one.url}|{one.version}" for one in forms.values())
        raise ContentError(
            f"The response is to another form, or to another or no version of it; answer one of {known}.",
            where=f"{where}: {_ROOT}.questionnaire",
            spec=f"{_SPEC}questionnaire",
        )
    return form


Fault = tuple[str, str, str]


def _envelope(response: Resource) -> Iterator[Fault]:
    if not _matches(_ID, response.get("id")):
        yield f"{_ROOT}.id", "The response has no id; what is extracted refers to it, so give it one.", ""
    if response.get("status") not in _EXTRACTED:
        yield f"{_ROOT}.status", f"Only a response that is {' or '.join(_EXTRACTED)} is extracted.", "status"
    if not _matches(_AUTHORED, response.get("authored")) or not _exists(response["authored"][:10]):
        yield f"{_ROOT}.authored", "Say when the form was answered, at least to the day.", "authored"
    for element, types in _REFERENCES.items():
        if element not in response and element not in _NEEDED:
            continue
        given = response.get(element)
        text = given.get("reference") if isinstance(given, dict) else None
        parts = split_reference(text) if isinstance(text, str) else None
        if parts is None or parts[0] not in types:
            yield f"{_ROOT}.{element}", f"Give a reference to {' or '.join(types)}, such as {types[0]}/id.", element


class _Reading:
    """The items of a response against those of its form."""

    def __init__(self, form: Form) -> None:
        self._questions = form.questions

    def level(self, links: tuple[str, ...], items: Any, path: str) -> Iterator[Fault]:
        """Yield what is wrong with the items that stand where those of `links` may stand."""
        if items is None:
            return
        if not isinstance(items, list) or not items:
            yield path, "A list of items is expected; leave it out when there is none.", "item"
            return
        seen: dict[str, list[tuple[Any, str]]] = {}
        for index, item in enumerate(items):
            here = f"{path}[{index}]"
            link = item.get("linkId") if isinstance(item, dict) else None
            if link not in links:
                yield (
                    f"{here}.linkId",
                    "The form has no item of this linkId here; answer the form that was sent.",
                    "item.linkId",
                )
                continue
            question = self._questions[link]
            again = seen.setdefault(link, [])
            if again and not (question.type == "group" and question.repeats):
                yield here, "This item stands twice; put all of its answers into one.", "item"
            again.append((item, here))
            yield from self._item(question, item, here)
        for link, repetitions in seen.items():
            yield from self._told_apart(self._questions[link], repetitions)

    def _item(self, question: Question, item: Resource, path: str) -> Iterator[Fault]:
        if question.type == "group":
            yield from self._group(question, item, path)
            return
        if "item" in item:
            yield f"{path}.item", "Items below a question stand inside its answer; move them.", "item.item"
        answers = item.get("answer")
        if answers is None and not question.required:
            return
        if question.type == "display" or not isinstance(answers, list) or not answers:
            yield f"{path}.answer", "A list of answers to a question is expected; correct it.", "item.answer"
            return
        if len(answers) > 1 and not question.repeats:
            yield f"{path}.answer", "The question takes one answer; give one.", "item.answer"
        given = set()
        for index, answer in enumerate(answers):
            here = f"{path}.answer[{index}]"
            yield from self._answer(question, answer, here)
            if _meaning(answer) in given:
                yield here, "This answer is given twice; give it once.", "item.answer"
            given.add(_meaning(answer))

    def _group(self, question: Question, item: Resource, path: str) -> Iterator[Fault]:
        if "answer" in item:
            yield f"{path}.answer", "A group has no answer; remove it.", "item.answer"
        yield from self.level(question.children, item.get("item"), f"{path}.item")
        present = [inner.get("linkId") for inner in _inner(item)]
        for link in question.children:
            if self._questions[link].required and link not in present:
                yield path, f"The answer to {link} is missing; without it the rest has no meaning.", "item"

    def _answer(self, question: Question, answer: Any, path: str) -> Iterator[Fault]:
        element = ANSWERED_IN[question.type]
        values = [name for name in answer if name.startswith("value")] if isinstance(answer, dict) else []
        if values != [element]:
            yield path, f"The question is answered by one {element}; correct the answer.", "item.answer.value[x]"
            return
        fault = _FITS[question.type](answer[element], question)
        if fault:
            yield f"{path}.{element}", fault, "item.answer.value[x]"
        yield from self.level(question.children, answer.get("item"), f"{path}.item")

    def _told_apart(self, question: Question, repetitions: list[tuple[Any, str]]) -> Iterator[Fault]:
        """Yield a repetition whose required answers are those of an earlier one: two records of one thing."""
        required = [link for link in question.children if self._questions[link].required]
        if not required or not question.repeats:
            return
        known = set()
        for item, path in repetitions:
            told = tuple(
                _meaning(answer)
                for one in _inner(item)
                if one.get("linkId") in required
                for answer in _list(one.get("answer"))
            )
            if told and told in known:
                yield path, f"Another repetition answers {', '.join(required)} the same; each may stand once.", "item"
            known.add(told)


def _inner(item: Resource) -> list[Resource]:
    return [one for one in _list(item.get("item")) if isinstance(one, dict)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _meaning(answer: Any) -> bytes:
    """Give what two answers have in common when they say the same: the code of a coding, else the value."""
    coding = answer.get("valueCoding") if isinstance(answer, dict) else None
    if isinstance(coding, dict):
        return canonical_json([coding.get("system"), coding.get("code")])
    return canonical_json(answer)


def _coding(value: Any, question: Question) -> str | None:
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("system"), str)
        or not isinstance(value.get("code"), str)
    ):
        return "A coding with system and code is expected; correct it."
    displays = question.options.get((value["system"], value["code"]))
    if displays is None:
        return "The answer is none of the options of the question; choose one of them."
    if "display" in value and value["display"] not in list(displays):
        return "The display is not that of the option; send the one of the form, or none."
    return None


def _date(value: Any, _question: Question) -> str | None:
    return None if _matches(_DATE, value) and _exists(value) else "A date such as 2026-03-12 is expected; correct it."


def _exists(text: str) -> bool:
    """Tell whether the calendar has the day; a month or a year alone always exists."""
    try:
        date.fromisoformat((text + "-01-01")[:10] if len(text) != len("2026-03") else text + "-01")
    except ValueError:
        return False
    return True


def _number(value: Any, question: Question) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return "A number is expected; correct it."
    if question.type == "integer" and not isinstance(value, int):
        return "A whole number is expected; correct it."
    low, high = question.limits
    if (low is not None and value < low) or (high is not None and value > high):
        return f"A number from {low} to {high} is expected; correct it."
    return None


def _words(value: Any, _question: Question) -> str | None:
    return None if isinstance(value, str) else "Text is expected; correct it."


_FITS = {"choice": _coding, "date": _date, "integer": _number, "decimal": _number, "text": _words}


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
