"""What each address answers. https://cds-hooks.hl7.org/2.0/#cds-hooks-api ."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from ankle_cds import elm, guidance, hooks, parameters, prefetch
from ankle_cds.cards import understood_by
from ankle_cds.errors import ServiceFault
from ankle_cds.fhir import read_json
from ankle_cds.service import answers, capabilities, description, log
from ankle_cds.service.admission import admit
from ankle_cds.service.feedback import read_feedback
from ankle_cds.service.limits import check_accept, check_head, read_body
from ankle_cds.service.traces import Traces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from starlette.requests import Request

    from ankle_cds.artifacts import Package
    from ankle_cds.client import FhirClient
    from ankle_cds.service.extensions import Extensions
    from ankle_cds.service.metrics import Metrics
    from ankle_cds.service.pace import Pace
    from ankle_cds.service.remembering import Remembering
    from ankle_cds.settings import Settings
    from ankle_cds.trust import Gate

    Respond = Callable[[Package, hooks.Request, prefetch.PatientData, datetime], guidance.Guidance]
    Silent = Callable[[Package, hooks.Request, prefetch.Drafts | None, datetime], bool]


_ROOT = "/cds-services"
_CAPABILITIES = "/capabilities"
ICON = "/icon.png"
"""Where the icon of our cards stands: https://cds-hooks.hl7.org/2.0/#source ."""
_ICON_FILE = Path(__file__).with_name("icon.png")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Everything the addresses share. From one request to the next only counts change, and what is remembered.

    `respond` makes the guidance from the data of one patient; `silent` tells, before any is read, that there is none.
    """

    packages: Mapping[str, Package]
    settings: Settings
    clock: Callable[[], datetime]
    client: FhirClient
    gate: Gate
    respond: Respond
    silent: Silent
    metrics: Metrics
    extensions: Extensions
    pace: Pace
    remembering: Remembering | None = None
    traces: Traces = field(default_factory=Traces)

    def routes(self) -> list[Route]:
        """Give one route per address, and none for a service id that discovery does not list."""
        routes = [
            Route(_ROOT, self.discovery, methods=["GET", "HEAD", "OPTIONS"]),
            Route(ICON, self.icon, methods=["GET", "HEAD"]),
            Route(_CAPABILITIES, self.capabilities, methods=["GET", "HEAD"]),
            Route("/openapi.json", self.openapi, methods=["GET", "HEAD"]),
            *(Route(f"/schemas/{name}.json", self.schema, methods=["GET", "HEAD"]) for name in description.PUBLISHED),
            Route("/health", self.health, methods=["GET", "HEAD"]),
            Route("/health/live", self.health, methods=["GET", "HEAD"]),
            Route("/health/ready", self.ready, methods=["GET", "HEAD"]),
        ]
        for service_id, package in self.packages.items():
            path = f"{_ROOT}/{service_id}"
            call = _Call(self, package, path)
            routes.append(Route(path, call.answer, methods=["POST", "OPTIONS"]))
            routes.append(Route(f"{path}/feedback", call.feedback, methods=["POST", "OPTIONS"]))
        return routes

    async def discovery(self, request: Request) -> Response:
        """List one entry per offered hook of each package, in a fixed order."""
        if request.method == "OPTIONS":
            return _options("GET, HEAD, OPTIONS")
        if self.settings.discovery_auth == "required":
            await admit(self.gate, request, _ROOT)
        check_accept(request.headers)
        entries = [
            {**entry, **self.extensions.of_service(package)}
            for package in self.packages.values()
            for entry in discovery_entries(package, self.settings)
        ]
        return answers.document({"services": entries}, headers={"Cache-Control": "no-cache"})

    async def icon(self, _request: Request) -> Response:
        """Give the icon that cards name as that of their source, 100 by 100 pixels."""
        return Response(_ICON_FILE.read_bytes(), media_type="image/png", headers={"Cache-Control": "max-age=86400"})

    async def capabilities(self, request: Request) -> Response:
        """Tell people what discovery tells programs, and what they have to agree on; who may ask is as there."""
        if self.settings.discovery_auth == "required":
            await admit(self.gate, request, _CAPABILITIES)
        page = capabilities.page(self.packages, self.settings)
        return Response(page, media_type="text/html", headers=capabilities.HEADERS)

    async def openapi(self, request: Request) -> Response:
        """Describe the addresses and what they take and answer: https://spec.openapis.org/oas/v3.1.0.html ."""
        check_accept(request.headers)
        document = description.openapi(self.packages, self._hooks(), self.settings)
        return answers.document(document, headers={"Cache-Control": "no-cache"})

    async def schema(self, request: Request) -> Response:
        """Give one JSON Schema: https://json-schema.org/draft/2020-12/schema ."""
        check_accept(request.headers)
        document = description.schema(PurePosixPath(request.url.path).stem, self._hooks())
        return answers.document(document, headers={"Cache-Control": "no-cache"})

    def _hooks(self) -> tuple[str, ...]:
        named = {name for package in self.packages.values() for name in offered_hooks(package)}
        return tuple(name for name in hooks.HOOKS if name in named)

    async def health(self, _request: Request) -> Response:
        """Say that the content is loaded and which version of it answers."""
        versions = {service_id: package.version for service_id, package in self.packages.items()}
        return answers.document({"status": "ok", "services": versions})

    async def ready(self, _request: Request) -> Response:
        """Say whether calls are answered: 503 where tokens cannot be checked because the memory is gone.

        Without a memory, or one that is not needed to let callers in, cards are shown as if nothing had been shown yet.
        """
        versions = {service_id: package.version for service_id, package in self.packages.items()}
        gone = self.remembering is not None and await self.remembering.memory.check() is not None
        memory = "none" if self.remembering is None else "unavailable" if gone else "ok"
        body = {"status": "degraded" if gone else "ok", "services": versions, "memory": memory}
        return answers.document(body, status=503 if gone and self.settings.effective_auth != "none" else 200)


@dataclass(frozen=True, slots=True)
class _Call:
    """One CDS service: a hook request comes in, cards go out."""

    service: Service
    package: Package
    path: str

    async def answer(self, http: Request) -> Response:
        if http.method == "OPTIONS":
            return _options("POST, OPTIONS")
        settings = self.service.settings
        caller = await admit(self.service.gate, http, self.path)
        check_head(http.headers, settings.max_body)
        record: dict[str, Any] = http.scope["record"]
        with self._part("read", record):
            body = await read_body(http, settings.max_body, settings.body_timeout)
        began = time.perf_counter()
        with self._part("parse", record):
            document = read_json(body, max_depth=settings.max_json_depth)
            request = hooks.read_request(
                document, offered_hooks(self.package), plain_http=settings.development, issuer=caller.issuer
            )
        record |= {"hookInstance": request.hook_instance, "hook": request.hook, "tolerated": request.tolerated or None}
        record["plan"] = f"{self.package.get(self.package.pathway)['id']}|{self.package.version}"
        now = self.service.clock()
        drafts = prefetch.read_drafts(request)
        if drafts is not None:
            record |= {"drafts": len(drafts.resources), "draftsDropped": drafts.foreign + drafts.unreadable or None}
        if self.service.silent(self.package, request, drafts, now):
            prefetch.check_identity(request, self.package)
            return answers.document({"cards": []})
        client = self.service.client if caller.may_have_read(request.fhir_server) else None
        with self._part("gather", record):
            data = await prefetch.gather(request, self.package, client, drafts, watch=self.service.traces.reading)
        record |= {"fetched": data.fetched or None, "unavailable": sorted(data.unavailable) or None}
        record["unread"] = dict(data.unread) or None
        if time.perf_counter() - began > settings.request_deadline:
            raise answers.ServiceError(ServiceFault.DEADLINE)
        with self._part("evaluate", record):
            given, data = self._evaluate(request, data, now, record)
        cards = given.cards
        if self.service.remembering is not None:
            told = self.service.remembering
            with self._part("memory", record):
                cards = await told.shown(self.package, request, given.made, caller=caller, now=now, record=record)
        record["actions"] = [card["source"]["topic"]["code"] for card in cards]
        record["cards"] = [card["uuid"] for card in cards if "uuid" in card] or None
        with self._part("encode", record):
            extension = self.service.extensions.of_answer(caller, data)
            return answers.document({"cards": understood_by(caller.supports, cards), **extension})

    async def feedback(self, http: Request) -> Response:
        """Take in feedback, all of it or none; each entry gives one log line, without any free text.

        With a memory it is on the disk before this answers; where that cannot be, the answer is 503.
        """
        if http.method == "OPTIONS":
            return _options("POST, OPTIONS")
        settings = self.service.settings
        # The specification names the service as audience; clients in use name the address they call.
        caller = await admit(self.service.gate, http, f"{self.path}/feedback", self.path)
        self.service.pace.check(caller.issuer)
        check_head(http.headers, settings.max_feedback_body)
        record: dict[str, Any] = http.scope["record"]
        with self._part("read", record):
            body = await read_body(http, settings.max_feedback_body, settings.body_timeout)
        with self._part("parse", record):
            entries = read_feedback(read_json(body, max_depth=settings.max_json_depth))
        self.service.pace.spend(caller.issuer, len(entries))
        if self.service.remembering is not None:
            with self._part("memory", record):
                await self.service.remembering.answered(entries, caller, self.service.clock(), record)
        for entry in entries:
            log.write("feedback", request=http.scope["request_id"], card=entry.card, outcome=entry.outcome)
            self.service.metrics.saw_feedback(entry.outcome, entry.reason)
        return answers.information("Feedback recorded.")

    @contextmanager
    def _part(self, name: str, record: dict[str, Any]) -> Iterator[None]:
        """Measure one part of a call for its line in the log, in milliseconds, and for traces."""
        began = time.perf_counter()
        with self.service.traces.part(name):
            yield
        record.setdefault("parts", {})[name] = round(1000 * (time.perf_counter() - began), 3)

    def _evaluate(
        self, request: hooks.Request, data: prefetch.PatientData, now: datetime, record: dict[str, Any]
    ) -> tuple[guidance.Guidance, prefetch.PatientData]:
        """Evaluate; where the logic stumbles over a record, once more without the records it cannot read.

        Gives the guidance and the data it was made from.
        """
        try:
            return self.service.respond(self.package, request, data, now), data
        except elm.EvaluationError as error:
            record["malformed"] = error.where or "unknown"
        given = guidance.request_parameters(self.package, request, data)
        usable = prefetch.without_malformed(data, request, self.package, given, now)
        record["unavailable"] = sorted(usable.unavailable)
        return self.service.respond(self.package, request, usable, now), usable


def _options(allow: str) -> Response:
    return Response(status_code=204, headers={"Allow": allow, **answers.NO_STORE})


def offered_hooks(package: Package) -> tuple[str, ...]:
    """Give the hooks a package offers, in the order in which discovery lists them."""
    named = {hook for spec in package.inputs for hook in spec.hooks}
    return tuple(hook for hook in hooks.HOOKS if hook in named)


def discovery_entries(package: Package, settings: Settings) -> list[dict[str, Any]]:
    """Give the discovery entries of one package; the description ends with what this site has set.

    https://cds-hooks.hl7.org/2.0/#discovery
    """
    plan = package.get(package.pathway)
    held = parameters.in_short(package, settings)
    return [
        {
            "hook": hook,
            "title": plan["title"],
            "description": f"{plan['description']} {held}" if held else plan["description"],
            "id": package.service_id,
            "prefetch": prefetch.templates(package, hook),
            **({"usageRequirements": plan["usage"]} if plan.get("usage") else {}),
            "version": settings.spec_version,
            "hookVersion": hooks.HOOKS[hook].version,
        }
        for hook in offered_hooks(package)
    ]
