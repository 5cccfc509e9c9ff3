"""CPU of the server per request: our service against a bare Starlette app that parses the body and answers no cards.

    python tests/bench_request.py [--seconds 4] [--rounds 3] [--body-bytes 50000] [--story NAME]

Both run in one sitting under the same uvicorn, alternating, one process each; user and system time come from the
operating system's accounting of the server process. The answer is a ratio; requests per second on a shared machine are
not printed. A run with any answer but 200 is void, and so is a sitting whose readings of the bare app differ by more
than a quarter. The last line is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

CONNECTIONS = 8
TICKS = os.sysconf("SC_CLK_TCK")
VOID = 0.25


def main() -> int:
    """Measure, or be one of the two servers."""
    options = arguments()
    if options.serve:
        return serve(options.serve, options.port, options.clock)
    story, document = request(options.story, options.body_bytes)
    body = json.dumps(document).encode()
    path = f"/cds-services/{story.condition}"
    say(f"story {story.id}, hook {story.hook}, body {len(body)} bytes, load {os.getloadavg()[0]:.1f}")
    readings: dict[str, list[float]] = {"bare": [], "service": []}
    for number in range(options.rounds):
        for name in ("bare", "service", "bare"):
            used, cards = measure(name, path, body, options.seconds, story.clock.isoformat())
            readings[name].append(used)
            say(f"  round {number + 1}  {name:8} {used:8.0f} us CPU a request, {cards} cards")
    floor, ours = (statistics.median(readings[name]) for name in ("bare", "service"))
    spread = (max(readings["bare"]) - min(readings["bare"])) / floor
    report = {
        "goal": "P1",
        "body_bytes": len(body),
        "floor_us": round(floor),
        "value_us": round(ours),
        "range_us": [round(min(readings["service"])), round(max(readings["service"]))],
        "ratio": round(ours / floor, 2),
        "void": spread > VOID,
        "versions": {name: version(name) for name in ("starlette", "uvicorn", "pydantic")}
        | {"python": platform.python_version()},
    }
    say(f"ratio {report['ratio']}  (bare {floor:.0f} us, service {ours:.0f} us; bare differs by {spread:.0%})")
    say(json.dumps(report))
    return 1 if report["void"] else 0


def say(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one reading; the clock tick is 10 ms")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--body-bytes", type=int, default=50_000)
    parser.add_argument("--story", default=None, help="example story (default: the first whose answer has a card)")
    parser.add_argument("--serve", choices=("bare", "service"), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--clock", type=datetime.fromisoformat, help=argparse.SUPPRESS)
    return parser.parse_args()


def request(name: str | None, size: int) -> tuple[Any, dict[str, Any]]:
    """Give a story and its request, filled up with unrelated Observations to about `size` bytes."""
    from ankle_cds import artifacts, prefetch, stories  # noqa: PLC0415  # the bare server must not load it

    known = {
        story.id: story
        for story in stories.read_all()
        if not (story.parameters or story.after) and story.status == stories.OK
    }
    story = known[name] if name else next(story for story in known.values() if story.expect)
    package = artifacts.load_all()[story.condition]
    document: dict[str, Any] = story.request(prefetch.templates(package, story.hook))
    context = document["context"]
    findings = document["prefetch"].setdefault("findings", None) or {"resourceType": "Bundle", "type": "searchset"}
    document["prefetch"]["findings"] = findings
    entries = findings.setdefault("entry", [])
    number = 0
    while len(json.dumps(document)) < size:
        number += 1
        entries.append({"resource": _observation(number, context["patientId"])})
    return story, document


def _observation(number: int, patient: str) -> dict[str, Any]:
    vital = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        "resourceType": "Observation",
        "id": f"unrelated-{number}",
        "status": "final",
        "category": [{"coding": [{"system": vital, "code": "exam"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}], "text": "Unrelated reading"},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-01-10T08:30:00Z",
        "valueQuantity": {"value": 120.5 + number, "unit": "mm[Hg]", "system": "http://unitsofmeasure.org"},
    }


def measure(name: str, path: str, body: bytes, seconds: float, clock: str) -> tuple[float, int]:
    """Start one server, load it, and give its CPU microseconds per request and the number of cards it answered."""
    port = _free_port()
    command = [sys.executable, __file__, "--serve", name, "--port", str(port), "--clock", clock]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:  # noqa: S603  # ourselves
        try:
            return asyncio.run(_load(server.pid, port, path, body, seconds))
        finally:
            server.terminate()


async def _load(pid: int, port: int, path: str, body: bytes, seconds: float) -> tuple[float, int]:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    message = head.encode() + body
    first = await _first_answer(port, message)
    await _run(port, message, 0.5)
    before, began = _cpu(pid), time.perf_counter()
    counts = await _run(port, message, seconds)
    used = _cpu(pid) - before
    assert time.perf_counter() - began > 1, "a reading must be much longer than a clock tick"
    return 1_000_000 * used / counts, len(json.loads(first)["cards"])


async def _run(port: int, message: bytes, seconds: float) -> int:
    ends = time.perf_counter() + seconds
    return sum(await asyncio.gather(*(_connection(port, message, ends) for _ in range(CONNECTIONS))))


async def _connection(port: int, message: bytes, ends: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = 0
    while time.perf_counter() < ends:
        await _ask(reader, writer, message)
        answered += 1
    writer.close()
    return answered


async def _first_answer(port: int, message: bytes) -> bytes:
    for _ in range(300):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        answer = await _ask(reader, writer, message)
        writer.close()
        return answer
    raise RuntimeError("The server did not start; run it by hand with --serve to see why.")


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes) -> bytes:
    writer.write(message)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    body = await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
    if not head.startswith(b"http/1.1 200 "):
        raise RuntimeError(f"Void: the server answered {head[:12]!r} {body!r}.")
    return body


def _cpu(pid: int) -> float:
    """Give user and system seconds of a process, from the operating system (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _free_port() -> int:
    import socket  # noqa: PLC0415  # used here only

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(name: str, port: int, clock: datetime) -> int:
    """Be the server: ours, or the bare one with the same decoder, server and garbage collector."""
    from ankle_cds.settings import Settings  # noqa: PLC0415  # the parent needs none of this

    settings = Settings(mode="development", port=port)
    from ankle_cds.service.server import run  # noqa: PLC0415  # as above

    run(_service(settings, clock) if name == "service" else _bare(), settings)
    return 0


def _service(settings: Any, clock: datetime) -> Any:
    from ankle_cds import artifacts  # noqa: PLC0415  # as above
    from ankle_cds.service import create_app  # noqa: PLC0415  # as above

    return create_app(artifacts.load_all(), settings, lambda: clock)


def _bare() -> Any:
    from starlette.applications import Starlette  # noqa: PLC0415  # as above
    from starlette.responses import Response  # noqa: PLC0415  # as above
    from starlette.routing import Route  # noqa: PLC0415  # as above

    async def answer(request: Any) -> Response:
        json.loads(await request.body())
        return Response(b'{"cards":[]}', media_type="application/json")

    return Starlette(routes=[Route("/cds-services/{service}", answer, methods=["POST"])])


if __name__ == "__main__":
    sys.exit(main())
