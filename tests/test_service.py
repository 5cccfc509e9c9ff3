"""The service over HTTP: discovery, cards, feedback, health, and the headers of every answer."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx
import pytest

from ankle_cds.errors import ContentError
from ankle_cds.service import guidance_settings, server
from ankle_cds.settings import Settings, load, site_parameters
from stub_service import (
    NOW,
    PATH,
    SERVICE,
    development,
    hook_request,
    seen,
    served,
    stub_app,
    without,
)

if TYPE_CHECKING:
    from pathlib import Path


def call(method: str, path: str, app: Any = None, **given: Any) -> httpx.Response:
    """Make one request of an application in this process."""

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app or stub_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as http:
            return await http.request(method, path, **given)

    return asyncio.run(run())


def post(document: Any, app: Any = None, **given: Any) -> httpx.Response:
    return call("POST", PATH, app, json=document, **given)


def test_discovery_lists_each_offered_hook_with_the_templates_derived_for_it() -> None:
    response = call("GET", "/cds-services")
    assert response.status_code == 200
    first, second = response.json()["services"]
    assert (first["hook"], second["hook"]) == ("encounter-start", "patient-view")
    for entry in (first, second):
        assert entry["id"] == SERVICE
        assert entry["title"] == "Title"
        assert entry["description"] == "Description"
        assert entry["usageRequirements"] == "Usage"
        assert (entry["version"], entry["hookVersion"]) == ("2.0.1", "1.0")
        assert entry["prefetch"]["patient"] == "Patient/{{context.patientId}}"
    assert "encounter" in first["prefetch"]
    assert "{{context.encounterId}}" not in json.dumps(second["prefetch"])


def test_discovery_is_byte_stable() -> None:
    assert call("GET", "/cds-services").content == call("GET", "/cds-services").content


def test_a_caller_waits_in_line_from_the_moment_the_address_is_told() -> None:
    """Found by fuzzing: the port was logged as listening while it still refused connections."""
    with server._listen("127.0.0.1", 0) as listening:  # noqa: SLF001 - no door leads to the moment in between
        socket.create_connection(listening.getsockname(), timeout=1).close()


def test_every_service_in_discovery_answers() -> None:
    for entry in call("GET", "/cds-services").json()["services"]:
        assert call("POST", f"/cds-services/{entry['id']}", json=hook_request(entry["hook"])).status_code == 200


def test_head_answers_as_get_without_a_body() -> None:
    with served() as url:
        response = httpx.head(f"{url}/cds-services", trust_env=False)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.content == b""


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/cds-services", 200), ("GET", "/health", 200), ("GET", "/x", 404), ("PUT", "/cds-services", 405)],
)
def test_every_answer_is_json_is_not_stored_and_has_an_id_of_its_own(method: str, path: str, status: int) -> None:
    given = str(uuid4())
    response = call(method, path, headers={"X-Request-Id": given})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == (
        "no-cache" if path == "/cds-services" and status == 200 else "no-store"
    )
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "server" not in response.headers
    assert UUID(response.headers["x-request-id"]) != UUID(given)


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_health_names_the_content_that_answers(path: str) -> None:
    memory = {"memory": "none"} if path.endswith("ready") else {}
    assert call("GET", path).json() == {"status": "ok", "services": {SERVICE: "0.1.0"}, **memory}


def test_a_hook_request_gets_cards_made_from_its_data_at_the_injected_time() -> None:
    response = post(hook_request())
    assert response.status_code == 200
    found = seen(response.json())
    assert found["now"] == NOW.isoformat()
    assert found["resources"] == ["Patient/p1", "Encounter/e1", "Condition/c1", "Practitioner/d1"]
    assert found["unavailable"] == []


def test_decimals_survive_from_request_to_card() -> None:
    """JSON numbers are read exactly and written back as numbers."""

    def echo(_package: Any, _request: Any, data: Any, _now: Any) -> Any:
        return SimpleNamespace(cards=({"value": data.resources[0]["x"], "source": {"topic": {"code": "T"}}},))

    document = hook_request()
    document["prefetch"]["patient"]["x"] = [1.10, 72, 0.1]
    assert post(document, stub_app(respond=echo)).json()["cards"][0]["value"] == [1.1, 72, 0.1]


@pytest.mark.parametrize("user", ["Patient/p1", "RelatedPerson/r1", "Device/x"])
@pytest.mark.parametrize("hook", ["encounter-start", "patient-view"])
def test_nobody_but_a_professional_gets_cards_and_no_data_is_needed_to_say_so(user: str, hook: str) -> None:
    document = hook_request(hook, prefetch={})
    document["context"]["userId"] = user
    response = post(document)
    assert (response.status_code, response.json()) == (200, {"cards": []})


def test_patient_view_without_an_encounter_has_no_cards_and_needs_no_data() -> None:
    response = post(without(hook_request("patient-view", prefetch={}), "context", "encounterId"))
    assert (response.status_code, response.json()) == (200, {"cards": []})


def test_two_patients_in_a_request_are_a_conflict_even_where_no_card_could_fire() -> None:
    document = without(hook_request("patient-view"), "context", "encounterId")
    document["prefetch"]["patient"]["id"] = "p2"
    assert post(document).status_code == 422


def feedback(*entries: Any) -> httpx.Response:
    return call("POST", f"{PATH}/feedback", json={"feedback": list(entries)})


def test_feedback_is_accepted_and_each_entry_leaves_one_line_without_free_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    card = str(uuid4())
    reason = {"reason": {"code": "canary-code", "system": "https://example.org"}, "userComment": "canary-comment"}
    entry = {
        "card": card,
        "outcome": "overridden",
        "overrideReason": reason,
        "outcomeTimestamp": "2026-03-09T10:30:00Z",
    }
    with caplog.at_level(logging.INFO, "ankle_cds.service"):
        response = feedback(entry)
    assert response.status_code == 200
    assert response.json()["issue"][0]["severity"] == "information"
    lines = [json.loads(record.message) for record in caplog.records]
    assert [line["card"] for line in lines if line["event"] == "feedback"] == [card]
    assert "canary" not in caplog.text


def test_one_bad_entry_refuses_the_feedback() -> None:
    response = feedback({"card": "x"})
    assert response.status_code == 400
    assert response.json()["resourceType"] == "OperationOutcome"


def test_a_request_leaves_one_structured_line_with_timings_and_nobodys_data(caplog: pytest.LogCaptureFixture) -> None:
    document = hook_request(fhirServer="https://canary-server.example/fhir")
    document["fhirAuthorization"] = {"access_token": "canary-token", "token_type": "Bearer"}
    document["context"]["userId"] = "Practitioner/canary-user"
    document["prefetch"]["patient"]["name"] = [{"family": "canary-name"}]
    with caplog.at_level(logging.DEBUG):
        post(document, headers={"Authorization": "Bearer canary-jwt"})
    (line,) = [json.loads(each.message) for each in caplog.records if each.name == "ankle_cds.service"]
    assert line["hookInstance"] == document["hookInstance"]
    assert line["plan"] == "Pathway|0.1.0"
    assert line["actions"] == ["Stub"]
    assert line["status"] == 200
    assert set(line["parts"]) == {"read", "parse", "gather", "evaluate", "encode"}
    assert "canary" not in caplog.text


def test_a_mistake_of_our_own_is_500_and_the_log_says_where_but_not_with_what(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_given: Any) -> Any:
        raise ValueError("canary-value")

    with caplog.at_level(logging.DEBUG):
        response = post(hook_request(), stub_app(respond=broken))
    assert response.status_code == 500
    assert response.json()["issue"] == [
        {"severity": "error", "code": "exception", "details": {"text": "Internal error."}}
    ]
    assert "canary" not in response.text + caplog.text
    (failure,) = [json.loads(each.message) for each in caplog.records if "failure" in each.message]
    assert failure["error"] == "ValueError"
    assert any(line.endswith("broken") for line in failure["trace"])


def test_more_requests_than_there_is_room_for_are_told_to_come_back() -> None:
    settings = development(max_in_flight=1)

    async def run() -> list[int]:
        transport = httpx.ASGITransport(stub_app(settings))

        async def body() -> Any:
            yield b"{"
            await asyncio.sleep(0.2)
            yield b"}"

        async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as http:
            headers = {"Content-Type": "application/json"}
            first = asyncio.create_task(http.post(PATH, content=body(), headers=headers))
            await asyncio.sleep(0.05)
            second = await http.get("/health")
            assert second.headers["retry-after"] == "1"
            assert second.json()["issue"][0]["code"] == "throttled"
            return [second.status_code, (await first).status_code, (await http.get("/health")).status_code]

    assert asyncio.run(run()) == [503, 400, 200]


def test_an_answer_that_would_come_too_late_is_not_begun() -> None:
    response = post(hook_request(), stub_app(development(request_deadline=1e-9)))
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.json()["issue"][0]["code"] == "timeout"


LISTED = "https://ehr.example"


def test_a_listed_browser_origin_may_read_answers_and_errors() -> None:
    app = stub_app(development(cors_origins=(LISTED,)))
    for response in (
        call("GET", "/cds-services", app, headers={"Origin": LISTED}),
        call("GET", "/x", app, headers={"Origin": LISTED}),
    ):
        assert response.headers["access-control-allow-origin"] == LISTED
        assert response.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize("path", ["/cds-services", PATH, f"{PATH}/feedback"])
def test_a_preflight_of_a_listed_origin_is_answered(path: str) -> None:
    app = stub_app(development(cors_origins=(LISTED,)))
    response = call("OPTIONS", path, app, headers={"Origin": LISTED, "Access-Control-Request-Method": "POST"})
    assert response.status_code == 204
    assert response.headers["access-control-allow-methods"] == "GET, POST"
    assert response.headers["access-control-allow-headers"] == "Authorization, Content-Type"
    assert response.headers["access-control-max-age"] == "600"
    assert "OPTIONS" in response.headers["allow"]


@pytest.mark.parametrize(
    "origin",
    ["https://ehr.example.evil.test", "https://x.ehr.example", "http://ehr.example", f"{LISTED}:8443", "null", "*"],
)
def test_any_other_origin_gets_no_permission(origin: str) -> None:
    app = stub_app(development(cors_origins=(LISTED,)))
    for method in ("GET", "OPTIONS"):
        response = call(method, "/cds-services", app, headers={"Origin": origin})
        assert response.status_code in {200, 204}
        assert not [name for name in response.headers if name.startswith("access-control")]


def test_production_does_not_start_without_saying_that_it_is_open() -> None:
    for given, message in (({}, "clients is empty"), ({"auth": "none"}, "auth: none answers callers without a token")):
        with pytest.raises(ContentError, match=message):
            stub_app(Settings(**given))
    assert stub_app(Settings(auth="none", authenticated_by="the gateway", memory="none"))


def configured(tmp_path: Path, text: str, **environment: str) -> Settings:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    return load(path, environment=environment)


def test_a_site_is_configured_by_one_file_then_the_environment_then_the_command_line(tmp_path: Path) -> None:
    text = "auth: none\nport: 9000\nfhir_servers:\n  - url: https://ehr.example/fhir\n    private_network: true\n"
    settings = configured(tmp_path, text, ANKLE_CDS_PORT="9001", ANKLE_CDS_CALLBACK_TOTAL="1.5", HOME="/x")
    assert (settings.auth, settings.port, settings.callback_total) == ("none", 9001, 1.5)
    assert settings.policy().bases[0].private_network
    assert settings.host == "127.0.0.1"
    assert load(None, environment={"ANKLE_CDS_PORT": "9001"}, port=9002).port == 9002


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("auth: none\nport: eighty\n", 2, "port"),
        ("auth: none\n\nprot: 80\n", 3, "prot is not a setting"),
        ("auth: maybe\n", 1, "auth"),
        ("fhir_servers:\n  - url: https://ehr.example/fhir\n  - url: ehr.example\n", 3, "fhir_servers.1.url"),
        ("cors_origins:\n  - https://ehr.example/\n", 2, "scheme, host and port only"),
        ("max_body: 5\n", 1, "max_body"),
        ("callback_total: 99\n", 1, "callback_total"),
        ("port: 80\nport: 81\n", 2, "given twice"),
    ],
)
def test_a_bad_setting_is_refused_with_file_and_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(ContentError, match=message) as caught:
        configured(tmp_path, text)
    assert f"site.yaml:{line}" in str(caught.value)


def test_a_bad_environment_variable_is_named() -> None:
    with pytest.raises(ContentError) as caught:
        load(None, environment={"ANKLE_CDS_PORT": "canary"})
    assert "ANKLE_CDS_PORT" in str(caught.value)
    assert "canary" not in str(caught.value)


DECLARED = {
    "Days": SimpleNamespace(type="{urn:hl7-org:elm-types:r1}Integer", default=30),
    "Points": SimpleNamespace(type="System.Decimal", default=None),
    "Switch": SimpleNamespace(type="Boolean", default=None),
    "Codes": SimpleNamespace(type="List<System.String>", default=None),
    "EncounterId": SimpleNamespace(type="String", default=None),
}


def test_a_site_sets_the_parameters_of_the_logic_by_name(tmp_path: Path) -> None:
    text = "parameters:\n  Days: 14\n  Points: 1.5\n  Switch: false\n  Codes:\n    - AMB\n"
    found = site_parameters(configured(tmp_path, text), DECLARED)
    assert {name: str(value) for name, value in found.items()} == {
        "Days": "14",
        "Points": "1.5",
        "Switch": "False",
        "Codes": "['AMB']",
    }


def test_a_site_switches_a_list_off_by_writing_it_empty(tmp_path: Path) -> None:
    assert site_parameters(configured(tmp_path, "parameters:\n  Codes: []\n"), DECLARED) == {"Codes": []}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("Dayz: 14", "not a parameter of the logic"),
        ('Days: "14"', "a whole number"),
        ("Days: 1.5", "a whole number"),
        ("Days: true", "a whole number"),
        ("Days: -1", "zero or more"),
        ("Days: 99999999999", "a whole number"),
        ('Points: "x"', "a number"),
        ("Switch: 1", "true or false"),
        ("Codes: AMB", "a list of"),
        ("Codes:\n    - 5", "text"),
        ("EncounterId: e1", "set by each call"),
    ],
)
def test_a_bad_parameter_is_refused_with_file_and_line(tmp_path: Path, value: str, message: str) -> None:
    settings = configured(tmp_path, f"auth: none\nparameters:\n  {value}\n")
    with pytest.raises(ContentError, match=message) as caught:
        site_parameters(settings, DECLARED)
    assert "site.yaml:3" in str(caught.value)


def test_the_icon_is_a_square_picture_that_cards_can_name() -> None:
    """100 by 100 pixels, PNG, and for once no JSON."""
    response = call("GET", "/icon.png")
    assert (response.status_code, response.headers["content-type"]) == (200, "image/png")
    assert response.content.startswith(b"\x89PNG")
    assert [int.from_bytes(response.content[at : at + 4], "big") for at in (16, 20)] == [100, 100]


@pytest.mark.parametrize(
    ("base", "icon"),
    [("https://cds.example", "https://cds.example/icon.png"), ("http://127.0.0.1:8080", None), (None, None)],
)
def test_cards_name_the_icon_where_clients_can_fetch_it(base: str | None, icon: str | None) -> None:
    """Only an https address under which clients call leads to it."""
    settings = load(environment={}, mode="development", public_base_url=base)
    assert guidance_settings({}, settings).cards.icon_url == icon


@pytest.mark.parametrize("version", ["2.0.1", "3.0.0"])
def test_a_site_says_which_version_of_the_specification_it_offers(version: str) -> None:
    """The published version and the ballot's differ in what discovery says; the cards are the same."""
    app = stub_app(development(spec_version=version))
    assert {entry["version"] for entry in call("GET", "/cds-services", app).json()["services"]} == {version}
    assert post(hook_request(), app).json()["cards"] == post(hook_request()).json()["cards"]
