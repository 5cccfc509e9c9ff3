"""Responses to the forms in few words: `respond(form, {"ankle.pain-score": 3}, side="right")`.

An answer is written as its code, its number or its date; what it is called in JSON follows from the form.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ankle_cds import artifacts, forms
from charts import NOW, SIDES, day

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.artifacts import Package
    from ankle_cds.forms import Extraction
    from ankle_cds.forms.form import Form, Question

Resource = dict[str, Any]

ROOT = Path(__file__).parents[1]
BASE = "https://w3id.org/ankle-cds"
NAMES = ("PaiHistory", "PaiExam", "PaiImagingAndInjectionFindings", "PaiFollowUp")
TODAY = NOW.isoformat()
ELEMENTS = {"choice": "valueCoding", "date": "valueDate", "integer": "valueInteger", "decimal": "valueDecimal"}

PACKAGE: Package = artifacts.load_all()["posterior-ankle-impingement"]
FORMS: Mapping[str, Form] = forms.load(PACKAGE)


def form(name: str) -> Form:
    return FORMS[f"{BASE}/Questionnaire/{name}"]


def questionnaire(name: str) -> Resource:
    """A copy of the built Questionnaire that may be changed."""
    copy: Resource = json.loads(json.dumps(PACKAGE.get(f"{BASE}/Questionnaire/{name}")))
    return copy


def items(resource: Resource) -> Iterator[Resource]:
    for item in resource.get("item", ()):
        yield item
        yield from items(item)


def coding(question: Question, code: str) -> Resource:
    (system,) = [system for system, known in question.options if known == code]
    return {"system": system, "code": code}


def answered(question: Question, given: Any) -> Resource:
    values = given if isinstance(given, list) else [given]
    told = [coding(question, value) if question.type == "choice" else value for value in values]
    return {"linkId": question.link, "answer": [{ELEMENTS[question.type]: value} for value in told]}


def ankle(name: str, side: str | None, answers: Mapping[str, Any]) -> Resource:
    """One repetition of the group; the questions that must be answered for it are not answered for the caller."""
    questions = form(name).questions
    told = [answered(questions["ankle.side"], SIDES[side])] if side else []
    told += [answered(questions[link], given) for link, given in answers.items() if link.startswith("ankle.")]
    return {"linkId": "ankle", "item": told}


def respond(
    name: str,
    answers: Mapping[str, Any],
    *,
    side: str | None = "right",
    left: Mapping[str, Any] | None = None,
    **other: Any,
) -> Resource:
    """A completed response: `answers` of `side` and of the patient, `left` those of a second, left ankle."""
    questions = form(name).questions
    groups = [ankle(name, side, answers)] if any(link.startswith("ankle.") for link in answers) else []
    if left is not None:
        groups.append(ankle(name, "left", left))
    rest = [answered(questions[link], given) for link, given in answers.items() if not link.startswith("ankle.")]
    response = {
        "resourceType": "QuestionnaireResponse",
        "id": "response-1",
        "questionnaire": f"{form(name).url}|{form(name).version}",
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
        "authored": TODAY,
        "author": {"reference": "Practitioner/d1"},
        **other,
    }
    if groups or rest:
        response["item"] = [*groups, *rest]
    return response


def everything(name: str, **other: Any) -> Resource:
    """A response for both ankles that answers every question, with three options where several may be chosen."""
    values = {"date": day(9), "integer": 4, "decimal": Decimal("4.5")}
    given: dict[str, Any] = {}
    for question in form(name).questions.values():
        if question.type == "choice" and not question.required:
            codes = [code for _, code in question.options]
            given[question.link] = codes[:3] if question.repeats else codes[0]
        elif question.type in values:
            given[question.link] = values[question.type]
    return respond(name, given, left=given, **other)


def extract(response: Resource, *, patient: Resource | None = None) -> Extraction:
    return forms.extract(response, FORMS, patient=patient, where="response.json")


def entries(response: Resource, method: str = "PUT", *, patient: Resource | None = None) -> list[Resource]:
    found = extract(response, patient=patient).bundle.get("entry", [])
    return [entry for entry in found if entry["request"]["method"] == method]


def observations(response: Resource, *, patient: Resource | None = None) -> list[Resource]:
    return [entry["resource"] for entry in entries(response, patient=patient)]


def sides(observation: Resource) -> list[str]:
    codes = [one["code"] for one in observation.get("bodySite", {"coding": []})["coding"]]
    return [side for side, code in SIDES.items() if code in codes]
