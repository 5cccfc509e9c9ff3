"""Who is let in: the gate as the site configured it, asked before anything of a request is read.

https://cds-hooks.hl7.org/2.0/#trusting-cds-clients
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ankle_cds import trust
from ankle_cds.client import DocumentClient
from ankle_cds.errors import ServiceFault
from ankle_cds.service.answers import ServiceError
from ankle_cds.trust.claims import Times

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from ankle_cds.settings import Settings


def gate(
    settings: Settings,
    *,
    documents: DocumentClient | None = None,
    replay: trust.Replay | None = None,
    now: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.monotonic,
) -> trust.Gate:
    """Make the gate of a site; raises ContentError where a key set of a file cannot be used.

    `documents` reads key sets and `replay` remembers used tokens (default: in this process); `now` gives seconds since
    1970, `clock` seconds that never go back.
    """
    ca_file = str(settings.ca_file) if settings.ca_file is not None else None
    return trust.Gate(
        settings.effective_auth,
        settings.clients,
        documents or DocumentClient(loopback=settings.development, ca_file=ca_file),
        public_base_url=settings.public_base_url or "",
        anonymous=settings.anonymous_policy(),
        development=settings.development,
        times=Times(settings.clock_leeway, settings.jwt_max_lifetime),
        replay=replay,
        now=now,
        clock=clock,
    )


async def admit(gate: trust.Gate, request: Request, *paths: str) -> trust.Caller:
    """Give the caller of a request to one of `paths`, and keep for the log which registered client it is.

    Raises RequestError (401), and ServiceError (503) where it cannot be told whether a token was used before.
    """
    try:
        caller = await gate.admit(request.headers.getlist("authorization"), *paths)
    except trust.UntrustedError as error:
        request.scope["record"]["reason"] = error.reason
        raise
    except trust.ReplayError:
        raise ServiceError(ServiceFault.NOT_READY) from None
    request.scope["record"]["client"] = caller.client
    return caller
