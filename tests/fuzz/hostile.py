"""A FHIR server that means ill: what it answers is late, cut, endless, redirected, or no FHIR at all."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import TYPE_CHECKING, Any

from canaries import MARK

if TYPE_CHECKING:
    from collections.abc import Callable

_WORD = f"{MARK}fhir"


def _json(document: Any, status: str = "200 OK") -> bytes:
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _bundle(choose: Random) -> dict[str, Any]:
    entry = {
        "resource": {"resourceType": choose.choice(("Observation", "Condition", _WORD)), "id": _WORD, "text": _WORD}
    }
    url = choose.choice((f"http://{_WORD}.example/", "?page=2", "http://127.0.0.1:1/fhir", "//x", "http://["))
    return {
        "resourceType": "Bundle",
        "link": [{"relation": "next", "url": url}],
        "entry": [entry] * choose.randrange(4),
    }


ANSWERS: tuple[Callable[[Random], bytes], ...] = (
    lambda choose: _json(_bundle(choose)),
    lambda _: _json({"resourceType": "Patient", "id": _WORD, "name": [{"text": _WORD}]}),
    lambda _: _json({"resourceType": "OperationOutcome", "issue": [{"diagnostics": _WORD}]}, "500 Oh"),
    lambda choose: _json({"error": _WORD}, choose.choice(("401 No", "403 No", "404 No", "429 Wait", "503 Down"))),
    lambda _: _json([_WORD]),
    lambda _: (
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/" + _WORD.encode() + b"\r\nContent-Length: 0\r\n\r\n"
    ),
    lambda _: b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{" + _WORD.encode(),
    lambda _: b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>",
    lambda _: b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    lambda _: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"[" * 1024 + b"\r\n",
    lambda _: _WORD.encode() + b"\r\n\r\n",
    lambda _: b"HTTP/1.1 200 OK\r\nX: \x00\xff\r\n\r\n",
    lambda _: b"",
)


async def start(seed: int) -> asyncio.Server:
    """Listen on a free port of this machine."""
    choose = Random(seed)  # noqa: S311 - a fixed sequence, not a secret

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            if choose.random() < 0.05:
                await asyncio.sleep(1)
            writer.write(choose.choice(ANSWERS)(choose))
            await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the caller is gone, or the run has ended
        finally:
            writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)
