"""A service in production with registered clients, their key sets on a network of its own, and a clock to turn."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from ankle_cds.client import DocumentClient, FhirClient
from ankle_cds.service.admission import gate
from ankle_cds.settings import Settings, load
from ankle_cds.trust import ReplayError
from stub_service import PATH, hook_request, patient, stub_app
from tokens import changed, encode, jwk, key, nonce, sign

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = "https://cds.example"
CALL = BASE + PATH
EHR = "https://ehr.example"
JKU = f"{EHR}/.well-known/jwks.json"
OTHER = "https://other.example"
OTHER_JKU = f"{OTHER}/jwks.json"
FILE = "https://file.example"
WIDE = "https://wide.example"
WIDE_JKU = f"{WIDE}/jwks.json"
HIDDEN = "https://hidden.example"
HIDDEN_JKU = "https://private.example/jwks.json"
SHARED = "https://shared.example"
SHARED_JKU = f"{SHARED}/jwks.json"
NOW = 1_773_052_200.0
UNAUTHORIZED = (
    b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"login",'
    b'"details":{"text":"Unauthorized."}}]}'
)


def site(folder: Path, **changes: Any) -> Settings:
    """Give the settings of the site, as a file would."""
    key_set = folder / "file.jwks.json"
    if not key_set.exists():
        key_set.write_text(json.dumps({"keys": [jwk(key("file"), "k1"), jwk(key("file", "2048"), "r1")]}), "utf-8")
    clients = [
        {"iss": EHR, "jku": [{"url": JKU}], "fhir_servers": [{"url": f"{EHR}/r4"}]},
        {"iss": OTHER, "jku": [{"url": OTHER_JKU}]},
        {"iss": FILE, "key_set": str(key_set), "audiences": ["urn:ours"]},
        {"iss": WIDE, "jku": [{"url": WIDE_JKU}], "algs": ["ES384", "RS384", "ES256", "RS256", "PS384"]},
        {"iss": HIDDEN, "jku": [{"url": HIDDEN_JKU}]},
        {
            "iss": SHARED,
            "jku": [{"url": SHARED_JKU}],
            "tenants": [
                {"id": "north", "fhir_servers": [{"url": "https://north.example/r4"}]},
                {"id": "south", "fhir_servers": [{"url": "https://south.example/r4"}]},
            ],
        },
    ]
    given = {"public_base_url": BASE, "clients": clients, "port": 0, "memory": "none"} | changes
    return load(environment={}, **given)


class Gatehouse:
    """The service, a caller, and everything that goes in and out; counts what was attacked and what was let in."""

    def __init__(self, *, replay: Any = None, **changes: Any) -> None:
        self.now = NOW
        self.fetched: list[str] = []
        self.read: list[str] = []
        self.secrets: set[str] = set()
        self.attacks = self.let_in = 0
        self.max_age: int | None = 300
        ehr = [jwk(key("ehr"), "k1"), jwk(key("ehr", "2048"), "r1")]
        self.key_sets: dict[str, Any] = {
            JKU: ehr,
            OTHER_JKU: [jwk(key("other"), "k1")],
            WIDE_JKU: [jwk(key("wide"), "k1"), jwk(key("wide", "P-256"), "p1"), jwk(key("wide", "2048"), "r1")],
            HIDDEN_JKU: [jwk(key("ehr"), "k1")],
            SHARED_JKU: [jwk(key("shared"), "k1")],
        }
        self._folder = tempfile.TemporaryDirectory()
        self._runner = asyncio.Runner()
        self.settings = site(Path(self._folder.name), **changes)
        self.app = self.another(replay)

    def another(self, replay: Any = None) -> Any:
        """Make one more process of the service."""
        network = httpx.MockTransport(self._answer)
        settings = self.settings
        let_in = gate(
            settings,
            documents=DocumentClient(transport=network, resolve=_resolve, loopback=settings.development),
            replay=replay,
            now=lambda: self.now,
            clock=lambda: self.now,
        )
        fhir = FhirClient(settings.policy(), settings.limits(), transport=network, resolve=_resolve)
        self.gate = let_in
        return stub_app(settings, gate=let_in, client=fhir)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_given: object) -> None:
        self._runner.close()
        self._folder.cleanup()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        url = f"{request.url.scheme}://{request.headers['host']}{request.url.path}"
        if url not in self.key_sets:
            self.read.append(url)
            return httpx.Response(200, json=patient())
        self.fetched.append(url)
        await asyncio.sleep(0.01)  # long enough for other callers to come in
        told = self.key_sets[url]
        if callable(told):
            answer: httpx.Response = await told()
            return answer
        headers = {} if self.max_age is None else {"Cache-Control": f"private, max-age={self.max_age}"}
        return httpx.Response(200, json={"keys": told}, headers=headers)

    def token(
        self,
        header: dict[str, Any] | str | bytes | None = None,
        claims: dict[str, Any] | str | bytes | None = None,
        *,
        private: Any = None,
        signature: Callable[[bytes], bytes] | None = None,
        signed_as: str | None = None,
        of: str = EHR,
    ) -> str:
        """Give a token right in everything but what is changed; text in place of members is sent as it is."""
        usual = {
            EHR: (JKU, key("ehr")),
            OTHER: (OTHER_JKU, key("other")),
            FILE: (None, key("file")),
            WIDE: (WIDE_JKU, key("wide")),
            HIDDEN: (HIDDEN_JKU, key("ehr")),
            SHARED: (SHARED_JKU, key("shared")),
        }
        jku, own = usual[of]
        head: Any = {"alg": "ES384", "kid": "k1", "typ": "JWT"} | ({"jku": jku} if jku else {})
        body: Any = {"iss": of, "aud": CALL, "exp": int(self.now) + 300, "iat": int(self.now), "jti": nonce()}
        head = changed(head, header or {}) if not isinstance(header, (str, bytes)) else header
        body = changed(body, claims or {}) if not isinstance(claims, (str, bytes)) else claims
        signed = f"{encode(head)}.{encode(body)}"
        alg = signed_as or (head.get("alg") if isinstance(head, dict) else "ES384")
        made = sign(private or own, alg, signed)
        token = f"{signed}.{encode(signature(made) if signature else made)}"
        if isinstance(body, dict) and isinstance(body.get("jti"), str) and body["jti"]:
            self.secrets.add(body["jti"])
        return token

    def send(self, authorization: Any, path: str = PATH, method: str = "POST", **given: Any) -> httpx.Response:
        """Make one request; `authorization` is a value of the header, several values, or None."""
        return self._runner.run(self._send(authorization, path, method, **given))

    def send_all(self, values: list[str]) -> list[int]:
        """Make requests at the same time; gives the statuses."""

        async def run() -> list[int]:
            answers = await asyncio.gather(*(self._send(value, PATH, "POST") for value in values))
            return [answer.status_code for answer in answers]

        return self._runner.run(run())

    async def _send(
        self,
        authorization: Any,
        path: str,
        method: str,
        *,
        app: Any = None,
        headers: tuple[tuple[str, str], ...] = (),
        body: Any = None,
    ) -> httpx.Response:
        values = [authorization] if isinstance(authorization, str) else list(authorization or ())
        for value in values:
            self.secrets |= {part for part in value.replace(" ", ".").split(".") if len(part) > 16}
        transport = httpx.ASGITransport(app or self.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            content = json.dumps(hook_request() if body is None else body).encode() if method == "POST" else None
            sent = [*(("Authorization", value.encode("latin-1")) for value in values), *headers]
            if method == "POST":
                sent.append(("Content-Type", "application/json"))
            return await http.request(method, path, content=content, headers=sent)

    def bearer(self, header: Any = None, claims: Any = None, **given: Any) -> str:
        """Give the value of an Authorization header; takes what `token` takes."""
        return f"Bearer {self.token(header, claims, **given)}"

    def refused(self, authorization: Any, *, status: int = 401, **given: Any) -> httpx.Response:
        """Claim: this caller is not let in, and a 401 says no more than every other 401."""
        self.attacks += 1
        response = self.send(authorization, **given)
        self.let_in += response.status_code < 300
        assert response.status_code == status, response.text
        if status == 401:
            assert response.content == UNAUTHORIZED
            told = {name: value for name, value in response.headers.items() if name != "x-request-id"}
            assert told == {
                "www-authenticate": "Bearer",
                "cache-control": "no-store",
                "content-type": "application/json",
                "content-length": str(len(UNAUTHORIZED)),
                "vary": "Origin",
                "x-content-type-options": "nosniff",
            }
        return response

    def accepted(self, authorization: Any, **given: Any) -> httpx.Response:
        """Claim: this caller is let in."""
        response = self.send(authorization, **given)
        assert response.status_code == 200, response.text
        return response


async def _resolve(host: str, _port: int) -> list[str]:
    return ["10.0.0.7" if host == "private.example" else "93.184.216.34"]


def answering(status: int, body: bytes = b"", **headers: str) -> Any:
    """Give a key set's server that answers this."""

    async def answer() -> httpx.Response:
        return httpx.Response(status, content=body, headers=headers)

    return answer


class Down:
    """A store of used tokens that cannot be asked."""

    async def first_use(self, _issuer: str, _nonce: str, _until: float) -> bool:
        raise ReplayError("down")


ROWS: dict[str, Callable[[Gatehouse], None]] = {}


def row(name: str) -> Callable[[Callable[[Gatehouse], None]], Callable[[Gatehouse], None]]:
    """Name a function after its row of the matrix."""

    def take(function: Callable[[Gatehouse], None]) -> Callable[[Gatehouse], None]:
        assert name not in ROWS
        ROWS[name] = function
        return function

    return take
