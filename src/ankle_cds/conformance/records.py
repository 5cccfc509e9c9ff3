"""A FHIR server of the examination: answers what it was told to, and remembers who asked for what, when, with what.

https://cds-hooks.hl7.org/2.0/#fhir-resource-access
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, unquote

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from ankle_cds import settings
from ankle_cds.conformance.samples import filled
from ankle_cds.service import background

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from starlette.requests import Request

    from ankle_cds.conformance.samples import Sample
    from ankle_cds.conformance.subject import Subject

TOKEN = "conformance-access-token"  # noqa: S105  # opens nothing: the server that takes it is this one
_PATH = "/fhir"
_OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "processing"}]}


@dataclass(frozen=True, slots=True)
class Read:
    """One request that came: what was asked for, in one spelling, the token, and when (seconds, never go back)."""

    query: str
    authorization: str | None = field(repr=False)
    at: float


class Records:
    """Runs while the context is open; `url` is the FHIR base."""

    def __init__(self) -> None:
        self.url = ""
        self.reads: list[Read] = []
        self._answers: dict[str, Any] = {}
        self._status = 200
        self._delay = 0.0
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Start the server on a free port of this machine."""
        routes = [Route(_PATH + "/{rest:path}", self._answer, methods=["GET", "POST"])]
        site = settings.load(environment={}, mode="development", port=0)
        self.url = self._open.enter_context(background(Starlette(routes=routes), site)) + _PATH
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self._open.close()

    def hold(self, answers: Mapping[str, Any], *, status: int = 200, delay: float = 0.0) -> None:
        """Answer these queries from now on, any other with 404; forget what was asked before.

        Each answer comes after `delay` seconds, with `status`.
        """
        self._answers = {spelled(query): answer for query, answer in answers.items()}
        self._status, self._delay = status, delay
        self.reads.clear()

    def access(self, **more: Any) -> dict[str, Any]:
        """Give the members of a request that open this server to the service."""
        authorization = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "user/*.read"}
        return {"fhirServer": self.url, "fhirAuthorization": authorization | {"subject": "examiner"} | more}

    async def _answer(self, request: Request) -> JSONResponse:
        query = spelled(request.path_params["rest"] + (f"?{request.url.query}" if request.url.query else ""))
        self.reads.append(Read(query, request.headers.get("authorization"), time.monotonic()))
        if self._delay:
            await asyncio.sleep(self._delay)
        held = self._answers.get(query)
        if held is None or self._status != 200:  # noqa: PLR2004  # the one status that is no refusal
            return JSONResponse(_OUTCOME, 404 if held is None else self._status)
        return JSONResponse(held, media_type="application/fhir+json")


def spelled(query: str) -> str:
    """Give one spelling of a FHIR query, whatever the order and the escapes of its parameters."""
    path, _, rest = query.partition("?")
    parameters = sorted(parse_qsl(rest, keep_blank_values=True))
    return unquote(path).strip("/") + "".join(f"&{name}={value}" for name, value in parameters)


def held(subject: Subject, sample: Sample) -> dict[str, Any]:
    """Give what a server would answer to the templates of a sample: what the sample sends as prefetch."""
    given = sample.body.get("prefetch") or {}
    found = {}
    for hook, key, template in subject.templates:
        if hook == sample.hook and key in given:
            empty = {"resourceType": "Bundle", "type": "searchset", "total": 0} if "?" in template else None
            found[filled(template, sample.body["context"])] = given[key] if given[key] is not None else empty
    return found
