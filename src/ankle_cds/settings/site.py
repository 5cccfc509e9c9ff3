"""What a site decides: one model, its defaults, and what is refused before anything is served."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path  # noqa: TC003  # pydantic reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr

from ankle_cds.client import BaseUrl, Entry, FhirBase, Limits, Policy, is_loopback, parse_base
from ankle_cds.errors import ContentError
from ankle_cds.fhir import Document  # noqa: TC001  # as above
from ankle_cds.trust import Auth, Client, refusals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SECRET_CHARACTERS = 32
_MEMORY = "sqlite:///ankle-cds-memory.sqlite3"


def _origin(text: str) -> str:
    base = parse_base(text)
    if base is None or base.path or text.endswith("/"):
        raise ValueError("scheme, host and port only, such as https://ehr.example.org")
    if text != base.url:
        raise ValueError("as a browser sends it: in small letters, without the usual port")
    return text


def _long(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < _SECRET_CHARACTERS:
        raise ValueError(f"at least {_SECRET_CHARACTERS} characters nobody can guess")
    return secret


def _whole(endpoint: str) -> str:
    base = parse_base(endpoint)
    if base is None or not base.path:
        raise ValueError("the whole address, such as https://collector.example.org/v1/traces")
    return endpoint


class Settings(Entry):
    """Everything a site decides. Times are seconds, sizes bytes.

    `secret` is what keys are made from; it stands here, in the environment, or in `secret_file`. `memory` is where it
    is remembered what was shown and answered: a URL, or `none`. `traces` is where traces are sent, None for nowhere.

    `mode` development permits http FHIR servers on this machine and, unless `auth` is set, calls without a token.
    `authenticated_by` says in words who authenticates callers in front of the service, where `auth` is not jwt.
    """

    mode: Literal["production", "development"] = "production"
    auth: Auth | None = None
    authenticated_by: str | None = None
    discovery_auth: Literal["open", "required"] = "open"
    clients: tuple[Client, ...] = ()
    clock_leeway: Annotated[float, Field(ge=0, le=120)] = 30.0
    jwt_max_lifetime: Annotated[float, Field(gt=0, le=3_600)] = 3_600.0
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int | None, Field(ge=0, le=65_535)] = None
    traces: Annotated[BaseUrl | None, AfterValidator(lambda given: given and _whole(given))] = None
    public_base_url: BaseUrl | None = None
    spec_version: Literal["2.0.1", "3.0.0"] = "2.0.1"
    fhir_servers: tuple[FhirBase, ...] = ()
    ca_file: Path | None = None
    cors_origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    max_body: Annotated[int, Field(ge=1_024)] = 10 * 1024 * 1024
    max_feedback_body: Annotated[int, Field(ge=1_024)] = 256 * 1024
    max_json_depth: Annotated[int, Field(ge=16, le=512)] = 64
    max_in_flight: Annotated[int, Field(ge=1)] = 256
    body_timeout: Annotated[float, Field(gt=0)] = 10.0
    request_deadline: Annotated[float, Field(gt=0)] = 1.0
    callback_total: Annotated[float, Field(ge=0.1, le=10)] = 0.4
    callback_connect: Annotated[float, Field(gt=0, le=10)] = 0.15
    callback_read: Annotated[float, Field(gt=0, le=10)] = 0.35
    callback_parallel: Annotated[int, Field(ge=1, le=64)] = 6
    secret: Annotated[SecretStr | None, AfterValidator(lambda given: given and _long(given))] = None
    secret_file: Path | None = None
    memory: Annotated[str | None, Field(min_length=1)] = None
    memory_timeout: Annotated[float, Field(gt=0, le=10)] = 0.5
    retention_days: Annotated[int, Field(ge=1, le=180)] = 180
    feedback_store_comments: bool = False
    feedback_per_minute: Annotated[int, Field(ge=1)] = 6_000
    emit_extensions: bool = False
    parameters: dict[str, Any] = Field(default_factory=dict)
    _random: bytes = PrivateAttr(default_factory=lambda: secrets.token_bytes(32))
    _lines: dict[str, str] = PrivateAttr(default_factory=dict)
    _document: Document | None = PrivateAttr(default=None)

    @property
    def development(self) -> bool:
        """Whether this is the development mode."""
        return self.mode == "development"

    @property
    def effective_auth(self) -> Auth:
        """Whether calls need a token; where the site does not say, they do in production."""
        return self.auth or ("none" if self.development else "jwt")

    @property
    def effective_memory(self) -> str | None:
        """The URL of the memory, None for none; where the site does not say, there is one in production."""
        if self.memory is None:
            return None if self.development else _MEMORY
        return None if self.memory == "none" else self.memory

    def key(self, purpose: str) -> bytes:
        """Make the key for one purpose from the secret of the site, 32 bytes.

        Where the site has none it is random: no other process has it, and this one only until it ends. Raises
        ContentError when the file of the secret cannot be read or is too short.
        """
        secret = self._secret()
        material = secret.get_secret_value().encode() if secret is not None else self._random
        return hmac.digest(material, f"ankle-cds/{purpose}".encode(), hashlib.sha256)

    def _secret(self) -> SecretStr | None:
        if self.secret is not None or self.secret_file is None:
            return self.secret
        try:
            return _long(SecretStr(self.secret_file.read_text("utf-8").strip()))
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else error if "at least" in str(error) else "not text"
            raise ContentError(
                f"The file of the secret cannot be used: {said}.", where=self.where("secret_file")
            ) from None

    def remember(self, document: Document, wheres: Mapping[str, str]) -> None:
        """Keep where each setting was written, for what is said about it later; `wheres` names those of elsewhere."""
        self._document = document
        self._lines.update(wheres)
        self._lines.update({name: document.where("parameters", name) for name in self.parameters})

    def where(self, name: str, *path: str | int) -> str:
        """Give the place a setting, or a part of one, was written: `file:line`, or its name where no file says it."""
        written = self._lines.get(name)
        if written is not None:
            return written
        if self._document is not None and name in self._document.data:
            return self._document.where(name, *path)
        return ".".join(map(str, (name, *path)))

    def line(self, parameter: str) -> str:
        """Give the place a parameter was written."""
        return self._lines.get(parameter, f"parameters.{parameter}")

    def policy(self) -> Policy:
        """Give the rule about which FHIR servers may be contacted at all, for whichever caller."""
        of_clients = (base for client in self.clients for base in client.fhir_bases())
        return Policy(bases=(*self.anonymous_policy().bases, *of_clients), loopback=self.development)

    def anonymous_policy(self) -> Policy:
        """Give the rule about which FHIR servers may be contacted for a caller without a token."""
        return Policy(bases=tuple(server.base() for server in self.fhir_servers), loopback=self.development)

    def limits(self) -> Limits:
        """Give what one hook call may cost at FHIR servers."""
        return Limits(
            total=self.callback_total,
            connect=self.callback_connect,
            read=self.callback_read,
            parallel=self.callback_parallel,
        )

    def refuse_open_production(self) -> None:
        """Raise ContentError where callers would be let in without the site having said so, or none could be.

        Likewise where the keys of what is remembered would be known to anybody, or forgotten at the next start, and
        where traces would leave this machine over http.
        """
        found = refusals(
            self.effective_auth,
            self.clients,
            development=self.development,
            public_base_url=self.public_base_url,
            authenticated_by=self.authenticated_by,
            where=self.where,
        )
        refused = list(found)
        if not (self.development or self.secret or self.secret_file) and self.effective_memory is not None:
            text = (
                "secret is missing: patients are remembered by keyed hashes, and this is the key. Write secret_file: a "
                f"file with at least {_SECRET_CHARACTERS} characters nobody can guess; or `memory: none`."
            )
            refused.append(ContentError(text, where=self.where("secret")))
        collector = parse_base(self.traces or "")
        if collector is not None and collector.scheme == "http" and not (self.development or is_loopback(collector)):
            text = "traces: over http anybody on the way can read them. Write https, or a collector on this machine."
            refused.append(ContentError(text, where=self.where("traces")))
        if refused:
            raise together(refused)


def together(refused: Sequence[ContentError]) -> ContentError:
    """Give one error for several, each of which stands in its causes."""
    if len(refused) == 1:
        return refused[0]
    return ContentError(f"{len(refused)} settings are wrong; correct each.", causes=tuple(refused))
