"""Why a token was refused, in one fixed word: for our log, never for the caller."""

from __future__ import annotations

from enum import StrEnum

from ankle_cds.errors import RequestError, RequestFault

_SPECIFICATION = "https://cds-hooks.hl7.org/2.0/#trusting-cds-clients"


class Reason(StrEnum):
    """The step at which a token failed; docs/ehr.md says for each what to look at."""

    HEADER = "header"
    FORM = "form"
    PROTECTED = "protected"
    PAYLOAD = "payload"
    ISSUER = "issuer"
    JKU = "jku"
    AUDIENCE = "audience"
    TIME = "time"
    TENANT = "tenant"
    JTI = "jti"
    KEY = "key"
    KEY_SET = "key-set"
    SIGNATURE = "signature"
    REPLAY = "replay"


class UntrustedError(RequestError):
    """The caller is not one we know: 401, the same to the byte whatever the reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(RequestFault.UNAUTHORIZED, spec=_SPECIFICATION)
        self.reason = reason
