"""The application: routes, and around them the one place that lets requests in and answers out."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

from ankle_cds import guidance, parameters
from ankle_cds.cards import CardSettings
from ankle_cds.client import FhirClient
from ankle_cds.errors import RequestError, RequestFault, ServiceFault
from ankle_cds.service import admission, answers, limits, log, traces
from ankle_cds.service.extensions import Extensions
from ankle_cds.service.metrics import Metrics
from ankle_cds.service.pace import Pace
from ankle_cds.service.remembering import Remembering
from ankle_cds.service.routes import ICON, Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ankle_cds.artifacts import Package
    from ankle_cds.hooks import Request as HookRequest
    from ankle_cds.prefetch import Drafts, PatientData
    from ankle_cds.service.routes import Respond
    from ankle_cds.settings import Settings
    from ankle_cds.trust import Gate

_NOT_FOUND = 404
_METHOD = 405
_TOO_LARGE = 413
_PREFLIGHT_STATUS = 204
_CARD_PARAMETERS = {
    "MaxCardsView": "max_cards_view",
    "MaxCardsOrder": "max_cards_order",
    "SmartLaunchUrl": "smart_launch_url",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
}


def create_app(
    packages: Mapping[str, Package],
    settings: Settings,
    clock: Callable[[], datetime],
    *,
    respond: Respond | None = None,
    client: FhirClient | None = None,
    gate: Gate | None = None,
    remembering: Remembering | None = None,
) -> Door:
    """Make the ASGI application that serves `packages`, keyed by service id.

    `clock` gives the time of evaluation, with its offset; it is asked once per call. `respond` turns one patient's data
    into cards (default: `guidance.respond` with what the site decided); `client` reads FHIR servers, `gate` lets in,
    and `remembering` is the memory (default: those of the settings). Raises ContentError when the settings do not
    permit serving.
    """
    settings.refuse_open_production()
    decided = guidance_settings(packages, settings)
    answer = respond or _guidance(packages, decided)

    def silent(package: Package, request: HookRequest, drafts: Drafts | None, now: datetime) -> bool:
        return guidance.no_card_can_fire(package, request, drafts, decided, now)

    fhir = client or FhirClient(
        settings.policy(), settings.limits(), ca_file=str(settings.ca_file) if settings.ca_file else None
    )

    remembering = remembering or Remembering.of(packages, settings)
    replay = remembering.replay() if remembering is not None else None

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as open_now:
            await open_now.enter_async_context(tracing.running())
            open_now.push_async_callback(fhir.aclose)
            if remembering is not None:
                await open_now.enter_async_context(remembering.running(clock))
            yield

    tracing = traces.of(settings)
    metrics = Metrics(packages)
    service = Service(
        packages=packages,
        settings=settings,
        clock=clock,
        client=fhir,
        gate=gate or admission.gate(settings, replay=replay),
        respond=answer,
        silent=silent,
        metrics=metrics,
        extensions=Extensions(packages, emitted=settings.emit_extensions),
        pace=Pace(settings.feedback_per_minute),
        remembering=remembering,
        traces=tracing,
    )
    app = Starlette(
        routes=service.routes(),
        exception_handlers={
            RequestError: _refused,
            answers.ServiceError: _unable,
            HTTPException: _http,
            Exception: _broken,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return Door(app, settings, metrics, tracing)


def guidance_settings(packages: Mapping[str, Package], settings: Settings) -> guidance.Settings:
    """Give what the site decided in the form `guidance.respond` takes, each parameter checked.

    Raises ContentError with the file and line of every parameter that no package declares, that has another type, or
    whose value breaks what the content asks of it.
    """
    given = parameters.decided(packages.values(), settings)
    defaults = {one.name: one.default for package in packages.values() for one in package.parameters}
    own = {
        field: given.pop(name, defaults.get(name))
        for name, field in _CARD_PARAMETERS.items()
        if name in given or name in defaults
    }
    base = settings.public_base_url or ""
    own["icon_url"] = f"{base}{ICON}" if base.startswith("https://") else None
    for_service = {one.name for package in packages.values() for one in package.parameters if one.service}
    of_logic = {name: value for name, value in given.items() if name not in for_service}
    return guidance.Settings(cards=CardSettings(uuid_key=settings.key("card uuids"), **own), parameters=of_logic)


def _guidance(packages: Mapping[str, Package], decided: guidance.Settings) -> Respond:
    """Bind `guidance.respond` to what the site decided; refuse to start with content that could not become a card."""
    for package in packages.values():
        guidance.check(package)

    def respond(package: Package, request: HookRequest, data: PatientData, now: datetime) -> guidance.Guidance:
        return guidance.respond(package, request, data, decided, now)

    return respond


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)  # noqa: S101  # registered for this class only
    request.scope["record"]["fault"] = error.fault.name
    request.scope["record"]["fields"] = [name for each in (error, *error.others) for name in each.diagnostics] or None
    return answers.refusal(error)


async def _unable(request: Request, error: Exception) -> Response:
    assert isinstance(error, answers.ServiceError)  # noqa: S101  # registered for this class only
    request.scope["record"]["fault"] = error.fault.name
    return answers.fault(error.fault)


async def _http(_request: Request, error: Exception) -> Response:
    """Answer what the router itself refuses."""
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this class only
    if error.status_code == _METHOD:
        allowed = sorted((error.headers or {}).get("Allow", "").split(", "))
        return answers.fault(RequestFault.METHOD, {"Allow": ", ".join(allowed)})
    if error.status_code == _NOT_FOUND:
        return answers.fault(RequestFault.NOT_FOUND)
    return answers.fault(ServiceFault.INTERNAL)


async def _broken(_request: Request, _error: Exception) -> Response:
    """Answer for a mistake of our own; the door logs it."""
    return answers.fault(ServiceFault.INTERNAL)


class Door:
    """Lets a request in if there is room, gives it an id, and sees that it is answered, signed, logged and counted."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics, tracing: traces.Traces) -> None:
        self.app = app
        self.settings = settings
        self.metrics = metrics
        self.traces = tracing
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: https://asgi.readthedocs.io/en/latest/specs/main.html ."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        scope["request_id"] = str(uuid.uuid4())
        scope["record"] = {}
        answer = _Answer(self.settings, scope, receive, send)
        self.in_flight += 1
        self.metrics.in_flight.inc()
        with self.traces.request(scope) as noted:
            try:
                app = self._refuse_early(scope) or self.app
                await app(scope, answer.receive, answer.send)
            except Exception as error:  # noqa: BLE001  # the last line: nothing a request does ends the process
                noted["error"] = type(error).__name__
                log.write_failure(scope["request_id"], error)
                if answer.status is None:
                    await answers.fault(ServiceFault.INTERNAL)(scope, answer.receive, answer.send)
            except asyncio.CancelledError:  # the service ends, and has waited for as long as it may
                if answer.status is None:
                    await answers.fault(ServiceFault.BUSY)(scope, answer.receive, answer.send)
            finally:
                noted["status"] = answer.status
                self.in_flight -= 1
                self.metrics.in_flight.dec()
        seconds = time.perf_counter() - began
        self.metrics.saw_request(scope["record"], answer.status, seconds)
        log.write(
            "request",
            request=scope["request_id"],
            method=scope["method"],
            status=answer.status,
            ms=round(1000 * seconds, 3),
            **scope["record"],
        )

    def saw_broken(self, request_id: str, fault: RequestFault) -> None:
        """Log and count what was refused before it was a request."""
        record = {"fault": fault.name}
        self.metrics.saw_request(record, fault.value.status, 0.0)
        log.write("request", request=request_id, status=fault.value.status, **record)

    def _refuse_early(self, scope: Scope) -> ASGIApp | None:
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > limits.MAX_URI_BYTES:
            return answers.fault(RequestFault.URI_TOO_LONG)
        if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > limits.MAX_HEADER_BYTES:
            return answers.fault(RequestFault.HEADERS_TOO_LARGE)
        if self.in_flight > self.settings.max_in_flight:
            return answers.fault(ServiceFault.BUSY)
        return None


class _Answer:
    """The way out of one request: adds the headers every answer has, and keeps its status for the log."""

    def __init__(self, settings: Settings, scope: Scope, receive: Receive, send: Send) -> None:
        self.settings = settings
        self.scope = scope
        self.send_on = send
        self.receive_on = receive
        self.status: int | None = None
        self.body_left = True

    async def receive(self) -> Message:
        message = await self.receive_on()
        self.body_left = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            answers.sign(headers, self.scope["request_id"])
            self._cross_origin(headers)
        elif self.status == _TOO_LARGE and self.body_left and not message.get("more_body", False):
            # The client may still be sending: it gets the whole answer first, then its bytes are read away.
            await self.send_on({**message, "more_body": True})
            await limits.drain(self.receive)
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self.send_on(message)

    def _cross_origin(self, headers: MutableHeaders) -> None:
        """Permit listed browser origins exactly, never a pattern and never with credentials.

        https://cds-hooks.hl7.org/2.0/#cors
        """
        origins = Headers(scope=self.scope).getlist("origin")
        if len(origins) == 1 and origins[0] in self.settings.cors_origins:
            headers["Access-Control-Allow-Origin"] = origins[0]
            if self.scope["method"] == "OPTIONS" and self.status == _PREFLIGHT_STATUS:
                headers.update(_PREFLIGHT)
