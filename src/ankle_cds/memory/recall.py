"""The memory for an event loop: the database is asked in threads, within a time, and may be gone.

Who asks is told so by an error, and decides: cards are then shown, feedback and tokens are refused.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from ankle_cds.errors import AnkleCdsError
from ankle_cds.memory import retention
from ankle_cds.memory.rules import microseconds
from ankle_cds.trust import ReplayError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta

    from ankle_cds.memory.rules import Durations, Offer
    from ankle_cds.memory.store import Answer, Recorded, Store

_Result = TypeVar("_Result")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_THREADS = 8
_MICROSECONDS = 1_000_000
_STEPPED_BACK = 300 * _MICROSECONDS  # how far the clock may be set back without a token coming to life again


class MemoryUnavailableError(AnkleCdsError):
    """The memory could not be asked, or not in time; the message names the kind of failure and nothing else."""


class Memory:
    """The memory of a service; `patience` is how long a hook call waits for it.

    `failed` is why it could not be asked the last time, None while it can. Every method raises MemoryUnavailableError
    where it cannot; what a caller did not wait for may still be done, whole.
    """

    def __init__(self, store: Store, durations: Durations, *, patience: timedelta) -> None:
        self._store = store
        self._durations = durations
        self._patience = patience.total_seconds()
        self._threads = ThreadPoolExecutor(_THREADS, "memory")
        self._migrated = False
        self.failed: str | None = None

    async def open(self) -> None:
        """Bring the tables to this release; raises ContentError where they belong to a later one."""
        await self._ask(self._store.probe)

    def close(self) -> None:
        """End the threads and the connections, once what they do is done."""
        self._threads.shutdown()
        self._store.engine.dispose()

    async def show(
        self, offers: Sequence[Offer], reasons: Mapping[tuple[str, str], str], now: datetime
    ) -> frozenset[str]:
        """Give the uuids of the cards to show, and remember that they were."""
        do = partial(self._store.show, offers, reasons, self._durations, since_1970(now))
        try:
            return await asyncio.wait_for(self._ask(do), self._patience)
        except TimeoutError:
            self.failed = "TimeoutError"
            raise MemoryUnavailableError("The memory did not answer in time.") from None

    async def answer(self, issuer: str | None, answers: Sequence[Answer], now: datetime) -> Recorded:
        """Store the entries of one feedback, all or none, once: on return they are on the disk."""
        return await self._ask(partial(self._store.answer, issuer, answers, since_1970(now)))

    async def first_use(self, issuer: str, nonce: str, until: float) -> bool:
        """Remember a token, and tell whether it was not remembered yet; `until` in seconds since 1970."""
        expires = int(until * _MICROSECONDS) + _STEPPED_BACK
        return await self._ask(partial(self._store.first_use, issuer, nonce, expires))

    async def purge(self, now: datetime) -> retention.Deleted:
        """Delete what expired."""
        return await self._ask(partial(retention.purge, self._store.engine, since_1970(now)))

    async def check(self) -> str | None:
        """Try to write, and say why that cannot be done; None where it can."""
        try:
            await asyncio.wait_for(self._ask(self._store.probe), self._patience)
        except (MemoryUnavailableError, TimeoutError):
            return self.failed or "TimeoutError"
        return None

    async def _ask(self, do: Callable[[], _Result]) -> _Result:
        def work() -> _Result:
            self._prepare()
            return do()

        try:
            result = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except SQLAlchemyError as error:
            self.failed = type(error).__name__
            raise MemoryUnavailableError(f"The memory could not be asked: {self.failed}.") from None
        self.failed = None
        return result

    def _prepare(self) -> None:
        """Bring the tables to this release, once; a database that was not there at the start is met later."""
        if not self._migrated:
            self._store.migrate()
            self._migrated = True


class SharedReplay:
    """Remembers used tokens in the memory, for every process that has the same; takes the place of one process's."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def first_use(self, issuer: str, nonce: str, until: float) -> bool:
        """Insert the nonce if it is absent and tell whether it was; raises ReplayError when the memory is gone."""
        try:
            return await self._memory.first_use(issuer, nonce, until)
        except MemoryUnavailableError:
            raise ReplayError("Used tokens cannot be remembered.") from None


def since_1970(moment: datetime) -> int:
    """Give a moment, with its offset, in microseconds since 1970."""
    return microseconds(moment - _EPOCH)
