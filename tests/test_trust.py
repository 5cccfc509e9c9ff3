"""Who is let in: every row of the matrix from the outside, configuration that is refused, browsers."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import attacks
from ankle_cds.errors import ContentError
from ankle_cds.service.server import warn
from ankle_cds.settings import Settings, load
from ankle_cds.trust import MemoryReplay, Reason, ReplayError, keys
from ankle_cds.trust.published import PUBLISHED
from gatehouse import BASE, CALL, EHR, FILE, JKU, ROWS, Gatehouse, site
from stub_service import PATH, fhir_server, hook_request, http_answer, served, stub_app
from tokens import encode, jwk, key, nonce, sign

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGIN = "https://browser.example"
SANDBOX = {
    "kty": "EC",
    "crv": "P-384",
    "kid": "44823f3d-0b01-4a6c-a80e-b9d3e8a7226f",
    "x": "dw_JGR8nB2I6XveNxUOl2qk699ZPLM2nYI5STSdiEl9avAkrm3CkfYMbrrjr8laB",
    "y": "Sm3mLE-n1zYNla_aiE3cb3nZsL51RbC7ysw3q8aJLxGm-hx79RPMYpITDjp7kgzy",
}


@pytest.fixture
def house() -> Iterator[Gatehouse]:
    with Gatehouse() as made:
        yield made


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_the_matrix_holds_and_leaves_nothing_of_a_token_in_the_log(
    name: str, house: Gatehouse, caplog: pytest.LogCaptureFixture
) -> None:
    """J01 to J70 and SF-A01 to SF-A10; J71 is the second half of each."""
    with caplog.at_level(logging.DEBUG):
        ROWS[name](house)
    assert house.let_in == 0
    assert not [secret for secret in house.secrets if secret in caplog.text]
    assert EHR not in caplog.text.replace(JKU, "")


def test_the_matrix_is_whole() -> None:
    expected = {*(f"J{number:02}" for number in range(1, 71)), *(f"SF-A{number:02}" for number in range(1, 11))}
    assert set(ROWS) == expected
    assert attacks.ROWS is ROWS


def test_the_log_says_why_in_one_word_that_the_page_for_ehrs_explains(
    house: Gatehouse, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "ankle_cds.service"):
        house.refused(house.bearer(claims={"aud": BASE}))
        house.accepted(house.bearer())
    refused, accepted = [json.loads(record.message) for record in caplog.records if record.name == "ankle_cds.service"]
    assert refused["reason"] == "audience"
    assert accepted["client"] == "clients.0"
    page = (Path(__file__).parent.parent / "docs/ehr.md").read_text("utf-8")
    assert all(f"| `{reason}` |" in page for reason in Reason)


def test_the_log_tells_an_unknown_key_from_a_key_set_that_cannot_be_had(
    house: Gatehouse, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller is told neither; whoever runs the service has to look in different places."""
    good = house.key_sets[JKU]

    async def refuses() -> httpx.Response:
        raise httpx.ConnectError("down")

    with caplog.at_level(logging.INFO, "ankle_cds.service"):
        house.key_sets[JKU] = refuses
        house.refused(house.bearer())
        house.key_sets[JKU] = good
        house.now += 61
        house.refused(house.bearer({"kid": "unknown"}))
    reasons = [json.loads(one.message)["reason"] for one in caplog.records if one.name == "ankle_cds.service"]
    assert reasons == ["key-set", "key"]


def test_the_token_is_judged_before_anything_else_of_a_request(house: Gatehouse) -> None:
    """Order of checks: path, method, authorization, then the rest."""
    for headers in ((("Content-Length", "99999999999"),), (("Content-Encoding", "gzip"),), (("Accept", "text/html"),)):
        house.refused(None, headers=headers)
    assert house.send(None, path="/nowhere").status_code == 404
    assert house.send(None, path=PATH, method="GET").status_code == 405


def right_token(iss: str, private: Any, **header: Any) -> str:
    now = int(time.time())
    head = {"alg": "ES384", "kid": "k1", "typ": "JWT"} | header
    body = {"iss": iss, "aud": CALL, "exp": now + 300, "iat": now, "jti": nonce()}
    signed = f"{encode(head)}.{encode(body)}"
    return f"Bearer {signed}.{encode(sign(private, 'ES384', signed))}"


def test_production_over_a_socket(tmp_path: Path) -> None:
    with served(site(tmp_path)) as url:
        given: dict[str, Any] = {"json": hook_request(), "trust_env": False}
        token = right_token(FILE, key("file"))
        statuses = [httpx.post(url + PATH, headers={"Authorization": token}, **given).status_code for _ in range(2)]
        assert statuses == [200, 401]
        twice = [("Authorization", right_token(FILE, key("file"))) for _ in range(2)]
        assert httpx.post(url + PATH, headers=twice, **given).status_code == 401
        assert httpx.post(url + PATH, **given).headers["www-authenticate"] == "Bearer"


def test_a_test_client_with_its_key_set_on_this_machine_is_verified_in_development() -> None:
    document = http_answer({"keys": [jwk(key("ehr"), "k1")]})
    with fhir_server(lambda _target, _headers: document) as at:
        jku = f"{at}/jwks.json"
        clients = [{"iss": EHR, "jku": [{"url": jku}], "test": True}]
        settings = load(
            environment={}, mode="development", auth="required", public_base_url=BASE, clients=clients, port=0
        )
        with served(settings) as url:
            given: dict[str, Any] = {"json": hook_request(), "trust_env": False}
            token = right_token(EHR, key("ehr"), jku=jku)
            assert httpx.post(url + PATH, headers={"Authorization": token}, **given).status_code == 200
            assert httpx.post(url + PATH, **given).status_code == 401


def test_a_registered_address_with_its_key_set_in_a_file_is_compared_and_never_asked(tmp_path: Path) -> None:
    """Clients that name their address in every token can be served where that address cannot be reached."""
    clients = [{"iss": EHR, "jku": [{"url": JKU, "key_set": str(tmp_path / "file.jwks.json")}]}]
    with served(site(tmp_path, clients=clients)) as url:

        def status(**header: Any) -> int:
            token = right_token(EHR, header.pop("private", key("file")), **header)
            sent: dict[str, Any] = {"json": hook_request(), "trust_env": False, "headers": {"Authorization": token}}
            return httpx.post(url + PATH, **sent).status_code

        # Nobody listens at the address: what is let in was verified with the file.
        assert status(jku=JKU) == 200
        assert status(jku=f"{JKU}x") == 401
        assert status(jku=JKU, private=key("ehr")) == 401
        assert status(jku=JKU, kid="k2") == 401
        assert status() == 401  # the file belongs to the address, not to tokens that name none


def test_optional_answers_without_a_token_but_never_with_a_wrong_one() -> None:
    with Gatehouse(auth="optional", authenticated_by="the gateway") as house:
        house.accepted(None)
        house.accepted(house.bearer())
        house.refused(house.bearer(private=key("attacker")))
        house.refused("")


def test_off_looks_at_no_token() -> None:
    with Gatehouse(auth="off", authenticated_by="the gateway") as house:
        house.accepted(None)
        house.accepted("Bearer x")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"auth": "none"}, "answers callers without a token"),
        ({"auth": "optional"}, "answers callers without a token"),
        ({"auth": "off", "authenticated_by": " "}, "answers callers without a token"),
        ({"clients": []}, "clients is empty"),
        ({"public_base_url": "http://cds.example"}, "must be https"),
        ({"clients": [{"iss": "a", "jku": [{"url": JKU}]}] * 2}, "registered twice"),
        ({"clients": [{"iss": "a", "jku": [{"url": JKU}], "test": True}]}, "production does not serve it"),
        ({"mode": "development"}, "not for clients with patients"),
        ({"clients": [{"iss": "a", "jku": [{"url": "http://ehr.example/jwks"}]}]}, "jku must be https"),
    ],
)
def test_what_would_let_in_others_is_refused_at_start(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ContentError, match=message):
        stub_app(site(tmp_path, **changes))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("clients:\n  - iss: a\n", 2, "give jku"),
        ("clients:\n  - iss: a\n    key_set: k.json\n    algs: [HS256]\n", 4, "clients.0.algs.0"),
        ("clients:\n  - iss: a\n    key_set: k.json\n    algs: [none]\n", 4, "clients.0.algs.0"),
        ("clients:\n  - iss: a\n    key_set: k.json\n    algs: []\n", 4, "clients.0.algs"),
        ("clients:\n  - iss: a\n    jku:\n      - {url: ehr.example}\n", 4, "an https URL"),
        ("auth: mtls\n", 1, "a proxy in front"),
        ("cors_origins:\n  - https://EHR.example\n", 2, "small letters"),
    ],
)
def test_a_client_written_wrongly_is_refused_with_file_and_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    """Requirement 200: only asymmetric algorithms of RFC 7518 can be configured."""
    path = tmp_path / "site.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ContentError, match=message) as caught:
        load(path, environment={})
    assert f"site.yaml:{line}" in str(caught.value)


@pytest.mark.parametrize(
    ("key_set", "message"),
    [
        ({"keys": [SANDBOX]}, "published"),
        ({"keys": [jwk(key("a"), "k1") | {"d": "AAAA"}]}, "private or symmetric"),
        ({"keys": [{"kty": "oct", "k": "AAAA", "kid": "k1"}]}, "private or symmetric"),
        ({"keys": [jwk(key("a"), "k1"), jwk(key("b"), "k1")]}, "same `kid`"),
        ({"keys": []}, "No key can be used"),
        ([], "not a JSON Web Key Set"),
    ],
)
def test_a_key_set_file_that_cannot_be_used_is_refused_at_start(tmp_path: Path, key_set: Any, message: str) -> None:
    site(tmp_path)
    file = tmp_path / "file.jwks.json"
    file.write_text(json.dumps(key_set), "utf-8")
    of_an_address = [{"iss": EHR, "jku": [{"url": JKU, "key_set": str(file)}]}]
    for changes in ({}, {"clients": of_an_address}):
        with pytest.raises(ContentError, match=message) as caught:
            stub_app(site(tmp_path, **changes))
        assert "file.jwks.json" in str(caught.value)


def test_the_key_of_the_sandbox_is_known_by_its_thumbprint() -> None:
    (found,) = keys.read_key_set({"keys": [SANDBOX]})[SANDBOX["kid"]]
    assert PUBLISHED[found.thumbprint].startswith("CDS Hooks sandbox")


def test_a_full_store_lets_nobody_in(house: Gatehouse) -> None:
    small = house.another(MemoryReplay(lambda: house.now, capacity=1))
    house.accepted(house.bearer(), app=small)
    house.refused(house.bearer(), status=503, app=small)
    house.now += 3_600
    house.accepted(house.bearer(), app=small)
    assert issubclass(ReplayError, Exception)


def test_production_that_is_open_says_so_loudly(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        warn(Settings())
        assert caplog.text == ""
        warn(Settings(auth="none", authenticated_by="the gateway"))
    assert "OPEN IN PRODUCTION" in caplog.text
    assert "the gateway" in caplog.text


@pytest.mark.parametrize("path", [PATH, f"{PATH}/feedback", "/cds-services"])
def test_a_preflight_needs_no_token_and_a_refusal_can_be_read_by_a_listed_origin(path: str) -> None:
    """O-01 to O-06, requirement 208."""
    with Gatehouse(cors_origins=[ORIGIN]) as house:
        preflight = house.send(None, path, "OPTIONS", headers=(("Origin", ORIGIN),))
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, ORIGIN)
        assert preflight.headers["access-control-allow-headers"] == "Authorization, Content-Type"
        method = "GET" if path == "/cds-services" else "POST"
        answer = house.send(None, path, method, headers=(("Origin", ORIGIN),))
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "access-control-allow-credentials" not in answer.headers
        for origins in ((ORIGIN, ORIGIN), (f"{ORIGIN}.evil.example",), ("null",), ("http://browser.example",)):
            other = house.send(None, path, "OPTIONS", headers=tuple(("Origin", origin) for origin in origins))
            assert other.status_code == 204
            assert not [name for name in other.headers if name.startswith("access-control")]
            assert other.headers["vary"] == "Origin"
