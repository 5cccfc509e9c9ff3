"""Are the claims of a token those of a registered client, for this address and this time? Steps 5 to 8 of the order.

https://cds-hooks.hl7.org/2.0/#trusting-cds-clients
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ankle_cds.trust.reasons import Reason, UntrustedError
from ankle_cds.trust.token import MAX_TEXT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds that clocks may differ, and seconds a token may live."""

    leeway: float
    lifetime: float


def check_audience(claims: Mapping[str, Any], accepted: Collection[str]) -> None:
    """Raise UntrustedError unless `aud` is, or lists, one of the addresses accepted; nothing is made equal first."""
    named = claims.get("aud")
    audiences = [named] if isinstance(named, str) else named
    well_formed = isinstance(audiences, list) and all(isinstance(each, str) for each in audiences)
    if not well_formed or not any(each in accepted for each in audiences or ()):
        raise UntrustedError(Reason.AUDIENCE)


def check_times(claims: Mapping[str, Any], times: Times, now: float) -> float:
    """Give the second from which on the token is not accepted any more.

    Raises UntrustedError: `exp` or `iat` is no number, expired, of the future, `exp` not after `iat` or too far from
    it, or `nbf` no number or of the future.
    """
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    begins = _seconds(claims, "nbf") if "nbf" in claims else issued
    alive = expires > now - times.leeway
    begun = max(issued, begins) <= now + times.leeway
    if not alive or not begun or not 0 < expires - issued <= times.lifetime:
        raise UntrustedError(Reason.TIME)
    return float(expires) + times.leeway


def check_tenant(claims: Mapping[str, Any], tenants: Collection[str]) -> str | None:
    """Give the tenant; raises UntrustedError where it is none of those listed, or, without a list, no short text."""
    tenant = claims.get("tenant")
    if tenants:
        right = isinstance(tenant, str) and tenant in tenants
    else:
        right = "tenant" not in claims or (isinstance(tenant, str) and len(tenant) <= MAX_TEXT)
    if not right:
        raise UntrustedError(Reason.TENANT)
    return tenant


def check_nonce(claims: Mapping[str, Any]) -> str:
    """Give `jti`; raises UntrustedError unless it is a text of 1 to 256 characters."""
    nonce = claims.get("jti")
    if not isinstance(nonce, str) or not 1 <= len(nonce) <= MAX_TEXT:
        raise UntrustedError(Reason.JTI)
    return nonce


def _seconds(claims: Mapping[str, Any], name: str) -> int | Decimal:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise UntrustedError(Reason.TIME)
    return value
