"""The stage: our service over real HTTP on this machine, at the time and with the configuration of one story."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from ankle_cds import artifacts, client, guidance, settings
from ankle_cds.fhir import read_json_file
from ankle_cds.service import Remembering, background, create_app, guidance_settings
from ankle_cds.stories import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from starlette.types import ASGIApp, Receive, Scope, Send

    from ankle_cds.hooks import Request
    from ankle_cds.prefetch import PatientData
    from ankle_cds.stories import Answered, Story

_PATIENCE = 60.0  # seconds
_MEMORY = 10.0  # seconds: the most a site may wait for it


@dataclass(frozen=True, slots=True)
class Played:
    """The service's answer to one request: HTTP status, JSON body, and the milliseconds between question and answer.

    The milliseconds are the service's, from the request's first byte to the last of the answer; what the EHR's own
    HTTP client takes to open a connection is not in them.

    `guidance` is what the service decided on the way, with its reasons; None where it decided nothing. It stays in this
    process: the wire carries the cards only.
    """

    status: int
    body: Any
    milliseconds: float
    guidance: guidance.Guidance | None


class Stage:
    """Runs the service while the context is open; `url` is where. `port` 0 takes a free one.

    What a site configures is read at start by a real service, so each set of parameters has an application of its own
    and `play` puts the right one in front.
    """

    def __init__(self, packages: Mapping[str, artifacts.Package] | None = None, *, port: int = 0) -> None:
        self.packages = packages or artifacts.load_all()
        self._port = port
        self._now: datetime | None = None
        self._apps: dict[str, ASGIApp] = {}
        self._guidance: guidance.Guidance | None = None
        self._milliseconds = 0.0
        self._front = self._app({})
        self._open = ExitStack()
        self.url = ""

    def __enter__(self) -> Self:
        """Start the service."""
        self.url = self._open.enter_context(background(self, self.site({})))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the service."""
        self._open.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the call to the application in front: https://asgi.readthedocs.io/en/latest/specs/main.html ."""
        began = time.perf_counter()
        await self._front(scope, receive, send)
        self._milliseconds = 1000 * (time.perf_counter() - began)

    def site(self, parameters: Mapping[str, Any], **given: Any) -> settings.Settings:
        """Give the settings of a site that has set these parameters, in development mode."""
        # The visitor's environment is left out, and so is a clinic's haste: a demonstration is the same everywhere,
        # also on a busy machine.
        return settings.load(
            environment={},
            mode="development",
            port=self._port,
            request_deadline=_PATIENCE,
            parameters=dict(parameters),
            **given,
        )

    def set(self, story: Story, parameters: Mapping[str, Any] | None = None) -> None:
        """Set clock and configuration of a story, or other parameters in place of its own."""
        self._now = story.clock
        self._front = self._app(story.parameters if parameters is None else parameters)

    def address(self, story: Story) -> str:
        """Give the URL to which the requests of a story are posted."""
        return f"{self.url}/cds-services/{story.condition}"

    def discover(self) -> list[dict[str, Any]]:
        """Ask the service what it offers, as an EHR does when it is set up."""
        services: list[dict[str, Any]] = client.get_json(f"{self.url}/cds-services").body["services"]
        return services

    def play(self, story: Story, request: Any, parameters: Mapping[str, Any] | None = None) -> Played:
        """Post a request at the time of the story, and wait for the answer."""
        self.set(story, parameters)
        with self._remembered(story, parameters) if story.after else nullcontext():
            self._guidance = None
            answer = client.post_json(self.address(story), request)
        return Played(answer.status, answer.body, self._milliseconds, self._guidance)

    @contextmanager
    def _remembered(self, story: Story, parameters: Mapping[str, Any] | None) -> Iterator[None]:
        """Put an application in front that remembers the earlier visits of a story: they are played, and answered."""
        with TemporaryDirectory() as folder:
            given = story.parameters if parameters is None else parameters
            site = self.site(given, memory=f"sqlite:///{Path(folder) / 'memory.sqlite3'}", memory_timeout=_MEMORY)
            remembering = Remembering.of(self.packages, site)
            self._front = self._new_app(site, remembering)
            for one in story.after:
                earlier = read(story.folder.parent / one.visit)
                self._now = earlier.clock
                cards = client.post_json(self.address(earlier), read_json_file(earlier.request_file)).body["cards"]
                said = [_feedback(answer, cards, earlier.clock) for answer in one.answers]
                client.post_json(f"{self.address(earlier)}/feedback", {"feedback": said})
            self._now = story.clock
            try:
                yield
            finally:
                if remembering is not None:
                    remembering.memory.close()

    def _app(self, parameters: Mapping[str, Any]) -> ASGIApp:
        key = json.dumps(dict(parameters), sort_keys=True)
        if key not in self._apps:
            self._apps[key] = self._new_app(self.site(parameters))
        return self._apps[key]

    def _new_app(self, site: settings.Settings, remembering: Remembering | None = None) -> ASGIApp:
        decided = guidance_settings(self.packages, site)

        def respond(
            package: artifacts.Package, request: Request, data: PatientData, now: datetime
        ) -> guidance.Guidance:
            self._guidance = guidance.respond(package, request, data, decided, now)
            return self._guidance

        return create_app(self.packages, site, self._clock, respond=respond, remembering=remembering)

    def _clock(self) -> datetime:
        if self._now is None:
            raise RuntimeError("No story is on stage; set one before calling the service.")
        return self._now


def _feedback(answer: Answered, cards: Sequence[dict[str, Any]], now: datetime) -> dict[str, Any]:
    """Say what a user did with the card of a recommendation: https://cds-hooks.hl7.org/2.0/#feedback ."""
    card = next(card for card in cards if card["source"]["topic"]["code"] == answer.recommendation)
    told = {"card": card["uuid"], "outcome": answer.outcome, "outcomeTimestamp": f"{now.astimezone(UTC):%FT%TZ}"}
    if answer.outcome == "accepted":
        return told | {"acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}]}
    if answer.reason is None:
        return told
    system = card["overrideReasons"][0]["system"]
    return told | {"overrideReason": {"reason": {"code": answer.reason, "system": system}}}
