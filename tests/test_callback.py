"""What the EHR left out of prefetch is read from its FHIR server: once, in time, and each failure means what it must.

https://cds-hooks.hl7.org/2.0/#fhir-resource-access
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ankle_cds import artifacts, stories
from ankle_cds.client import Reach
from ankle_cds.client.access import scope_reach
from ankle_cds.conformance.subject import without_uuids
from ankle_cds.service import create_app
from stub_service import (
    PACKAGE,
    PATH,
    StubInput,
    authorization,
    bundle,
    development,
    hook_request,
    of_patient,
    outcome,
    patient,
    seen,
    stub_app,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_httpx import HTTPXMock

BASE = "http://127.0.0.1:1/fhir"
USER = {"resourceType": "Practitioner", "id": "d1"}
ANSWERS: dict[str, tuple[str, Any]] = {
    "patient": ("Patient/p1", patient()),
    "encounter": ("Encounter/e1", of_patient("Encounter", "e1")),
    "conditions": ("Condition?patient=p1", bundle(of_patient("Condition", "c1"))),
    "findings": ("Observation?patient=p1&category=exam,survey", bundle(of_patient("Observation", "o1"))),
    "scores": ("Observation?patient=p1&code=http://loinc.org%7C72514-3", bundle()),
    "allergies": ("AllergyIntolerance?patient=p1", bundle()),
    "user": ("Practitioner/d1", USER),
}
FINDINGS = f"{BASE}/{ANSWERS['findings'][0]}"
PATIENCE = {"callback_total": 10, "callback_connect": 10, "callback_read": 10}


def ask(document: Any, app: Any = None, path: str = PATH, **settings: Any) -> httpx.Response:
    """Post to an application in this process: its FHIR server is the only network there is."""

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app or stub_app(development(**settings)))
        async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as http:
            return await http.post(path, json=document)

    return asyncio.run(run())


def lacking(*keys: str, hook: str = "encounter-start", **access: Any) -> dict[str, Any]:
    """Give a request with access to the FHIR server, and without some keys."""
    document = hook_request(hook, fhirServer=BASE, fhirAuthorization=authorization(**access))
    for key in keys:
        document = without(document, "prefetch", key)
    return document


def read_once(httpx_mock: HTTPXMock, *keys: str) -> None:
    """Answer the read of each key, once: the test fails where one is not made, or made again."""
    for key in keys:
        query, body = ANSWERS[key]
        httpx_mock.add_response(method="GET", url=f"{BASE}/{query}", json=body)


def test_what_is_missing_is_read_once_with_the_token_and_by_get(httpx_mock: HTTPXMock) -> None:
    """FC-06."""
    read_once(httpx_mock, *ANSWERS)
    found = seen(ask(lacking(*ANSWERS)).json())
    assert set(found["fetched"]) == set(ANSWERS)
    assert found["unavailable"] == []
    for request in httpx_mock.get_requests():
        assert (request.method, request.headers["authorization"]) == ("GET", "Bearer canary-token")
        assert request.headers["accept"].startswith("application/fhir+json")


EMPTY = [None, bundle(), {"resourceType": "Bundle", "type": "searchset", "total": 0}]
DELIVERED = [*((key, value) for key in ANSWERS for value in [*EMPTY, outcome(), bundle(outcome())])]


@pytest.mark.usefixtures("httpx_mock")  # any read is a failure
@pytest.mark.parametrize(("key", "value"), [*DELIVERED, *((key, body) for key, (_, body) in ANSWERS.items())])
def test_what_prefetch_delivered_is_never_read(key: str, value: Any) -> None:
    """P-01 to P-05: null, an empty Bundle and a failure are answers, under required keys too; no read is expected."""
    document = lacking()
    document["prefetch"][key] = value
    missing = key in {"patient", "encounter"} and value != ANSWERS[key][1]
    assert ask(document).status_code == (412 if missing else 200)


@pytest.mark.usefixtures("httpx_mock")
@pytest.mark.parametrize("left_out", [("fhirServer", "fhirAuthorization"), ("fhirAuthorization",)])
def test_without_server_or_token_nothing_is_read(left_out: Iterable[str]) -> None:
    """FC-01, R-06."""
    document = lacking("findings")
    for name in left_out:
        document = without(document, name)
    assert seen(ask(document).json())["unavailable"] == ["findings"]
    assert ask(without(document, "prefetch", "patient")).status_code == 412


@pytest.mark.usefixtures("httpx_mock")
@pytest.mark.parametrize("user", ["Patient/p1", "RelatedPerson/r1"])
def test_a_call_for_which_no_card_can_fire_reads_nothing(user: str) -> None:
    """R-03, FC-07: a chart opened without a visit, or by somebody who treats nobody."""
    document = lacking(*ANSWERS, "encounters", hook="patient-view")
    assert ask(without(document, "context", "encounterId")).json() == {"cards": []}
    document["context"]["userId"] = user
    assert ask(document).json() == {"cards": []}


SAME = "Condition?patient={{context.patientId}}"


@pytest.mark.parametrize("needs", [("required", "optional"), ("optional", "optional"), ("required", "required")])
def test_two_keys_that_ask_for_the_same_are_read_once(needs: tuple[str, str], httpx_mock: HTTPXMock) -> None:
    """Their pages too: each key gets all of it."""
    inputs = tuple(StubInput(f"again{n}", SAME, need) for n, need in enumerate(needs))
    package = replace(PACKAGE, inputs=(*PACKAGE.inputs, *inputs))
    first, second = (of_patient("Condition", name) for name in ("c1", "c2"))
    httpx_mock.add_response(url=f"{BASE}/Condition?patient=p1", json=bundle(first, next_link=f"{BASE}?page=2"))
    httpx_mock.add_response(url=f"{BASE}?page=2", json=bundle(second))
    found = seen(ask(lacking("conditions"), stub_app(package=package)).json())
    assert set(found["states"].values()) <= {"available", "none"}
    assert {"Condition/c1", "Condition/c2"} <= set(found["resources"])


def test_two_keys_whose_read_fails_are_both_unavailable_after_one_read(httpx_mock: HTTPXMock) -> None:
    package = replace(PACKAGE, inputs=(*PACKAGE.inputs, StubInput("again", SAME)))
    httpx_mock.add_response(status_code=404)
    assert seen(ask(lacking("conditions"), stub_app(package=package)).json())["unavailable"] == ["again", "conditions"]


@pytest.mark.parametrize("loop", [("",), ("?page=2", ""), ("?page=2", "?page=3", "?page=2")])
def test_pages_that_lead_back_are_read_once_each_and_the_key_stays_partial(
    loop: tuple[str, ...], httpx_mock: HTTPXMock
) -> None:
    """FC-09. The empty text stands for the search itself."""
    urls = [FINDINGS, *(BASE + page if page else FINDINGS for page in loop)]
    for url, following in pairwise(urls):
        httpx_mock.add_response(url=url, json=bundle({"resourceType": "Observation"}, next_link=following))
    found = seen(ask(lacking("findings")).json())
    assert found["states"]["findings"] == "partial"
    assert found["unavailable"] == ["findings"]
    assert found["resources"].count("Observation/None") == len(loop)  # what has no id is told apart by its place


def test_a_page_that_fails_leaves_what_was_read_as_positive_evidence_only(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(url=FINDINGS, json=bundle(of_patient("Observation", "o1"), next_link=f"{BASE}?page=2"))
    httpx_mock.add_response(url=f"{BASE}?page=2", status_code=404)
    found = seen(ask(lacking("findings")).json())
    assert "Observation/o1" in found["resources"]
    assert found["unavailable"] == ["findings"]


def test_data_are_not_kept_from_one_call_to_the_next(httpx_mock: HTTPXMock) -> None:
    """FC-17: the second call is told what the server knows by then."""
    read_once(httpx_mock, "findings")
    httpx_mock.add_response(url=FINDINGS, json=bundle(of_patient("Observation", "o2")))
    app = stub_app()
    first, second = (seen(ask(lacking("findings"), app).json())["resources"] for _ in range(2))
    assert ("Observation/o1" in first, "Observation/o2" in first) == (True, False)
    assert ("Observation/o1" in second, "Observation/o2" in second) == (False, True)


# ---------------------------------------------------------------- tries and time


@pytest.mark.parametrize(
    ("failures", "reads", "had"),
    [
        *(([status], 1, False) for status in (400, 401, 403, 404, 410, 429, 500, 502)),
        ([503], 2, True),
        ([503, 503], 2, False),
        ([503, 404], 2, False),
        ([httpx.ReadError("x")], 2, True),
        ([httpx.RemoteProtocolError("x")], 2, True),
        ([httpx.ReadError("x"), httpx.ReadError("x")], 2, False),
        ([httpx.ConnectError("x")], 1, False),
        ([httpx.ReadTimeout("x")], 1, False),
    ],
)
def test_only_a_dropped_connection_or_a_busy_server_is_tried_once_more(
    failures: list[Any], reads: int, had: bool, httpx_mock: HTTPXMock
) -> None:
    """FC-12."""
    for one in failures:
        if isinstance(one, int):
            httpx_mock.add_response(status_code=one, json=outcome())
        else:
            httpx_mock.add_exception(one)
    if had:
        read_once(httpx_mock, "findings")
    assert (seen(ask(lacking("findings"), **PATIENCE).json())["unavailable"] == []) is had
    assert len(httpx_mock.get_requests()) == reads


def slow(seconds: float, status: int = 200) -> Callable[[httpx.Request], Any]:
    async def answer(_request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(seconds)
        return httpx.Response(status, json=bundle(of_patient("Observation", "o1")))

    return answer


def test_nothing_is_tried_again_when_less_than_half_of_the_time_is_left(httpx_mock: HTTPXMock) -> None:
    """FC-12."""
    httpx_mock.add_callback(slow(0.5, 503))
    assert seen(ask(lacking("findings"), callback_total=0.9, callback_read=0.8).json())["unavailable"] == ["findings"]
    assert len(httpx_mock.get_requests()) == 1


def test_required_data_are_read_first_when_the_time_is_too_short_for_all(httpx_mock: HTTPXMock) -> None:
    """FC-10: whatever the order of the package; with one read at a time the others are never sent."""
    package = replace(PACKAGE, inputs=tuple(reversed(PACKAGE.inputs)))
    httpx_mock.add_callback(lambda _request: httpx.Response(200, json=patient()), url=f"{BASE}/Patient/p1")
    httpx_mock.add_callback(slow(30))
    settings = development(callback_total=0.3, callback_read=10, callback_parallel=1)
    found = seen(ask(lacking("patient", "findings", "scores"), stub_app(settings, package=package)).json())
    assert found["unavailable"] == ["findings", "scores"]
    assert "Patient/p1" in found["resources"]
    assert [request.url.path for request in httpx_mock.get_requests()] == ["/fhir/Patient/p1", "/fhir/Observation"]


def test_a_token_is_not_used_longer_than_it_lives(httpx_mock: HTTPXMock) -> None:
    """FC-13: a second of life, although the site would wait ten; the page after it is not asked for."""

    async def late(_request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(1.1)
        return httpx.Response(200, json=bundle(next_link=f"{BASE}?page=2"))

    httpx_mock.add_callback(late)
    began = time.perf_counter()
    document = lacking("findings", expires_in=1)
    assert seen(ask(document, **PATIENCE).json())["unavailable"] == ["findings"]
    assert time.perf_counter() - began < 3
    assert len(httpx_mock.get_requests()) == 1


def test_a_token_is_in_no_log_answer_or_measure(httpx_mock: HTTPXMock, caplog: pytest.LogCaptureFixture) -> None:
    """FC-15: whether the read succeeds, is refused or breaks off; nor is anything that the server said."""
    app = stub_app(development(mode="development", metrics_port=0))
    httpx_mock.add_response(url=FINDINGS, json=bundle(of_patient("Observation", "o1", note="canary-note")))
    httpx_mock.add_response(url=FINDINGS, status_code=401, text="canary-token")
    httpx_mock.add_exception(httpx.ReadTimeout("canary-token"), url=FINDINGS)
    httpx_mock.add_response(status_code=500, text="canary-body")
    with caplog.at_level(logging.DEBUG):
        said = [ask(lacking("findings"), app).text for _ in range(3)]
        said.append(ask(lacking("patient"), app).text)
    assert len(httpx_mock.get_requests()) == 4
    assert "canary" not in "".join(said) + caplog.text


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ({"status_code": 401}, "401"),
        ({"status_code": 410, "json": outcome()}, "410"),
        ({"text": "<html>"}, "json"),
        ({"json": outcome()}, "answer"),
        ({"json": bundle(next_link="https://evil.example/fhir")}, "page"),
        (httpx.ReadTimeout("canary"), "timeout"),
        (httpx.ConnectError("canary"), "connection"),
        ({"scope": "user/Patient.read"}, "scope"),
        ({"expires_in": 0}, "access"),
    ],
)
def test_why_an_input_was_not_read_is_logged_and_counted_and_told_to_nobody_else(
    way: Any, reason: str, httpx_mock: HTTPXMock, caplog: pytest.LogCaptureFixture
) -> None:
    """R-06: the same answer whatever the cause."""
    access = way if reason in {"scope", "access"} else {}
    for _ in () if access else range(2):
        if isinstance(way, dict):
            httpx_mock.add_response(**way)
        else:
            httpx_mock.add_exception(way)
    app = stub_app()
    with caplog.at_level(logging.INFO, "ankle_cds.service"):
        assert seen(ask(lacking("findings", **access), app).json())["unavailable"] == ["findings"]
        ask(lacking("conditions", **access), app)
    lines = [json.loads(record.message) for record in caplog.records if record.name == "ankle_cds.service"]
    assert [line["unread"] for line in lines] == [{"findings": reason}, {"conditions": reason}]
    assert f'ankle_cds_unread_inputs_total{{reason="{reason}"}} 2.0' in app.metrics.text()
    assert "canary" not in caplog.text


# ---------------------------------------------------------------- what a token lets see

OBSERVATION = "Observation"
CATEGORY = "?category=http://terminology.hl7.org/CodeSystem/observation-category|"


@pytest.mark.parametrize(
    ("scope", "read", "search"),
    [
        # Version 1: `read` is reading and searching.
        ("patient/Observation.read", "all", "all"),
        ("user/*.read", "all", "all"),
        ("system/Observation.*", "all", "all"),
        ("patient/*.*", "all", "all"),
        ("user/Observation.write", "nothing", "nothing"),
        ("user/*.write", "nothing", "nothing"),
        ("user/Condition.read", "nothing", "nothing"),
        ("launch openid fhirUser user/Condition.read offline_access", "nothing", "nothing"),
        # Version 2: `r` is reading, `s` is searching.
        ("user/Observation.rs", "all", "all"),
        ("patient/*.rs", "all", "all"),
        ("system/*.cruds", "all", "all"),
        ("user/Observation.r", "all", "nothing"),
        ("user/Observation.s", "nothing", "all"),
        ("user/Observation.r user/Observation.s", "all", "all"),
        ("user/Observation.cud", "nothing", "nothing"),
        ("user/Patient.rs", "nothing", "nothing"),
        # Version 2 with parameters: a part of the type.
        (f"patient/Observation.rs{CATEGORY}laboratory", "part", "part"),
        (f"patient/Observation.r{CATEGORY}laboratory", "part", "nothing"),
        (f"patient/Observation.rs{CATEGORY}laboratory patient/*.rs", "all", "all"),
        (f"patient/Condition.rs{CATEGORY}laboratory", "nothing", "nothing"),
        # What cannot be read is tried.
        (None, "all", "all"),
        ("", "all", "all"),
        ("launch openid", "all", "all"),
        ("user/Observation.", "all", "all"),
        ("user/Observation.sr", "all", "all"),
        ("user/Condition.read user/Observation.search", "all", "all"),
        ("user/Condition.read,user/Observation.read", "all", "all"),
        ("user/Condition.read user/observation.read", "all", "all"),
        (f"patient/Observation.rs{CATEGORY}laboratory user/Condition.x", "part", "part"),
    ],
)
def test_a_scope_says_how_much_a_token_lets_see(scope: str | None, read: str, search: str) -> None:
    """FC-14: https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html ."""
    assert scope_reach(scope, OBSERVATION, search=False) is Reach(read)
    assert scope_reach(scope, OBSERVATION, search=True) is Reach(search)


@pytest.mark.parametrize("body", [bundle(), bundle(of_patient("Observation", "o1"))])
def test_a_search_with_a_token_for_a_part_of_a_type_proves_nothing_absent(body: Any, httpx_mock: HTTPXMock) -> None:
    """FC-14: a server that leaves out what the token does not cover says so to nobody."""
    httpx_mock.add_response(url=FINDINGS, json=body)
    scope = f"patient/Observation.rs{CATEGORY}laboratory"
    found = seen(ask(lacking("findings", scope=scope)).json())
    assert found["states"]["findings"] == "partial"
    assert found["unavailable"] == ["findings"]


def test_an_instance_read_with_a_token_for_a_part_of_its_type_is_whole(httpx_mock: HTTPXMock) -> None:
    read_once(httpx_mock, "patient")
    assert seen(ask(lacking("patient", scope="patient/Patient.rs?active=true")).json())["unavailable"] == []


@pytest.mark.usefixtures("httpx_mock")
@pytest.mark.parametrize("key", ANSWERS)
def test_a_token_that_lacks_a_type_is_not_used_for_it(key: str) -> None:
    """FC-14, R-06: no read; the key is not known, or the call is refused."""
    response = ask(lacking(key, scope="user/Immunization.read user/Immunization.rs"))
    assert response.status_code == (412 if key in {"patient", "encounter"} else 200)
    assert response.status_code == 412 or seen(response.json())["unavailable"] == [key]


# ---------------------------------------------------------------- what a failure means

STORY = next(story for story in stories.read_all() if story.id == "on-apixaban")
PACKAGES = artifacts.load_all()
GUIDELINE = f"/cds-services/{STORY.condition}"
KEYS = [one.key for one in PACKAGES[STORY.condition].inputs if STORY.hook in one.hooks]
WAYS: dict[str, dict[str, Any]] = {
    "401": {"status_code": 401},
    "403": {"status_code": 403},
    "404": {"status_code": 404, "json": outcome()},
    "429": {"status_code": 429},
    "500": {"status_code": 500},
    "302": {"status_code": 302, "headers": {"location": f"{BASE}/Patient/p1"}},
    "no JSON": {"text": "<html>"},
    "outcome": {"json": outcome()},
    "another resource": {"json": {"resourceType": "Basic", "id": "b"}},
}


@pytest.fixture(scope="module")
def guideline() -> Any:
    return create_app(PACKAGES, development(), lambda: STORY.clock)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_cannot_be_read_degrades_as_one_the_client_could_not_read(
    key: str, guideline: Any, httpx_mock: HTTPXMock
) -> None:
    """Part G, R-01, R-02, R-06, B-41: with the guideline itself, every way to fail says the same as an outcome sent."""
    request = json.loads(STORY.request_file.read_text("utf-8"))
    told = ask({**request, "prefetch": request["prefetch"] | {key: outcome()}}, guideline, GUIDELINE)
    access = {"fhirServer": BASE, "fhirAuthorization": authorization()}
    document = {**without(request, "prefetch", key), **access}
    for name, way in WAYS.items():
        httpx_mock.add_response(**way)
        answer = ask(document, guideline, GUIDELINE)
        assert answer.status_code == told.status_code, name
        assert without_uuids(answer.json()) == without_uuids(told.json()), name
    for error in (httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.ReadTimeout("x")):
        httpx_mock.add_exception(error)
        assert without_uuids(ask(document, guideline, GUIDELINE).json()) == without_uuids(told.json())
    blocked = ask({**document, "fhirServer": "https://ehr.example/fhir"}, guideline, GUIDELINE)
    assert without_uuids(blocked.json()) == without_uuids(told.json())
    assert told.status_code == 200 or told.json()["issue"][0]["diagnostics"] == key
