"""A form opens with what the visit already says: on the right ankle, of this visit only, and where it is one thing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ankle_cds import cli, forms
from ankle_cds.errors import ContentError
from ankle_cds.fhir import write_json
from ankle_cds.fhirpath import Context, root
from ankle_cds.forms.enabling import without_hidden
from ankle_cds.forms.form import read_form
from ankle_cds.stories import Ehr
from charts import (
    ENCOUNTER,
    FINDINGS,
    ICD,
    LOINC,
    NOW,
    SCT,
    body_site,
    concept,
    condition,
    day,
    encounter,
    item,
    patient,
    quantity,
)
from responses import FORMS, NAMES, Resource, everything, form, observations, questionnaire, respond

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE = {"encounter": {"reference": ENCOUNTER}}
EARLIER = {"encounter": {"reference": "Encounter/e0"}}
Told = dict[tuple[str, str], list[Any]]


def populate(name: str, *records: Resource, visit: Resource | None = None) -> Resource:
    chart = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in records]}
    launch = {"patient": patient(), "encounter": visit or encounter()}
    return forms.populate(form(name), launch, Ehr(chart).search, now=NOW)


def told(response: Resource) -> Told:
    """What a response answers: codes, numbers and dates by ankle (left, right, none) and question."""
    return dict(_told(response.get("item", []), "none"))


def _told(items: list[Resource], side: str) -> Iterator[tuple[tuple[str, str], list[Any]]]:
    for one in items:
        values = [_plain(answer) for answer in one.get("answer", [])]
        if values:
            yield (side, one["linkId"]), values
        inner = one.get("item", [])
        named = [_plain(part["answer"][0]) for part in inner if part["linkId"] == "ankle.side"]
        yield from _told(inner, {"7771000": "left", "24028007": "right"}[named[0]] if named else side)


def _plain(answer: Resource) -> Any:
    (value,) = (value for name, value in answer.items() if name.startswith("value"))
    return value["code"] if isinstance(value, dict) else value


def filled(name: str, *records: Resource, visit: Resource | None = None) -> Told:
    return told(populate(name, *records, visit=visit))


def test_result(value: str, **more: Any) -> Resource:
    return item("forced-plantarflexion-test", value, **{**HERE, **more})


test_result.__test__ = False  # type: ignore[attr-defined]
TEST = "ankle.forced-plantarflexion-test"


HIDDEN = {"ankle.unexplained-bone-pain", "ankle.calcaneal-squeeze-test"}  # of an adult

# The round trip


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_comes_back_where_it_was_given(name: str) -> None:
    """Both ankles, every question of every form; what hides a question hides it again."""
    response = everything(name)
    recorded = observations(response, patient=patient())
    known = told({"item": _shown(name, response)})
    again = populate(name, *_numbered(recorded))
    assert told(again) == known
    assert {link for _, link in known} >= {link for link in form(name).population.initial if link not in HIDDEN}
    saved = {**again, "id": "response-1", "status": "completed", "authored": response["authored"]}
    assert _bare(observations({**saved, "author": response["author"]}, patient=patient())) == _bare(recorded)


def _bare(node: Any) -> Any:
    """Without the words for a code: the form may say more of them than the response did."""
    if isinstance(node, dict):
        return {name: _bare(value) for name, value in node.items() if name != "display"}
    return [_bare(value) for value in node] if isinstance(node, list) else node


def _shown(name: str, response: Resource) -> list[Resource]:
    shown, _ = without_hidden(
        response, form(name), Context({"resource": [root(response)], "patient": [root(patient())]}, NOW.date())
    )
    items: list[Resource] = shown["item"]
    return items


def _numbered(recorded: list[Resource]) -> list[Resource]:
    return [{**one, "id": f"o{number}"} for number, one in enumerate(recorded)]


def test_a_test_that_was_not_performed_comes_back_as_that() -> None:
    for link in (TEST, "ankle.calf-squeeze-test"):
        recorded = observations(respond("PaiExam", {link: "not-performed"}))
        assert filled("PaiExam", *_numbered(recorded))["right", link] == ["not-performed"]
    other = item("forced-plantarflexion-test", dataAbsentReason=concept("http://x", "not-performed"), **HERE)
    assert ("right", TEST) not in filled("PaiExam", other)


# The side


def test_nothing_known_opens_an_empty_form() -> None:
    for name in NAMES:
        response = populate(name)
        assert "item" not in response
        assert (response["status"], response["questionnaire"]) == (
            "in-progress",
            f"{form(name).url}|{form(name).version}",
        )
        assert (response["subject"], response["encounter"]) == (
            {"reference": "Patient/p1"},
            {"reference": ENCOUNTER},
        )


LEFT, RIGHT = {("left", "ankle.side"): ["7771000"]}, {("right", "ankle.side"): ["24028007"]}
PAIN, PAIN_LEFT, PAIN_RIGHT = "247373008", "M25.572", "M25.571"


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([condition(SCT, PAIN)], {}),
        ([condition(SCT, PAIN, side="left")], LEFT),
        ([condition(SCT, PAIN, side="right")], RIGHT),
        ([condition(ICD, PAIN_LEFT)], LEFT),
        ([condition(ICD, PAIN_RIGHT)], RIGHT),
        ([condition(ICD, PAIN_LEFT), condition(SCT, PAIN, side="right")], {**RIGHT, **LEFT}),
        ([condition(SCT, PAIN, side="left", verification="refuted")], {}),
        ([condition(SCT, PAIN, side="left", verification="entered-in-error")], {}),
        ([condition(SCT, PAIN, side="left", encounter=False)], {}),
        ([condition(SCT, "239872002", side="left")], {}),  # of a hip
        ([test_result("positive", side="left")], {**LEFT, ("left", TEST): ["positive"]}),
        ([test_result("positive", side=None)], {}),
        ([test_result("positive", side="left", status="entered-in-error")], {}),
    ],
)
def test_the_side_is_that_of_the_reason_and_of_what_was_found(records: list[Resource], expected: Told) -> None:
    assert filled("PaiExam", *records) == expected


def test_the_side_may_be_coded_in_the_reason_of_the_visit() -> None:
    assert filled("PaiHistory", visit=encounter(reasonCode=[concept(ICD, PAIN_LEFT)])) == LEFT


def test_two_ankles_are_two_repetitions_and_do_not_mix() -> None:
    found = filled("PaiExam", test_result("positive", side="left"), test_result("negative", side="right"))
    assert found["left", TEST] == ["positive"]
    assert found["right", TEST] == ["negative"]


def test_a_finding_of_both_ankles_at_once_fills_neither() -> None:
    both = test_result("positive", side="left")
    both["bodySite"]["coding"] += body_site("right")["coding"]
    found = filled("PaiExam", both)
    assert ("left", TEST) not in found
    assert ("right", TEST) not in found


def test_a_finding_of_one_ankle_is_none_of_the_patient() -> None:
    sided = item("fever-or-systemic-illness", "yes", side="left", **HERE)
    plain = item("fever-or-systemic-illness", "yes", side=None, **HERE)
    assert ("none", "fever-or-systemic-illness") not in filled("PaiHistory", sided)
    assert filled("PaiHistory", plain) == {("none", "fever-or-systemic-illness"): ["yes"]}


# This visit, the last record, one meaning


def test_an_earlier_visit_fills_nothing() -> None:
    assert filled("PaiExam", test_result("positive", **EARLIER)) == {}
    assert filled("PaiExam", item("forced-plantarflexion-test", "positive")) == {}


@pytest.mark.parametrize("order", [1, -1])
def test_the_last_record_counts(order: int) -> None:
    records = [test_result("positive", ago=2), test_result("negative", ago=1)][::order]
    assert filled("PaiExam", *records)["right", TEST] == ["negative"]


def test_records_that_contradict_each_other_are_asked_again() -> None:
    at = "2026-03-12T09:00:00-07:00"
    same = "2026-03-12T16:00:00Z"
    found = filled("PaiExam", test_result("positive", at=at), test_result("negative", at=same))
    assert ("right", TEST) not in found


def test_a_record_without_a_day_fills_nothing() -> None:
    undated = test_result("positive")
    del undated["effectiveDateTime"]
    assert ("right", TEST) not in filled("PaiExam", undated)


@pytest.mark.parametrize(
    "value",
    [
        concept("http://other.example/codes", "positive"),
        {"text": "positive"},
        concept("https://w3id.org/ankle-cds/CodeSystem/pai-test-result", "no-such-code"),
    ],
)
def test_a_value_the_form_does_not_offer_is_left_out(value: Resource) -> None:
    strange = item("forced-plantarflexion-test", valueCodeableConcept=value, **HERE)
    assert filled("PaiExam", strange) == RIGHT


def test_of_several_options_those_of_the_last_moment_are_chosen() -> None:
    def site(code: str, ago: int) -> Resource:
        return item("posterior-tenderness-site", code, ago=ago, **HERE)

    found = filled(
        "PaiExam", site("behind-lateral-malleolus", 1), site("posterior-midline", 1), site("achilles-tendon", 4)
    )
    assert sorted(found["right", "ankle.posterior-tenderness-site"]) == [
        "behind-lateral-malleolus",
        "posterior-midline",
    ]


def test_a_number_in_another_unit_is_left_out() -> None:
    known = quantity("lefs-score", 61, **HERE)
    assert filled("PaiFollowUp", known)["right", "ankle.lefs-score"] == [61]
    assert ("right", "ankle.lefs-score") not in filled("PaiFollowUp", quantity("lefs-score", 61, unit="%", **HERE))


def test_a_pain_score_is_known_by_its_loinc_code() -> None:
    score = item("72514-3", system=LOINC, valueInteger=6, **HERE)
    for name in ("PaiHistory", "PaiFollowUp"):
        assert filled(name, score)["right", "ankle.pain-score"] == [6]


# Findings dated by their study


def _finding(code: str, modality: str, ago: int) -> Resource:
    component = {"code": concept(FINDINGS, "imaging-modality"), "valueCodeableConcept": concept(FINDINGS, modality)}
    return item("imaging-finding", code, ago=ago, component=[component], **HERE)


def test_the_last_study_is_filled_in_whole() -> None:
    records = [_finding("os-trigonum", "radiograph", 30), _finding("posterior-marrow-oedema", "mri", 3)]
    found = filled("PaiImagingAndInjectionFindings", *records)
    assert found["right", "ankle.imaging-modality"] == ["mri"]
    assert found["right", "ankle.imaging-date"] == [day(3)]
    assert found["right", "ankle.imaging-finding"] == ["posterior-marrow-oedema"]


def test_two_studies_of_one_day_are_not_mixed() -> None:
    records = [_finding("os-trigonum", "radiograph", 3), _finding("posterior-marrow-oedema", "mri", 3)]
    assert filled("PaiImagingAndInjectionFindings", *records) == RIGHT


def test_responses_to_two_injections_are_not_dated_as_one() -> None:
    """The form has one date of injection: the response of the later one is filled in."""
    earlier = item("diagnostic-injection-response", "complete-relief", ago=40, **HERE)
    later = item("steroid-injection-response", "no-relief", ago=4, **HERE)
    found = filled("PaiImagingAndInjectionFindings", earlier, later)
    assert found["right", "ankle.injection-date"] == [day(4)]
    assert ("right", "ankle.diagnostic-injection-response") not in found
    assert found["right", "ankle.steroid-injection-response"] == ["no-relief"]


# Facts about the person


@pytest.mark.parametrize(("ago", "expected"), [(365, ["elite"]), (366, None)])
def test_the_level_of_sport_is_taken_from_earlier_visits_for_a_year(ago: int, expected: Any) -> None:
    level = item("sport-level", "elite", side=None, ago=ago, **EARLIER)
    assert filled("PaiHistory", level).get(("none", "sport-level")) == expected


def test_an_entry_in_error_says_nothing_about_the_person() -> None:
    wrong = item("sport-level", "elite", side=None, ago=3, status="entered-in-error")
    right = item("sport-level", "recreational", side=None, ago=30)
    assert filled("PaiHistory", wrong, right)["none", "sport-level"] == ["recreational"]


def _history(old: str, new: str) -> forms.Form:
    """The form of the history, with another text in place of one of its own."""
    written = json.dumps(questionnaire("PaiHistory"))
    assert old in written
    read = read_form(json.loads(written.replace(old, new)))
    assert read is not None
    return read


def test_which_records_count_is_said_by_the_form_alone() -> None:
    """By its variable, for what is looked for by code alone as well."""
    chart = {"entry": [{"resource": item("sport-level", "elite", side=None, ago=3, status="registered")}]}
    launch = {"patient": patient(), "encounter": encounter()}
    for other, expected in (("preliminary", {}), ("registered", {("none", "sport-level"): ["elite"]})):
        counted = _history("status = 'preliminary'", f"status = '{other}'")
        assert told(forms.populate(counted, launch, Ehr(chart).search, now=NOW)) == expected


def test_a_form_that_does_not_say_which_records_count_is_refused() -> None:
    with pytest.raises(ContentError, match="nothing says which records count") as refused:
        _history("Observation?patient", "DiagnosticReport?patient")
    assert refused.value.where == "Questionnaire/PaiHistory"


def test_a_day_of_birth_that_is_none_is_said_without_repeating_it() -> None:
    launch = {"patient": {**patient(), "birthDate": "14.5.1990"}, "encounter": encounter()}
    chart = {"entry": [{"resource": test_result("positive")}]}
    asked = item("calcaneal-squeeze-test", "positive", **HERE)
    chart["entry"].append({"resource": asked})
    with pytest.raises(ContentError, match="read as a date or a time is none; correct") as refused:
        forms.populate(form("PaiExam"), launch, Ehr(chart).search, now=NOW)
    assert "1990" not in str(refused.value)


def test_a_query_without_its_visit_is_refused() -> None:
    with pytest.raises(ContentError, match="give patient and encounter"):
        forms.populate(form("PaiExam"), {"patient": patient()}, Ehr({"resourceType": "Bundle"}).search, now=NOW)


# The command


def _chart(tmp_path: Path, *records: Resource) -> str:
    path = tmp_path / "chart.json"
    path.write_bytes(write_json({"resourceType": "Bundle", "entry": [{"resource": one} for one in records]}))
    return str(path)


def test_the_command_prints_the_response_and_says_how_many_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chart = _chart(tmp_path, patient(), encounter(), test_result("positive"))
    assert cli.main(["populate", "PaiExam", chart, "--clock", NOW.isoformat()]) == 0
    out, err = capsys.readouterr()
    assert told(json.loads(out)) == {**RIGHT, ("right", TEST): ["positive"]}
    assert err == f"PaiExam {form('PaiExam').version}: answers: 2\n"
    assert cli.main(["populate", "PaiExam", chart, "--out", str(tmp_path / "response.json")]) == 0
    assert told(json.loads((tmp_path / "response.json").read_text())) == told(json.loads(out))
    assert capsys.readouterr().out == ""


def test_the_command_names_the_forms_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["populate", "PaiExams", _chart(tmp_path, patient(), encounter())]) == cli.USAGE
    said = capsys.readouterr().err
    assert all(one.id in said for one in FORMS.values())


@pytest.mark.parametrize("content", ["[]", '{"resourceType": "Patient"}'])
@pytest.mark.parametrize("command", [["populate", "PaiExam"], ["explain"]])
def test_what_is_no_chart_is_refused(
    content: str, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "chart.json"
    path.write_text(content)
    assert cli.main([*command, str(path)]) == 1
    assert "give a FHIR R4 Bundle" in capsys.readouterr().err
