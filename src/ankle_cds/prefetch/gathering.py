"""The journey from a hook request to one patient's data: prefetch first, the FHIR server for what is missing."""

from __future__ import annotations

import asyncio
import re
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from ankle_cds.errors import RequestError, RequestFault
from ankle_cds.fhir import Resource, canonical_json, reference
from ankle_cds.prefetch.drafts import KEY, Drafts, read_drafts
from ankle_cds.prefetch.medications import medications, with_medication
from ankle_cds.prefetch.reading import KNOWN, SPECIFICATION, Reading, State, Wanted, conflict

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from contextlib import AbstractContextManager

    from ankle_cds.artifacts import Package
    from ankle_cds.client import FhirClient, Session
    from ankle_cds.hooks import Request
    from ankle_cds.prefetch.reading import Watch

_TOKEN = re.compile(r"\{\{context\.([A-Za-z]+)\}\}")


@dataclass(frozen=True, slots=True)
class PatientData:
    """One patient's resources for one hook call.

    `keys` names for each resource the key it came with. `unavailable` are the keys whose absence of data proves
    nothing; `missing` are the required ones among them that lack what they are required for. `unread` says of keys that
    the FHIR server did not give why, in a word to count by. `drafts` are the draft orders of the call, which also stand
    among the resources; None at a hook that has none.
    """

    resources: tuple[Resource, ...] = field(repr=False)
    keys: tuple[str, ...]
    states: Mapping[str, State]
    unavailable: frozenset[str]
    missing: tuple[str, ...]
    fetched: tuple[str, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    drafts: Drafts | None = None


def templates(package: Package, hook: str) -> dict[str, str]:
    """Give the prefetch templates one hook advertises, by key, in the order of the package."""
    return {spec.key: spec.pattern for spec in package.inputs if hook in spec.hooks}


class Evaluation(Protocol):
    """Values of CQL definitions by name, computed when asked for."""

    def __getitem__(self, name: str) -> Any:
        """Give the value of a definition, None for unknown."""
        ...


def settle(data: PatientData, evaluation: Evaluation, definitions: Container[str]) -> None:
    """Refuse the call with 412 naming the keys when required data is missing and the logic cannot do without it.

    Definitions of the logic decide, where it has them: with `GateClosed` true no card can fire whatever the missing
    data hold; `GateNeeds<Key>` says whether an unavailable key is needed, in place of its `need`. Where draft orders
    are judged, `GateOrderClosed` and `GateOrderNeeds<Key>` are asked instead.
    """
    if is_closed(data, evaluation, definitions):
        return
    needed = []
    for key in data.states:
        asked = f"{_gate(data)}Needs{key[0].upper()}{key[1:]}"
        if key in data.unavailable and asked in definitions:
            if evaluation[asked] is True:
                needed.append(key)
        elif key in data.missing:
            needed.append(key)
    if needed:
        raise RequestError(RequestFault.PRECONDITION, diagnostics=tuple(needed), spec=SPECIFICATION)


def is_closed(data: PatientData, evaluation: Evaluation, definitions: Container[str]) -> bool:
    """Tell whether the logic has a definition for it and knows that no card can fire, whatever is missing."""
    closed = f"{_gate(data)}Closed"
    return closed in definitions and evaluation[closed] is True


def _gate(data: PatientData) -> str:
    return "Gate" if data.drafts is None else "GateOrder"


def check_identity(request: Request, package: Package) -> None:
    """Refuse with 422 a request that speaks of more than one patient or encounter, before anything is read.

    Looked at: the resources under keys that read the context's own patient or encounter, the subject of its encounter
    wherever it is found, and the patient of the access token.
    """
    _check_token(request)
    _read_prefetch(request, package)


def _unwatched(_key: str) -> AbstractContextManager[dict[str, str]]:
    return nullcontext({})


async def gather(
    request: Request,
    package: Package,
    client: FhirClient | None,
    drafts: Drafts | None = None,
    *,
    watch: Watch = _unwatched,
) -> PatientData:
    """Collect what the hook needs from prefetch and, where the client may and there is time, from the FHIR server.

    `drafts` are the draft orders of the request where they have been read already. `watch` surrounds each key that is
    read from the server and is given its `state`, and `error` where the server did not do its part. Raises RequestError
    422 as `check_identity`. Never raises for missing data: `settle` does, once the logic has said whether it matters.
    """
    _check_token(request)
    readings = _read_prefetch(request, package)
    # Required keys first: when the time is too short for all of them, it goes where it decides most.
    asked = sorted((each for each in readings if each.wants_more), key=lambda each: not each.wanted.required)
    session = _session(request, client) if asked else None
    fetched: tuple[str, ...] = ()
    if session is None:
        for each in asked if request.fhir_authorization is not None else ():
            each.unread = "access"
    else:
        fetched = tuple(each.wanted.key for each in asked)
        outcomes = await asyncio.gather(*(each.fetch(session, watch) for each in asked), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
    return _combine(readings, fetched, drafts or read_drafts(request))


def unread(request: Request, package: Package, drafts: Drafts) -> PatientData:
    """Give what a request itself holds, its drafts, as if every key could not be had."""
    wanted = _wanted(package, request)
    keys = [each.key for each in wanted]
    return PatientData(
        resources=drafts.resources,
        keys=(KEY,) * len(drafts.resources),
        states=dict.fromkeys(keys, State.UNAVAILABLE),
        unavailable=frozenset(keys),
        missing=tuple(each.key for each in wanted if each.required),
        drafts=drafts,
    )


def _check_token(request: Request) -> None:
    authorization = request.fhir_authorization
    if authorization is None or authorization.patient is None:
        return
    if authorization.patient.removeprefix("Patient/") != request.context.patient_id:
        raise conflict()


def _read_prefetch(request: Request, package: Package) -> list[Reading]:
    readings = [Reading(wanted, request.context) for wanted in _wanted(package, request)]
    for reading in readings:
        if reading.wanted.key in request.prefetch:
            reading.take(request.prefetch[reading.wanted.key])
    return readings


def _session(request: Request, client: FhirClient | None) -> Session | None:
    authorization = request.fhir_authorization
    if client is None or request.fhir_server is None or authorization is None:
        return None
    return client.session(
        request.fhir_server,
        authorization.access_token.get_secret_value(),
        expires_in=authorization.expires_in,
        scope=authorization.scope,
    )


def _combine(readings: Sequence[Reading], fetched: tuple[str, ...], drafts: Drafts | None) -> PatientData:
    judged = frozenset(drafts.judged if drafts else ())
    states: dict[str, State] = {}
    missing: list[str] = []
    found: dict[str, list[tuple[Resource, str]]] = {}
    types = frozenset[str]().union(*(reading.wanted.types for reading in readings))
    for reading in readings:
        key = reading.wanted.key
        state = states[key] = reading.state()
        if reading.is_missing(state):
            missing.append(key)
        for resource in (*reading.resources, *reading.resolvable(types)):
            # The same resource under two keys counts once; without an id it cannot be told apart.
            name = reference(resource) or f"#{len(found)}"
            if name not in judged:
                found.setdefault(name, []).append((resource, key))
    pairs: list[tuple[Resource, str]] = []
    for same_id in found.values():
        versions = same_id if len(same_id) == 1 else _versions(same_id)
        pairs += versions
        if len(versions) > 1:
            states |= {key: State.PARTIAL for _, key in versions if states[key] in KNOWN}
    unavailable = {key for key, state in states.items() if state not in KNOWN}
    pairs += [(draft, KEY) for draft in (drafts.resources if drafts else ())]
    beside = {**medications((resource, None) for resource, _ in pairs), **(drafts.medications if drafts else {})}
    return PatientData(
        resources=tuple(with_medication(resource, beside) for resource, _ in pairs),
        keys=tuple(key for _, key in pairs),
        states=states,
        unavailable=frozenset(unavailable.union(missing)),
        missing=tuple(missing),
        fetched=fetched,
        unread={reading.wanted.key: reading.unread for reading in readings if reading.unread is not None},
        drafts=drafts,
    )


def _versions(pairs: list[tuple[Resource, str]]) -> list[tuple[Resource, str]]:
    """Give of one id what may stand: one content once, the later version of two that say when they were written.

    Two contents of which nobody says which is the later are both kept: the first of them could deny what the other
    reports, so neither is dropped, and what is not found in them proves nothing.
    """
    different = {_content(resource): (resource, key) for resource, key in reversed(pairs)}
    versions = list(reversed(different.values()))
    moments = {_written(resource): (resource, key) for resource, key in versions}
    known = [moment for moment in moments if moment is not None]
    return [moments[max(known)]] if len(known) == len(versions) else versions


def _content(resource: Resource) -> bytes:
    """Give a resource without what servers add on the way: who stored it, when, and how it reads as text."""
    return canonical_json({name: part for name, part in resource.items() if name not in {"meta", "text"}})


def _written(resource: Resource) -> datetime | None:
    """Give the moment of `meta.lastUpdated`, when it is an instant with its offset."""
    meta = resource.get("meta")
    moment = meta.get("lastUpdated") if isinstance(meta, dict) else None
    try:
        read = datetime.fromisoformat(moment) if isinstance(moment, str) else None
    except ValueError:
        return None
    return read if read is not None and read.tzinfo is not None else None


def _wanted(package: Package, request: Request) -> list[Wanted]:
    values = {
        "userId": request.context.user_id,
        "patientId": request.context.patient_id,
        "encounterId": request.context.encounter_id,
    }
    found = []
    for spec in package.inputs:
        tokens = _TOKEN.findall(spec.pattern)
        if request.hook not in spec.hooks or any(values.get(token) is None for token in tokens):
            continue
        query = _TOKEN.sub(lambda match: str(values[match[1]]), spec.pattern)
        is_user = tokens == ["userId"]
        types = {"Practitioner", "PractitionerRole"} if is_user else {re.split(r"[/?]", query, maxsplit=1)[0]}
        found.append(Wanted(spec.key, query, frozenset(types), spec.need == "required", is_user))
    return found
