"""`ankle-cds conformance` examines any CDS service, and says what it saw in words, in JSON, and by its exit code."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ankle_cds import cli
from ankle_cds.client import RawClient
from ankle_cds.conformance import Signer, Subject
from ankle_cds.conformance.samples import compose, filled
from ankle_cds.errors import AnkleCdsError, ServerError
from ankle_cds.service import background
from conformance_cases import AUDIENCE, production
from stub_service import development, fhir_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request

CARD = {"summary": "Opened", "indicator": "info", "source": {"label": "Example"}}
SECRET = "conformance-canary-of-the-peer"  # noqa: S105  # what a report must not repeat


@contextmanager
def peer(*cards: Any, hook: str = "patient-view") -> Iterator[str]:
    """Another project's service: it lists one hook, answers everything with its cards, and checks nothing."""

    async def discovery(_request: Request) -> Response:
        return JSONResponse({"services": [{"hook": hook, "id": "peer", "description": "A peer"}]})

    async def call(_request: Request) -> Response:
        return JSONResponse({"cards": list(cards)})

    routes = [Route("/cds/cds-services", discovery), Route("/cds/cds-services/peer", call, methods=["POST"])]
    with background(Starlette(routes=routes), development()) as url:
        yield f"{url}/cds"


def examined(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    """Run the command against a service that breaks rules; gives the JSON."""
    assert cli.main(["conformance", "--json", *options]) == 1
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def states(document: dict[str, Any]) -> dict[str, str]:
    return {row["key"].removeprefix("cds-hooks_2.0"): row["state"] for row in document["rows"]}


def test_a_peer_is_examined_from_its_discovery_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """What it does is passed, what it does wrong failed, what it does without is not held against it."""
    with peer(CARD) as url:
        document = examined(capsys, "--url", url)
    found = states(document)
    expected = {
        "@4": "pass",  # discovery
        "@83": "pass",  # summary
        "@87": "pass",  # indicator
        "@11": "not applicable",  # no prefetch
        "@92": "not applicable",  # no suggestion
        "@148": "not applicable",  # no feedback
        "@22": "fail",  # context
        "@19": "fail",  # hookInstance
        "@177": "fail",  # tokens
        "@201": "not observable",  # it looks at no token
        "H3-01": "fail",  # version
        "@75": "not observable",  # system actions: of no concern to ours, not looked at in others
        "@82": "not observable",  # its log
    }
    assert {key: found[key] for key in expected} == expected
    assert len(found) == 178
    assert "open" not in set(found.values())
    assert 0 < document["score"]["reached"] < document["score"]["possible"]


def test_a_wrong_card_is_found_and_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """A finding names the member, and nothing of what it holds."""
    with peer({**CARD, "summary": SECRET * 10, "indicator": SECRET}) as url:
        document = examined(capsys, "--url", url)
    assert states(document)["@83"] == states(document)["@88"] == "fail"
    assert SECRET not in json.dumps(document)


def test_requests_lead_to_the_service_that_offers_their_hook(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A given request is what is varied; one for a hook nobody offers is refused before anything is called."""
    file = tmp_path / "opened.json"
    body = compose({"hook": "patient-view", "id": "peer"}).document()
    file.write_text(json.dumps(body), "utf-8")
    with peer(CARD) as url:
        examined(capsys, "--url", url, "--request", str(file))
        file.write_text(json.dumps(body | {"hook": "order-sign"}), "utf-8")
        assert cli.main(["conformance", "--url", url, "--request", str(file)]) == AnkleCdsError.exit_code
    assert "No service of this address offers the hook" in capsys.readouterr().err


def test_the_tables_are_drawn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, counts by level, and the scored features; what passes can be left out."""
    monkeypatch.setenv("COLUMNS", "200")
    with peer(CARD) as url:
        assert cli.main(["conformance", "--short", "--url", url]) == 1
    drawn = capsys.readouterr().out
    for words in ("By level", "Scored features", "Weighted score", "of 178 rows"):
        assert words in drawn
    assert "Discovery stands at" not in drawn
    assert "A call has a UUID" in drawn


def test_where_nothing_answers_the_exit_code_is_that_of_the_other_server(capsys: pytest.CaptureFixture[str]) -> None:
    with fhir_server(lambda _target, _headers: b"") as url:
        assert cli.main(["conformance", "--url", url]) == ServerError.exit_code
    assert "No answer from the service" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["--request", "x.json"],
        ["--origin", "https://a.example"],
        ["--url", "http://127.0.0.1:1", "--issuer", "https://a.example"],
        ["--url", "http://127.0.0.1:1", "--kid", "k"],
        ["--url", "ftp://127.0.0.1"],
        ["--url", "somewhere"],
    ],
)
def test_options_that_do_not_go_together_are_a_mistake_of_the_command_line(options: list[str]) -> None:
    assert cli.main(["conformance", *options]) == cli.USAGE


def test_a_client_signs_with_its_own_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A private key in PEM signs; anything else is refused by the name of the file."""
    file = tmp_path / "key.pem"
    private = Signer.fresh("https://a.example", "https://b.example").keys[0].private
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private.private_bytes(*form))
    signer = Signer.of_file("https://a.example", "https://b.example/", "k1", file)
    assert (signer.audience, signer.keys[0].kid, signer.keys[0].alg) == ("https://b.example", "k1", "ES384")
    file.write_text(SECRET, "utf-8")
    with peer(CARD) as url:
        given = ["--issuer", "https://a.example", "--kid", "k1", "--key", str(file)]
        assert cli.main(["conformance", "--url", url, *given]) == 2
    said = capsys.readouterr().err
    assert "key.pem" in said
    assert SECRET not in said


def test_a_guarded_service_is_examined_with_the_tokens_of_a_client(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the key of a client it is seen what right and wrong tokens open; without, that strangers are refused."""
    file = tmp_path / "key.pem"
    with production() as (url, signer, _):
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file.write_bytes(signer.keys[0].private.private_bytes(*form))
        given = ["--issuer", signer.issuer, "--kid", signer.keys[0].kid, "--key", str(file), "--audience", AUDIENCE]
        known = states(examined(capsys, "--url", url, *given))
        stranger = states(examined(capsys, "--url", url))
    trust = ("@176", "@177", "@182", "@184", "@189", "@190", "@191", "@192", "@195", "@199", "@201", "@203", "@205")
    assert {key: known[key] for key in trust} == dict.fromkeys(trust, "pass")
    assert stranger["@176"] == stranger["@195"] == "pass"
    assert stranger["@190"] == stranger["@205"] == stranger["@199"] == stranger["@19"] == "not observable"


@pytest.mark.parametrize("services", [None, {}, [], [5], [{"id": 5}], [{"hook": ["a"], "id": "x", "prefetch": [1]}]])
def test_a_discovery_of_any_shape_is_survived(services: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A service that lists nonsense gets findings, not a stack trace."""

    async def discovery(_request: Request) -> Response:
        return JSONResponse({"services": services})

    with background(Starlette(routes=[Route("/cds-services", discovery)]), development()) as url:
        document = examined(capsys, "--url", url) if services != [] else None
    assert document is None or states(document)["@6"] in {"pass", "fail"}


def test_where_discovery_is_not_found_nothing_counts_as_left_free(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a service that lists nothing, nothing is known: it is not taken for one that does without."""
    with peer(CARD) as url:
        found = states(examined(capsys, "--url", f"{url}/elsewhere"))
    assert found["@4"] == "fail"
    assert "not applicable" not in set(found.values())
    assert found["@11"] == found["@83"] == "not observable"


def test_reports_name_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Patient, encounter and user of a given request stand nowhere in the report."""
    body = compose({"hook": "patient-view", "id": "peer"}).document()
    body["context"] = {name: f"{SECRET}-{name}" for name in ("patientId", "encounterId")}
    body["context"]["userId"] = f"Practitioner/{SECRET}"
    body["prefetch"] = {"patient": {"resourceType": "Patient", "id": SECRET, "name": [{"family": SECRET}]}}
    file = tmp_path / "opened.json"
    file.write_text(json.dumps(body), "utf-8")
    wrong = {**CARD, "links": [{"url": f"https://a.example/{SECRET}-patientId"}], SECRET: None}
    with peer(wrong) as url:
        document = examined(capsys, "--url", url, "--request", str(file))
    assert states(document)["@3"] == states(document)["@139"] == "fail"
    assert SECRET not in json.dumps(document)


ODD_CARDS = [
    {},
    {"source": [], "suggestions": 5, "links": "x", "overrideReasons": {}, "uuid": [], "detail": {}, "summary": 1},
    {"source": {"url": 5, "icon": {}, "topic": []}, "suggestions": [5, {}], "links": [None, {"url": 1}]},
    {"suggestions": [{"actions": 5, "uuid": {}}, {"actions": [5, {"type": [], "resource": 5}]}]},
    {"suggestions": [{"actions": [{"type": "create", "resource": {"subject": []}}, {"type": "delete"}]}]},
    {"suggestions": [{"actions": [{"type": "update", "resource": []}]}], "overrideReasons": [5], "indicator": []},
]


@pytest.mark.parametrize("card", ODD_CARDS)
def test_a_card_of_any_shape_is_survived(card: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A card of another form than it should have gets findings, not a stack trace."""
    with peer(card, 5, hook="order-sign") as url:
        found = states(examined(capsys, "--url", url))
    assert found["@74"] == found["@83"] == found["@87"] == "fail"


def test_requests_are_composed_from_any_hook_and_template() -> None:
    """Known hooks get their context, reads a resource of the type, searches an empty searchset."""
    templates = {
        "patient": "Patient/{{context.patientId}}",
        "user": "{{context.userId}}",
        "me": "Practitioner/{{userPractitionerId}}",
        "conditions": "Condition?patient={{context.patientId}}",
    }
    body = compose({"hook": "order-select", "id": "x", "prefetch": templates}).body
    assert set(body["context"]) == {"userId", "patientId", "encounterId", "selections", "draftOrders"}
    kinds = {key: (value["resourceType"], value.get("id")) for key, value in body["prefetch"].items()}
    assert kinds == {
        "patient": ("Patient", "example-patient"),
        "user": ("Practitioner", "example-user"),
        "me": ("Practitioner", "example-user"),
        "conditions": ("Bundle", None),
    }
    assert compose({"hook": "of-tomorrow", "id": "x"}).body["context"]["patientId"] == "example-patient"
    assert filled("A?b={{context.missing}}", {}) == "A?b="


def test_what_is_sent_is_what_was_given() -> None:
    """Headers that stand twice, odd methods and bytes that are no JSON reach the service as they are."""
    seen: list[Any] = []

    async def take(request: Request) -> Response:
        seen.append((request.method, request.headers.getlist("x-twice"), await request.body()))
        return Response(b"\xff", 418, headers={"X-Said": "so"})

    route = Route("/cds-services/x", take, methods=["PATCH"])
    with background(Starlette(routes=[route]), development()) as url, RawClient() as client:
        headers = [("X-Twice", "a"), ("X-Twice", "b")]
        reply = client.send("PATCH", f"{url}/cds-services/x", headers=headers, body=b"\x00{")
        assert (reply.status, reply.body, reply.header("x-said"), reply.header("x-none")) == (418, b"\xff", "so", None)
    assert seen == [("PATCH", ["a", "b"], b"\x00{")]
    with RawClient(timeout=1) as client:
        assert Subject("http://127.0.0.1:1", client).send("GET", "/").status == 0
