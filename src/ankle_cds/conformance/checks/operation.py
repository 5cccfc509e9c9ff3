"""What the specification leaves open and whoever runs or integrates a service asks for; scored, no row asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ankle_cds.conformance.looking import Look, NotUsedError, look
from ankle_cds.conformance.subject import OK, decoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.conformance.subject import Subject

_HEALTH = ("/health", "/health/live", "/health/ready", "/healthz", "/readyz")


def health_is_told(subject: Subject) -> Iterator[Look]:
    """Whether the service is well can be asked."""
    well = any(
        subject.send("GET", path, token=None, root=root).status == OK for path in _HEALTH for root in (False, True)
    )
    yield look("health", well, "is not told at any usual address")


def metrics_are_told(subject: Subject) -> Iterator[Look]:
    """How the service fares can be asked, in the form Prometheus reads; where, may be known to its operator only."""
    reply = subject.client.send("GET", subject.metrics) if subject.metrics else None
    reply = reply or subject.send("GET", "/metrics", token=None, root=True)
    yield look("metrics", reply.status == OK and b"# HELP" in reply.body, "are not told")


def the_interface_is_described(subject: Subject) -> Iterator[Look]:
    """The interface is published as OpenAPI 3."""
    document = decoded(subject.send("GET", "/openapi.json", token=None, root=True))
    described = isinstance(document, dict) and str(document.get("openapi", "")).startswith("3.")
    yield look("/openapi.json", described, "is no OpenAPI 3 document")


def system_actions_are_actions(subject: Subject) -> Iterator[Look]:
    """System actions, where sent, are an array of actions with a type."""
    documents = [(sample.name, decoded(reply)) for sample, reply in subject.answers]
    found = [
        (name, one["systemActions"]) for name, one in documents if isinstance(one, dict) and "systemActions" in one
    ]
    if not found:
        raise NotUsedError("no answer has system actions")
    for name, actions in found:
        fits = isinstance(actions, list) and all(isinstance(one, dict) and one.get("type") for one in actions)
        yield look(name, fits, "has system actions without type")
