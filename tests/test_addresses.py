"""No connection is made to an address that a request, a page or a redirect names and the site has not listed.

Every connection this process opens ends in a sink that counts it, whatever address it was meant for; only the FHIR
server of a test is reached. https://cds-hooks.hl7.org/2.0/#fhir-resource-access
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ankle_cds.client import FhirClient, Limits
from ankle_cds.errors import ServerError
from ankle_cds.settings import Settings, load
from certificates import Certificates
from stub_service import (
    PATH,
    authorization,
    bundle,
    fhir_server,
    hook_request,
    http_answer,
    patient,
    seen,
    stub_app,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PUBLIC = "93.184.216.34"
LISTED = "https://ehr.example/fhir"
CONNECT = socket.socket.connect


class Sink:
    """What connections end in: it takes them, counts them and says nothing."""

    def __init__(self) -> None:
        self.meant_for: list[Any] = []
        self._taken: list[Any] = []
        self.reached: set[int] = set()  # ports that are left as they are
        # What a name resolves to, one look-up after the other; the last stays.
        self.addresses: list[list[str]] = [[PUBLIC]]
        self.listening = {
            family: socket.create_server((host, 0), family=family)
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
        }
        for listening in self.listening.values():
            threading.Thread(target=self._take, args=(listening,), daemon=True).start()

    def connect(self, connecting: socket.socket, address: Any) -> None:
        if address[1] not in self.reached:
            self.meant_for.append(address)
            address = self.listening[socket.AddressFamily(connecting.family)].getsockname()
        CONNECT(connecting, address)

    def connections(self) -> int:
        time.sleep(0.05)  # for one that is just being taken
        return len(self._taken)

    def _take(self, listening: socket.socket) -> None:
        """Count and close: a handshake that fails is tidied up, one that is abandoned is left to be collected."""
        while True:
            try:
                taken, address = listening.accept()
            except OSError:
                return
            self._taken.append(address)
            taken.close()

    def close(self) -> None:
        for listening in self.listening.values():
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()

    def look_up(self, _host: Any, port: Any, *_given: Any, **_more: Any) -> list[Any]:
        found = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        kinds = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(kinds[":" in one], socket.SOCK_STREAM, 6, "", (one, port)) for one in found]


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    made = Sink()

    def connect(connecting: socket.socket, address: Any) -> None:
        made.connect(connecting, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", made.look_up)
    yield made
    made.close()


def site(url: str = LISTED, **changes: Any) -> Settings:
    """Give the settings of a site that has listed one FHIR server; over http that is a site in development."""
    given = {
        "mode": "production" if url.startswith("https:") else "development",
        "auth": "none",
        "authenticated_by": "the tests",
        "public_base_url": "https://cds.example",
        "fhir_servers": [{"url": url, "private_network": changes.pop("private_network", False)}],
        "memory": "none",
        "request_deadline": 60,
    }
    return load(environment={}, **given | changes)


def ask(settings: Settings, *documents: Any, **given: Any) -> list[httpx.Response]:
    """Post to one service in this process, one document after the other."""

    async def run() -> list[httpx.Response]:
        async with FhirClient(settings.policy(), settings.limits(), **given) as client:
            transport = httpx.ASGITransport(stub_app(settings, client=client))
            async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as http:
                return [await http.post(PATH, json=document) for document in documents]

    return asyncio.run(run())


def lacking(key: str, server: str) -> dict[str, Any]:
    return without(hook_request(fhirServer=server, fhirAuthorization=authorization()), "prefetch", key)


# Hosts of this and of nearby networks, in every spelling, and what only looks like the listed one.
SPELLED = "127.0.0.1 127.1 2130706433 0x7f000001 0177.0.0.1 [::1] [::ffff:127.0.0.1] localhost [::] [fe80::1]"
V4 = "10.0.0.1 192.168.0.1 172.16.0.1 100.64.0.1 169.254.169.254 0.0.0.0"
SIMILAR = (
    *("ehr.example.", "ehr.example@evil.example", "ehr.example.evil.example", "ehr.example:8443", "evil.example"),
    *("ehr.example\\@evil.example", "ehr.example%2f@evil.example", "ehr.example%00.evil.example", "ehr.example:0"),
)
HOSTS = (*SPELLED.split(), *V4.split(), *SIMILAR)
ADDRESSES = [
    *(f"{scheme}://{host}/fhir" for scheme in ("http", "https") for host in HOSTS),
    *("http://ehr.example/fhir", "https://ehr.example/fhirx", "https://ehr.example/", "https://ehr.example/fhir#x"),
    *("file:///etc/passwd", "gopher://ehr.example/fhir", "ftp://ehr.example/fhir", "//evil.example/fhir"),
]


def test_the_sink_takes_what_is_permitted(sink: Sink) -> None:
    """Without this the other tests would prove nothing."""
    (answer,) = ask(site(), lacking("findings", LISTED))
    assert seen(answer.json())["unavailable"] == ["findings"]
    assert sink.meant_for == [(PUBLIC, 443)]
    assert sink.connections() == 1


@pytest.mark.parametrize("url", ADDRESSES)
def test_an_address_that_is_not_listed_is_not_connected_to(url: str, sink: Sink) -> None:
    """FC-02, FC-03, B-34, B-36: required data are then missing, or the address is refused."""
    (answer,) = ask(site(), lacking("patient", url))
    assert answer.status_code in {400, 412}
    assert (sink.meant_for, sink.connections()) == ([], 0)


def test_a_next_page_elsewhere_in_prefetch_is_not_connected_to(sink: Sink) -> None:
    """FC-09."""
    documents = []
    for url in ADDRESSES:
        documents.append(lacking("user", LISTED))
        documents[-1]["prefetch"] |= {"user": None, "findings": bundle(next_link=url)}
    for url, answer in zip(ADDRESSES, ask(site(), *documents), strict=True):
        assert seen(answer.json())["states"]["findings"] == "partial", url
    assert (sink.meant_for, sink.connections()) == ([], 0)


def test_a_next_page_elsewhere_in_an_answer_is_not_connected_to(sink: Sink) -> None:
    """FC-09: also in development, where a server of this machine may be read."""
    target = iter(ADDRESSES)
    with fhir_server(lambda _target, _headers: http_answer(bundle(next_link=next(target)))) as server:
        sink.reached.add(httpx.URL(server).port or 0)
        answers = ask(site(server), *[lacking("findings", server)] * len(ADDRESSES))
    assert {seen(answer.json())["states"]["findings"] for answer in answers} == {"partial"}
    assert next(target, None) is None
    assert (sink.meant_for, sink.connections()) == ([], 0)


def test_no_redirect_is_followed(sink: Sink) -> None:
    """FC-05: to any of these, by any status."""
    statuses = ("301 Moved", "302 Found", "303 Other", "307 Temporary", "308 Permanent")
    target = iter([(status, url) for status in statuses for url in ADDRESSES])

    def redirect(_target: str, _headers: dict[str, str]) -> bytes:
        status, url = next(target)
        return http_answer({}, status, f"location: {url}")

    with fhir_server(redirect) as server:
        sink.reached.add(httpx.URL(server).port or 0)
        answers = ask(site(server), *[lacking("patient", server)] * len(statuses) * len(ADDRESSES))
    assert {answer.status_code for answer in answers} == {412}
    assert next(target, None) is None
    assert (sink.meant_for, sink.connections()) == ([], 0)


PRIVATE = f"{V4} 127.0.0.1 224.0.0.1 ::1 fe80::1 fc00::1 ::ffff:127.0.0.1 64:ff9b:1::1".split()


@pytest.mark.parametrize("address", PRIVATE)
def test_a_listed_name_with_a_private_address_is_not_connected_to(address: str, sink: Sink) -> None:
    """FC-04: alone, or among public ones."""
    sink.addresses = [[address], [PUBLIC, address], [address, PUBLIC]]
    assert {answer.status_code for answer in ask(site(), *[lacking("patient", LISTED)] * 3)} == {412}
    assert (sink.meant_for, sink.connections()) == ([], 0)


def test_a_name_that_changes_between_check_and_connection_leads_to_the_address_that_was_checked(sink: Sink) -> None:
    """FC-04: its second address is not asked for in that call; in the next it is checked like the first."""
    sink.addresses = [[PUBLIC], ["127.0.0.1"]]
    two = without(lacking("findings", LISTED), "prefetch", "scores")
    first, second = ask(site(), two, lacking("patient", LISTED))
    assert seen(first.json())["unavailable"] == ["findings", "scores"]
    assert second.status_code == 412
    assert sink.meant_for == [(PUBLIC, 443)] * 2
    assert sink.connections() == 2


def test_a_kept_connection_is_no_way_around_the_check(sink: Sink) -> None:
    """FC-04: a name whose address has become private is not read over the connection of before either."""
    asked: list[str] = []

    def answer(target: str, _headers: dict[str, str]) -> bytes:
        asked.append(target)
        return http_answer(patient()).replace(b"connection: close\r\n", b"")

    with fhir_server(answer) as server:
        port = httpx.URL(server).port or 0
        url = f"http://ehr.example:{port}/fhir"
        # This server stands for the one at the public address.
        sink.connect = lambda connecting, _address: CONNECT(connecting, ("127.0.0.1", port))  # type: ignore[method-assign]
        sink.addresses = [[PUBLIC], ["10.0.0.1"]]
        statuses = [answer.status_code for answer in ask(site(url), *[lacking("patient", url)] * 2)]
    assert statuses == [200, 412]
    assert len(asked) == 1


# ---------------------------------------------------------------- certificates


@contextmanager
def tls_server(certificates: Certificates, port: list[int]) -> Iterator[None]:
    """Answer each TLS connection with a patient."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.file("server.pem"), certificates.file("server.key"))
    listening = socket.create_server(("127.0.0.1", 0))
    port.append(listening.getsockname()[1])

    def serve() -> None:
        while True:
            try:
                taken, _ = listening.accept()
            except OSError:
                return
            try:
                with tls.wrap_socket(taken, server_side=True) as secure:
                    secure.recv(65_536)
                    secure.sendall(http_answer(patient()))
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


@pytest.mark.parametrize(
    ("host", "own_authority", "read"),
    [("localhost", True, True), ("localhost", False, False), ("ehr.example", True, False)],
    ids=["authority of the site", "unknown authority", "certificate of another name"],
)
def test_the_certificate_is_checked_for_the_name_of_the_server(
    host: str, own_authority: bool, read: bool, tmp_path: Path
) -> None:
    """FC-04, FC-05: the connection goes to an address, the certificate has to name the host."""
    certificates = Certificates(tmp_path)
    authority = str(certificates.file("server.pem")) if own_authority else None

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async def run(url: str) -> Any:
        limits = Limits(total=5, connect=5, read=5)
        policy = site(url, private_network=True).policy()
        async with FhirClient(policy, limits, ca_file=authority, resolve=resolve) as client:
            session = client.session(url, "t")
            assert session is not None
            return await session.read("Patient/p1")

    port: list[int] = []
    with tls_server(certificates, port):
        if read:
            assert asyncio.run(run(f"https://{host}:{port[0]}/fhir")) == patient()
        else:
            with pytest.raises(ServerError):
                asyncio.run(run(f"https://{host}:{port[0]}/fhir"))


# ---------------------------------------------------------------- a server that is not there


@contextmanager
def black_hole() -> Iterator[int]:
    """Give a port where a connection is neither taken nor refused: the queue of those who wait is full."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield full.getsockname()[1]


async def slow_name(_host: str, _port: int) -> list[str]:
    await asyncio.sleep(30)
    return [PUBLIC]


async def at_home(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


@pytest.mark.parametrize(("resolve", "name"), [(slow_name, "a name that takes long"), (at_home, "a black hole")])
def test_a_server_that_cannot_be_reached_costs_the_budget_and_then_nothing(
    resolve: Callable[..., Any], name: str
) -> None:
    """FC-11: no read waits longer than all may together, and once it is known nobody waits or connects."""
    looked_up: list[str] = []

    async def counted(host: str, port: int) -> list[str]:
        looked_up.append(name)
        return await resolve(host, port)  # type: ignore[no-any-return]

    async def run(url: str) -> list[float]:
        took = []
        settings = site(url, private_network=True, callback_total=0.3, callback_connect=0.1)
        async with FhirClient(settings.policy(), settings.limits(), resolve=counted) as client:
            transport = httpx.ASGITransport(stub_app(settings, client=client))
            async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as http:
                for _ in range(3):
                    began = time.perf_counter()
                    assert (await http.post(PATH, json=lacking("patient", url) | {"prefetch": {}})).status_code == 412
                    took.append(time.perf_counter() - began)
        return took

    with black_hole() as port:
        first, *later = asyncio.run(run(f"http://ehr.example:{port}/fhir"))
    assert first < 0.3 + 0.1 + 0.25  # the last part is for a loaded machine
    assert len(looked_up) == 1
    assert max(later) < 0.25


def test_reads_that_waited_for_their_turn_do_not_tell_against_a_server() -> None:
    """FC-11: one slow answer held up fifteen reads; the server is asked again in the next call."""
    asked: list[str] = []

    async def slowly() -> bytes:
        await asyncio.sleep(0.3 if len(asked) == 1 else 0)
        return http_answer(patient())

    def answer(target: str, _headers: dict[str, str]) -> Any:
        asked.append(target)
        return slowly()

    async def run(port: int) -> None:
        url = f"http://ehr.example:{port}/fhir"
        policy = site(url, private_network=True).policy()
        async with FhirClient(policy, Limits(total=0.2, parallel=1), resolve=at_home) as client:
            first, second = client.session(url, "t"), None
            assert first is not None
            found = await asyncio.gather(*(first.read(f"Patient/p{n}") for n in range(16)), return_exceptions=True)
            assert all(isinstance(each, ServerError) for each in found)
            second = client.session(url, "t")
            assert second is not None
            assert await second.read("Patient/p1") == patient()

    with fhir_server(answer) as server:
        asyncio.run(run(httpx.URL(server).port or 0))
    assert asked == ["/fhir/Patient/p0", "/fhir/Patient/p1"]
