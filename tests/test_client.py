"""Outgoing reads go to permitted servers only, end in time, and give the token to nobody else."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ankle_cds.client import Base, FhirClient, Limits, Policy, get_json, parse_base, post_json
from ankle_cds.client.access import is_public, next_page
from ankle_cds.errors import ServerError
from stub_service import fhir_server, http_answer, patient, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from stub_service import Answer

LOOPBACK = Policy(loopback=True)


def listed(*urls: str, private_network: bool = False) -> Policy:
    bases = tuple(parse_base(url, private_network=private_network) for url in urls)
    assert all(bases)
    return Policy(bases=tuple(base for base in bases if base))


LISTED = listed("https://ehr.example/fhir")


def read(url: str, policy: Policy = LOOPBACK, *, query: str = "Patient/p1", **given: Any) -> Any:
    """Read once in a session of its own; None when the policy gives no session."""

    async def run() -> Any:
        async with FhirClient(policy, given.pop("limits", None), **given) as client:
            session = client.session(url, "canary-token")
            return None if session is None else await session.read(query)

    return asyncio.run(run())


@pytest.mark.parametrize(
    "url",
    [
        "http://ehr.example/fhir",
        "https://ehr.example/fhir2",
        "https://ehr.example/fhir/r4",
        "https://ehr.example/",
        "https://ehr.example.evil.test/fhir",
        "https://evil.test/fhir",
        "https://ehr.example@evil.test/fhir",
        "https://evil.test/https://ehr.example/fhir",
        "https://ehr.example:8443/fhir",
        "https://ehr.example./fhir",
        "https://ehr.example/fhir?x=1",
        "https://ehr.example/fhir#x",
        "https://ehr.example/fhir/../admin",
        "https://ehr.example/%66hir",
        "https://ehr.example\\@evil.test/fhir",
        "https://ehr.example/fhir\r\nHost: evil.test",
        "https://ehr。example/fhir",
        "http://127.0.0.1/fhir",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://0.0.0.0/",
        "http://localhost/",
        "file:///etc/passwd",
        "gopher://ehr.example/",
        "ftp://ehr.example/fhir",
    ],
)
def test_only_a_listed_base_is_ever_contacted(url: str) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError(str(request.url))

    assert read(url, LISTED, transport=httpx.MockTransport(refuse)) is None


@pytest.mark.parametrize(
    "url", ["https://ehr.example/fhir", "https://EHR.example:443/fhir/", "HTTPS://ehr.example/fhir"]
)
def test_a_listed_base_is_recognised_in_every_spelling(url: str) -> None:
    assert LISTED.allowed(url) == Base("https", "ehr.example", 443, "/fhir")


def test_development_adds_this_machine_and_nothing_else() -> None:
    assert LOOPBACK.allowed("http://127.0.0.1:8000/fhir")
    assert LOOPBACK.allowed("http://localhost/fhir")
    for url in (
        "http://127.1/",
        "http://10.0.0.1/",
        "http://ehr.example/",
        "https://ehr.example/fhir",
        "http://0.0.0.0/",
    ):
        assert LOOPBACK.allowed(url) is None


PRIVATE_V4 = "127.0.0.1 10.0.0.1 192.168.0.1 172.16.0.1 100.64.0.1 169.254.169.254 0.0.0.0 224.0.0.1 240.0.0.1"
PRIVATE_V6 = "::1 :: fe80::1 fec0::1 fc00::1 ::ffff:10.0.0.1 2002:0a00:0001::"


@pytest.mark.parametrize("address", PRIVATE_V4.split() + PRIVATE_V6.split())
def test_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")


def connections(policy: Policy, *addresses: str) -> list[tuple[str, str, Any]]:
    made: list[tuple[str, str, Any]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        made.append((request.url.host, request.headers["host"], request.extensions.get("sni_hostname")))
        return httpx.Response(200, json=patient())

    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    try:
        read("https://ehr.example/fhir", policy, transport=httpx.MockTransport(handle), resolve=resolve)
    except ServerError:
        assert not made
    return made


def test_the_connection_goes_to_the_address_that_was_checked_with_the_name_for_the_certificate() -> None:
    assert connections(LISTED, "93.184.216.34") == [("93.184.216.34", "ehr.example", "ehr.example")]


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["10.0.0.1"], ["93.184.216.34", "10.0.0.1"], []])
def test_a_listed_name_that_resolves_to_a_private_address_is_not_contacted(addresses: list[str]) -> None:
    assert connections(LISTED, *addresses) == []


def test_a_base_marked_as_private_network_may_have_a_private_address() -> None:
    assert connections(listed("https://ehr.example/fhir", private_network=True), "10.0.0.1")


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://ehr.example/fhir/Observation?page=2", "https://ehr.example/fhir/Observation?page=2"),
        ("https://ehr.example:443/fhir?_getpages=x", "https://ehr.example:443/fhir?_getpages=x"),
        ("Observation?page=2", "https://ehr.example/fhir/Observation?page=2"),
        ("/fhir/Observation", "https://ehr.example/fhir/Observation"),
        ("/admin", None),
        ("https://ehr.example/fhirx", None),
        ("https://ehr.example/fhir/%2e%2e/admin", None),
        ("http://ehr.example/fhir/x", None),
        ("https://ehr.example:8443/fhir/x", None),
        ("https://evil.test/fhir/x", None),
        ("https://u:p@ehr.example/fhir/x", None),
        ("https://[::1", None),
    ],
)
def test_a_next_link_stays_below_the_base(link: str, expected: str | None) -> None:
    assert next_page(LISTED.bases[0], "https://ehr.example/fhir/", link) == expected


def test_a_read_sends_the_token_and_asks_for_plain_json() -> None:
    seen: list[tuple[str, dict[str, str]]] = []

    def handle(target: str, headers: dict[str, str]) -> bytes:
        seen.append((target, headers))
        return http_answer(patient(), "200 OK", "set-cookie: a=b")

    with fhir_server(handle) as url:

        async def twice() -> None:
            async with FhirClient(LOOPBACK) as client:
                for _ in range(2):
                    session = client.session(url, "canary-token")
                    assert session is not None
                    assert await session.read("Patient/p1") == patient()

        asyncio.run(twice())
    for target, headers in seen:
        assert target == "/fhir/Patient/p1"
        assert headers["authorization"] == "bearer canary-token"  # the test server lowers every line
        assert headers["accept"].startswith("application/fhir+json")
        assert headers["accept-encoding"] == "identity"
        assert "cookie" not in headers
    assert len(seen) == 2


def test_a_redirect_is_not_followed() -> None:
    reached: list[str] = []

    def sink(target: str, _headers: dict[str, str]) -> bytes:
        reached.append(target)
        return http_answer(patient())

    with fhir_server(sink) as other:
        redirect = http_answer({}, "302 Found", f"location: {other}/Patient/p1")
        with fhir_server(lambda _target, _headers: redirect) as url, pytest.raises(ServerError, match="302"):
            read(url)
    assert reached == []


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with fhir_server(lambda _target, _headers: http_answer(patient())) as url:
        assert read(url) == patient()


async def silent() -> bytes:
    await asyncio.sleep(30)
    return b""


async def slowly() -> bytes:
    await asyncio.sleep(0.3)
    return http_answer(patient())


GARBAGE: dict[str, Any] = {
    "nothing": b"",
    "no http": b"\x00\x01\x02 garbage\r\n\r\n",
    "html": http_answer(b"<html>canary</html>"),
    "half a body": http_answer(b'{"resourceType": "Patient"}')[:-9],
    "nan": http_answer(b'{"resourceType": NaN}'),
    "not utf-8": http_answer(b'"\xff"'),
    "duplicate": http_answer(b'{"a": 1, "a": 2}'),
    "deep": http_answer(b"[" * 100_000),
    "compressed": http_answer(b"\x1f\x8b\x08", "200 OK", "content-encoding: gzip"),
    "too large": http_answer(b'"' + b"x" * 6_000_000 + b'"'),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_a_server_error_that_repeats_nothing(name: str) -> None:
    with fhir_server(lambda _target, _headers: GARBAGE[name]) as url, pytest.raises(ServerError) as caught:
        read(url, limits=Limits(total=5.0, read=5.0))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "status", ["401 Unauthorized", "403 Forbidden", "404 Not Found", "500 Oops", "503 Busy", "204 No"]
)
def test_every_status_but_200_is_a_server_error(status: str) -> None:
    with fhir_server(lambda _target, _headers: http_answer({}, status)) as url, pytest.raises(ServerError):
        read(url)


async def drip() -> AsyncIterator[bytes]:
    """Send a byte at a time, each soon enough for a limit on single reads."""
    whole = http_answer(patient(text="x" * 200))
    for place in range(len(whole)):
        yield whole[place : place + 1]
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("answer", [silent, slowly, drip])
def test_a_server_that_is_too_slow_costs_the_budget_and_no_more(answer: Callable[[], Answer]) -> None:
    """FC-11: the answer comes within the total budget and 100 ms, however many reads are made."""

    async def run(url: str) -> float:
        async with FhirClient(LOOPBACK, Limits(total=0.25)) as client:
            began = time.perf_counter()
            session = client.session(url, "t")
            assert session is not None
            reads = [session.read(f"Patient/p{n}") for n in range(16)]
            found = await asyncio.gather(*reads, return_exceptions=True)
            assert all(isinstance(each, ServerError) for each in found)
            return time.perf_counter() - began

    with fhir_server(lambda _target, _headers: answer()) as url:
        assert asyncio.run(run(url)) < 0.25 + 0.1 + 0.25  # the last part is for a loaded machine


def test_reads_run_in_parallel() -> None:
    async def run(url: str) -> float:
        async with FhirClient(LOOPBACK, Limits(total=3.0, read=2.0, parallel=6)) as client:
            session = client.session(url, "t")
            assert session is not None
            began = time.perf_counter()
            await asyncio.gather(*(session.read(f"Patient/p{n}") for n in range(6)))
            return time.perf_counter() - began

    with fhir_server(lambda _target, _headers: slowly()) as url:
        assert asyncio.run(run(url)) < 6 * 0.3


def test_a_server_that_is_down_is_a_server_error_at_once() -> None:
    began = time.perf_counter()
    with pytest.raises(ServerError):
        read("http://127.0.0.1:1/fhir")
    assert time.perf_counter() - began < 1


def test_all_answers_together_have_a_limit() -> None:
    async def run(url: str) -> None:
        limits = Limits(total=5.0, read=5.0, request_bytes=250_000)
        async with FhirClient(LOOPBACK, limits) as client:
            session = client.session(url, "t")
            assert session is not None
            await session.read("Patient/p1")
            await session.read("Patient/p2")
            with pytest.raises(ServerError, match="larger"):
                await session.read("Patient/p3")

    with fhir_server(lambda _target, _headers: http_answer(b'"' + b"x" * 100_000 + b'"')) as url:
        asyncio.run(run(url))


def test_a_dropped_connection_is_tried_once_more() -> None:
    answers = [b"", http_answer(patient())]
    with fhir_server(lambda _target, _headers: answers.pop(0)) as url:
        assert read(url, limits=Limits(total=5.0, read=5.0)) == patient()


def test_a_server_that_keeps_failing_is_left_alone_for_a_while() -> None:
    asked = 0

    def handle(_request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(500)

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34"]

    async def run() -> None:
        async with FhirClient(LISTED, transport=httpx.MockTransport(handle), resolve=resolve) as client:
            for _ in range(9):
                session = client.session("https://ehr.example/fhir", "t")
                assert session is not None
                with pytest.raises(ServerError):
                    await session.read("Patient/p1")

    asyncio.run(run())
    assert asked == Limits().breaker_failures


def test_a_token_is_in_no_representation_of_a_session() -> None:
    async def run() -> str:
        async with FhirClient(LOOPBACK) as client:
            return repr(client.session("http://127.0.0.1:1/fhir", "canary-token"))

    assert "canary" not in asyncio.run(run())


def test_calls_of_the_demonstration_give_status_and_body() -> None:
    with served() as url:
        found = get_json(f"{url}/cds-services")
        assert (found.status, found.headers["content-type"]) == (200, "application/json")
        refused = post_json(f"{url}/cds-services/nothing", {})
        assert (refused.status, refused.body["resourceType"]) == (404, "OperationOutcome")
    with pytest.raises(ServerError):
        get_json(f"{url}/cds-services")


def test_certificates_are_read_once_for_all_calls_of_the_demonstration(monkeypatch: pytest.MonkeyPatch) -> None:
    with served() as url:
        get_json(f"{url}/cds-services")
        monkeypatch.setattr(ssl, "create_default_context", None)
        assert get_json(f"{url}/cds-services").status == 200
