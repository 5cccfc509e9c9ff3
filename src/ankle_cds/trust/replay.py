"""A token is used once: what was accepted is remembered until it could not be accepted any more.

The protocol is all the gate knows, so that a store shared by several processes can take the place of the one here.
https://cds-hooks.hl7.org/2.0/#trusting-cds-clients
"""

from __future__ import annotations

import hashlib
import heapq
from typing import TYPE_CHECKING, Protocol

from ankle_cds.errors import AnkleCdsError

if TYPE_CHECKING:
    from collections.abc import Callable

_STEPPED_BACK = 300.0  # seconds that the clock may be set back without a token coming to life again
_CAPACITY = 250_000


class ReplayError(AnkleCdsError):
    """It cannot be told whether a token was used before: nobody is let in until it can (503)."""


class Replay(Protocol):
    """Remembers used tokens."""

    async def first_use(self, issuer: str, nonce: str, until: float) -> bool:
        """Insert the nonce of an issuer if it is absent, in one step, and tell whether it was; kept until `until`.

        `until` is in seconds since 1970. Raises ReplayError when the store cannot be asked.
        """
        ...


class MemoryReplay:
    """Remembers in this process: nothing survives a restart, and no other process knows of it.

    `now` gives seconds since 1970. What is held is a digest, never the nonce.
    """

    def __init__(self, now: Callable[[], float], *, capacity: int = _CAPACITY) -> None:
        self._now = now
        self._capacity = capacity
        self._used: set[bytes] = set()
        self._ends: list[tuple[float, bytes]] = []

    async def first_use(self, issuer: str, nonce: str, until: float) -> bool:
        """Insert if absent and tell whether it was; raises ReplayError when as many as fit are held already."""
        while self._ends and self._ends[0][0] + _STEPPED_BACK <= self._now():
            self._used.discard(heapq.heappop(self._ends)[1])
        digest = hashlib.sha256(f"{len(issuer)}:{issuer}{nonce}".encode()).digest()
        if digest in self._used:
            return False
        if len(self._used) >= self._capacity:
            raise ReplayError("As many used tokens as fit are remembered; ask clients for tokens of a shorter life.")
        self._used.add(digest)
        heapq.heappush(self._ends, (until, digest))
        return True
