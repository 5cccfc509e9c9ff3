"""A published form, read once: its questions, what may be answered, when each is shown, and its extraction templates.

What cannot be executed here is refused on reading, with the place in the authored file.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import ContentError
from ankle_cds.forms.expressions import compile_expression
from ankle_cds.forms.population import Population, read_population
from ankle_cds.forms.templates import compile_template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.fhir import Resource
    from ankle_cds.fhirpath import Expression
    from ankle_cds.forms.templates import Template

_SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
_BUNDLE = f"{_SDC}templateExtractBundle"
_ENABLE = f"{_SDC}enableWhenExpression"
_LIMITS = {"http://hl7.org/fhir/StructureDefinition/minValue": 0, "http://hl7.org/fhir/StructureDefinition/maxValue": 1}
_QUESTIONNAIRE = "https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item."
# The element an answer stands in, by type of the question. https://hl7.org/fhir/R4/valueset-item-type.html
ANSWERED_IN = {
    "choice": "valueCoding",
    "date": "valueDate",
    "integer": "valueInteger",
    "decimal": "valueDecimal",
    "text": "valueString",
}
_WITHOUT_ANSWER = ("group", "display")
_OPERATORS = ("exists", "=", "!=")
_VARIABLES = frozenset({"resource"})
_SHOWN_BY = frozenset({"resource", "patient"})

Location = tuple[str | int, ...]
Limit = int | Decimal | None


@dataclass(frozen=True, slots=True)
class Condition:
    """One enableWhen: the question it asks about, how, and the answer it waits for."""

    question: str
    operator: str
    answer: Any


@dataclass(frozen=True, slots=True)
class Question:
    """An item of the form. `options`: displays by system and code; `parent`: link id of the group or question above."""

    link: str
    type: str
    repeats: bool
    required: bool
    parent: str | None
    children: tuple[str, ...]
    options: Mapping[tuple[str, str], frozenset[str]]
    limits: tuple[Limit, Limit]
    conditions: tuple[Condition, ...]
    all_conditions: bool
    shown_by: Expression | None
    location: Location


@dataclass(frozen=True, slots=True)
class Form:
    """A form from which Observations are extracted; `top` are the link ids of its outermost items."""

    id: str
    url: str
    version: str
    questions: Mapping[str, Question]
    top: tuple[str, ...]
    template: Template
    population: Population


def read_form(resource: Resource) -> Form | None:
    """Read a built Questionnaire; None where it has no extraction templates.

    Raises ContentError whose `where` is a JSON path in it, for all that cannot be executed here.
    """
    name = f"Questionnaire/{resource['id']}"
    bundles = [part["valueReference"]["reference"] for part in resource.get("extension", []) if part["url"] == _BUNDLE]
    if not bundles:
        return None
    contained = {f"#{part['id']}": part for part in resource.get("contained", [])}
    questions = {question.link: question for question in _questions(resource["item"], name, (), None, contained)}
    for question in questions.values():
        _check_conditions(question, questions, name)
    bundle = {element: value for element, value in contained[bundles[0]].items() if element != "id"}
    return Form(
        id=resource["id"],
        url=resource["url"],
        version=resource["version"],
        questions=questions,
        top=tuple(item["linkId"] for item in resource["item"]),
        template=_located(name, lambda: compile_template(bundle, _VARIABLES)),
        population=read_population(resource, name),
    )


def _questions(
    items: list[Resource], name: str, base: Location, parent: str | None, contained: Mapping[str, Resource]
) -> Iterator[Question]:
    for index, item in enumerate(items):
        location = (*base, "item", index)
        kind = str(item["type"])
        if kind not in ANSWERED_IN and kind not in _WITHOUT_ANSWER:
            raise ContentError(
                f"Items of type {kind} are not extracted; use {', '.join(ANSWERED_IN)}.",
                where=_path(name, location),
                spec=f"{_QUESTIONNAIRE}type",
            )
        yield _question(item, name, location, parent, contained)
        yield from _questions(item.get("item", []), name, location, item["linkId"], contained)


def _question(
    item: Resource, name: str, location: Location, parent: str | None, contained: Mapping[str, Resource]
) -> Question:
    limits: list[Limit] = [None, None]
    shown_by = None
    for index, part in enumerate(item.get("extension", [])):
        where = _path(name, (*location, "extension", index))
        if part["url"] in _LIMITS:
            limits[_LIMITS[part["url"]]] = next(value for key, value in part.items() if key != "url")
        if part["url"] == _ENABLE:
            text = str(part["valueExpression"]["expression"])
            shown_by = _located(where, lambda text=text: compile_expression(text, _SHOWN_BY))
    conditions = tuple(
        Condition(str(rule["question"]), str(rule["operator"]), _expected(rule)) for rule in item.get("enableWhen", [])
    )
    return Question(
        link=str(item["linkId"]),
        type=str(item["type"]),
        repeats=bool(item.get("repeats")),
        required=bool(item.get("required")),
        parent=parent,
        children=tuple(child["linkId"] for child in item.get("item", [])),
        options=_options(item, contained),
        limits=(limits[0], limits[1]),
        conditions=conditions,
        all_conditions=item.get("enableBehavior") != "any",
        shown_by=shown_by,
        location=location,
    )


def _options(item: Resource, contained: Mapping[str, Resource]) -> dict[tuple[str, str], frozenset[str]]:
    listed = [option["valueCoding"] for option in item.get("answerOption", []) if "valueCoding" in option]
    value_set = contained.get(str(item.get("answerValueSet")), {})
    listed += value_set.get("expansion", {}).get("contains", [])
    return {
        (coding["system"], coding["code"]): frozenset({coding["display"]} if "display" in coding else ())
        for coding in listed
    }


def _expected(rule: Resource) -> Any:
    return next((value for key, value in rule.items() if key.startswith("answer")), None)


def _check_conditions(question: Question, questions: Mapping[str, Question], name: str) -> None:
    """Refuse a condition that asks about an item of another group, about itself by a detour, or in another way."""
    where = _path(name, question.location)
    above: set[str | None] = {None}
    parent = question.parent
    while parent is not None:
        above.add(parent)
        parent = questions[parent].parent
    for rule in question.conditions:
        asked = questions.get(rule.question)
        known = rule.operator in _OPERATORS and isinstance(rule.answer, bool if rule.operator == "exists" else dict)
        if asked is None or asked.parent not in above or not known:
            raise ContentError(
                "enableWhen asks about an item of the same group or of one around it, by exists, = or != with a coded "
                "answer; correct it.",
                where=where,
                spec=f"{_QUESTIONNAIRE}enableWhen",
            )
    pending = [rule.question for rule in question.conditions]
    seen: set[str] = set()
    while pending:
        link = pending.pop()
        if link == question.link:
            raise ContentError(
                "The item is shown depending on itself; break the circle of enableWhen.",
                where=where,
                spec=f"{_QUESTIONNAIRE}enableWhen",
            )
        if link not in seen and link in questions:
            seen.add(link)
            pending.extend(rule.question for rule in questions[link].conditions)


def _located(where: str, make: Any) -> Any:
    """Make something; a refusal gets the place where its cause stands."""
    try:
        return make()
    except ContentError as error:
        raise ContentError(error.message, where=where, spec=error.spec) from None


def _path(name: str, location: Location) -> str:
    return name + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
