"""JSON documents that a site has registered by their exact URL, such as the key sets of its clients.

https://cds-hooks.hl7.org/2.0/#trusting-cds-clients
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from ankle_cds.client import network
from ankle_cds.errors import RequestError, ServerError
from ankle_cds.fhir import read_json

if TYPE_CHECKING:
    import ssl

    from ankle_cds.client.access import Base
    from ankle_cds.client.network import Resolver

_OK = 200
_DEPTH = 8
_MAX_AGE = re.compile(r'max-age="?([0-9]{1,9})"?')


@dataclass(frozen=True, slots=True)
class Document:
    """A decoded JSON document, and for how many seconds its server says it may be kept; None when it does not say."""

    body: Any
    max_age: int | None


class DocumentClient:
    """Reads documents within limits of time and size, from public addresses only unless the entry says otherwise.

    `loopback` also permits this machine over http (development); `transport` and `resolve` are for tests.
    """

    def __init__(
        self,
        *,
        loopback: bool = False,
        seconds: float = 2.0,
        max_bytes: int = 64 * 1024,
        ca_file: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        resolve: Resolver = network.resolve,
    ) -> None:
        self._loopback = loopback
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._ca_file = ca_file
        self._transport = transport
        self._resolve = resolve
        self._tls: ssl.SSLContext | None = None

    async def get(self, url: str, base: Base) -> Document:
        """Read the document at `url`, whose parts are `base`.

        Raises ServerError: not reachable or not in time, address not permitted, a redirect or any status but 200, too
        large, compressed, not JSON. The error holds nothing of the answer.
        """
        try:
            async with asyncio.timeout(self._seconds):
                address = await network.checked_address(base, self._resolve, loopback=self._loopback)
                response, data = await self._read(*network.aimed(url, base, address))
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ServerError(f"The document could not be read ({type(error).__name__}).") from None
        try:
            body = read_json(data, max_depth=_DEPTH)
        except RequestError:
            raise ServerError("The document is not JSON.") from None
        age = _MAX_AGE.search(response.headers.get("cache-control", "").lower())
        return Document(body, int(age[1]) if age else None)

    async def _read(
        self, target: httpx.URL, headers: dict[str, str], extensions: dict[str, Any]
    ) -> tuple[httpx.Response, bytes]:
        self._tls = self._tls or network.certificates(self._ca_file)
        asked = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        async with (
            network.pool(self._tls, self._transport) as http,
            http.stream("GET", target, headers=asked, timeout=self._seconds, extensions=extensions) as response,
        ):
            if response.status_code != _OK:
                raise ServerError(f"The server of the document answered {response.status_code}.")
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise ServerError("The server compressed the document although it was asked not to.")
            data = bytearray()
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > self._max_bytes:
                    raise ServerError("The document is larger than it may be.")
        return response, bytes(data)
