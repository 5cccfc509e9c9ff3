"""What is counted: calls, how long they took, cards by recommendation, inputs that could not be had, answers to cards.

Every label is a name of ours (a hook, a status, a recommendation, an input, an override reason of the value set), so
that neither a patient nor a caller can be told from the numbers and no request can make a new one.
https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, start_http_server
from prometheus_client.exposition import generate_latest

from ankle_cds import __version__
from ankle_cds.errors import AnkleCdsError
from ankle_cds.service.feedback import known_reasons

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.artifacts import Package

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_OTHER = "other"


class Metrics:
    """The numbers of one service; `reasons` are the override reasons (system, code) that are counted by name."""

    def __init__(self, packages: Mapping[str, Package]) -> None:
        self._registry = CollectorRegistry()
        self.reasons = known_reasons(packages)
        self._requests = self._counter("requests", "Requests answered.", "hook", "status")
        self._refused = self._counter("refusals", "Requests refused, by the fault.", "fault")
        self._cards = self._counter("cards", "Cards returned, by recommendation.", "recommendation")
        self._unavailable = self._counter("unavailable_inputs", "Calls in which an input could not be had.", "input")
        self._unread = self._counter("unread_inputs", "Inputs a FHIR server did not give, by the reason.", "reason")
        self._feedback = self._counter("feedback", "Answers to cards.", "outcome", "reason")
        self._seconds = Histogram(
            "ankle_cds_request_seconds",
            "From the first byte of a hook call to the last of its answer.",
            ["hook"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.in_flight = Gauge("ankle_cds_in_flight", "Requests being answered.", registry=self._registry)
        about = Info("ankle_cds_build", "What is running.", registry=self._registry)
        content = {f"content_{at}": f"{name}|{one.version}" for at, (name, one) in enumerate(packages.items())}
        about.info({"version": __version__, **content})

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"ankle_cds_{name}", text, labels, registry=self._registry)

    def saw_request(self, record: Mapping[str, Any], status: int | None, seconds: float) -> None:
        """Count one request by what its line in the log says."""
        hook = record.get("hook")
        self._requests.labels(hook or "none", status or "none").inc()
        if hook is not None:
            self._seconds.labels(hook).observe(seconds)
        if "fault" in record:
            self._refused.labels(record["fault"]).inc()
        for recommendation in record.get("actions") or ():
            self._cards.labels(recommendation).inc()
        for name in record.get("unavailable") or ():
            self._unavailable.labels(name).inc()
        for reason in (record.get("unread") or {}).values():
            self._unread.labels(reason).inc()

    def saw_feedback(self, outcome: str, reason: tuple[str, str] | None) -> None:
        """Count one answer to a card; a reason (system, code) that is none of ours is counted as another."""
        named = "none" if reason is None else reason[1] if reason in self.reasons else _OTHER
        self._feedback.labels(outcome, named).inc()

    def text(self) -> str:
        """Give the numbers in the text format: https://prometheus.io/docs/instrumenting/exposition_formats/ ."""
        return generate_latest(self._registry).decode()

    def serve(self, host: str, port: int) -> int:
        """Answer GET /metrics at an address of its own from now on, and give the port; raises AnkleCdsError."""
        try:
            server, _ = start_http_server(port, host, self._registry)
        except OSError as error:
            message = f"Metrics cannot be given at {host}:{port} ({error.strerror}); choose another address."
            raise AnkleCdsError(message) from None
        return int(server.server_port)
