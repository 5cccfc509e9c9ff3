"""One HTTP exchange as it stands on the wire: any method, any header, any bytes, and the answer as it came.

For examining a CDS service from outside, where what is sent is meant to be wrong. Nothing is repaired, decoded,
followed or remembered on the way. https://www.rfc-editor.org/rfc/rfc9110
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import httpx

from ankle_cds.client import network
from ankle_cds.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_MAX_ANSWER = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: status, headers in their order with names in lower case, the bytes, and how long it took."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    milliseconds: float

    def values(self, name: str) -> list[str]:
        """Give every value of a header; `name` in lower case."""
        return [value for given, value in self.headers if given == name]

    def header(self, name: str) -> str | None:
        """Give the only or first value of a header, None where it is not there; `name` in lower case."""
        return next(iter(self.values(name)), None)


class RawClient:
    """Makes exchanges until it is left; waits at most `timeout` seconds for each step of one.

    `ca_file` names further certificate authorities. No proxy and no cookie of the environment is used.
    """

    def __init__(self, *, timeout: float = 30.0, ca_file: str | None = None) -> None:
        self._http = httpx.Client(
            verify=network.certificates(ca_file), trust_env=False, follow_redirects=False, timeout=timeout
        )

    def __enter__(self) -> Self:
        """Enter the context; nothing is opened before the first exchange."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        self._http.close()

    def send(
        self, method: str, url: str, *, headers: Sequence[tuple[str, str]] = (), body: bytes | None = None
    ) -> Reply:
        """Send exactly these headers and bytes (Host and the length of the body are added) and take the answer.

        Raises ServerError where no whole answer came, or one above 16 MiB; the error holds nothing of it.
        """
        began = time.perf_counter()
        try:
            request = httpx.Request(method, url, headers=list(headers), content=body)
            response = self._http.send(request, stream=True)
            try:
                found = bytearray()
                for chunk in response.iter_raw():
                    found += chunk
                    if len(found) > _MAX_ANSWER:
                        raise ServerError("The service's answer is larger than it may be.")
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerError(f"No answer from the service ({type(error).__name__}); check that it runs.") from None
        took = 1000 * (time.perf_counter() - began)
        return Reply(response.status_code, tuple(_named(response)), bytes(found), took)


def _named(response: httpx.Response) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in response.headers.multi_items()]
