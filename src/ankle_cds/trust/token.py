"""One Authorization header becomes a token in its parts, each with one reading only, or is refused.

Nothing is verified here. Steps 1 and 2 of the order, and the reading of the claims.
https://www.rfc-editor.org/rfc/rfc7515
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import RequestError
from ankle_cds.fhir import read_json
from ankle_cds.trust.reasons import Reason, UntrustedError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_TEXT = 256
"""Characters of a `kid`, `jti` or `tenant`."""

_MAX_TOKEN = 8 * 1024
_MAX_DEPTH = 8
_BEARER = re.compile(r"(?i:bearer) ([!-~]+)")
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
# Each would change where the key comes from, or what the bytes mean.
_NEVER = frozenset({"crit", "jwk", "x5u", "x5c", "b64", "zip"})


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A token whose form is right; whether any of it is true is not known yet."""

    alg: str
    kid: str
    jku: object | None
    has_jku: bool
    signed: bytes
    signature: bytes
    _payload: bytes = field(repr=False)

    def claims(self) -> dict[str, Any]:
        """Read the claims; raises UntrustedError where they are not one JSON object with one reading."""
        return _object(self._payload, Reason.PAYLOAD)


def read_token(authorization: Sequence[str], algorithms: frozenset[str]) -> Token:
    """Read the values of the Authorization headers of a request.

    Raises UntrustedError: not exactly one, not a bearer token of three parts, or a protected header that is not one
    signed by one of `algorithms` with a key named by `kid`. https://www.rfc-editor.org/rfc/rfc6750#section-2.1
    """
    match = _BEARER.fullmatch(authorization[0]) if len(authorization) == 1 else None
    if match is None or len(match[1]) > _MAX_TOKEN:
        raise UntrustedError(Reason.HEADER)
    segments = match[1].split(".")
    decoded = [decode(segment) for segment in segments]
    if len(decoded) != 3 or any(part is None for part in decoded):  # noqa: PLR2004  # header, claims, signature
        raise UntrustedError(Reason.FORM)
    protected, payload, signature = (part or b"" for part in decoded)
    header = _object(protected, Reason.PROTECTED)
    alg, kid = header.get("alg"), header.get("kid")
    named = isinstance(kid, str) and 1 <= len(kid) <= MAX_TEXT
    if (
        not isinstance(alg, str)
        or alg not in algorithms
        or header.get("typ") != "JWT"
        or not named
        or _NEVER & set(header)
    ):
        raise UntrustedError(Reason.PROTECTED)
    signed = ".".join(segments[:2]).encode("ascii")
    return Token(alg, str(kid), header.get("jku"), "jku" in header, signed, signature, payload)


def decode(text: object) -> bytes | None:
    """Decode base64url without padding; None for any other text, also where unused bits are set.

    https://www.rfc-editor.org/rfc/rfc7515#section-2
    """
    if not isinstance(text, str) or not _SEGMENT.fullmatch(text):
        return None
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return None
    return data if base64.urlsafe_b64encode(data).rstrip(b"=") == text.encode("ascii") else None


def _object(data: bytes, reason: Reason) -> dict[str, Any]:
    try:
        found = read_json(data, max_depth=_MAX_DEPTH)
    except RequestError:
        raise UntrustedError(reason) from None
    if not isinstance(found, dict):
        raise UntrustedError(reason)
    return found
