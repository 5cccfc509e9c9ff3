"""Absent, null, empty, failed, partial and unusable are different things, and nobody else's data is ever used."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from ankle_cds import prefetch
from ankle_cds.client import FhirClient, Limits, Policy
from ankle_cds.errors import RequestError, RequestFault
from ankle_cds.hooks import read_request
from stub_service import (
    BOTH,
    PACKAGE,
    authorization,
    bundle,
    hook_request,
    of_patient,
    outcome,
    patient,
    without,
)

BASE = "http://127.0.0.1:1/fhir"


def gather(document: dict[str, Any], answers: dict[str, Any] | None = None, **limits: Any) -> prefetch.PatientData:
    """Gather with a FHIR server that knows `answers` by target, or without one."""
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        target = request.url.raw_path.decode().removeprefix("/fhir/")
        asked.append(target)
        answer = (answers or {}).get(target, 404)
        return httpx.Response(answer) if isinstance(answer, int) else httpx.Response(200, json=answer)

    async def run() -> prefetch.PatientData:
        policy = Policy(loopback=True)
        async with FhirClient(policy, Limits(**limits), transport=httpx.MockTransport(handle)) as client:
            request = read_request(document, BOTH, plain_http=True)
            return await prefetch.gather(request, PACKAGE, client if answers is not None else None)  # type: ignore[arg-type]

    data = asyncio.run(run())
    gather.asked = asked  # type: ignore[attr-defined]
    return data


def state(value: Any, key: str = "findings") -> tuple[str, list[str], bool]:
    """Give the state of a key that holds `value`, the ids of its resources, and whether it proves nothing."""
    document = hook_request()
    document["prefetch"][key] = value
    data = gather(document)
    ids = [each["id"] for each in data.resources if each["resourceType"] == "Observation"]
    return data.states[key].value, ids, key in data.unavailable


def with_server(document: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**document, "fhirServer": BASE, "fhirAuthorization": authorization(**more)}


O1 = of_patient("Observation", "o1")
O2 = of_patient("Observation", "o2")


def test_templates_are_those_of_the_hook() -> None:
    found = prefetch.templates(PACKAGE, "patient-view")  # type: ignore[arg-type]
    assert "encounters" in found
    assert "encounter" not in found
    assert found["patient"] == "Patient/{{context.patientId}}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (bundle(O1), ("available", ["o1"], False)),
        (O1, ("available", ["o1"], False)),
        (None, ("none", [], False)),
        (bundle(), ("none", [], False)),
        ({"resourceType": "Bundle"}, ("none", [], False)),
        (outcome(), ("unavailable", [], True)),
        (bundle(outcome()), ("unavailable", [], True)),
        (bundle(outcome("information")), ("none", [], False)),
        (bundle(O1, outcome("warning")), ("available", ["o1"], False)),
        (bundle(O1, outcome()), ("partial", ["o1"], True)),
        (bundle(O1, {"resourceType": "OperationOutcome"}), ("partial", ["o1"], True)),
        (bundle(O1, next_link="https://ehr.example/next"), ("partial", ["o1"], True)),
        (bundle(next_link="https://ehr.example/next"), ("partial", [], True)),
        (bundle(O1, None), ("partial", ["o1"], True)),
        (bundle(O1, {"id": "no type"}), ("partial", ["o1"], True)),
        (bundle(O1, {**O2, "id": 5}), ("partial", ["o1"], True)),
        (bundle(O1, of_patient("Condition", "c9")), ("partial", ["o1"], True)),
        (bundle(O1, {**O2, "subject": "Patient/p1"}), ("partial", ["o1"], True)),
        (bundle(O1, {**O2, "subject": {"reference": 5}}), ("partial", ["o1"], True)),
        ({"resourceType": "Bundle", "entry": 5}, ("unusable", [], True)),
        ({"resourceType": "Bundle", "entry": [5]}, ("partial", [], True)),
        *((value, ("unusable", [], True)) for value in (5, "x", True, [], [O1], {}, {"resource": O1})),
        ({"resourceType": ""}, ("unusable", [], True)),
        (of_patient("Condition", "c9"), ("partial", [], True)),
    ],
)
def test_each_thing_that_can_arrive_has_its_state(value: Any, expected: tuple[str, list[str], bool]) -> None:
    assert state(value) == expected


def test_an_absent_key_is_not_an_empty_one() -> None:
    data = gather(without(hook_request(), "prefetch", "findings"))
    assert data.states["findings"] is prefetch.State.UNAVAILABLE
    assert "findings" in data.unavailable


@pytest.mark.parametrize(
    "subject",
    ["Patient/p2", "https://ehr.example/fhir/Patient/p2", "Patient/p2/_history/3", "Group/p1", "Patient/p1x", "p1"],
)
def test_resources_of_another_patient_are_dropped_and_the_key_is_partial(subject: str) -> None:
    assert state(bundle(O1, of_patient("Observation", "o2", subject))) == ("partial", ["o1"], True)


@pytest.mark.parametrize(
    "subject", ["Patient/p1", "https://ehr.example/fhir/Patient/p1", "Patient/p1/_history/3", "urn:uuid:x", "#p"]
)
def test_every_way_to_write_the_patient_is_understood(subject: str) -> None:
    assert state(bundle(of_patient("Observation", "o2", subject))) == ("available", ["o2"], False)


def test_a_resource_without_id_or_subject_reference_is_used() -> None:
    anonymous = {"resourceType": "Observation", "subject": {"display": "x"}}
    document = hook_request()
    document["prefetch"]["findings"] = bundle(anonymous, anonymous)
    assert sum(each["resourceType"] == "Observation" for each in gather(document).resources) == 2


def test_the_same_resource_under_two_keys_counts_once() -> None:
    document = hook_request()
    document["prefetch"] |= {"findings": bundle(O1), "scores": bundle(O1, O2)}
    assert [each["id"] for each in gather(document).resources if each["resourceType"] == "Observation"] == ["o1", "o2"]


EARLIER, LATER = ({"meta": {"lastUpdated": f"2026-03-1{n}T09:00:00-07:00"}} for n in (0, 1))


@pytest.mark.parametrize(
    ("first", "second", "kept", "expected"),
    [
        ({}, {"text": {"status": "empty"}, "meta": {"versionId": "2"}}, ["final"], "available"),
        ({"status": "amended"}, {}, ["amended", "final"], "partial"),
        ({**EARLIER}, {"status": "amended", **EARLIER}, ["final", "amended"], "partial"),
        ({**EARLIER}, {"status": "amended"}, ["final", "amended"], "partial"),
        ({**EARLIER}, {"status": "amended", "meta": {"lastUpdated": "yesterday"}}, ["final", "amended"], "partial"),
        ({**EARLIER}, {"status": "amended", "meta": {"lastUpdated": "2026-03-12"}}, ["final", "amended"], "partial"),
        ({**EARLIER}, {"status": "amended", **LATER}, ["amended"], "available"),
        ({**LATER}, {"status": "amended", **EARLIER}, ["final"], "available"),
    ],
    ids=[
        *("same content", "nobody says when", "written at one time", "only one says when"),
        *("a word for a moment", "a day for a moment", "second is later", "first is later"),
    ],
)
def test_of_two_contents_of_one_id_none_is_dropped_unless_the_other_is_later(
    first: dict[str, Any], second: dict[str, Any], kept: list[str], expected: str
) -> None:
    """[C.1] A red flag in one of them must not be lost, and what both do not say is not known to be absent."""
    document = hook_request()
    final = {**O1, "status": "final"}
    document["prefetch"] |= {"findings": bundle({**final, **first}), "scores": bundle({**final, **second})}
    data = gather(document)
    assert [each["status"] for each in data.resources if each["resourceType"] == "Observation"] == kept
    assert {data.states[key].value for key in ("findings", "scores")} == {expected}
    assert {"findings", "scores"} & data.unavailable == (set() if expected == "available" else {"findings", "scores"})


def test_included_resources_resolve_references_but_are_no_results() -> None:
    included = [{"resource": each, "search": {"mode": "include"}} for each in ({"resourceType": "Medication"}, O2)]
    document = hook_request()
    document["prefetch"]["findings"] = {"resourceType": "Bundle", "entry": [{"resource": O1}, *included]}
    kinds = [each["resourceType"] for each in gather(document).resources]
    assert kinds.count("Observation") == 1
    assert kinds.count("Medication") == 1


def test_a_bundle_around_a_single_read_gives_the_one_resource_with_the_right_id() -> None:
    document = hook_request()
    document["prefetch"]["patient"] = bundle(patient("p9"), patient("p1", active=True))
    (found,) = (each for each in gather(document).resources if each["resourceType"] == "Patient")
    assert found["active"] is True


def test_a_read_without_id_is_the_instance_that_was_asked_for() -> None:
    document = hook_request()
    document["prefetch"]["encounter"] = without(of_patient("Encounter", "x"), "id")
    assert [each["id"] for each in gather(document).resources if each["resourceType"] == "Encounter"] == ["e1"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("patient", patient("p2")),
        ("patient", bundle(patient("p2"))),
        ("encounter", of_patient("Encounter", "e2")),
        ("encounter", of_patient("Encounter", "e1", "Patient/p2")),
        ("encounter", bundle(of_patient("Encounter", "e1", "https://ehr.example/Patient/p2"))),
    ],
)
def test_two_identities_in_one_request_are_a_conflict(key: str, value: Any) -> None:
    document = hook_request()
    document["prefetch"][key] = value
    for check in (gather, lambda document: prefetch.check_identity(read_request(document, BOTH), PACKAGE)):  # type: ignore[arg-type]
        with pytest.raises(RequestError) as caught:
            check(document)
        assert caught.value.fault is RequestFault.CONFLICT


def test_the_open_encounter_of_another_patient_is_a_conflict_and_other_encounters_are_dropped() -> None:
    document = hook_request("patient-view")
    document["prefetch"]["encounters"] = bundle(
        of_patient("Encounter", "e1"), of_patient("Encounter", "e2", "Patient/p2")
    )
    data = gather(document)
    assert data.states["encounters"] is prefetch.State.PARTIAL
    assert [each["id"] for each in data.resources if each["resourceType"] == "Encounter"] == ["e1"]
    document["prefetch"]["encounters"] = bundle(of_patient("Encounter", "e1", "Patient/p2"))
    with pytest.raises(RequestError) as caught:
        gather(document)
    assert caught.value.fault is RequestFault.CONFLICT


@pytest.mark.parametrize("named", ["p2", "Patient/p2"])
def test_a_token_for_another_patient_is_a_conflict(named: str) -> None:
    with pytest.raises(RequestError) as caught:
        gather(with_server(hook_request(), patient=named))
    assert caught.value.fault is RequestFault.CONFLICT


@pytest.mark.parametrize("named", [None, 5, "", [], {}, {"reference": {}}, {"reference": []}, {"reference": 5}, [{}]])
def test_a_role_that_names_nobody_is_not_the_users(named: Any) -> None:
    """Found by fuzzing: a reference that was an object was a mistake of ours."""
    document = hook_request()
    document["prefetch"]["user"] = {"resourceType": "PractitionerRole", "id": "r1", "practitioner": named}
    assert not [each for each in gather(document).resources if each["resourceType"] == "PractitionerRole"]


def test_somebody_elses_role_is_not_the_users() -> None:
    document = hook_request()
    document["prefetch"]["user"] = {
        "resourceType": "PractitionerRole",
        "practitioner": {"reference": "Practitioner/d2"},
    }
    data = gather(document)
    assert not [each for each in data.resources if each["resourceType"] == "PractitionerRole"]
    document["prefetch"]["user"]["practitioner"]["reference"] = "Practitioner/d1"
    assert [each for each in gather(document).resources if each["resourceType"] == "PractitionerRole"]


@pytest.mark.parametrize("key", ["patient", "encounter"])
@pytest.mark.parametrize("value", [None, bundle(), outcome(), 5, "absent", of_patient("Observation", "p1")])
def test_a_required_read_without_its_resource_is_missing(key: str, value: Any) -> None:
    document = hook_request()
    document["prefetch"][key] = value
    if value == "absent":
        document = without(document, "prefetch", key)
    data = gather(document)
    assert data.missing == (key,)
    assert key in data.unavailable
    with pytest.raises(RequestError) as caught:
        prefetch.settle(data, {}, ())
    assert (caught.value.fault, caught.value.diagnostics) == (RequestFault.PRECONDITION, (key,))


@pytest.mark.parametrize(
    ("value", "missing"),
    [
        (bundle(), ()),
        (None, ()),
        (bundle(of_patient("Encounter", "e2")), ()),
        (bundle(of_patient("Encounter", "e2"), outcome()), ("encounters",)),
        (bundle(of_patient("Encounter", "e2"), next_link="https://ehr.example/next"), ("encounters",)),
        (bundle(of_patient("Encounter", "e1"), outcome()), ()),
        (outcome(), ("encounters",)),
    ],
)
def test_only_a_complete_search_can_say_that_the_encounter_is_not_open(value: Any, missing: tuple[str, ...]) -> None:
    document = hook_request("patient-view")
    document["prefetch"]["encounters"] = value
    assert gather(document).missing == missing


def test_missing_data_does_not_matter_once_the_logic_says_that_no_card_can_fire() -> None:
    data = gather(without(hook_request(), "prefetch", "patient"))
    prefetch.settle(data, {"GateClosed": True}, ("GateClosed",))
    for value in (None, False):
        with pytest.raises(RequestError):
            prefetch.settle(data, {"GateClosed": value}, ("GateClosed",))


def test_the_logic_decides_about_a_key_it_has_a_definition_for() -> None:
    """GateNeedsConditions stands in place of `need`, and is asked only when the conditions are unavailable."""
    data = gather(without(hook_request(), "prefetch", "conditions"))
    for value in (None, False):
        prefetch.settle(data, {"GateNeedsConditions": value}, ("GateNeedsConditions",))
    with pytest.raises(RequestError) as caught:
        prefetch.settle(data, {"GateNeedsConditions": True}, ("GateNeedsConditions",))
    assert caught.value.diagnostics == ("conditions",)
    prefetch.settle(gather(hook_request()), {}, ("GateNeedsConditions",))


def test_what_is_absent_or_unusable_is_fetched_and_nothing_else() -> None:
    document = without(with_server(hook_request()), "prefetch", "findings")
    document["prefetch"] |= {"scores": 5, "allergies": None, "conditions": outcome()}
    data = gather(
        document,
        {
            "Observation?patient=p1&category=exam,survey": bundle(O1),
            "Observation?patient=p1&code=http://loinc.org%7C72514-3": bundle(),
        },
    )
    assert sorted(gather.asked) == [  # type: ignore[attr-defined]
        "Observation?patient=p1&category=exam,survey",
        "Observation?patient=p1&code=http://loinc.org%7C72514-3",
    ]
    assert sorted(data.fetched) == ["findings", "scores"]
    assert data.states["findings"] is prefetch.State.AVAILABLE
    assert data.states["scores"] is prefetch.State.NONE
    assert data.unavailable == {"conditions"}


def test_the_same_data_give_the_same_result_by_prefetch_and_by_callback() -> None:
    """FC-16: where the data came from makes no difference to what the logic sees."""
    document = hook_request()
    document["prefetch"]["allergies"] = bundle()
    sent = gather(document)
    fetched = gather(
        with_server({**document, "prefetch": {}}),
        {
            "Patient/p1": patient(),
            "Encounter/e1": of_patient("Encounter", "e1"),
            "Condition?patient=p1": bundle(of_patient("Condition", "c1")),
            "Observation?patient=p1&category=exam,survey": bundle(),
            "Observation?patient=p1&code=http://loinc.org%7C72514-3": bundle(),
            "AllergyIntolerance?patient=p1": bundle(),
            "Practitioner/d1": {"resourceType": "Practitioner", "id": "d1"},
        },
    )
    assert (fetched.resources, fetched.states, fetched.unavailable) == (sent.resources, sent.states, sent.unavailable)


@pytest.mark.parametrize("answer", [404, 401, 403, 500, 503, 302, outcome(), [], 204])
def test_a_failed_fetch_leaves_the_key_unavailable(answer: Any) -> None:
    document = without(with_server(hook_request()), "prefetch", "findings")
    data = gather(document, {"Observation?patient=p1&category=exam,survey": answer})
    assert "findings" in data.unavailable
    assert data.missing == ()


def test_an_answer_that_is_not_the_instance_asked_for_is_no_answer() -> None:
    document = without(with_server(hook_request()), "prefetch", "patient")
    for answer in (patient("p2"), bundle(patient("p1")), of_patient("Observation", "p1")):
        assert gather(document, {"Patient/p1": answer}).missing == ("patient",)


def test_an_encounter_fetched_for_another_patient_is_a_conflict() -> None:
    document = without(with_server(hook_request()), "prefetch", "encounter")
    with pytest.raises(RequestError) as caught:
        gather(document, {"Encounter/e1": of_patient("Encounter", "e1", "Patient/p2")})
    assert caught.value.fault is RequestFault.CONFLICT


def test_pages_are_followed_to_the_end() -> None:
    document = with_server(hook_request())
    document["prefetch"]["findings"] = bundle(O1, next_link=f"{BASE}/Observation?page=2")
    data = gather(document, {"Observation?page=2": bundle(O2)})
    assert data.states["findings"] is prefetch.State.AVAILABLE
    assert [each["id"] for each in data.resources if each["resourceType"] == "Observation"] == ["o1", "o2"]


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/fhir/Observation?page=2",
        "http://127.0.0.1:2/fhir/Observation?page=2",
        "http://127.0.0.1:1/fhir-evil/Observation?page=2",
        "http://127.0.0.1:1/fhir/../admin",
        "http://u@127.0.0.1:1/fhir/Observation?page=2",
        "//evil.example/fhir/x",
        "file:///etc/passwd",
        "",
        f"{BASE}/Observation?page=3",
    ],
)
def test_a_page_that_cannot_be_had_leaves_the_key_partial(link: str) -> None:
    document = with_server(hook_request())
    document["prefetch"]["findings"] = bundle(O1, next_link=link)
    data = gather(document, {"Observation?page=2": bundle(O2)})
    assert data.states["findings"] is prefetch.State.PARTIAL
    assert [each["id"] for each in data.resources if each["resourceType"] == "Observation"] == ["o1"]


def test_pages_without_end_stop_at_the_cap() -> None:
    document = with_server(hook_request())
    document["prefetch"]["findings"] = bundle(O1, next_link=f"{BASE}/Observation?page=1")
    pages = {
        f"Observation?page={n}": bundle(of_patient("Observation", f"n{n}"), next_link=f"Observation?page={n + 1}")
        for n in range(1, 100)
    }
    data = gather(document, pages, pages=4)
    assert data.states["findings"] is prefetch.State.PARTIAL
    assert len(gather.asked) == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "scope", ["user/Patient.read", "patient/Observation.write", "user/Observation.r", "user/Condition.rs"]
)
def test_a_token_that_clearly_lacks_a_type_is_not_used_for_it(scope: str) -> None:
    document = without(with_server(hook_request(), scope=scope), "prefetch", "findings")
    data = gather(document, {"Observation?patient=p1&category=exam,survey": bundle(O1)})
    assert gather.asked == []  # type: ignore[attr-defined]
    assert "findings" in data.unavailable


@pytest.mark.parametrize(
    "scope", ["user/*.read", "patient/Observation.rs", "user/*.*", "launch openid", None, "user/*.cruds"]
)
def test_a_scope_that_permits_or_cannot_be_read_is_tried(scope: str | None) -> None:
    document = without(with_server(hook_request(), scope=scope), "prefetch", "findings")
    data = gather(document, {"Observation?patient=p1&category=exam,survey": bundle(O1)})
    assert data.states["findings"] is prefetch.State.AVAILABLE


@pytest.mark.parametrize("expires_in", [0, -5, "0"])
def test_an_expired_token_is_not_sent(expires_in: Any) -> None:
    document = without(with_server(hook_request(), expires_in=expires_in), "prefetch", "findings")
    assert "findings" in gather(document, {"Observation?patient=p1&category=exam,survey": bundle(O1)}).unavailable
    assert gather.asked == []  # type: ignore[attr-defined]
