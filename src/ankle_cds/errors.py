"""Everything that can go wrong, drawn as a tree and sorted by whose fault it is.

    AnkleCdsError
    ├─ ContentError   ours: the content, or a file given to a command, cannot be used as written: refused (exit 2)
    ├─ RequestError   the caller's: answered with a 4xx status and an OperationOutcome
    └─ ServerError    the other server's: missing data inside a hook call, exit 3 on the command line

Each error says in one sentence what is wrong and what to do, and carries `where` (file:line or a JSON path) and
`spec` (the URL of the rule that was broken). No error ever holds a value taken from a patient's record or a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class AnkleCdsError(Exception):
    """Root of the tree; `str(error)` is the sentence followed by where it happened and which rule it breaks."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, where: str | None = None, spec: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.spec = spec

    def __str__(self) -> str:
        parts = [self.message]
        if self.where:
            parts.append(f"  at   {self.where}")
        if self.spec:
            parts.append(f"  rule {self.spec}")
        return "\n".join(parts)


class ContentError(AnkleCdsError):
    """Content, configuration or a given file cannot be used as written; `causes` lists every finding."""

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        spec: str | None = None,
        causes: tuple[ContentError, ...] = (),
    ) -> None:
        super().__init__(message, where=where, spec=spec)
        self.causes = causes

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(str(cause) for cause in self.causes)])


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of the table from error to HTTP status, OperationOutcome issue code and fixed sentence.

    Issue codes: https://hl7.org/fhir/R4/valueset-issue-type.html
    """

    status: int
    issue: str
    text: str


class RequestFault(Enum):
    """The only table from a refused request to what the caller sees; the sentence is constant per row."""

    NOT_FOUND = Fault(404, "not-found", "Unknown resource.")
    METHOD = Fault(405, "not-supported", "Method not allowed.")
    UNAUTHORIZED = Fault(401, "login", "Unauthorized.")
    TOO_LARGE = Fault(413, "too-long", "Request body too large.")
    MEDIA_TYPE = Fault(415, "not-supported", "Content-Type must be application/json.")
    ENCODING = Fault(415, "not-supported", "Compressed request bodies are not accepted.")
    NOT_ACCEPTABLE = Fault(406, "not-supported", "Only JSON can be produced.")
    SLOW_BODY = Fault(408, "timeout", "Request body not received in time.")
    NOT_HTTP = Fault(400, "structure", "Request is not valid HTTP.")
    NOT_JSON = Fault(400, "structure", "Body is not valid JSON.")
    DUPLICATE_NAME = Fault(400, "structure", "Duplicate member name.")
    TOO_DEEP = Fault(400, "structure", "Body is nested too deeply.")
    NOT_OBJECT = Fault(400, "structure", "Body must be a JSON object.")
    MISSING = Fault(400, "required", "Required field is missing.")
    BAD_VALUE = Fault(400, "value", "Field has the wrong type or is empty.")
    HOOK = Fault(400, "value", "Hook is not offered by this service.")
    AUTHORIZATION_WITHOUT_SERVER = Fault(400, "invariant", "fhirAuthorization requires fhirServer.")
    INSECURE_SERVER = Fault(400, "value", "fhirServer must use https.")
    HEADERS_TOO_LARGE = Fault(431, "too-long", "Request header too large.")
    URI_TOO_LONG = Fault(414, "too-long", "Request header too large.")
    CONFLICT = Fault(422, "conflict", "Request identifies more than one patient or encounter.")
    PRECONDITION = Fault(412, "processing", "Required data could not be obtained.")


class ServiceFault(Enum):
    """The rows of the same table that are ours, not the caller's: the service answers, but not with cards."""

    BUSY = Fault(503, "throttled", "Service is busy, retry later.")
    DEADLINE = Fault(503, "timeout", "Service is busy, retry later.")
    NOT_READY = Fault(503, "transient", "Service is not ready.")
    INTERNAL = Fault(500, "exception", "Internal error.")


class RequestError(AnkleCdsError):
    """The caller's request is refused.

    `fault` is a row of the table; `diagnostics` may name only fields of the CDS Hooks specification and our own
    prefetch keys, never anything taken from the request. `others` are further faults found in the same step: each
    becomes one more issue of the same OperationOutcome, whose status is that of the first.
    """

    def __init__(
        self,
        fault: RequestFault,
        *,
        diagnostics: tuple[str, ...] = (),
        spec: str | None = None,
        others: tuple[RequestError, ...] = (),
    ) -> None:
        super().__init__(fault.value.text, spec=spec)
        self.fault = fault
        self.diagnostics = diagnostics
        self.others = others


class ServerError(AnkleCdsError):
    """Another server did not do its part; `key` names the input that is missing because of it, when there is one.

    `cause` is a word to count by: one of ours, or an HTTP status.
    """

    exit_code = 3

    def __init__(self, message: str, *, key: str | None = None, spec: str | None = None, cause: str = "other") -> None:
        super().__init__(message, where=key, spec=spec)
        self.key = key
        self.cause = cause
