"""Who may call? Signed tokens of CDS clients, checked in a fixed order, and what a client may have read for it.

    token     one Authorization header becomes a header, claims and a signature, or is refused
    claims    issuer, audience, times, tenant and nonce are those of a registered client
    keys      a JSON Web Key becomes a key that fits one algorithm family
    keysets   where a client's keys come from: a file, or an address that is asked rarely and once
    replay    a token is used once
    gate      all of it in order

Nothing here is ever logged or repeated but the reason of a refusal, one fixed word.
https://cds-hooks.hl7.org/2.0/#trusting-cds-clients
"""

from ankle_cds.trust.gate import Caller, Gate
from ankle_cds.trust.reasons import Reason, UntrustedError
from ankle_cds.trust.registered import Auth, Client, KeySetUrl, Tenant, refusals
from ankle_cds.trust.replay import MemoryReplay, Replay, ReplayError

__all__ = [
    "Auth",
    "Caller",
    "Client",
    "Gate",
    "KeySetUrl",
    "MemoryReplay",
    "Reason",
    "Replay",
    "ReplayError",
    "Tenant",
    "UntrustedError",
    "refusals",
]
