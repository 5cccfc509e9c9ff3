"""Fills a form with what is known already, as the form itself says; nothing is sent, nothing is saved.

https://hl7.org/fhir/uv/sdc/populate.html
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import ContentError
from ankle_cds.fhir import reference
from ankle_cds.fhirpath import Context, root
from ankle_cds.forms.enabling import without_hidden
from ankle_cds.forms.expressions import values
from ankle_cds.forms.form import ANSWERED_IN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from ankle_cds.fhir import Resource
    from ankle_cds.forms.form import Form, Question

    Search = Callable[[str], Resource]

_SPEC = "https://hl7.org/fhir/uv/sdc/populate.html"
_ELEMENTS = {"patient": "subject", "encounter": "encounter", "user": "author"}


def populate(form: Form, launch: Mapping[str, Resource], search: Search, *, now: datetime) -> Resource:
    """Give a QuestionnaireResponse in progress, with an answer wherever the form's expressions give one.

    `launch` holds the resources of the launch context by name (patient, encounter; user may be left out), `search`
    answers a FHIR query such as `Condition?patient=1` with a searchset Bundle. An answer that the form does not offer
    is left out, as is more than one answer to a question that takes one: it is asked. Raises ContentError where a
    resource of the launch context that a query needs is missing.
    """
    filling = _Filling(form, launch, search, now)
    response: Resource = {"resourceType": "QuestionnaireResponse", "questionnaire": f"{form.url}|{form.version}"}
    response["status"] = "in-progress"
    for name, element in _ELEMENTS.items():
        if name in launch:
            response[element] = {"reference": reference(launch[name])}
    response["authored"] = now.isoformat()
    items = filling.level(form.top, filling.context)
    if not items:
        return response
    known = [root(launch["patient"])] if "patient" in launch else []
    shown, _ = without_hidden(
        {**response, "item": items}, form, Context({"resource": [root(response)], "patient": known}, now.date())
    )
    return shown


class _Filling:
    def __init__(self, form: Form, launch: Mapping[str, Resource], search: Search, now: datetime) -> None:
        self._form = form
        self._search = search
        self._now = now
        population = form.population
        known = {name: [root(launch[name])] if name in launch else [] for name in population.launch}
        self.context = Context(known, now.date())
        for name, query in population.queries:
            known[name] = [root(search(query(self.context)))]
        for name, expression in population.variables:
            known[name] = expression(self.context, [])

    def level(self, links: tuple[str, ...], context: Context) -> list[Resource]:
        """Give the items of some link ids that have an answer, groups repeated as their context says."""
        return [item for link in links for item in self._items(self._form.questions[link], context)]

    def _items(self, question: Question, context: Context) -> Iterator[Resource]:
        if question.type == "group":
            name, expression = self._form.population.contexts.get(question.link, (None, None))
            for found in expression(context, []) if expression else [None]:
                inside = context
                if name is not None and found is not None:
                    inside = Context({**context.variables, name: [found]}, context.today)
                inner = self.level(question.children, inside)
                if inner:
                    yield {"linkId": question.link, "item": inner}
            return
        given = self._answers(question, context)
        if given and (question.repeats or len(given) == 1):
            yield {"linkId": question.link, "answer": given}

    def _answers(self, question: Question, context: Context) -> list[Resource]:
        population = self._form.population
        if question.link in population.initial:
            found = values(population.initial[question.link](context, []))
        elif question.link in population.linked:
            found = list(self._recorded_for(*population.linked[question.link], context))
        else:
            return []
        answers = [_answer(question, value) for value in found]
        return [answer for at, answer in enumerate(answers) if answer is not None and answer not in answers[:at]]

    def _recorded_for(self, codes: tuple[tuple[str, str], ...], days: int, context: Context) -> Iterator[Any]:
        """Yield the values of the last Observation of a code that is not older than some days.

        Which records count is said once, by the variable `recorded`: it is asked again, of what was found by the code.

        https://hl7.org/fhir/uv/sdc/populate.html#observation-based-population
        """
        patient = values(node for one in context.variables["patient"] for node in one.named("id"))
        if not patient:
            raise ContentError("The patient is not given, and the form is about one; give it.", spec=_SPEC)
        since = self._now.date() - timedelta(days=days)
        coded = ",".join(f"{system}|{code}" for system, code in codes)
        found = root(self._search(f"Observation?patient={patient[0]}&code={coded}&date=ge{since}&_sort=-date"))
        population = self._form.population
        asked = {**context.variables, **{name: [found] for name in population.observed}}
        counted = population.recorded(Context(asked, context.today), [])
        stated = [node.value for node in counted if node.type == "Observation"]
        moments = [one.get("effectiveDateTime") for one in stated]
        for one in stated:
            if moments[0] is not None and one.get("effectiveDateTime") == moments[0]:
                yield from one.get("valueCodeableConcept", {}).get("coding", [])


def _answer(question: Question, value: Any) -> Resource | None:
    """Give an answer of the question's type; None for a value that is none."""
    match question.type, value:
        case "choice", {"system": str() as system, "code": str() as code}:
            return _option(question, [key for key in question.options if key == (system, code)])
        case "choice", str():
            return _option(question, [key for key in question.options if key[1] == value])
        case "date", str():
            value = value[: len("2026-03-12")]
        case ("integer", int()) | ("decimal", int() | Decimal()) | ("text", str()):
            pass
        case _:
            return None
    return {ANSWERED_IN[question.type]: value}


def _option(question: Question, keys: list[tuple[str, str]]) -> Resource | None:
    """Give the one option meant, in the words of the form."""
    if len(keys) != 1:
        return None
    system, code = keys[0]
    displays = question.options[keys[0]]
    return {"valueCoding": {"system": system, "code": code, **({"display": min(displays)} if displays else {})}}
