"""How much feedback one client may send: a flood of it costs the others nothing and is asked to come back later.

https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ankle_cds.errors import ServiceFault
from ankle_cds.service.answers import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE = 60.0  # seconds


class Pace:
    """Counts entries by client, in this process: as many as come in a minute, and a minute's worth at once.

    One call may overdraw what is left, so that none is too large ever to be taken; then nothing is until it is made up.
    `clock` gives seconds that never go back.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._left: dict[str | None, tuple[float, float]] = {}

    def check(self, client: str | None) -> None:
        """Raise ServiceError (503, retry later) where this client has nothing left."""
        if self._now_left(client) <= 0:
            raise ServiceError(ServiceFault.BUSY)

    def spend(self, client: str | None, entries: int) -> None:
        """Take so many entries from what this client has left; raises as `check`, which was asked before others spent.

        Else calls whose bodies come slowly could overdraw together, by far more than one of them.
        """
        self.check(client)
        self._left[client] = (self._now_left(client) - entries, self._clock())

    def _now_left(self, client: str | None) -> float:
        left, since = self._left.get(client, (self._per_minute, 0.0))
        return min(self._per_minute, left + (self._clock() - since) * self._per_minute / _MINUTE)
