"""Where a client's keys come from: a file read at start, or an address asked rarely, once at a time.

https://cds-hooks.hl7.org/2.0/#trusting-cds-clients
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from ankle_cds.errors import ContentError, ServerError
from ankle_cds.fhir import read_json_file
from ankle_cds.trust.keys import KeySetError, has_private_part, read_key_set, without_published

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ankle_cds.client import DocumentClient
    from ankle_cds.trust.keys import Key
    from ankle_cds.trust.registered import KeySetUrl

_SPECIFICATION = "https://www.rfc-editor.org/rfc/rfc7517#section-5"
_ASK_AGAIN = 60.0
_FRESH = (300.0, 86_400.0)
_KEPT = 86_400.0
_MAX_WAITING = 32


class Keys(Protocol):
    """A set of keys that can be asked for those with one `kid`."""

    @property
    def failing(self) -> bool:
        """Whether the set could not be had when it was asked for last."""
        ...

    async def find(self, kid: str) -> tuple[Key, ...]:
        """Give every key with this `kid`; none when there is none or they cannot be had."""
        ...


class FileKeys:
    """The key set of a file, read once."""

    failing = False

    def __init__(self, path: Path, *, permit_published: bool) -> None:
        """Read the file; raises ContentError where it is no set of usable public keys, each with a `kid` of its own.

        `permit_published` also takes keys whose private half is published (development).
        """

        def refuse(text: str) -> ContentError:
            return ContentError(text, where=str(path), spec=_SPECIFICATION)

        document = read_json_file(path)
        if has_private_part(document):
            raise refuse(
                "The key set holds private or symmetric keys; keep the public ones only, and replace the pair."
            )
        try:
            self._keys = read_key_set(document)
        except KeySetError as error:
            raise refuse(f"This is {error}.") from None
        if not permit_published and without_published(self._keys) != self._keys:
            raise refuse(
                "The private half of one of these keys is published for tests; ask the client for its own key."
            )
        if not self._keys:
            raise refuse("No key can be used: EC P-256, P-384, P-521 or RSA of 2048 to 8192 bits, each with a `kid`.")
        if any(len(those) > 1 for those in self._keys.values()):
            raise refuse("Two keys have the same `kid`; give each its own.")

    async def find(self, kid: str) -> tuple[Key, ...]:
        """Give the key with this `kid`, or none."""
        return self._keys.get(kid, ())


class UrlKeys:
    """The key set at a registered address.

    Held as long as its server says, within 5 minutes and 24 hours, then asked for again; where that fails the old set
    holds for 24 hours. An unknown `kid` asks again too. Never asked twice within 60 s, nor twice at a time.
    """

    def __init__(
        self, address: KeySetUrl, client: DocumentClient, clock: Callable[[], float], *, permit_published: bool
    ) -> None:
        self._address = address
        self._client = client
        self._clock = clock
        self._permit_published = permit_published
        self._keys: dict[str, tuple[Key, ...]] = {}
        self._asked: float | None = None
        self.failing = False
        self._fresh_until = self._kept_until = float("-inf")
        self._one = asyncio.Lock()
        self._waiting = 0

    async def find(self, kid: str) -> tuple[Key, ...]:
        """Give every key with this `kid`; none when there is none or they cannot be had in time."""
        # A flood of unknown names may not fill the service with callers that wait.
        crowded = self._is_fresh() and self._waiting >= _MAX_WAITING
        if self._is_wanting(kid) and (self._may_ask() or self._one.locked()) and not crowded:
            self._waiting += 1
            try:
                async with self._one:
                    if self._is_wanting(kid) and self._may_ask():
                        await self._ask()
            finally:
                self._waiting -= 1
        return self._keys.get(kid, ()) if self._clock() < self._kept_until else ()

    def _is_fresh(self) -> bool:
        return self._clock() < self._fresh_until

    def _is_wanting(self, kid: str) -> bool:
        return kid not in self._keys or not self._is_fresh()

    def _may_ask(self) -> bool:
        return self._asked is None or self._clock() - self._asked >= _ASK_AGAIN

    async def _ask(self) -> None:
        self._asked = self._clock()
        try:
            document = await self._client.get(self._address.url, self._address.base())
            keys = read_key_set(document.body)
        except (ServerError, KeySetError):
            self.failing = True  # the old set holds; where it has no such key the reason in the log says this
            return
        self.failing = False
        self._keys = keys if self._permit_published else without_published(keys)
        shortest, longest = _FRESH
        now = self._clock()
        self._fresh_until = now + min(max(document.max_age or 0, shortest), longest)
        self._kept_until = now + _KEPT
