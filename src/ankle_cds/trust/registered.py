"""How a site registers CDS clients: models of configuration entries, and what is refused before anything is served.

https://cds-hooks.hl7.org/2.0/#trusting-cds-clients
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ankle_cds.client import Base, Entry, FhirBase, Place, Policy, parse_base
from ankle_cds.client.access import is_loopback
from ankle_cds.errors import ContentError
from ankle_cds.trust.token import MAX_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_SPECIFICATION = "https://cds-hooks.hl7.org/2.0/#trusting-cds-clients"
_SYNONYMS = {"required": "jwt", "off": "none"}

Algorithm = Literal["ES384", "RS384", "ES256", "RS256", "PS384", "ES512", "RS512", "PS256", "PS512"]
"""Asymmetric algorithms of https://www.rfc-editor.org/rfc/rfc7518#section-3.1 ; `none` and HMAC are not among them."""


Feature = Literal["actionSelectionBehavior"]
"""What only some clients understand; sent to those that are known to. https://cds-hooks.hl7.org (ballot of 3.0)."""


def _auth(value: object) -> object:
    if value in {"mtls", "jwt+mtls"}:
        raise ValueError("client certificates are not checked by this release; let a proxy in front do it")
    return _SYNONYMS.get(value, value) if isinstance(value, str) else value


Auth = Annotated[Literal["jwt", "optional", "none"], BeforeValidator(_auth)]
"""Whether a call needs a token: always, only if it carries one, or never; `required` and `off` are read as well."""


def _document_url(text: str) -> str:
    if parse_base(text) is None:
        raise ValueError("an https URL without user, query and fragment")
    return text


def _file(value: object) -> object:
    return Path(value) if isinstance(value, str) else value


class KeySetUrl(Place):
    """The address of a key set, letter by letter as tokens name it in `jku`.

    With `key_set`, a file that holds the set, the address is compared and never asked.
    """

    url: Annotated[str, AfterValidator(_document_url)]
    key_set: Annotated[Path | None, BeforeValidator(_file)] = None


class Tenant(Entry):
    """One organisation of an issuer that signs for several; without FHIR bases of its own it has the client's."""

    id: Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
    fhir_servers: tuple[FhirBase, ...] = ()


class Client(Entry):
    """One CDS client: its issuer, where its keys come from, and what may be read from where on its behalf.

    `supports` names what it understands beyond CDS Hooks 2.0; `emit_extensions` is whether its answers carry extensions
    of ours, None what the site says for all.
    """

    iss: Annotated[str, Field(min_length=1, max_length=2_048)]
    jku: tuple[KeySetUrl, ...] = ()
    key_set: Annotated[Path | None, BeforeValidator(_file)] = None
    algs: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("ES384", "RS384")
    audiences: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    tenants: tuple[Tenant, ...] = ()
    fhir_servers: tuple[FhirBase, ...] = ()
    supports: tuple[Feature, ...] = ()
    sends_feedback: bool = True
    emit_extensions: bool | None = None
    test: bool = False

    @model_validator(mode="after")
    def _has_keys(self) -> Self:
        if not self.jku and self.key_set is None:
            raise ValueError("give jku (addresses of the key set) or key_set (a file), else no token can be verified")
        return self

    def policy(self, tenant: str | None, *, loopback: bool) -> Policy:
        """Give the rule about FHIR servers for calls of this client, or of one of its tenants.

        Without any base nothing is read for it; `loopback` adds this machine (development).
        """
        own = next((one.fhir_servers for one in self.tenants if one.id == tenant), ()) or self.fhir_servers
        return Policy(bases=tuple(server.base() for server in own), loopback=loopback)

    def fhir_bases(self) -> tuple[Base, ...]:
        """Give every FHIR base named for this client or one of its tenants."""
        own = [*self.fhir_servers, *(server for tenant in self.tenants for server in tenant.fhir_servers)]
        return tuple(server.base() for server in own)


def refusals(
    auth: str,
    clients: Sequence[Client],
    *,
    development: bool,
    public_base_url: str | None,
    authenticated_by: str | None,
    where: Callable[..., str],
) -> Iterator[ContentError]:
    """Find what would let in more, or other callers than the site thinks; each finding names the place to change.

    `where` gives file and line of a setting by its path.
    """
    if auth != "jwt" and not development and not (authenticated_by or "").strip():
        yield _refused(
            f"auth: {auth} answers callers without a token, in production. Register the clients under `clients` and "
            "write `auth: jwt`; or say in `authenticated_by` who authenticates them in front of the service; or use "
            "--dev on a machine without patient data.",
            where("auth"),
        )
    seen: set[str] = set()
    for number, client in enumerate(clients):
        if client.iss in seen:
            yield _refused("iss is registered twice; write all of a client in one entry.", where("clients", number))
        seen.add(client.iss)
        yield from _client(client, development=development, where=lambda *path, n=number: where("clients", n, *path))
    if auth == "none":
        return
    if public_base_url is None:
        yield _refused(
            "public_base_url is missing: tokens name the address they are for, and it is never guessed from a request. "
            "Write the https URL clients call, without /cds-services.",
            where("public_base_url"),
        )
    elif not development and not public_base_url.lower().startswith("https://"):
        yield _refused("public_base_url must be https in production.", where("public_base_url"))
    if not clients:
        yield _refused(
            "clients is empty, so no token could be accepted: register at least one client with iss and jku or "
            "key_set (see docs/ehr.md), or use --dev on a machine without patient data.",
            where("clients"),
        )


def _client(client: Client, *, development: bool, where: Callable[..., str]) -> Iterator[ContentError]:
    if client.test != development:
        text = (
            "A client marked `test: true` may have keys anybody knows: production does not serve it; remove it."
            if client.test
            else "The development mode is not for clients with patients: mark this one `test: true`, or leave it out."
        )
        yield _refused(text, where())
    for number, key_set in enumerate(client.jku):
        base = key_set.base()
        if base.scheme != "https" and not (development and is_loopback(base)):
            yield _refused("jku must be https.", where("jku", number))


def _refused(text: str, where: str) -> ContentError:
    return ContentError(text, where=where, spec=_SPECIFICATION)
