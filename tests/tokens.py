"""Keys and tokens of CDS clients, right ones and wrong ones, put together by hand so that anything can be said."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt import get_algorithm_by_name

CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
DROP: Any = object()


@cache
def key(name: str, kind: str = "P-384") -> Any:
    """Give the private key of this name; the same each time."""
    del name
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind])
    return rsa.generate_private_key(65_537, int(kind))


def jwk(private: Any, kid: str, **more: Any) -> dict[str, Any]:
    """Give the public half as a JSON Web Key."""
    family = "RS384" if isinstance(private, rsa.RSAPrivateKey) else "ES384"
    public = get_algorithm_by_name(family).to_jwk(private.public_key(), as_dict=True)
    return {name: value for name, value in public.items() if name != "key_ops"} | {"kid": kid} | more


def encode(part: Any) -> str:
    """Encode bytes, a text, or a JSON value as one segment."""
    data = part if isinstance(part, bytes) else part.encode() if isinstance(part, str) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(private: Any, alg: str, signed: str) -> bytes:
    """Sign as the algorithm says; an EC key of another curve signs with the hash of the algorithm."""
    return get_algorithm_by_name(alg).sign(signed.encode(), private)


def changed(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Give a copy with members replaced, or left out where the change is DROP."""
    return {name: value for name, value in (document | changes).items() if value is not DROP}


def nonce() -> str:
    return f"canary-{uuid4()}"
