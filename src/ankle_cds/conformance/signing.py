"""Tokens of a CDS client: right ones for a service that asks for them, and ones wrong in one way.

https://cds-hooks.hl7.org/2.0/#trusting-cds-clients
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt import get_algorithm_by_name

from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LIFETIME = 300


@dataclass(frozen=True, slots=True)
class Key:
    """A private key with its name; EC keys sign with ES384, RSA keys with RS384."""

    kid: str
    private: Any = field(repr=False)

    @property
    def alg(self) -> str:
        """The algorithm it signs with."""
        return "RS384" if isinstance(self.private, rsa.RSAPrivateKey) else "ES384"

    def public(self) -> dict[str, Any]:
        """Give the public half as a JSON Web Key: https://www.rfc-editor.org/rfc/rfc7517 ."""
        made: dict[str, Any] = get_algorithm_by_name(self.alg).to_jwk(self.private.public_key(), as_dict=True)
        return {name: value for name, value in made.items() if name != "key_ops"} | {"kid": self.kid}

    def public_pem(self) -> bytes:
        """Give the public half as PEM."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        pem: bytes = self.private.public_key().public_bytes(serialization.Encoding.PEM, form)
        return pem


@dataclass(frozen=True, slots=True)
class Signer:
    """One registered client: its issuer, its keys (the first signs where none is asked for), and whom it calls."""

    issuer: str
    audience: str
    keys: tuple[Key, ...]

    @classmethod
    def fresh(cls, issuer: str, audience: str) -> Self:
        """Make a client with new keys of both recommended kinds."""
        keys = (
            Key("ec", ec.generate_private_key(ec.SECP384R1())),
            Key("rsa", rsa.generate_private_key(65_537, 2_048)),
        )
        return cls(issuer, audience.rstrip("/"), keys)

    @classmethod
    def of_file(cls, issuer: str, audience: str, kid: str, file: Path) -> Self:
        """Read the private key of a client, PEM; raises ContentError where the file holds none that can sign."""
        try:
            private = serialization.load_pem_private_key(file.read_bytes(), None)
        except (OSError, ValueError, TypeError):
            private = None
        if not isinstance(private, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
            raise ContentError("This is no private key in PEM without password, EC P-384 or RSA.", where=str(file))
        return cls(issuer, audience.rstrip("/"), (Key(kid, private),))

    def token(
        self,
        path: str,
        *,
        header: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
        key: Key | None = None,
        secret: bytes | None = None,
    ) -> str:
        """Make a token for the address at `path`, right in all but the given members; None leaves a member out.

        A `secret` signs it with HMAC in place of the key.
        """
        signing = key or self.keys[0]
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": f"{self.audience}{path}", "exp": now + _LIFETIME, "iat": now}
        head = {"alg": signing.alg, "typ": "JWT", "kid": signing.kid} | dict(header or {})
        body = usual | {"jti": str(uuid4())} | dict(claims or {})
        text = f"{_segment(head)}.{_segment(body)}"
        if head.get("alg") == "none":
            return f"{text}."
        if secret is not None:
            signature = get_algorithm_by_name(str(head["alg"])).sign(text.encode(), secret)
        else:
            signature = get_algorithm_by_name(signing.alg).sign(text.encode(), signing.private)
        return f"{text}.{_encoded(signature)}"


def _segment(members: Mapping[str, Any]) -> str:
    return _encoded(json.dumps({name: value for name, value in members.items() if value is not None}).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
