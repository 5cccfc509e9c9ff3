"""Traces for a collector, over OTLP: https://opentelemetry.io/docs/specs/otlp/ . Only this module knows OpenTelemetry.

A request is a span named as the conventions for HTTP say, with a span for each of its parts and each FHIR read. What
they hold is a list below, part of what the log holds. Spans wait in a queue of fixed length and are sent by a thread of
its own, so that no answer waits for a collector.
https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ankle_cds import __version__
from ankle_cds.errors import RequestError
from ankle_cds.service.traces import Traces

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from opentelemetry.trace import Span
    from starlette.types import Scope

    from ankle_cds.service.traces import Noted

_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_OF_RECORD = ("hookInstance", "hook", "plan", "actions", "unavailable", "fault")
_OURS = "ankle_cds."
_SEND_SECONDS = 5.0
_DRAIN_SECONDS = 2.0
_SERVER_ERROR = 500


class Collector(Traces):
    """Sends spans to `endpoint`, a whole URL, while `running`.

    The variables of OpenTelemetry's environment set what is not set here: headers and certificates of the exporter,
    the sampler, attributes of the resource.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        resource = Resource.create({"service.name": "ankle-cds", "service.version": __version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._tracer = self._provider.get_tracer("ankle_cds", __version__)

    @contextmanager
    def request(self, scope: Scope) -> Iterator[Noted]:
        """Make the server span of a request, within the caller's trace where it names one."""
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        with self._span(method, SpanKind.SERVER, _callers(scope)) as (span, noted):
            try:
                yield noted
            finally:
                _describe(span, method, scope, noted)

    @contextmanager
    def part(self, name: str) -> Iterator[Noted]:
        """Make the span of a part; a refusal of the request is no failure of it."""
        with self._span(name, SpanKind.INTERNAL) as (_, noted):
            yield noted

    @contextmanager
    def reading(self, key: str) -> Iterator[Noted]:
        """Make the span of a FHIR read: the name of the key and what became of it, neither URL nor token."""
        with self._span("fhir read", SpanKind.CLIENT) as (_, noted):
            noted["input"] = key
            yield noted

    @contextmanager
    def _span(self, name: str, kind: SpanKind, context: Context | None = None) -> Iterator[tuple[Span, Noted]]:
        # An exception is told by its class: its message may quote what it stumbled over.
        with self._tracer.start_as_current_span(
            name, context, kind, record_exception=False, set_status_on_exception=False
        ) as span:
            noted: Noted = {}
            try:
                yield span, noted
            except RequestError:
                raise
            except BaseException as error:
                noted["error"] = type(error).__name__
                raise
            finally:
                _note(span, noted)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Begin to send, and at the end send what is left for at most two seconds."""
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter()))
        try:
            yield
        finally:
            ending = threading.Thread(target=self._provider.shutdown, name="last traces", daemon=True)
            ending.start()
            await asyncio.to_thread(ending.join, _DRAIN_SECONDS)

    def _exporter(self) -> OTLPSpanExporter:
        # Each attempt that fails would be a line of the log; one for the batch that is given up is enough.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)
        session = requests.Session()
        session.trust_env = False  # as for every connection we open: no proxy and no password from the environment
        return OTLPSpanExporter(self._endpoint, timeout=_SEND_SECONDS, session=session)


def _callers(scope: Scope) -> Context:
    """Give the trace of the caller, an empty one where the header is missing, broken or there twice.

    Its `tracestate` is left out: it is free text of somebody else. https://www.w3.org/TR/trace-context/
    """
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"]
    carrier = {"traceparent": given[0]} if len(given) == 1 else {}
    return TraceContextTextMapPropagator().extract(carrier, Context())


def _describe(span: Span, method: str, scope: Scope, noted: Noted) -> None:
    """Name a request and say what it was about; a path that is none of ours is not told, it may say anything."""
    route = getattr(scope.get("route"), "path", None)
    attributes: dict[str, Any] = {"http.request.method": method, "url.scheme": scope["scheme"]}
    if route is not None:
        span.update_name(f"{method} {route}")
        attributes |= {"http.route": route, "url.path": route}
    status = noted.pop("status", None)
    if status is not None:
        attributes["http.response.status_code"] = status
    record = scope["record"]
    attributes |= {_OURS + name: record[name] for name in _OF_RECORD if record.get(name)}
    attributes[f"{_OURS}request"] = scope["request_id"]
    span.set_attributes(attributes)
    if status is not None and status >= _SERVER_ERROR:
        noted.setdefault("error", str(status))


def _note(span: Span, noted: Noted) -> None:
    error = noted.pop("error", None)
    span.set_attributes({_OURS + name: value for name, value in noted.items()})
    if error is not None:
        span.set_attribute("error.type", error)
        span.set_status(StatusCode.ERROR)
