"""The gate: a request comes with an Authorization header or without, a caller goes through, or nobody.

The order is that of the CDS Hooks best practices (issuer, audience, times, tenant, signature, nonce), with reading and
keys added where they belong: nothing is fetched before the issuer and its `jku` are registered ones, and nothing is
remembered before the signature is right. https://cds-hooks.hl7.org/2.0/#trusting-cds-clients
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ankle_cds.trust.claims import Times, check_audience, check_nonce, check_tenant, check_times
from ankle_cds.trust.keysets import FileKeys, UrlKeys
from ankle_cds.trust.reasons import Reason, UntrustedError
from ankle_cds.trust.replay import MemoryReplay
from ankle_cds.trust.token import read_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ankle_cds.client import DocumentClient, Policy
    from ankle_cds.trust.keysets import Keys
    from ankle_cds.trust.registered import Auth, Client
    from ankle_cds.trust.replay import Replay
    from ankle_cds.trust.token import Token


@dataclass(frozen=True, slots=True)
class Caller:
    """Who was let in: the place of the client in the configuration and its issuer, None for one without a token.

    `supports` names what it is known to understand beyond CDS Hooks 2.0; `sends_feedback` and `emit_extensions` are
    what the site says of it.
    """

    client: str | None
    policy: Policy
    issuer: str | None = None
    supports: tuple[str, ...] = ()
    sends_feedback: bool = True
    emit_extensions: bool | None = None

    def may_have_read(self, fhir_server: str | None) -> bool:
        """Tell whether this FHIR server may be read on behalf of the caller."""
        return fhir_server is not None and self.policy.allowed(fhir_server) is not None


@dataclass(frozen=True, slots=True)
class _Known:
    """A registered client with its keys: by address as tokens name it, and those known without one."""

    place: str
    entry: Client
    by_url: Mapping[str, Keys]
    own: Keys | None


class Gate:
    """Lets callers in. Making it reads the key sets of files; raises ContentError where one cannot be used.

    `anonymous` is what may be read for callers without a token. `now` gives seconds since 1970, `clock` seconds that
    never go back; both are the machine's unless a test says otherwise.
    """

    def __init__(
        self,
        auth: Auth,
        clients: Sequence[Client],
        documents: DocumentClient,
        *,
        public_base_url: str,
        anonymous: Policy,
        times: Times,
        development: bool = False,
        replay: Replay | None = None,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._auth = auth
        self._base_url = public_base_url
        self._anonymous = Caller(None, anonymous)
        self._development = development
        self._times = times
        self._now = now
        self._replay = replay or MemoryReplay(now)
        self._clients = {
            client.iss: _Known(
                f"clients.{number}",
                client,
                {
                    one.url: _of_file(one.key_set, development)
                    or UrlKeys(one, documents, clock, permit_published=development)
                    for one in client.jku
                },
                _of_file(client.key_set, development),
            )
            for number, client in enumerate(clients)
        }
        self._algorithms = frozenset[str]().union(*(client.algs for client in clients))

    async def admit(self, authorization: Sequence[str], *paths: str) -> Caller:
        """Give the caller of a request that has these values of Authorization; one of `paths` is the address called.

        Raises UntrustedError (401) at the first step that fails, ReplayError (503) where used tokens cannot be
        remembered. Any other outcome is a caller whose token is right and was not used before, or a caller without
        one where the site permits that.
        """
        if self._auth == "none" or (self._auth == "optional" and not authorization):
            return self._anonymous
        token = read_token(authorization, self._algorithms)
        claims = token.claims()
        issuer = claims.get("iss")
        known = self._clients.get(issuer) if isinstance(issuer, str) else None
        if known is None or token.alg not in known.entry.algs:
            raise UntrustedError(Reason.ISSUER)
        keys = _keys(token, known)
        check_audience(claims, {*(f"{self._base_url}{path}" for path in paths), *known.entry.audiences})
        until = check_times(claims, self._times, self._now())
        tenant = check_tenant(claims, {one.id for one in known.entry.tenants})
        nonce = check_nonce(claims)
        candidates = await keys.find(token.kid)
        if not candidates and keys.failing:
            raise UntrustedError(Reason.KEY_SET)
        if len(candidates) != 1 or not candidates[0].fits(token.alg):
            raise UntrustedError(Reason.KEY)
        if not candidates[0].verifies(token.alg, token.signed, token.signature):
            raise UntrustedError(Reason.SIGNATURE)
        if not await self._replay.first_use(known.entry.iss, nonce, until):
            raise UntrustedError(Reason.REPLAY)
        policy = known.entry.policy(tenant, loopback=self._development)
        entry = known.entry
        return Caller(
            known.place,
            policy,
            entry.iss,
            supports=entry.supports,
            sends_feedback=entry.sends_feedback,
            emit_extensions=entry.emit_extensions,
        )


def _of_file(key_set: Path | None, development: bool) -> FileKeys | None:
    return None if key_set is None else FileKeys(key_set, permit_published=development)


def _keys(token: Token, known: _Known) -> Keys:
    """Choose the keys a token may be verified with: those at its `jku`, if that is registered, else those known."""
    keys = known.own if not token.has_jku else known.by_url.get(token.jku) if isinstance(token.jku, str) else None
    if keys is None:
        raise UntrustedError(Reason.JKU)
    return keys
