"""A service without clinical content: real hooks, prefetch, client and HTTP, and one card that tells what it saw."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ankle_cds import prefetch
from ankle_cds.service import background, create_app
from ankle_cds.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICE = "posterior-ankle-impingement"
PATH = f"/cds-services/{SERVICE}"
NOW = datetime(2026, 3, 9, 10, 30, tzinfo=UTC)
BOTH = ("encounter-start", "patient-view")


@dataclass(frozen=True)
class StubInput:
    key: str
    pattern: str
    need: str = "optional"
    hooks: tuple[str, ...] = BOTH


@dataclass(frozen=True)
class StubPackage:
    """What the service asks of a package; the inputs are those of the content."""

    service_id: str = SERVICE
    version: str = "0.1.0"
    inputs: tuple[StubInput, ...] = (
        StubInput("patient", "Patient/{{context.patientId}}", "required"),
        StubInput("encounter", "Encounter/{{context.encounterId}}", "required", ("encounter-start",)),
        StubInput(
            "encounters", "Encounter?patient={{context.patientId}}&status=arrived", "required", ("patient-view",)
        ),
        StubInput("conditions", "Condition?patient={{context.patientId}}"),
        StubInput("findings", "Observation?patient={{context.patientId}}&category=exam,survey"),
        StubInput("scores", "Observation?patient={{context.patientId}}&code=http://loinc.org|72514-3"),
        StubInput("allergies", "AllergyIntolerance?patient={{context.patientId}}"),
        StubInput("user", "{{context.userId}}"),
    )
    program: Any = field(default_factory=lambda: SimpleNamespace(parameters={}, definitions=frozenset()))

    parameters: tuple[Any, ...] = ()
    constraints: tuple[Any, ...] = ()
    pathway: str = "https://example.org/PlanDefinition/Pathway"

    def of_type(self, _kind: str) -> tuple[dict[str, Any], ...]:
        return ()

    def get(self, canonical: str) -> dict[str, Any]:
        assert canonical == self.pathway
        return {"id": "Pathway", "title": "Title", "description": "Description", "usage": "Usage"}


PACKAGE = StubPackage()


def respond(package: Any, _request: Any, data: prefetch.PatientData, now: datetime) -> Any:
    """Refuse what is missing, else answer with one card whose detail is what the logic would see."""
    prefetch.settle(data, {}, package.program.definitions)
    seen = {
        "resources": [f"{each['resourceType']}/{each.get('id')}" for each in data.resources],
        "states": {key: state.value for key, state in data.states.items()},
        "unavailable": sorted(data.unavailable),
        "fetched": data.fetched,
        "now": now.isoformat(),
    }
    card = {"summary": "Stub", "detail": json.dumps(seen), "source": {"topic": {"code": "Stub"}}}
    return SimpleNamespace(cards=(card,), made=())


def development(**given: Any) -> Settings:
    """Settings of a test; the deadline is a minute unless it is what is tried, for the machine may be busy."""
    return Settings(**({"mode": "development", "port": 0, "request_deadline": 60} | given))


def stub_app(
    settings: Settings | None = None, *, respond: Callable[..., Any] = respond, package: Any = PACKAGE, **given: Any
) -> Any:
    return create_app({SERVICE: package}, settings or development(), lambda: NOW, respond=respond, **given)


@contextmanager
def served(settings: Settings | None = None, **given: Any) -> Iterator[str]:
    """Serve over a real socket; gives the base URL."""
    settings = settings or development()
    with background(stub_app(settings, **given), settings) as url:
        yield url


def patient(identity: str = "p1", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": identity, **more}


def of_patient(kind: str, identity: str, subject: str = "Patient/p1", **more: Any) -> dict[str, Any]:
    element = "patient" if kind == "AllergyIntolerance" else "subject"
    return {"resourceType": kind, "id": identity, element: {"reference": subject}, **more}


def bundle(*resources: Any, next_link: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    found["entry"] = [{"resource": each} for each in resources]
    if next_link is not None:
        found["link"] = [{"relation": "next", "url": next_link}]
    return found


def outcome(severity: str = "error") -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": "processing"}]}


def hook_request(hook: str = "encounter-start", **changes: Any) -> dict[str, Any]:
    """Give a complete request; `changes` replace members, None keeps its meaning (JSON null)."""
    return {
        "hook": hook,
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/d1", "patientId": "p1", "encounterId": "e1"},
        "prefetch": {
            "patient": patient(),
            "encounter": of_patient("Encounter", "e1"),
            "encounters": bundle(of_patient("Encounter", "e1")),
            "conditions": bundle(of_patient("Condition", "c1")),
            "findings": bundle(),
            "scores": bundle(),
            "allergies": None,
            "user": {"resourceType": "Practitioner", "id": "d1"},
        },
        **changes,
    }


def without(document: dict[str, Any], *path: str) -> dict[str, Any]:
    """Give a copy of a document without the member at `path`."""
    head, *rest = path
    if rest:
        return {**document, head: without(document[head], *rest)}
    return {name: value for name, value in document.items() if name != head}


def seen(body: Any) -> dict[str, Any]:
    """Read back what the stub card was given."""
    (card,) = body["cards"]
    found: dict[str, Any] = json.loads(card["detail"])
    return found


Answer = bytes | Awaitable[bytes] | AsyncIterator[bytes]


@contextmanager
def fhir_server(handle: Callable[[str, dict[str, str]], Answer]) -> Iterator[str]:
    """Serve raw HTTP answers from another thread; `handle` gets target and headers and gives the bytes to send."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
            answer = handle(head[0].split(" ")[1], headers)
            if isinstance(answer, AsyncIterator):
                async for part in answer:
                    writer.write(part)
                    await writer.drain()
            else:
                writer.write(answer if isinstance(answer, bytes) else await answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(connected, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/fhir"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def http_answer(body: Any, status: str = "200 OK", *headers: str) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status}", "content-type: application/fhir+json", f"content-length: {len(data)}"]
    return "\r\n".join([*head, "connection: close", *headers, "", ""]).encode() + data


def authorization(**more: Any) -> dict[str, Any]:
    return {"access_token": "canary-token", "token_type": "Bearer", "expires_in": 300, "scope": "user/*.read", **more}
