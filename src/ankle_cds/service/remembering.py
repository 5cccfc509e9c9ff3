"""The memory behind the hooks: which cards are sent, what feedback is kept, and what holds while it is gone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from ankle_cds import parameters
from ankle_cds.errors import ContentError, ServiceFault
from ankle_cds.service import answers, log
from ankle_cds.service.feedback import Accepted, known_reasons

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from datetime import datetime

    from ankle_cds.artifacts import Package
    from ankle_cds.cards import Card
    from ankle_cds.hooks import Request
    from ankle_cds.memory import Answer, Durations, Keys, Memory, SharedReplay
    from ankle_cds.service.feedback import Overridden
    from ankle_cds.settings import Settings
    from ankle_cds.trust import Caller

_PURGE_SECONDS = 3_600
# A reason of another list: whatever was sent for it is not kept, since it could be anything.
_OTHER = ("", "other")
_SILENCES = {"SuppressDeclinedDays": "days", "SuppressNeedMoreInfoDays": "days", "SuppressFallbackHours": "hours"}


class Remembering:
    """What the addresses share of the memory.

    `reasons` are the override reasons of each service by its id, `known` those that cards offer (system and code); any
    other is remembered as another.
    """

    def __init__(
        self,
        memory: Memory,
        keys: Keys,
        reasons: Mapping[str, Mapping[tuple[str, str], str]],
        *,
        known: frozenset[tuple[str, str]],
        comments: bool,
    ) -> None:
        self.memory = memory
        self._keys = keys
        self._reasons = reasons
        self._known = known.union(*reasons.values())
        self._comments = comments

    @classmethod
    def of(cls, packages: Mapping[str, Package], settings: Settings) -> Self | None:
        """Make the memory the settings ask for, None where they ask for none.

        Raises ContentError where its address or its secret cannot be used, or it would forget before it may; and where
        the site asks for silence but wrote that nothing is remembered.
        """
        if settings.effective_memory is None:
            _refuse_silence(settings)
            return None
        from ankle_cds import memory  # noqa: PLC0415  # a service without a memory loads no database

        where = settings.where("memory")
        keys = memory.Keys(settings.key("memory"))
        engine = memory.connect(memory.read_url(settings.effective_memory, where=where), where=where)
        store = memory.Store(engine, keys, keep=timedelta(days=settings.retention_days))
        reasons = {service_id: memory.read_reasons(package) for service_id, package in packages.items()}
        patience = timedelta(seconds=settings.memory_timeout)
        recalling = memory.Memory(store, durations(packages, settings), patience=patience)
        return cls(recalling, keys, reasons, known=known_reasons(packages), comments=settings.feedback_store_comments)

    def replay(self) -> SharedReplay:
        """Give the store of used tokens that every process with this memory shares."""
        from ankle_cds.memory import SharedReplay  # noqa: PLC0415  # as above

        return SharedReplay(self.memory)

    @asynccontextmanager
    async def running(self, clock: Callable[[], datetime]) -> AsyncIterator[None]:
        """Open the memory and delete every hour what expired, until the service ends.

        A database that cannot be reached does not keep the service from starting: it is asked again at each call.
        """
        from ankle_cds.memory import MemoryUnavailableError  # noqa: PLC0415  # as above

        async def purge() -> None:
            while True:
                try:
                    deleted = await self.memory.purge(clock())
                    log.write("memory purged", **deleted.rows)
                except MemoryUnavailableError as error:  # tried again in an hour
                    log.write_warning("memory not purged", reason=error.message)
                await asyncio.sleep(_PURGE_SECONDS)

        try:
            await self.memory.open()
        except MemoryUnavailableError as error:
            log.write_warning("memory unavailable", reason=error.message)
        task = asyncio.create_task(purge())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self.memory.close()

    async def shown(
        self,
        package: Package,
        request: Request,
        made: Sequence[Card],
        *,
        caller: Caller,
        now: datetime,
        record: dict[str, Any],
    ) -> tuple[dict[str, Any], ...]:
        """Give the cards to send, and remember that they were; all of them while the memory cannot be asked."""
        if not made:
            return ()
        from ankle_cds.memory import MemoryUnavailableError  # noqa: PLC0415  # as above

        offers = list(self._keys.offers(request, made, sends_feedback=caller.sends_feedback))
        try:
            shown = await self.memory.show(offers, self._reasons[package.service_id], now)
        except MemoryUnavailableError as error:
            record["memory"] = error.message
            log.write_warning("shown without memory", reason=error.message)
            return tuple(card.wire for card in made)
        silenced = [card.recommendation for card in made if card.wire["uuid"] not in shown]
        record["silenced"] = silenced or None
        return tuple(card.wire for card in made if card.wire["uuid"] in shown)

    async def answered(
        self, entries: Sequence[Accepted | Overridden], caller: Caller, now: datetime, record: dict[str, Any]
    ) -> None:
        """Store feedback; raises ServiceError (503) where it cannot be, so that the client sends it again."""
        from ankle_cds.memory import MemoryUnavailableError  # noqa: PLC0415  # as above

        try:
            recorded = await self.memory.answer(caller.issuer, [self._answer(entry) for entry in entries], now)
        except MemoryUnavailableError as error:
            record["memory"] = error.message
            raise answers.ServiceError(ServiceFault.NOT_READY) from None
        names = ("stored", "repeated", "unknown", "unknown_suggestions")
        record["feedback"] = {name: getattr(recorded, name) for name in names if getattr(recorded, name)} or None

    def _named(self, system: str, code: str) -> tuple[str, str]:
        return (system, code) if (system, code) in self._known else _OTHER

    def _answer(self, entry: Accepted | Overridden) -> Answer:
        from ankle_cds.memory import Answer, since_1970  # noqa: PLC0415  # as above

        card, at = entry.card.lower(), since_1970(entry.at)
        if isinstance(entry, Accepted):
            return Answer(
                card, accepted=True, at=at, suggestions=tuple(one.id.lower() for one in entry.accepted_suggestions)
            )
        said = entry.override_reason
        reason = said.reason if said is not None else None
        comment = said.user_comment if said is not None else None
        return Answer(
            card,
            accepted=False,
            at=at,
            reason=self._named(reason.system, reason.code) if reason is not None else None,
            commented=comment is not None,
            comment=comment if self._comments else None,
        )


def _refuse_silence(settings: Settings) -> None:
    """Raise ContentError where a length of silence is set beside `memory: none`: no card would ever be silent.

    A memory that is only left out, as in development, is no decision against it.
    """
    asked = [name for name in _SILENCES if name in settings.parameters]
    if asked and settings.memory == "none":
        raise ContentError(
            f"{', '.join(asked)}: with `memory: none` no card is ever silenced. Remove it, or choose a memory.",
            where=settings.line(asked[0]),
        )


def durations(packages: Mapping[str, Package], settings: Settings) -> Durations:
    """Give how long each kind of silence lasts, as content and site say; a package that names none has none.

    Raises ContentError for one that is longer than anything is kept.
    """
    from ankle_cds.memory import Durations  # noqa: PLC0415  # as above

    given = parameters.decided(packages.values(), settings)
    values = {one.name: given.get(one.name, one.default) for package in packages.values() for one in package.parameters}
    lengths = {name: timedelta(**{unit: values.get(name) or 0}) for name, unit in _SILENCES.items()}
    for name, length in lengths.items():
        if length > timedelta(days=settings.retention_days):
            raise ContentError(
                f"{name} is longer than retention_days ({settings.retention_days}): what is deleted silences nothing. "
                "Correct one of them.",
                where=settings.line(name),
            )
    return Durations(*lengths.values())
