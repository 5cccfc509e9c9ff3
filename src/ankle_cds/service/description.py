"""What the service takes and answers, described for programs: OpenAPI 3.1 and JSON Schemas, made from what is enforced.

Requests and feedback are described from the models that read them, refusals from the table of faults; only the answers
have a file of their own, `answers.schema.yaml`. https://spec.openapis.org/oas/v3.1.0.html
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from ankle_cds import __version__, hooks
from ankle_cds.errors import RequestFault, ServiceFault
from ankle_cds.fhir import read_yaml
from ankle_cds.service.feedback import Accepted, Overridden

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ankle_cds.artifacts import Package
    from ankle_cds.settings import Settings

    Json = dict[str, Any]

_REFERENCE = "#/components/schemas/"
_ANSWERS = Path(__file__).with_name("answers.schema.yaml")
_SPECIFICATION = "https://cds-hooks.hl7.org/2.0/"
_ALWAYS: set[Any] = {
    RequestFault.NOT_HTTP,
    RequestFault.URI_TOO_LONG,
    RequestFault.HEADERS_TOO_LARGE,
    *ServiceFault,
}
_ELSEWHERE = {RequestFault.UNAUTHORIZED, RequestFault.NOT_FOUND, RequestFault.METHOD}
PUBLISHED = {"request": "HookRequest", "response": "Cards", "feedback": "Feedback", "discovery": "Services"}
"""The JSON Schemas that are published by themselves, as /schemas/NAME.json, and the component each is."""


def openapi(packages: Mapping[str, Package], offered: Iterable[str], settings: Settings) -> Json:
    """Give the OpenAPI document of a service that offers some hooks."""
    document: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "ankle-cds",
            "version": __version__,
            "description": "CDS Hooks service. No card means that no recommendation applies; a failure is a refusal.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "externalDocs": {"url": _SPECIFICATION},
        "paths": _paths(packages, settings),
        "components": {"schemas": components(offered)},
    }
    if settings.public_base_url:
        document["servers"] = [{"url": settings.public_base_url}]
    if settings.effective_auth != "none":
        scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        document["components"]["securitySchemes"] = {"client": scheme}
    return document


def schema(name: str, offered: Iterable[str]) -> Json:
    """Give one of the `PUBLISHED` JSON Schemas with all it refers to."""
    known = components(offered)
    needed: dict[str, Json] = {}
    pending = [PUBLISHED[name]]
    while pending:
        one = pending.pop()
        if one not in needed:
            needed[one] = known[one]
            pending.extend(_referred(known[one]))
    text = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": f"#/$defs/{PUBLISHED[name]}"}
    found: Json = _rewritten({**text, "$defs": dict(sorted(needed.items()))}, "#/$defs/")
    return found


def components(offered: Iterable[str]) -> Json:
    """Give every schema by name; `HookRequest` is the request of any of the hooks offered."""
    offered = tuple(offered)
    contexts: list[type[hooks.Wire]] = [hooks.HOOKS[name].context for name in offered]
    wanted: dict[type[hooks.Wire], None] = dict.fromkeys([*contexts, hooks.FhirAuthorization, Accepted, Overridden])
    _, found = models_json_schema(
        [(model, "validation") for model in wanted], by_alias=True, ref_template=_REFERENCE + "{model}"
    )
    schemas: Json = {name: _absent(one) for name, one in found["$defs"].items()}
    schemas["HookRequest"] = {"oneOf": [_request(name) for name in offered]}
    schemas["Feedback"] = {
        "type": "object",
        "required": ["feedback"],
        "properties": {
            "feedback": {
                "type": "array",
                "items": {"oneOf": [{"$ref": f"{_REFERENCE}{one.__name__}"} for one in (Accepted, Overridden)]},
            }
        },
    }
    return schemas | deepcopy(_answers())


def _request(hook: str) -> Json:
    context = hooks.HOOKS[hook].context.__name__
    return {
        "type": "object",
        "title": hook,
        "required": ["hook", "hookInstance", "context"],
        "properties": {
            "hook": {"const": hook},
            "hookInstance": {"type": "string", "format": "uuid"},
            "context": {"$ref": _REFERENCE + context},
            "prefetch": {"type": "object", "description": "FHIR R4 by key; null: looked, and nothing is there"},
            "fhirServer": {"type": "string", "format": "uri", "maxLength": 2048},
            "fhirAuthorization": {"$ref": _REFERENCE + hooks.FhirAuthorization.__name__},
        },
        "dependentRequired": {"fhirAuthorization": ["fhirServer"]},
    }


def _absent(node: Any) -> Any:
    """Describe a member that may be left out as that: null is no value of it."""
    if isinstance(node, list):
        return [_absent(one) for one in node]
    if not isinstance(node, dict):
        return node
    kinds = [one for one in node.get("anyOf", ()) if one != {"type": "null"}]
    if len(kinds) == 1 and len(node["anyOf"]) > 1:
        rest = {name: value for name, value in node.items() if name not in {"anyOf", "default"}}
        node = {**rest, **kinds[0]}
    return {name: _absent(value) for name, value in node.items() if name != "title" or not isinstance(value, str)}


def _paths(packages: Mapping[str, Package], settings: Settings) -> Json:
    guarded = settings.effective_auth != "none"
    found: Json = {
        "/cds-services": {"get": _operation("discover", "Services", guarded=settings.discovery_auth == "required")}
    }
    for service, package in packages.items():
        title = str(package.get(package.pathway).get("title", service))
        answer = _operation(f"{service}-call", "Cards", body="HookRequest", guarded=guarded)
        feedback = _operation(f"{service}-feedback", "OperationOutcome", body="Feedback", guarded=guarded)
        found[f"/cds-services/{service}"] = {"post": {**answer, "summary": title}}
        found[f"/cds-services/{service}/feedback"] = {"post": {**feedback, "summary": f"Feedback: {title}"}}
    for path in ("/health", "/health/live", "/health/ready"):
        found[path] = {"get": _operation(path.strip("/").replace("/", "-"), "Health", guarded=False)}
    page = _operation("capabilities", None, guarded=settings.discovery_auth == "required")
    page["responses"].pop(str(RequestFault.NOT_ACCEPTABLE.value.status))
    page["responses"]["200"]["content"] = {"text/html": {"schema": {"type": "string"}}}
    found["/capabilities"] = {"get": page}
    found["/openapi.json"] = {"get": _operation("openapi", None, guarded=False)}
    for name in PUBLISHED:
        found[f"/schemas/{name}.json"] = {"get": _operation(f"schema-{name}", None, guarded=False)}
    return found


def _operation(name: str, answer: str | None, *, body: str | None = None, guarded: bool) -> Json:
    operation: Json = {"operationId": name, "responses": {"200": {"description": "Done", **_content(answer)}}}
    if body is not None:
        operation["requestBody"] = {"required": True, **_content(body)}
    if guarded:
        operation["security"] = [{"client": []}]
    operation["responses"] |= {
        str(status): {"description": text, **_content("OperationOutcome")}
        for status, text in _refusals(body, guarded=guarded)
    }
    return operation


def _refusals(body: str | None, *, guarded: bool) -> list[tuple[int, str]]:
    """Give each status that can refuse, with every sentence that goes with it."""
    possible = _ALWAYS | ({RequestFault.UNAUTHORIZED} if guarded else set())
    possible |= {RequestFault.NOT_ACCEPTABLE} if body is None else set(RequestFault) - _ELSEWHERE
    texts: dict[int, dict[str, None]] = {}
    for row in (*RequestFault, *ServiceFault):
        if row in possible:
            texts.setdefault(row.value.status, {})[row.value.text] = None
    return [(status, " ".join(said)) for status, said in sorted(texts.items())]


def _content(name: str | None) -> Json:
    described = {"$ref": _REFERENCE + name} if name else {"type": "object"}
    return {"content": {"application/json": {"schema": described}}}


def _referred(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for one in node for name in _referred(one)]
    if not isinstance(node, dict):
        return []
    named = [str(node["$ref"]).removeprefix(_REFERENCE)] if "$ref" in node else []
    return named + [name for one in node.values() for name in _referred(one)]


def _rewritten(node: Any, prefix: str) -> Any:
    if isinstance(node, list):
        return [_rewritten(one, prefix) for one in node]
    if not isinstance(node, dict):
        return node.replace(_REFERENCE, prefix) if isinstance(node, str) else node
    return {name: _rewritten(value, prefix) for name, value in node.items()}


@cache
def _answers() -> Json:
    return dict(read_yaml(_ANSWERS).data)
