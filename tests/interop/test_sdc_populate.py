"""Another SDC engine fills our forms with the same answers: from what they record themselves, and from example charts.

Every difference stands with its reason in population-differences.tsv; one that is no longer there is removed.
"""

from __future__ import annotations

import csv
import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from toolchain import HERE, PROJECT, needs, node_folder, run

from ankle_cds import artifacts, forms
from ankle_cds.fhir import read_json_file, write_json
from ankle_cds.stories import Ehr
from charts import ENCOUNTER, FINDINGS, concept, encounter, item, patient
from responses import everything

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.interop, needs("node", "npm")]

DIFFERENCES = HERE / "population-differences.tsv"
CHARTS = ("heels-and-apixaban", "dancer-first-visit-pattern-fits", "both-ankles", "left-in-the-booking-text")
NOW = datetime.fromisoformat("2026-06-02T10:00:00+00:00")
HERE_AND_NOW: dict[str, Any] = {"encounter": {"reference": ENCOUNTER}, "at": "2026-06-01T09:00:00Z"}
PACKAGE = artifacts.load_all()["posterior-ankle-impingement"]
FORMS = forms.load(PACKAGE)


def charts(form: forms.Form) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield charts by name: what a form records of its examples, and those of the stories."""
    folder = PROJECT / "examples" / "forms" / form.id
    person = {"resourceType": "Patient", "id": "p1"}
    if (folder / "patient.json").exists():
        person = read_json_file(folder / "patient.json")
    for name, response in (("example", read_json_file(folder / "response.json")), ("all", everything(form.id))):
        subject = {**person, "id": response["subject"]["reference"].partition("/")[2]}
        visit = {"resourceType": "Encounter", "id": response["encounter"]["reference"].partition("/")[2]}
        recorded = forms.extract(response, FORMS, patient=None, where=name).bundle["entry"]
        resources = [subject, visit, *(entry["resource"] for entry in recorded if "resource" in entry)]
        yield name, {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}
    yield "told twice", {"resourceType": "Bundle", "entry": [{"resource": one} for one in told_twice()]}
    for name in CHARTS:
        yield name, read_json_file(PROJECT / "examples" / "posterior-ankle-impingement" / name / "chart.json")


def told_twice() -> list[dict[str, Any]]:
    """Return records of which no question can be filled but the side: the last ones contradict each other."""
    tests = [item("forced-plantarflexion-test", value, **HERE_AND_NOW) for value in ("positive", "negative")]
    responses = [item("response-to-care", value, **HERE_AND_NOW) for value in ("improved", "worse")]
    studies = [
        item(
            "imaging-finding",
            "os-trigonum",
            component=[
                {"code": concept(FINDINGS, "imaging-modality"), "valueCodeableConcept": concept(FINDINGS, modality)}
            ],
            **HERE_AND_NOW,
        )
        for modality in ("radiograph", "mri")
    ]
    return [patient(), encounter(), *tests, *responses, *studies]


def test_what_contradicts_itself_is_filled_in_by_neither(answers: dict[str, Any]) -> None:
    """The other engine takes the first of several answers: the expression itself must give none."""
    for case in (case for case in answers if case.endswith("told twice")):
        for filled in (answers[case]["ours"], answers[case]["response"]):
            assert list(flat(filled["item"])) == [("24028007:ankle.side", "http://snomed.info/sct|24028007")], case


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What we and the other engine fill in, by name of the case."""
    ours, job = {}, []
    for form in FORMS.values():
        for name, chart in charts(form):
            resources = [entry["resource"] for entry in chart["entry"]]
            (patient,) = (one for one in resources if one["resourceType"] == "Patient")
            encounter = next(one for one in resources if one["resourceType"] == "Encounter")
            ehr = Ehr(chart)
            asked: dict[str, Any] = {}

            def search(query: str, ehr: Ehr = ehr, asked: dict[str, Any] = asked) -> dict[str, Any]:
                return asked.setdefault(query, ehr.search(query))  # type: ignore[no-any-return]

            launch = {"patient": patient, "encounter": encounter}
            case = f"{form.id}, {name}"
            ours[case] = forms.populate(form, launch, search, now=NOW)
            job.append({"id": case, "questionnaire": PACKAGE.get(form.url), **launch, "searches": asked})
    theirs = json.loads(run(["node", node_folder(HERE / "sdc_populate") / "run.mjs"], stdin=write_json(job).decode()))
    return {case: {"ours": filled, **theirs[case]} for case, filled in ours.items()}


def flat(items: list[dict[str, Any]], side: str = "") -> Iterator[tuple[str, str]]:
    """Yield each answer as its place and its value, without the words for a code."""
    for one in items:
        for answer in one.get("answer", []):
            (value,) = (value for name, value in answer.items() if name.startswith("value"))
            said = f"{value['system']}|{value['code']}" if isinstance(value, dict) else str(value)
            yield f"{side}{one['linkId']}", said
        inner = one.get("item", [])
        named = [part["answer"][0]["valueCoding"]["code"] for part in inner if part["linkId"] == "ankle.side"]
        yield from flat(inner, f"{named[0]}:" if named else side)


def explained() -> list[dict[str, str]]:
    """Return the rows of population-differences.tsv."""
    with DIFFERENCES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_another_engine_fills_in_the_same(answers: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Answer by answer; what only one of the two gives is listed with its reason."""
    listed = {(row["case"], row["entry"]) for row in explained()}
    compared, different, found = 0, [], set()
    for case, answer in answers.items():
        ours = set(flat(answer["ours"].get("item", [])))
        theirs = set(flat(answer["response"].get("item", [])))
        compared += len(ours | theirs)
        for place, value in sorted(ours ^ theirs):
            found.add((case, place))
            if (case, place) not in listed:
                different.append(f"{case} {place} {value}: {'ours' if (place, value) in ours else 'theirs'} only")
    assert not different, "\n".join(different[:30])
    assert found == listed, "remove what no longer differs from population-differences.tsv"
    assert all(row["reason"].strip() for row in explained())
    with capsys.disabled():
        print(f" {compared} answers compared, {len(found)} different and explained", end="")  # noqa: T201 -- the figures are the result
    assert compared > 200


def test_the_other_engine_asks_for_the_same_and_finds_no_fault(answers: dict[str, Any]) -> None:
    """A query it writes in another way would be answered by nothing; an expression it cannot run is said.

    It evaluates the variables of an item before those of the group around it. Two items say by such a variable when
    their finding was made; that is read where answers are extracted, never where a form is filled.
    """
    assert {case: answer["unanswered"] for case, answer in answers.items() if answer["unanswered"]} == {}
    said = {text for answer in answers.values() for text in answer["said"]}
    assert {
        text for text in said if not re.search(r"undefined environment variable: (imaging|injection)Date", text)
    } == set()
