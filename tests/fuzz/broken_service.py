"""A service in a few lines with one defect, to see whether the campaign finds it: `broken_service.py DEFECT`."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from http import HTTPStatus
from uuid import uuid4

NONE = "none"
_CARD = {
    "uuid": "00000000-0000-4000-8000-000000000000",
    "summary": "Summary",
    "detail": "Detail",
    "indicator": "info",
    "source": {"label": "Label"},
}
_numbers = itertools.count()


def _issue(code: str, text: str, **more: str) -> bytes:
    issue = {"severity": "error", "code": code, "details": {"text": text}, **more}
    return json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()


def _card(**changes: object) -> bytes:
    return json.dumps({"cards": [_CARD | changes]}).encode()


def _answer(defect: str, body: str) -> tuple[int, bytes, str]:
    number = next(_numbers)
    document = json.loads(body)
    name = document.get("prefetch", {}).get("patient", {}).get("name", [{}])[0].get("family", "none")
    unlike = _card(summary=f"Summary {number}")
    answers: dict[str, tuple[int, bytes]] = {
        "cards": (200, _card()),
        "traceback": (500, b'Traceback (most recent call last):\n  File "app.py", line 1, in <module>'),
        "our_own_error": (500, _issue("exception", "Internal error.")),
        "echo": (400, _issue("value", "Field has the wrong type or is empty.", diagnostics=name)),
        "echo_as_text": (400, _issue("value", f"Not a name: {name}")),
        "not_json": (200, b"<p>No cards</p>"),
        "shows_the_name": (200, _card(detail=f"For {name}")),
        "shows_html": (200, _card(detail="<b>Detail</b>")),
        "unlike_the_first": (200, unlike),
        "null": (200, b'{"cards": [], "extension": null}'),
        "status": (418, _issue("value", "Field has the wrong type or is empty.")),
    }
    return *answers.get(defect, answers["cards"]), "text/html" if defect in {
        "not_json",
        "traceback",
    } else "application/json"


async def _serve(defect: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        sizes = [line.partition(":")[2] for line in head.lower().split("\r\n") if line.startswith("content-length:")]
        body = (await reader.readexactly(int(sizes[0]) if sizes else 0)).decode("utf-8", "replace")
        if head.startswith("GET"):
            answer: tuple[int, bytes, str] = (200, b'{"services": []}', "application/json")
        else:
            answer = await _misbehave(defect, body)
        status, content, kind = answer
        lines = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(content) + (defect == 'too_short')}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            f"X-Request-Id: {'1' if defect == 'no_id' else uuid4()}",
        )
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        await writer.drain()


async def _misbehave(defect: str, body: str) -> tuple[int, bytes, str]:
    if defect == "hangs":
        await asyncio.sleep(60)
    if defect == "dies":
        os._exit(3)
    if defect == "reads_anything":
        return 200, _card(), "application/json"
    try:
        json.loads(body)
    except ValueError:
        return 400, _issue("structure", "Body is not valid JSON."), "application/json"
    if defect == "logs_the_body":
        sys.stderr.write(json.dumps({"event": "request", "ms": 1, "status": 200, "body": body}) + "\n")
    if defect == "logs_a_trace":
        sys.stderr.write('{"event": "failure", "error": "KeyError", "trace": ["app.py:1 answer"]}\n')
    if defect == "prints":
        sys.stderr.write("Traceback (most recent call last):\n")
    sys.stderr.flush()
    return _answer(defect, body)


async def _main(defect: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _serve(defect, reader, writer)
        except (OSError, EOFError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sys.stderr.write(json.dumps({"event": "listening", "port": server.sockets[0].getsockname()[1]}) + "\n")
    sys.stderr.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
