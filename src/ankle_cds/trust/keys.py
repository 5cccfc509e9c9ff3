"""A JSON Web Key becomes a public key that fits one family of algorithms, or is left out.

https://www.rfc-editor.org/rfc/rfc7517 and https://www.rfc-editor.org/rfc/rfc7518#section-6
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jwt import PyJWTError, get_algorithm_by_name

from ankle_cds.fhir import canonical_json
from ankle_cds.trust.published import PUBLISHED
from ankle_cds.trust.token import MAX_TEXT, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_RSA_BITS = range(2_048, 8_192 + 1)
_MAX_EXPONENT_BYTES = 4  # 65537 needs 3; a long exponent only makes us work
_MAX_KEYS = 100
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class KeySetError(ValueError):
    """A document is no key set; the text says why and holds nothing of it."""


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A public key, the algorithms it fits, and its thumbprint."""

    kid: str
    curve: str | None
    alg: str | None
    may_verify: bool
    public: Any
    thumbprint: str

    def fits(self, alg: str) -> bool:
        """Tell whether a signature made with `alg` may be verified with this key."""
        return self.may_verify and self.alg in {None, alg} and _CURVES.get(alg) == self.curve

    def verifies(self, alg: str, signed: bytes, signature: bytes) -> bool:
        """Tell whether `signature` was made over `signed` by the owner of this key.

        For ECDSA it is r and s in raw bytes: https://www.rfc-editor.org/rfc/rfc7518#section-3.4
        """
        try:
            return get_algorithm_by_name(alg).verify(signed, self.public, signature)
        except ValueError:
            return False


def read_key_set(document: Any) -> dict[str, tuple[Key, ...]]:
    """Give the usable keys of a JSON Web Key Set by `kid`; more than one under a `kid` means that none can be chosen.

    Left out: symmetric keys, keys with a private part, without `kid`, of another type or size, or not on their curve.
    Raises KeySetError where the document is no key set or has more than 100 keys.
    https://www.rfc-editor.org/rfc/rfc7517#section-5
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise KeySetError("not a JSON Web Key Set: an object with a list `keys` is expected")
    if len(entries) > _MAX_KEYS:
        raise KeySetError(f"more than {_MAX_KEYS} keys")
    found: dict[str, tuple[Key, ...]] = {}
    for entry in entries:
        key = _key(entry) if isinstance(entry, dict) else None
        if key is not None:
            found[key.kid] = (*found.get(key.kid, ()), key)
    return found


def without_published(keys: Mapping[str, tuple[Key, ...]]) -> dict[str, tuple[Key, ...]]:
    """Leave out every key whose private half is published."""
    return {
        kid: kept
        for kid, those in keys.items()
        if (kept := tuple(key for key in those if key.thumbprint not in PUBLISHED))
    }


def has_private_part(document: Any) -> bool:
    """Tell whether a key set gives away a secret."""
    entries = document.get("keys") if isinstance(document, dict) else None
    return isinstance(entries, list) and any(isinstance(entry, dict) and _PRIVATE & set(entry) for entry in entries)


def _key(entry: dict[str, Any]) -> Key | None:
    kid, kind, alg = entry.get("kid"), entry.get("kty"), entry.get("alg", "")
    if not isinstance(kid, str) or not isinstance(kind, str) or not isinstance(alg, str):
        return None
    if not 1 <= len(kid) <= MAX_TEXT or kind not in {"EC", "RSA"} or _PRIVATE & set(entry):
        return None
    public = _rsa(entry) if kind == "RSA" else _elliptic(entry)
    if public is None:
        return None
    reader = get_algorithm_by_name("RS384" if kind == "RSA" else "ES384")
    try:
        key = reader.from_jwk(public)
    except (PyJWTError, ValueError):
        return None
    digest = hashlib.sha256(canonical_json(public)).digest()
    operations = entry.get("key_ops", ["verify"])
    return Key(
        kid,
        public.get("crv"),
        alg or None,
        entry.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations,
        key,
        base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
    )


def _rsa(entry: dict[str, Any]) -> dict[str, Any] | None:
    """Give the public members, the modulus written as short as it can be."""
    modulus, exponent = decode(entry.get("n")), decode(entry.get("e"))
    if modulus is None or exponent is None or len(exponent) > _MAX_EXPONENT_BYTES:
        return None
    if int.from_bytes(modulus).bit_length() not in _RSA_BITS:
        return None
    shortest = base64.urlsafe_b64encode(modulus.lstrip(b"\0")).rstrip(b"=").decode()
    return {"kty": "RSA", "n": shortest, "e": entry["e"]}


def _elliptic(entry: dict[str, Any]) -> dict[str, Any] | None:
    """Give the public members; whether the point lies on its curve is found where the key is made."""
    public = {name: entry.get(name) for name in ("crv", "kty", "x", "y")}
    known = public["crv"] in _CURVES.values() and None not in {decode(public["x"]), decode(public["y"])}
    return public if known else None
