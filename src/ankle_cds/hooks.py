"""CDS Hooks wire models: the envelope of a request, never the clinical content inside it.

`read_request` proves the shape of what an EHR sent (hook, hookInstance, context, access to its FHIR server) and leaves
every prefetch value as untyped JSON. What does not fit is a RequestError whose diagnostics name fields of the
specification and nothing else. Unknown fields and extensions are ignored: https://cds-hooks.hl7.org/2.0/#extensions
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from ankle_cds.errors import RequestError, RequestFault

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SPECIFICATION = "https://cds-hooks.hl7.org/2.0/#http-request_1"
_FHIR_ID = r"[A-Za-z0-9\-.]{1,64}"
_MAX_ISSUES = 10
_MAX_TOKEN = 16_384  # characters; a longer bearer token does not fit in the header block servers accept


def _without(prefix: str) -> BeforeValidator:
    """Accept `Patient/123` where the specification asks for `123`: the sender's meaning is not in doubt."""
    return BeforeValidator(lambda value: value.removeprefix(prefix) if isinstance(value, str) else value)


def not_null(value: object) -> object:
    """Refuse null where a member may be left out: default values are not validated, so absent stays None."""
    if value is None:
        raise ValueError
    return value


def _http_url(value: str) -> str:
    """Accept absolute http(s) URLs without blanks, control characters or backslashes."""
    if not re.fullmatch(r"https?://[!-\[\]-~]+", value, re.IGNORECASE):
        raise ValueError
    parts = urlsplit(value)
    if not parts.hostname or (parts.port is not None and parts.port == 0):
        raise ValueError
    return value


def _one_line(value: SecretStr) -> SecretStr:
    """Accept what can stand in an HTTP header: visible ASCII."""
    if not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise ValueError
    return value


def _whole_number(value: object) -> int | None:
    """Read an integer, also from a string or a decimal without fraction; None (not known) for anything else."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,12}", value):
        return int(value)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool) and value == int(value):
        return int(value)
    return None


NotNull = BeforeValidator(not_null)
FhirId = Annotated[str, StringConstraints(pattern=rf"^{_FHIR_ID}$")]
TypedId = Annotated[str, StringConstraints(pattern=rf"^[A-Z][A-Za-z]{{2,63}}/{_FHIR_ID}$")]
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$")]
Text = Annotated[str, StringConstraints(min_length=1)]
HttpUrl = Annotated[str, StringConstraints(min_length=1, max_length=2_048), AfterValidator(_http_url)]
_TextOrUnknown = Annotated[
    str | None,
    BeforeValidator(lambda value: value if isinstance(value, str) else None),
    WithJsonSchema({"description": "Text; anything else is read as not known"}),
]
_NumberOrUnknown = Annotated[
    int | None,
    BeforeValidator(_whole_number),
    WithJsonSchema({"description": "A whole number; anything else is read as not known"}),
]


class Wire(BaseModel):
    """What came over the wire: strict JSON types, immutable, unknown members ignored, values kept out of messages."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True
    )


class Context(Wire):
    """Where in the workflow the hook fired; `user_id` is `Type/id`, the others are bare FHIR ids.

    `encounter_id` is None where the hook leaves it optional and the client did not send it.
    """

    user_id: TypedId
    patient_id: Annotated[FhirId, _without("Patient/")]
    encounter_id: Annotated[FhirId | None, _without("Encounter/"), NotNull] = None

    @property
    def by_professional(self) -> bool:
        """Whether the user treats patients; a patient's or a relative's own session gets no cards."""
        return self.user_id.startswith(("Practitioner/", "PractitionerRole/"))


class EncounterStartContext(Context):
    """https://cds-hooks.org/hooks/encounter-start/ ; here the encounter is required."""

    encounter_id: Annotated[FhirId | None, _without("Encounter/"), NotNull]


class PatientViewContext(Context):
    """https://cds-hooks.org/hooks/patient-view/ ; `encounter_id` is None when the chart is opened without a visit."""


class DraftOrders(Wire):
    """A Bundle of orders; its entries stay untyped."""

    resource_type: Annotated[str, StringConstraints(pattern="^Bundle$")]
    entry: list[Any] = []


class OrderSignContext(Context):
    """https://cds-hooks.org/hooks/order-sign/ ."""

    draft_orders: DraftOrders


class OrderSelectContext(OrderSignContext):
    """https://cds-hooks.org/hooks/order-select/ ; without `selections` every draft order counts as selected."""

    selections: list[TypedId] = []


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook of the CDS Hooks library: the shape of its context and the version of its definition."""

    name: str
    context: type[Context]
    version: str = "1.0"

    @property
    def is_about_orders(self) -> bool:
        """Whether draft orders are what the hook asks about."""
        return issubclass(self.context, OrderSignContext)


HOOKS: Mapping[str, Hook] = {
    hook.name: hook
    for hook in (
        Hook("encounter-start", EncounterStartContext),
        Hook("patient-view", PatientViewContext),
        Hook("order-select", OrderSelectContext),
        Hook("order-sign", OrderSignContext),
    )
}
"""Every hook whose context we can read, in the order in which discovery lists them."""


class FhirAuthorization(Wire):
    """Access to the EHR's FHIR server for this one request; `expires_in` in seconds, None where not known.

    https://cds-hooks.hl7.org/2.0/#passing-the-access-token-to-the-cds-service
    """

    model_config = ConfigDict(alias_generator=None)

    access_token: Annotated[SecretStr, Field(min_length=1, max_length=_MAX_TOKEN), AfterValidator(_one_line)]
    token_type: Annotated[str, StringConstraints(pattern="^Bearer$")]
    expires_in: _NumberOrUnknown = None
    scope: _TextOrUnknown = None
    subject: _TextOrUnknown = None
    patient: _TextOrUnknown = None


class _Envelope(Wire):
    hook: Text
    hook_instance: Uuid
    context: Annotated[dict[str, Any], Field(min_length=1)]
    prefetch: dict[str, Any] = {}


class _Access(Wire):
    fhir_server: Annotated[HttpUrl | None, NotNull] = None
    fhir_authorization: Annotated[FhirAuthorization | None, NotNull] = None


@dataclass(frozen=True, slots=True)
class Request:
    """A hook request whose envelope is proven; `tolerated` names the fields that came in a form we repaired.

    `issuer` is who signed it, None where nobody did.
    """

    hook: str
    hook_instance: str
    context: Context = field(repr=False)
    prefetch: Mapping[str, Any] = field(repr=False)
    fhir_server: str | None = None
    fhir_authorization: FhirAuthorization | None = None
    tolerated: tuple[str, ...] = ()
    issuer: str | None = None


def read_request(
    document: Any, offered: Collection[str] = HOOKS, *, plain_http: bool = False, issuer: str | None = None
) -> Request:
    """Read a decoded body sent to a service that offers the hooks named in `offered` (default: all we can read).

    Raises RequestError, checking in this order and naming every field that fails in the same step: envelope, hook,
    context, access. `plain_http` permits http in `fhirServer` next to a token; only the development mode sets it.
    `issuer` is the one the caller was let in as.
    """
    if not isinstance(document, dict):
        raise RequestError(RequestFault.NOT_OBJECT, spec=SPECIFICATION)
    envelope = validate(_Envelope, document)
    if envelope.hook not in offered:
        raise RequestError(RequestFault.HOOK, diagnostics=("hook",), spec=SPECIFICATION)
    context = validate(HOOKS[envelope.hook].context, envelope.context, "context")
    if "fhirAuthorization" in document and "fhirServer" not in document:
        raise RequestError(
            RequestFault.AUTHORIZATION_WITHOUT_SERVER, diagnostics=("fhirAuthorization",), spec=SPECIFICATION
        )
    access = validate(_Access, document)
    server, authorization = access.fhir_server, access.fhir_authorization
    if server and authorization and urlsplit(server).scheme.lower() == "http" and not plain_http:
        raise RequestError(RequestFault.INSECURE_SERVER, diagnostics=("fhirServer",), spec=SPECIFICATION)
    return Request(
        hook=envelope.hook,
        hook_instance=envelope.hook_instance.lower(),
        context=context,
        prefetch=envelope.prefetch,
        fhir_server=server,
        fhir_authorization=authorization,
        tolerated=_tolerated(document),
        issuer=issuer,
    )


def _tolerated(document: dict[str, Any]) -> tuple[str, ...]:
    context = document["context"]
    names = [name for name in ("patientId", "encounterId") if "/" in str(context.get(name, ""))]
    authorization = document.get("fhirAuthorization")
    if isinstance(authorization, dict):
        expected = {"expires_in": int, "scope": str, "subject": str}
        names += [name for name, kind in expected.items() if not isinstance(authorization.get(name), kind)]
    return tuple(names)


_Model = TypeVar("_Model", bound=BaseModel)


def validate(model: type[_Model], document: Any, *parents: str, spec: str = SPECIFICATION) -> _Model:
    """Validate against one wire model; every failing field becomes one issue that names it and shows no value.

    `parents` are the names of the fields that hold the document. Raises RequestError, at most ten issues.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
    known = _known_names()
    refused: dict[tuple[RequestFault, str], RequestError] = {}
    for item in found:
        kind = item["type"]
        # Positions in lists, map keys and union tags are left out: only names from our own models may be shown.
        steps = [step for step in item["loc"] if isinstance(step, str) and step in known]
        name = ".".join([*parents, *steps, *(["outcome"] if kind in _UNION_TAG else [])])
        missing = kind in _MISSING and not name.startswith("fhirAuthorization")
        fault = RequestFault.MISSING if missing else RequestFault.BAD_VALUE
        refused.setdefault((fault, name), RequestError(fault, diagnostics=(name,), spec=spec))
    first, *others = list(refused.values())[:_MAX_ISSUES]
    raise RequestError(first.fault, diagnostics=first.diagnostics, spec=spec, others=tuple(others))


_MISSING = frozenset({"missing", "union_tag_not_found"})
_UNION_TAG = frozenset({"union_tag_not_found", "union_tag_invalid"})


@cache
def _known_names() -> frozenset[str]:
    """Every member name of every wire model: the only words of a failing path that may go into an answer."""
    models, names = [Wire], set()
    while models:
        model = models.pop()
        models += model.__subclasses__()
        names |= {info.alias or name for name, info in model.model_fields.items()}
    return frozenset(names)
