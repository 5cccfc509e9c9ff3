"""One registered client of a service in production: its key set in a file, and as many right tokens as are wanted."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from canaries import MARK
from kinds import SERVICE

from tokens import encode, jwk, key, sign

if TYPE_CHECKING:
    from pathlib import Path

ISSUER = "https://ehr.example"
BASE = "https://cds.example"
_LIFETIME = 300


class Issuer:
    """Signs tokens whose every claim of its own choice holds a planted word."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clients.jwks.json"
        self._key = key("fuzz")
        folder.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps({"keys": [jwk(self._key, "k1")]}), "utf-8")

    def settings(self) -> dict[str, Any]:
        """Give the settings of a site that has registered this client and no other."""
        client = {"iss": ISSUER, "key_set": str(self._file), "fhir_servers": [{"url": f"{ISSUER}.invalid/r4"}]}
        return {"public_base_url": BASE, "auth": "jwt", "clients": [client]}

    def token(self) -> str:
        """Give a token that has not been used."""
        now = int(time.time())
        nonce = f"{MARK}{uuid4()}"
        claims = {"iss": ISSUER, "aud": BASE + SERVICE, "exp": now + _LIFETIME, "iat": now, "jti": nonce, "sub": nonce}
        signed = f"{encode({'alg': 'ES384', 'kid': 'k1', 'typ': 'JWT'})}.{encode(claims)}"
        return f"{signed}.{encode(sign(self._key, 'ES384', signed))}"
