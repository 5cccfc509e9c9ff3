"""What is checked before a body is understood: how much, how fast, in which form, and what the caller can take back."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from ankle_cds.errors import RequestError, RequestFault

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.requests import Request
    from starlette.types import Receive

MAX_HEADER_BYTES = 16 * 1024
MAX_URI_BYTES = 8 * 1024
_PRODUCED = frozenset({"application/json", "application/fhir+json", "application/*", "*/*"})
_NO_WEIGHT = re.compile(r"q=0(?:\.0{0,3})?")
_DRAIN_BYTES = 64 * 1024 * 1024
_DRAIN_SECONDS = 5.0


def check_head(headers: Headers, max_body: int) -> None:
    """Check declared length, content type and encoding, and Accept, in this order; raises RequestError."""
    length = headers.get("content-length", "0")
    if not re.fullmatch(r"[0-9]{1,18}", length) or int(length) > max_body:
        raise RequestError(RequestFault.TOO_LARGE)
    kinds = headers.getlist("content-type")
    if len(kinds) != 1 or not _is_json(kinds[0]):
        raise RequestError(RequestFault.MEDIA_TYPE)
    if any(coding.strip().lower() != "identity" for coding in headers.getlist("content-encoding")):
        raise RequestError(RequestFault.ENCODING)
    check_accept(headers)


def check_accept(headers: Headers) -> None:
    """Refuse a caller that says it cannot take JSON; without an Accept header everything is taken."""
    accepted = headers.getlist("accept")
    ranges = [part for value in accepted for part in value.split(",") if part.strip()]
    if accepted and not any(_takes_json(part) for part in ranges):
        raise RequestError(RequestFault.NOT_ACCEPTABLE)


def _is_json(content_type: str) -> bool:
    kind, *given = (part.strip().lower() for part in content_type.split(";"))
    charsets = [part.partition("=")[2].strip('"') for part in given if part.startswith("charset=")]
    return kind == "application/json" and all(charset in {"utf-8", "utf8"} for charset in charsets)


def _takes_json(media_range: str) -> bool:
    kind, *given = (part.strip().lower() for part in media_range.split(";"))
    return kind in _PRODUCED and not any(_NO_WEIGHT.fullmatch(part) for part in given)


async def read_body(request: Request, max_body: int, seconds: float) -> bytes:
    """Read the body, at most `max_body` bytes within `seconds`; raises RequestError as soon as either is passed."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_body:
                    raise RequestError(RequestFault.TOO_LARGE)
    except TimeoutError:
        raise RequestError(RequestFault.SLOW_BODY) from None
    except ClientDisconnect:
        raise RequestError(RequestFault.NOT_JSON) from None
    return bytes(body)


async def drain(receive: Receive) -> None:
    """Read on and forget what is left of a refused body, within limits.

    A connection closed with unread bytes is reset, and a client that is still sending would lose the answer.
    """
    left = _DRAIN_BYTES
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return
