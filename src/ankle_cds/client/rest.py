"""FHIR REST over httpx; this package alone opens outgoing connections.

A hook call may read what the EHR left out of prefetch. `FhirClient` lives as long as the service; a `Session` lives for
one hook call and holds its token, its budget of time and bytes, and the base it may read from. Every way a read can
fail is one ServerError: the other server did not do its part. https://cds-hooks.hl7.org/2.0/#fhir-resource-access
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from ankle_cds.client import network
from ankle_cds.client.access import Base, Policy, Reach, next_page, scope_reach
from ankle_cds.client.budget import Breaker, Limits
from ankle_cds.errors import RequestError, ServerError
from ankle_cds.fhir import read_json, write_json

if TYPE_CHECKING:
    import ssl
    from types import TracebackType
    from typing import Self

    from ankle_cds.client.network import Resolver

_SPECIFICATION = "https://cds-hooks.hl7.org/2.0/#fhir-resource-access"
_JSON = "application/fhir+json, application/json;q=0.9"
_OK = 200
_UNAVAILABLE = 503
_SERVER_ERROR = 500


class FhirClient:
    """Reads from the FHIR servers the policy allows; one connection pool per base, no cookies, no proxy, no redirect.

    Use as an async context manager, or call `aclose`. `transport` and `resolve` replace the network in tests.
    """

    def __init__(
        self,
        policy: Policy,
        limits: Limits | None = None,
        *,
        ca_file: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        resolve: Resolver = network.resolve,
    ) -> None:
        self.policy = policy
        self.limits = limits or Limits()
        self._transport = transport
        self._resolve = resolve
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._pools: dict[str, httpx.AsyncClient] = {}
        self._breakers: dict[str, Breaker] = {}

    async def __aenter__(self) -> Self:
        """Enter the context; nothing is opened before the first read."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()

    def session(
        self, url: str, token: str, *, expires_in: int | None = None, scope: str | None = None
    ) -> Session | None:
        """Open access to a FHIR server for one hook call, whose time starts now; None when we may not contact it.

        `expires_in` is the remaining life of the token in seconds, None when not known.
        """
        base = self.policy.allowed(url)
        if base is None or (expires_in is not None and expires_in <= 0):
            return None
        now = asyncio.get_running_loop().time()
        seconds = self.limits.total if expires_in is None else min(self.limits.total, expires_in)
        return Session(self, base, token, scope, deadline=now + seconds)

    def pool(self, base: Base) -> httpx.AsyncClient:
        """Give the connection pool of a base; the pools of two host names never share a TLS connection."""
        key = "loopback" if base not in self.policy.bases else base.url
        if key not in self._pools:
            self._tls = self._tls or network.certificates(self._ca_file)
            self._pools[key] = network.pool(self._tls, self._transport)
        return self._pools[key]

    def breaker(self, base: Base) -> Breaker | None:
        """Give the breaker of a base; None for a development server on this machine, which refuses at once."""
        if base not in self.policy.bases:
            return None
        return self._breakers.setdefault(base.url, Breaker(self.limits))

    async def address(self, base: Base) -> str | None:
        """Resolve a host once and check what came back; the connection then goes to the address that was checked.

        None where the name needs no check (this machine in development mode). Raises ServerError.
        """
        return await network.checked_address(base, self._resolve, loopback=self.policy.loopback)


@dataclass(slots=True)
class Session:
    """The reads of one hook call, all within one deadline (event loop time); the token goes to `base` only.

    No URL is asked for twice: whoever reads it again is given what came, or why nothing did.
    """

    client: FhirClient
    base: Base
    token: str = field(repr=False)
    scope: str | None
    deadline: float
    _bytes: int = 0
    _reads: dict[str, asyncio.Future[Any]] = field(default_factory=dict, repr=False)
    _address: asyncio.Future[str | None] | None = field(default=None, repr=False)
    _slots: asyncio.Semaphore | None = field(default=None, repr=False)

    def reach(self, resource_type: str, *, search: bool) -> Reach:
        """Tell how much of this type the token's scope lets us see."""
        return scope_reach(self.scope, resource_type, search=search)

    def url(self, query: str) -> str:
        """Give the URL of `Type/id` or `Type?search` below the base."""
        # Some servers refuse a bare `|`, which every FHIR token holds.
        return f"{self.base.url}/{quote(query, safe='/?&=,:')}"

    async def read(self, query: str) -> Any:
        """Read `Type/id` or `Type?search` below the base; the decoded JSON. Raises ServerError."""
        return await self._once(self.url(query))

    async def follow(self, link: str, pages: set[str]) -> Any:
        """Read the next page of a search, unless its link leaves the base or leads back to one of `pages`.

        `pages` are the URLs of the search that were read; this one is added. Raises ServerError.
        """
        target = next_page(self.base, f"{self.base.url}/", link)
        if target is None or target in pages:
            raise ServerError("The next page lies outside the FHIR base or repeats; it is not read.", cause="page")
        pages.add(target)
        return await self._once(target)

    async def _once(self, url: str) -> Any:
        if url not in self._reads:
            self._reads[url] = asyncio.ensure_future(self._read(url))
        return await self._reads[url]

    async def _read(self, url: str) -> Any:
        loop = asyncio.get_running_loop()
        self._slots = self._slots or asyncio.Semaphore(self.client.limits.parallel)
        breaker = self.client.breaker(self.base)
        begun = False  # a read that only waited for its turn says nothing about the server
        try:
            async with asyncio.timeout_at(self.deadline), self._slots:
                if breaker is not None and breaker.is_open(loop.time()):
                    message = "The FHIR server failed several times in a row; not asked again yet."
                    raise ServerError(message, cause="breaker")
                begun = True
                data = await self._get_twice(url)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            if breaker is not None and begun:
                breaker.failed(loop.time())
            cause = "timeout" if isinstance(error, (TimeoutError, httpx.TimeoutException)) else "connection"
            raise ServerError(f"The FHIR server could not be read ({type(error).__name__}).", cause=cause) from None
        except _StatusError as error:
            if breaker is not None and error.status >= _SERVER_ERROR:
                breaker.failed(loop.time())
            raise
        if breaker is not None:
            breaker.succeeded()
        try:
            return read_json(data)
        except RequestError:
            raise ServerError("The FHIR server's answer is not JSON.", spec=_SPECIFICATION, cause="json") from None

    async def _get_twice(self, url: str) -> bytes:
        """Read once more after a dropped connection or a 503, while at least half of the time is left."""
        try:
            return await self._get(url)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError, _StatusError) as error:
            left = self.deadline - asyncio.get_running_loop().time()
            dropped = not isinstance(error, _StatusError) or error.status == _UNAVAILABLE
            if not dropped or left < self.client.limits.total / 2:
                raise
        return await self._get(url)

    async def _get(self, url: str) -> bytes:
        limits = self.client.limits
        target, headers, extensions = await self._target(url)
        left = max(self.deadline - asyncio.get_running_loop().time(), 0.001)
        timeout = httpx.Timeout(min(limits.read, left), connect=min(limits.connect, left), pool=left)
        pool = self.client.pool(self.base)
        request = pool.build_request("GET", target, headers=headers, timeout=timeout, extensions=extensions)
        response = await pool.send(request, stream=True)
        try:
            if response.status_code != _OK:
                raise _StatusError(response.status_code)
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                message = "The FHIR server compressed its answer although it was asked not to."
                raise ServerError(message, cause="compressed")
            return await self._body(response)
        finally:
            await response.aclose()

    async def _body(self, response: httpx.Response) -> bytes:
        limits = self.client.limits
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            self._bytes += len(chunk)
            if len(body) > limits.response_bytes or self._bytes > limits.request_bytes:
                raise ServerError("The FHIR server's answer is larger than a hook call may read.", cause="size")
        return bytes(body)

    async def _target(self, url: str) -> tuple[httpx.URL, dict[str, str], dict[str, Any]]:
        """Turn a URL into what is sent: to the checked address, with the host's name for routing and certificate."""
        headers = {
            "Accept": _JSON,
            # Nothing is inflated, so that a small answer cannot become a large one.
            "Accept-Encoding": "identity",
            "Authorization": f"Bearer {self.token}",
        }
        if self._address is None:
            self._address = asyncio.ensure_future(self.client.address(self.base))
            # When every read was abandoned nobody waits for the address; its failure is already told.
            self._address.add_done_callback(lambda done: done.cancelled() or done.exception())
        target, routing, extensions = network.aimed(url, self.base, await asyncio.shield(self._address))
        return target, headers | routing, extensions


class _StatusError(ServerError):
    """The server answered, but not with the resource."""

    def __init__(self, status: int) -> None:
        super().__init__(f"The FHIR server answered {status}.", cause=str(status))
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: HTTP status, headers in lower case, decoded JSON body."""

    status: int
    headers: dict[str, str]
    body: Any


def get_json(url: str, *, timeout: float = 10.0) -> Answer:
    """GET a JSON document and wait at most `timeout` seconds; raises ServerError when there is no JSON answer."""
    return _call("GET", url, None, timeout)


def post_json(url: str, document: Any, *, timeout: float = 10.0) -> Answer:
    """POST a JSON document and wait at most `timeout` seconds; raises ServerError when there is no JSON answer."""
    return _call("POST", url, write_json(document), timeout)


@cache
def _default_tls() -> ssl.SSLContext:
    """Read the certificates of the authorities once: it costs more than the call."""
    return httpx.create_ssl_context(trust_env=False)


def _call(method: str, url: str, body: bytes | None, timeout: float) -> Answer:
    headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body is not None else {})
    try:
        with httpx.Client(verify=_default_tls(), trust_env=False, follow_redirects=False, timeout=timeout) as http:
            response = http.request(method, url, content=body, headers=headers)
        return Answer(response.status_code, dict(response.headers), read_json(response.content))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServerError(f"No answer from the service ({type(error).__name__}); check that it runs.") from None
    except RequestError:
        raise ServerError("The service's answer is not JSON.") from None
