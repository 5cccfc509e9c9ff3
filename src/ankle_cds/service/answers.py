"""What leaves the service: cards, documents, and one OperationOutcome for everything that is refused or went wrong.

Error bodies are built from the table in `ankle_cds.errors` and names from our own source; nothing of the request is
ever repeated. https://hl7.org/fhir/R4/operationoutcome.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from ankle_cds.errors import RequestError, RequestFault, ServiceFault
from ankle_cds.fhir import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import MutableHeaders

    from ankle_cds.errors import Fault

NO_STORE = {"Cache-Control": "no-store"}
_OWN_HEADERS = {
    RequestFault.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    # What is left of the body is not read, so the connection cannot carry another request.
    RequestFault.TOO_LARGE: {"Connection": "close"},
    RequestFault.SLOW_BODY: {"Connection": "close"},
    RequestFault.HEADERS_TOO_LARGE: {"Connection": "close"},
    RequestFault.URI_TOO_LONG: {"Connection": "close"},
    ServiceFault.BUSY: {"Retry-After": "1"},
    ServiceFault.DEADLINE: {"Retry-After": "1"},
    ServiceFault.NOT_READY: {"Retry-After": "1"},
}


class ServiceError(Exception):
    """The service cannot answer this request now, by no fault of the caller."""

    def __init__(self, fault: ServiceFault) -> None:
        super().__init__(fault.value.text)
        self.fault = fault


def document(body: Any, *, status: int = 200, headers: Mapping[str, str] = NO_STORE) -> Response:
    """Answer with a JSON document."""
    return Response(write_json(body), status, headers=dict(headers), media_type="application/json")


def refusal(error: RequestError) -> Response:
    """Answer a refused request: status of the first fault, one issue per fault."""
    issues = [_issue(each.fault.value, each.diagnostics) for each in (error, *error.others)]
    return _outcome(error.fault, issues)


def fault(row: RequestFault | ServiceFault, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with one row of the table; `headers` are added to its own."""
    response = _outcome(row, [_issue(row.value)])
    response.headers.update(headers or {})
    return response


def information(text: str) -> Response:
    """Answer that something was taken in, as an OperationOutcome."""
    issue = {"severity": "information", "code": "informational", "details": {"text": text}}
    return document({"resourceType": "OperationOutcome", "issue": [issue]})


def sign(headers: MutableHeaders, request_id: str) -> None:
    """Add what the head of every answer has, whoever made it."""
    headers["X-Request-Id"] = request_id
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Vary"] = "Origin"


def _issue(row: Fault, diagnostics: tuple[str, ...] = ()) -> dict[str, Any]:
    issue: dict[str, Any] = {"severity": "error", "code": row.issue, "details": {"text": row.text}}
    if diagnostics:
        issue["diagnostics"] = ", ".join(diagnostics)
    return issue


def _outcome(row: RequestFault | ServiceFault, issues: list[dict[str, Any]]) -> Response:
    body = {"resourceType": "OperationOutcome", "issue": issues}
    return document(body, status=row.value.status, headers=NO_STORE | _OWN_HEADERS.get(row, {}))
