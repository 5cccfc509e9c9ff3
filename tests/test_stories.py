"""Story folders are read strictly, and the example EHR answers as a FHIR server would."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ankle_cds import stories
from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = {
    "id": "a-visit",
    "title": "A visit",
    "clock": '"2026-05-14T09:30:00-07:00"',
    "hook": "encounter-start",
    "patient": "p1",
    "encounter": "e1",
    "user": "Practitioner/d1",
    "silent": "true",
}


def story(folder: Path, **changes: str | None) -> stories.Story:
    lines = [f"{key}: {value}" for key, value in (HEAD | changes).items() if value is not None]
    home = folder / "some-condition" / "a-visit"
    home.mkdir(parents=True, exist_ok=True)
    (home / "story.md").write_text("---\n" + "\n".join(lines) + "\n---\n# A visit\n\nSomebody comes.\n")
    return stories.read(home)


def test_a_head_becomes_a_story(tmp_path: Path) -> None:
    read = story(
        tmp_path,
        silent=None,
        omit="[labs]",
        parameters="{AgeMinimum: 8, Names: [a, b], Enabled: true, Word: yes}",
        expect="\n  - {recommendation: DoThis, side: left, indicator: info, buttons: [Do it]}",
    )
    assert read.condition == "some-condition"
    assert read.clock == datetime.fromisoformat("2026-05-14T09:30:00-07:00")
    assert read.clock.utcoffset() == timedelta(hours=-7)
    assert read.expect == (stories.ExpectedCard("DoThis", "info", "left", ("Do it",)),)
    assert read.omit == ("labs",)
    assert read.parameters == {"AgeMinimum": 8, "Names": ["a", "b"], "Enabled": True, "Word": "yes"}
    assert read.text.startswith("# A visit")


@pytest.mark.parametrize(
    ("changes", "line", "words"),
    [
        ({"clok": "x"}, 10, "not a key of a story"),
        ({"id": "another"}, 2, "name of the folder"),
        ({"clock": '"2026-05-14T09:30:00"'}, 4, "with offset"),
        ({"clock": "today"}, 4, "with offset"),
        ({"user": None}, 2, "'user' is missing"),
        ({"status": "412"}, 2, "exactly one of"),
        ({"silent": None}, 2, "exactly one of"),
        ({"tags": "[]"}, 10, "at least one entry"),
        ({"tags": "T01"}, 10, "list"),
        ({"title": ""}, 3, "text"),
        ({"silent": "true\ntitle: Again"}, 10, "twice"),
        ({"silent": None, "expect": "\n  - {recommendation: DoThis}"}, 10, "'indicator' is missing"),
        ({"silent": None, "expect": "\n  - {recommendation: DoThis, indicator: info, sid: left}"}, 10, "expected card"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(
    changes: dict[str, str | None], line: int, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ContentError, match=words) as refusal:
        story(tmp_path, **changes)
    assert refusal.value.where is not None
    assert refusal.value.where.endswith(f"story.md:{line}")


def ordering(folder: Path, **changes: str | None) -> stories.Story:
    home = folder / "some-condition" / "a-visit"
    home.mkdir(parents=True)
    (home / "drafts.json").write_text('{"resourceType": "Bundle", "type": "collection"}')
    return story(folder, **changes)


def test_a_story_of_an_order_posts_its_drafts_and_its_selections(tmp_path: Path) -> None:
    read = ordering(tmp_path, hook="order-select", selections="[MedicationRequest/m1]", encounter=None)
    (read.folder / "chart.json").write_text('{"resourceType": "Bundle", "type": "collection"}')
    request = read.request({"encounters": "Encounter?patient={{context.patientId}}"})
    assert request["context"] == {
        "userId": "Practitioner/d1",
        "patientId": "p1",
        "selections": ["MedicationRequest/m1"],
        "draftOrders": {"resourceType": "Bundle", "type": "collection"},
    }
    assert list(request["prefetch"]) == ["encounters"]


def test_drafts_and_hook_must_fit(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"add them in drafts\.json"):
        story(tmp_path / "one", hook="order-sign")
    with pytest.raises(ContentError, match=r"remove drafts\.json"):
        ordering(tmp_path / "two")
    with pytest.raises(ContentError, match="Only order-select"):
        ordering(tmp_path / "three", hook="order-sign", selections="[MedicationRequest/m1]")
    with pytest.raises(ContentError, match="not known"):
        story(tmp_path / "four", hook="order-later")


def test_every_folder_that_is_no_story_is_named_at_once(tmp_path: Path) -> None:
    story(tmp_path)
    for name in ("one", "two"):
        (tmp_path / "some-condition" / name).mkdir()
        (tmp_path / "some-condition" / name / "story.md").write_text("No head.\n")
    with pytest.raises(ContentError) as refusal:
        stories.read_all(tmp_path)
    assert len(refusal.value.causes) == 2


CHART = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {"fullUrl": f"https://ehr.example.org/{resource['resourceType']}/{resource['id']}", "resource": resource}
        for resource in (
            {"resourceType": "Patient", "id": "p1"},
            {
                "resourceType": "Observation",
                "id": "o1",
                "status": "final",
                "category": [{"coding": [{"system": "urn:cat", "code": "exam"}]}],
                "code": {"coding": [{"system": "urn:s", "code": "x"}]},
                "subject": {"reference": "Patient/p1"},
            },
            {
                "resourceType": "Observation",
                "id": "o2",
                "status": "cancelled",
                "code": {"coding": [{"system": "urn:t", "code": "x"}]},
                "subject": {"reference": "Patient/p2"},
            },
            {"resourceType": "AllergyIntolerance", "id": "a1", "patient": {"reference": "Patient/p1"}},
        )
    ],
}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("Observation?patient=p1", ["o1"]),
        ("Observation?patient=Patient/p2", ["o2"]),
        ("AllergyIntolerance?patient=p1", ["a1"]),
        ("Observation?code=x", ["o1", "o2"]),
        ("Observation?code=urn:t|x,urn:t|y", ["o2"]),
        ("Observation?status=final,amended&category=survey,exam", ["o1"]),
        ("Observation?patient=p1&status=cancelled", []),
        ("Condition?patient=p1", []),
    ],
)
def test_a_search_finds_what_all_its_parameters_match(query: str, ids: list[str]) -> None:
    answer = stories.Ehr(CHART).answer(query)
    assert answer is not None
    assert [entry["resource"]["id"] for entry in answer.get("entry", [])] == ids
    assert answer["total"] == len(ids)


def test_a_read_finds_one_resource_or_nothing() -> None:
    ehr = stories.Ehr(CHART)
    assert ehr.answer("Patient/p1") == {"resourceType": "Patient", "id": "p1"}
    assert ehr.answer("Patient/p9") is None


def test_a_search_parameter_the_ehr_does_not_know_is_refused() -> None:
    with pytest.raises(ContentError, match="_lastUpdated"):
        stories.Ehr(CHART).answer("Observation?_lastUpdated=ge2020-01-01")


def test_a_template_without_a_value_for_its_token_is_not_sent() -> None:
    assert stories.fill("Encounter/{{context.encounterId}}", {"patientId": "p1"}) is None
    assert stories.fill("Patient/{{context.patientId}}", {"patientId": "p1"}) == "Patient/p1"


def test_changing_a_key_nobody_asks_for_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="labs"):
        story(tmp_path, omit="[labs]").request({"patient": "Patient/{{context.patientId}}"}, CHART)


def test_a_request_tells_error_null_and_absence_apart(tmp_path: Path) -> None:
    read = story(tmp_path, omit="[one]", unavailable="[two]", empty="[three]")
    templates = dict.fromkeys(("one", "two", "three", "four"), "Observation?patient={{context.patientId}}")
    request = read.request(templates, CHART)
    assert list(request["prefetch"]) == ["two", "three", "four"]
    assert request["prefetch"]["two"]["resourceType"] == "OperationOutcome"
    assert request["prefetch"]["three"] is None
    assert request["prefetch"]["four"]["total"] == 1
    assert request["context"] == {"userId": "Practitioner/d1", "patientId": "p1", "encounterId": "e1"}


def test_a_visit_is_played_on_the_record_as_it_stood_then(tmp_path: Path) -> None:
    def condition(version: str, saved: str, text: str) -> dict[str, Any]:
        return {
            "resource": {
                "resourceType": "Condition",
                "id": "c1",
                "meta": {"versionId": version, "lastUpdated": saved},
                "code": {"text": text},
                "subject": {"reference": "Patient/p1"},
            }
        }

    chart = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"resource": {"resourceType": "Patient", "id": "p1"}},
            condition("2", "2026-05-14T09:00:00-07:00", "in between"),
            condition("1", "2026-05-01T09:00:00-07:00", "before"),
            condition("3", "2026-05-14T10:00:00-07:00", "later"),
        ],
    }
    visit = story(tmp_path)
    (visit.folder.parent / "chart.json").write_text(json.dumps(chart))
    assert visit.is_visit
    assert visit.condition == tmp_path.name
    assert [entry["resource"].get("code") for entry in visit.chart()["entry"]] == [None, {"text": "in between"}]
