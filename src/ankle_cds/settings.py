"""Site configuration: one YAML file and the environment, checked at start, refused with file and line.

A site sets how the service is reached, which FHIR servers it may read, and the parameters of the logic by their CQL
names. Every value is checked against the type the logic declares; a name the logic does not know is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, ValidationError

from ankle_cds.client import BaseUrl, Entry, FhirBase, Limits, Policy, is_loopback, parse_base
from ankle_cds.errors import ContentError
from ankle_cds.fhir import Document, read_yaml
from ankle_cds.trust import Auth, Client, refusals

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "ANKLE_CDS_"
_DEVELOPMENT_SECRET = SecretStr("known to anybody: for development only")
_SECRET_CHARACTERS = 32
_MEMORY = "sqlite:///ankle-cds-memory.sqlite3"
_SPECIFICATION = "https://cql.hl7.org/02-authorsguide.html#parameters"
_INTEGER_LIMIT = 2**31


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
            raise _together(refused)


class Declared(Protocol):
    """What is asked of a parameter: its type as the logic declares it, such as `Integer` or `List<String>`."""

    @property
    def type(self) -> str:
        """The CQL type."""
        ...

    @property
    def default(self) -> Any:
        """The default value."""
        ...


def load(path: Path | None = None, *, environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Read the configuration file, then the environment (`ANKLE_CDS_PORT`), then `given` (the command line).

    Later ones win. Without a file, defaults hold. Raises ContentError listing every bad value with file and line, or
    with the name of the environment variable.
    """
    environment = os.environ if environment is None else environment
    document = read_yaml(path, empty_lists=True) if path is not None else None
    values: dict[str, Any] = dict(document.data) if document is not None else {}
    wheres = {name: document.where(name) for name in values} if document is not None else {}
    for name, text in environment.items():
        if name.startswith(_PREFIX) and name != f"{_PREFIX}CONFIG":
            setting = name.removeprefix(_PREFIX).lower()
            values[setting] = _from_text(text, setting)
            wheres[setting] = f"environment variable {name}"
    values |= {name: value for name, value in given.items() if value is not None}
    if values.get("mode") == "development":
        values.setdefault("secret", None if "secret_file" in values else _DEVELOPMENT_SECRET)
    try:
        settings = Settings.model_validate(_python(values))
    except ValidationError as error:
        raise _refusal(error, document, wheres) from None
    if document is not None:
        settings.remember(document, {name: where for name, where in wheres.items() if where.startswith("environment")})
    return settings


PER_CALL = frozenset(
    {"EncounterId", "UnavailableInputs", "UserRoleCodes", "DraftOrderIds", "UnnamedDraftIds", "EvaluationSide"}
)
"""CQL parameters that belong to one call; a site cannot set them."""


def site_parameters(settings: Settings, declared: Mapping[str, Declared]) -> dict[str, Any]:
    """Give the site's parameters as CQL values, checked against what the logic declares.

    Raises ContentError for every name the logic does not declare and every value of another type, with the file and
    line it was written on.
    """
    found: dict[str, Any] = {}
    refused: list[ContentError] = []
    for name, value in settings.parameters.items():
        where = settings.line(name)
        if name in PER_CALL:
            refused.append(ContentError(f"{name} is set by each call; remove it here.", where=where))
        elif name not in declared:
            known = ", ".join(sorted(set(declared) - PER_CALL))
            refused.append(ContentError(f"{name} is not a parameter of the logic; use one of {known}.", where=where))
        else:
            try:
                found[name] = _cql_value(value, declared[name].type, declared[name].default)
            except ValueError as error:
                refused.append(ContentError(f"{name} must be {error}.", where=where, spec=_SPECIFICATION))
    if refused:
        raise _together(refused)
    return found


def _cql_value(value: Any, declared: str, default: Any) -> Any:
    """Convert a JSON value to the Python form of a CQL value; ValueError says what the type asks for."""
    kind = re.sub(r"\{[^}]*\}|System\.|\s", "", declared)
    if inner := re.fullmatch(r"(?i:list)<(.+)>", kind):
        if not isinstance(value, list):
            raise ValueError(f"a list of {inner[1]}")  # one kind of refusal
        return [_cql_value(item, inner[1], None) for item in value]
    expected = {"Boolean": "true or false", "Integer": "a whole number", "Decimal": "a number", "String": "text"}
    if kind not in expected:
        raise ValueError(f"left to the content: a value of type {kind} cannot be written here")
    number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    fits = {
        "Boolean": isinstance(value, bool),
        "Integer": isinstance(value, int) and number and abs(value) < _INTEGER_LIMIT,
        "Decimal": number,
        "String": isinstance(value, str),
    }[kind]
    if not fits:
        raise ValueError(expected[kind])
    if number and value < 0 and (default is None or default >= 0):
        raise ValueError("zero or more")
    return Decimal(value) if kind == "Decimal" else value


def _from_text(text: str, setting: str) -> Any:
    """Read an environment value: whole numbers, decimals and booleans where the setting is one, lists by comma."""
    info = Settings.model_fields.get(setting)
    kind = str(info.annotation).lower() if info is not None else ""
    if "tuple" in kind:
        return [{"url": part} if setting == "fhir_servers" else part for part in text.split(",") if part]
    if re.fullmatch(r"[0-9]+", text) and "str" not in kind:
        return int(text)
    if re.fullmatch(r"[0-9]+\.[0-9]+", text) and "float" in kind:
        return float(text)
    return text


def _python(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give strict validation the Python types that JSON has no words for; parameters are left to the logic."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found[name] = value if name == "parameters" else _strict(value)
        if name in {"ca_file", "secret_file"} and isinstance(value, str):
            found[name] = Path(value)
    return found


def _strict(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (list, tuple)):
        return tuple(_strict(item) for item in value)
    if isinstance(value, dict):
        return {name: _strict(item) for name, item in value.items()}
    return value


def _refusal(error: ValidationError, document: Document | None, wheres: Mapping[str, str]) -> ContentError:
    refused = []
    for item in error.errors(include_url=False, include_input=False):
        steps = [step for step in item["loc"] if isinstance(step, int) or re.fullmatch(r"[A-Za-z_]+", step)]
        name = str(steps[0]) if steps else ""
        where = wheres.get(name, "the command line")
        if document is not None and where.startswith(str(document.path)):
            where = document.where(*steps)
        if item["type"] == "extra_forbidden":
            text = f"{'.'.join(map(str, steps))} is not a setting; use one of {', '.join(Settings.model_fields)}."
        else:
            text = f"{'.'.join(map(str, steps))}: {item['msg'].removeprefix('Value error, ')}."
        refused.append(ContentError(text, where=where))
    return _together(refused)


def _together(refused: list[ContentError]) -> ContentError:
    if len(refused) == 1:
        return refused[0]
    return ContentError(f"{len(refused)} settings are wrong; correct each.", causes=tuple(refused))
