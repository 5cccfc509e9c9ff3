"""Rows of CDS Hooks that cannot be seen from outside: shown for our own service, over a real socket."""

from __future__ import annotations

import json
import logging
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ankle_cds import artifacts, stories
from ankle_cds.client import RawClient
from ankle_cds.conformance import Records, Signer
from ankle_cds.demo.stage import Stage
from ankle_cds.errors import ContentError
from ankle_cds.fhir import read_json_file
from ankle_cds.service import create_app
from ankle_cds.settings import load
from programs import found
from proxy import http_client, proxied
from stub_service import NOW, PACKAGE, PATH, SERVICE, authorization, fhir_server, hook_request, http_answer, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ankle_cds.settings import Settings

AUDIENCE = "https://cds.example"
CANARY = "canary-access-token"
SHOWN: dict[str, Callable[[], None]] = {}


def shows(*keys: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Name the rows a function shows."""

    def take(function: Callable[[], None]) -> Callable[[], None]:
        assert not set(keys) & set(SHOWN)
        SHOWN.update(dict.fromkeys(keys, function))
        return function

    return take


@contextmanager
def logged() -> Iterator[list[str]]:
    """Everything that is logged by anybody, at every level."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler, service, root = Keep(), logging.getLogger("ankle_cds.service"), logging.getLogger()
    before = [(logger, logger.level, logger.propagate) for logger in (service, root)]
    service.propagate = True
    for logger in (service, root):
        logger.setLevel(logging.DEBUG)
    root.addHandler(handler)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        for logger, level, propagate in before:
            logger.setLevel(level)
            logger.propagate = propagate


def post(url: str, body: Any, token: str | None = None) -> int:
    headers = [("Content-Type", "application/json")] + ([("Authorization", f"Bearer {token}")] if token else [])
    with RawClient() as client:
        return client.send("POST", url + PATH, headers=headers, body=json.dumps(body).encode()).status


@contextmanager
def production(**client: Any) -> Iterator[tuple[str, Signer, Path]]:
    """A service in production with one client, which may be registered otherwise than usual."""
    signer = Signer.fresh("https://client.example", AUDIENCE)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "keys.json")
        file.write_text(json.dumps({"keys": [key.public() for key in signer.keys]}), "utf-8")
        with served(site({"iss": signer.issuer, "key_set": str(file), **client})) as url:
            yield url, signer, file


def site(*clients: Any, **changes: Any) -> Settings:
    given = {
        "public_base_url": AUDIENCE,
        "clients": list(clients),
        "port": 0,
        "request_deadline": 60.0,
        "memory": "none",
    } | changes
    return load(environment={}, **given)


def start(settings: Settings) -> None:
    create_app({SERVICE: PACKAGE}, settings, lambda: NOW, respond=lambda *_given: None)  # type: ignore[dict-item]


@shows("cds-hooks_2.0@2")
def _production_is_called_by_https_only() -> None:
    """Where clients call over http, production does not start; over https, the same configuration answers."""
    with production() as (url, signer, file):
        assert post(url, hook_request(), signer.token(PATH)) == 200
        client = {"iss": signer.issuer, "key_set": str(file)}
        with pytest.raises(ContentError, match="public_base_url must be https"):
            start(site(client, public_base_url="http://cds.example"))


@shows("cds-hooks_2.0@168")
def _nothing_is_read_without_tls() -> None:
    """In production a FHIR server over http is refused next to a token and not contacted; so is a key address."""
    with production() as (url, signer, _), Records() as records:
        body = hook_request(**records.access())
        assert post(url, body, signer.token(PATH)) == 400
        assert post(url, hook_request(fhirServer=records.url), signer.token(PATH)) == 200
        assert records.reads == []
    with pytest.raises(ContentError, match="jku must be https"):
        start(site({"iss": "https://client.example", "jku": [{"url": "http://client.example/jwks.json"}]}))


@shows("cds-hooks_2.0@175", "cds-hooks_2.0@179")
def _a_certificate_opens_the_door_and_the_token_says_who_speaks() -> None:
    """Behind the proxy of deploy/: without a certificate of the authority nothing is answered, without a token 401."""
    if found("nginx") is None:
        pytest.skip("nginx is not installed")
    with production() as (url, signer, _), tempfile.TemporaryDirectory() as folder, proxied(url, Path(folder)) as proxy:
        address, made = proxy
        statuses = {}
        for certificate in (None, "unknown", "known"):
            for token in (None, signer.token(PATH)):
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                with http_client(made, certificate) as http:
                    answer = http.post(address + PATH, json=hook_request(), headers=headers)
                statuses[certificate, token is not None] = answer.status_code
                assert ("x-request-id" in answer.headers) is (certificate == "known")
    assert statuses == {
        (None, False): 400,
        (None, True): 400,
        ("unknown", False): 400,
        ("unknown", True): 400,
        ("known", False): 401,
        ("known", True): 200,
    }


@shows("cds-hooks_2.0@82")
def _the_log_names_the_cards() -> None:
    """The line of a call holds the uuids of its cards, and nothing of the patient."""
    story = next(one for one in stories.read_all() if one.expect)
    with Stage() as stage, logged() as lines:
        played = stage.play(story, read_json_file(story.request_file))
    (line,) = [json.loads(text) for text in lines if '"event": "request"' in text and '"hook"' in text]
    assert line["cards"] == [card["uuid"] for card in played.body["cards"]]
    record = story.chart()
    patients = [entry["resource"] for entry in record["entry"] if entry["resource"]["resourceType"] == "Patient"]
    named = {part for one in patients for name in one.get("name", ()) for part in (name["family"], *name["given"])}
    assert named
    assert not [word for word in {story.patient, *named} if word in json.dumps(line)]


@shows("cds-hooks_2.0@183")
def _two_keys_of_one_name_open_nothing() -> None:
    """A published set in which a kid stands twice verifies no token of that kid; a set in a file is refused."""
    signer = Signer.fresh("https://client.example", AUDIENCE)
    first, second = (key.public() for key in signer.keys)
    twice = {"keys": [first, second, second | {"kid": first["kid"]}]}
    with fhir_server(lambda _target, _headers: http_answer(twice)) as at:
        jku = f"{at}/jwks.json"
        with served(_development(signer, jku)) as url:
            assert post(url, hook_request(), signer.token(PATH, header={"jku": jku})) == 401
            right = signer.token(PATH, header={"jku": jku}, key=signer.keys[1])
            assert post(url, hook_request(), right) == 200
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "keys.json")
        file.write_text(json.dumps(twice), "utf-8")
        with pytest.raises(ContentError, match="same `kid`"):
            start(site({"iss": signer.issuer, "key_set": str(file)}))


@shows("cds-hooks_2.0@198")
def _published_keys_are_fetched() -> None:
    """Keys a client publishes at its registered address verify its tokens; one it does not publish verifies none."""
    signer = Signer.fresh("https://client.example", AUDIENCE)
    asked: list[str] = []

    def answer(target: str, _headers: dict[str, str]) -> bytes:
        asked.append(target)
        return http_answer({"keys": [signer.keys[0].public()]})

    with fhir_server(answer) as at:
        jku = f"{at}/jwks.json"
        with served(_development(signer, jku)) as url:
            assert post(url, hook_request(), signer.token(PATH, header={"jku": jku})) == 200
            unpublished = signer.token(PATH, header={"jku": jku}, key=signer.keys[1])
            assert post(url, hook_request(), unpublished) == 401
            assert post(url, hook_request(), signer.token(PATH, header={"jku": f"{at}/other.json"})) == 401
    assert set(asked) == {"/fhir/jwks.json"}


@shows("cds-hooks_2.0@206", "cds-hooks_2.0@207")
def _algorithms_are_decided_by_the_site() -> None:
    """A client's list decides which algorithms open the door; a symmetric one cannot be put on it."""
    for algs, statuses in ((["ES384", "RS384"], [200, 200]), (["RS384"], [401, 200]), (["ES384"], [200, 401])):
        with production(algs=algs) as (url, signer, _):
            assert [post(url, hook_request(), signer.token(PATH, key=key)) for key in signer.keys] == statuses
    for alg in ("HS256", "none", "XX384"):
        with pytest.raises(ContentError, match="algs"):
            site({"iss": "https://client.example", "key_set": "keys.json", "algs": [alg]})


@shows("cds-hooks_2.0@213")
def _hooks_safety_depends_on_are_documented() -> None:
    """The page for EHRs names, for every recommendation above the usual priority, hooks that discovery offers."""
    page = (Path(__file__).parent.parent / "docs/ehr.md").read_text("utf-8")
    lines = re.findall(r"^\| (.+) \| (.+) \| needed \|$", page, re.MULTILINE)
    promised = {name: set(re.findall(r"`([^`]+)`", hooks)) for hooks, names in lines for name in names.split(", ")}
    (package,) = artifacts.load_all().values()
    safety = {
        f"`{resource['id']}`": {trigger["name"] for trigger in action["trigger"]}
        for resource in package.resources.values()
        if resource["resourceType"] == "PlanDefinition"
        for action in resource["action"]
        if action.get("trigger") and action.get("priority") in {"stat", "urgent"}
    }
    assert promised == safety
    with Stage({package.service_id: package}) as stage:
        stage.set(stories.read_all()[0])
        assert set().union(*promised.values()) <= {entry["hook"] for entry in stage.discover()}


@shows("H3-13")
def _the_access_token_is_kept_nowhere() -> None:
    """Through success, refusal and a mistake of our own, at every level, no log line holds the access token."""
    given = authorization(access_token=CANARY)

    def broken(*_given: Any) -> Any:
        raise ValueError(CANARY)

    statuses = []
    with logged() as lines, fhir_server(lambda _target, headers: _echo(headers)) as at:
        access = {"fhirServer": at, "fhirAuthorization": given}
        with served() as url:
            statuses.append(post(url, hook_request(**access)))
            statuses.append(post(url, hook_request(prefetch={}, **access)))
            statuses.append(post(url, hook_request(fhirAuthorization=given)))
            statuses.append(post(url, hook_request(**access | {"fhirAuthorization": given | {"token_type": "MAC"}})))
        with served(respond=broken) as url:
            statuses.append(post(url, hook_request(**access)))
    assert statuses == [200, 412, 400, 400, 500]
    assert len(lines) >= len(statuses)
    assert CANARY not in "\n".join(lines)


@shows("H3-16")
def _override_reasons_are_those_of_the_published_system() -> None:
    """Every card offers the codes of the package's value set, all of the published system, with its displays."""
    (package,) = artifacts.load_all().values()
    (value_set,) = [one for url, one in package.resources.items() if url.endswith("-override-reason")]
    (include,) = value_set["compose"]["include"]
    assert include["system"] == "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
    expected = [concept | {"system": include["system"]} for concept in include["concept"]]
    story = next(one for one in stories.read_all() if one.expect)
    with Stage({package.service_id: package}) as stage:
        cards = stage.play(story, read_json_file(story.request_file)).body["cards"]
    assert cards
    for card in cards:
        assert [{name: one[name] for name in ("code", "display", "system")} for one in card["overrideReasons"]] == [
            {name: one[name] for name in ("code", "display", "system")} for one in expected
        ]


def _development(signer: Signer, jku: str) -> Settings:
    clients = [{"iss": signer.issuer, "jku": [{"url": jku}], "test": True}]
    return site(*clients, mode="development", auth="required")


def _echo(headers: dict[str, str]) -> bytes:
    """A FHIR server that repeats what it was sent, as an error."""
    return http_answer({"said": headers}, "500 Error")
