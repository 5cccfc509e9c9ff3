"""The seam for traces: the service says where a request and each of its parts begin and end, and a setting who listens.

By default nobody does, and nothing of OpenTelemetry is loaded.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from starlette.types import Scope

    from ankle_cds.settings import Settings

    Noted = dict[str, Any]


class Traces:
    """Listens to nothing. Each context gives a dictionary for what is found out inside of it, under our own names."""

    def request(self, scope: Scope) -> AbstractContextManager[Noted]:  # noqa: ARG002  # for those who listen
        """Surround one request; its `status` is noted inside, and `error`, the class of what nobody caught."""
        return nullcontext({})

    def part(self, name: str) -> AbstractContextManager[Noted]:  # noqa: ARG002  # as above
        """Surround one part of a request, under a name of ours."""
        return nullcontext({})

    def reading(self, key: str) -> AbstractContextManager[Noted]:  # noqa: ARG002  # as above
        """Surround the reading of one prefetch key from a FHIR server; its `state` is noted inside."""
        return nullcontext({})

    def running(self) -> AbstractAsyncContextManager[None]:
        """Surround the life of the service; what was not sent yet is sent at its end, for a short time only."""
        return nullcontext()


def of(settings: Settings) -> Traces:
    """Give what listens as the site asks; raises ContentError where OpenTelemetry is asked for and not installed."""
    if settings.traces is None:
        return Traces()
    try:
        from ankle_cds.service.collector import Collector  # noqa: PLC0415  # loaded where it is asked for only
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"opentelemetry", "requests"}:
            raise
        raise ContentError(
            "OpenTelemetry is not installed: pip install 'ankle-cds[otel]', or remove traces.",
            where=settings.where("traces"),
        ) from None
    return Collector(settings.traces)
