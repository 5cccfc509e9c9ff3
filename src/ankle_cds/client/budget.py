"""What reading another server may cost, and when to stop trying."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one hook call may cost: seconds, concurrent reads, bytes per answer and in all, pages and resources."""

    total: float = 0.4
    connect: float = 0.15
    read: float = 0.35
    parallel: int = 6
    response_bytes: int = 5 * 1024 * 1024
    request_bytes: int = 20 * 1024 * 1024
    pages: int = 10
    resources: int = 2_000
    breaker_failures: int = 5
    breaker_seconds: float = 30.0


@dataclass(slots=True)
class Breaker:
    """Stops asking a server that failed several times in a row; after a pause one more failure stops it again."""

    limits: Limits
    failures: int = 0
    closed_until: float = 0.0

    def is_open(self, now: float) -> bool:
        """Tell whether the server is left alone at `now`, in seconds of the event loop."""
        return self.failures >= self.limits.breaker_failures and now < self.closed_until

    def failed(self, now: float) -> None:
        """Count a failure at `now`."""
        self.failures += 1
        self.closed_until = now + self.limits.breaker_seconds

    def succeeded(self) -> None:
        """Forget earlier failures."""
        self.failures = 0
