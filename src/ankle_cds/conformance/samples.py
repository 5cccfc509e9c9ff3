"""Requests to make of a service: given ones, and ones composed from nothing but its discovery.

https://cds-hooks.hl7.org/2.0/#http-request_1
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ankle_cds.errors import AnkleCdsError
from ankle_cds.fhir import read_json_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TOKEN = re.compile(r"\{\{([^{}]*)\}\}")
_ORDERS = {"draftOrders": "draft", "appointments": "appointment", "conditions": "condition"}


def _nothing() -> None:
    """Arrange nothing."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A valid request to one service; `arrange` is called before it is made (a stage sets its clock then).

    `composed` says that it was made from discovery, so that the service may lack data to answer it.
    """

    name: str
    service: str
    body: Mapping[str, Any] = field(repr=False)
    arrange: Callable[[], None] = _nothing
    composed: bool = False

    @property
    def hook(self) -> str:
        """The hook it fires."""
        return str(self.body.get("hook"))

    def document(self, *without: str, **changes: Any) -> dict[str, Any]:
        """Give a copy of the body, without some members and with others in place.

        The hookInstance stays: a service that remembers what it has shown takes the copy for a repeated call.
        """
        made = copy.deepcopy(dict(self.body)) | changes
        return {name: value for name, value in made.items() if name not in without}


@cache
def example() -> dict[str, Any]:
    """Read what is known of the hooks, and the few plausible resources requests are composed of."""
    document: dict[str, Any] = read_json_file(Path(__file__).with_name("example.json"))
    return document


def compose(entry: Mapping[str, Any]) -> Sample:
    """Compose a request from one entry of discovery: the hook's context, and every template answered.

    A read gives a plausible resource, a search an empty searchset.
    """
    known = example()
    hook, service = str(entry.get("hook")), str(entry.get("id"))
    fields = known["hooks"].get(hook, {}).get("fields", list(known["context"]))
    context = {name: known["context"][name] for name in fields if name in known["context"]}
    context |= {name: known[part] for name, part in _ORDERS.items() if name in fields}
    if "selections" in fields:
        context["selections"] = ["ServiceRequest/example-draft"]
    templates = entry.get("prefetch")
    prefetch = {
        key: _answer(str(template), context)
        for key, template in (templates.items() if isinstance(templates, dict) else ())
    }
    body = {"hook": hook, "hookInstance": str(uuid4()), "context": context, "prefetch": prefetch}
    return Sample(f"{service} at {hook}", service, body, composed=True)


def filled(template: str, context: Mapping[str, Any]) -> str:
    """Put the context into a prefetch template; a user token becomes the id of the user."""

    def value(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name.startswith("context."):
            return str(context.get(name.removeprefix("context."), ""))
        return str(context.get("userId", "")).rpartition("/")[2]

    return TOKEN.sub(value, template)


def given(files: Sequence[Path], entries: Sequence[Mapping[str, Any]]) -> list[Sample]:
    """Read hook requests from files, each sent to the first service that offers its hook.

    Raises ContentError where a file cannot be read, AnkleCdsError where no service offers its hook.
    """
    found = []
    for file in files:
        body = read_json_file(file)
        offering = [one for one in entries if isinstance(body, dict) and one.get("hook") == body.get("hook")]
        if not offering:
            raise AnkleCdsError("No service of this address offers the hook of the request.", where=str(file))
        found.append(Sample(file.name, str(offering[0].get("id")), body))
    return found


def _answer(template: str, context: Mapping[str, Any]) -> dict[str, Any]:
    query = filled(template, context)
    kind, _, rest = query.partition("?")
    if rest or "/" not in kind:
        return {"resourceType": "Bundle", "type": "searchset", "total": 0}
    resource, _, identity = kind.rpartition("/")
    plain: dict[str, Any] = example()["resources"].get(resource, {"resourceType": resource})
    return plain | {"id": identity}
