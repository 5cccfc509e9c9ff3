"""From what is recorded to a filled form, and from its response to the Observations that the logic reads.

No rule about any item stands here: what fills it and what becomes of its answer is read from the Questionnaire itself.
https://hl7.org/fhir/uv/sdc/populate.html · https://hl7.org/fhir/uv/sdc/extraction.html#template-based-extraction
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import ContentError
from ankle_cds.fhir import is_resource, split_reference
from ankle_cds.fhirpath import Context, root
from ankle_cds.forms.enabling import count_answers, without_hidden
from ankle_cds.forms.filling import populate
from ankle_cds.forms.form import Form, read_form
from ankle_cds.forms.response import read_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Resource

__all__ = ["Extraction", "Form", "check", "count_answers", "extract", "load", "populate"]

_REFERENCE = "https://hl7.org/fhir/R4/questionnaireresponse-definitions.html#QuestionnaireResponse.subject"


@dataclass(frozen=True, slots=True)
class Extraction:
    """The transaction Bundle of one response, the form, and how many answers of hidden questions were left out."""

    bundle: Resource
    form: Form
    hidden: int

    def count(self, method: str) -> int:
        """Count the entries of one HTTP method: PUT records, DELETE takes back."""
        return sum(entry["request"]["method"] == method for entry in self.bundle.get("entry", []))


def load(package: Package) -> dict[str, Form]:
    """Read every form of a package that can be extracted, by url; raise ContentError for what cannot be executed."""
    found = check(package)
    if found:
        raise ContentError("A form cannot be extracted as it is written.", where=str(package.folder), causes=found)
    forms = [read_form(resource) for resource in package.of_type("Questionnaire")]
    return {form.url: form for form in forms if form is not None}


def check(package: Package) -> tuple[ContentError, ...]:
    """List what in the forms of a package could not be executed, each with a JSON path that begins with type and id."""
    found = []
    for resource in package.of_type("Questionnaire"):
        try:
            read_form(resource)
        except ContentError as error:
            found.append(error)
    return tuple(found)


def extract(response: Any, forms: Mapping[str, Form], *, patient: Resource | None, where: str) -> Extraction:
    """Extract one response; the same response gives the same Bundle, and saving it again replaces what it gave.

    `patient` decides about questions that depend on age or sex as of the day the form was answered; without it they
    count as shown. Raises ContentError, told by JSON path in `where`, for anything that is not a whole and unambiguous
    response to one of `forms`.
    """
    form = read_response(response, forms, where)
    _check_patient(response, patient, where)
    day = date.fromisoformat(response["authored"][:10])
    known = [root(patient)] if patient is not None else []
    shown, hidden = without_hidden(response, form, Context({"resource": [root(response)], "patient": known}, day))
    answered = [root(shown)]
    (bundle,) = form.template(Context({"resource": answered}, day), answered)
    return Extraction(bundle, form, hidden)


def _check_patient(response: Resource, patient: Any, where: str) -> None:
    subject = split_reference(response["subject"]["reference"])
    if patient is not None and not (is_resource(patient) and subject == (patient["resourceType"], patient.get("id"))):
        raise ContentError(
            "The patient given is not the subject of the response; give the Patient it is about.",
            where=f"{where}: QuestionnaireResponse.subject",
            spec=_REFERENCE,
        )
