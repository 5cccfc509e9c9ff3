"""One prefetch key: what arrived under it, or was fetched for it, as resources and a state."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ankle_cds.client import Reach
from ankle_cds.errors import RequestError, RequestFault, ServerError
from ankle_cds.fhir import Resource, is_resource, reference, split_reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ankle_cds.client import Session
    from ankle_cds.hooks import Context

    Watch = Callable[[str], AbstractContextManager[dict[str, str]]]

SPECIFICATION = "https://cds-hooks.hl7.org/2.0/#prefetch-template"
_FAILED = frozenset({"error", "fatal"})
_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


class State(Enum):
    """What is known about one prefetch key; the value is the word used in logs."""

    AVAILABLE = "available"  # data, complete
    NONE = "none"  # looked for, nothing there
    PARTIAL = "partial"  # data, but not all of it: positive evidence only
    UNUSABLE = "unusable"  # something arrived that is no resource
    UNAVAILABLE = "unavailable"  # not sent and not to be had, or the client tried and failed


KNOWN = frozenset({State.AVAILABLE, State.NONE})


@dataclass(frozen=True, slots=True)
class Wanted:
    """One key with its template filled in: a read (`Type/id`) or a search (`Type?...`)."""

    key: str
    query: str
    types: frozenset[str]
    required: bool
    is_user: bool

    @property
    def is_read(self) -> bool:
        """Whether one instance is read, not a list searched."""
        return "?" not in self.query


class Reading:
    """Turns what arrives under one key into resources and a state; takes prefetch values and fetched answers alike."""

    def __init__(self, wanted: Wanted, context: Context) -> None:
        self.wanted = wanted
        self.context = context
        self.own_patient = {"reference": f"Patient/{context.patient_id}"}
        self.resources: list[Resource] = []
        self.looked = False  # somebody searched: what is not here is not there
        self.failed = False  # somebody searched and could not finish
        self.unusable = False
        self.dropped = False  # something arrived that may not be used
        self.narrowed = False  # the search was answered with what the token lets see, which may be less than there is
        self.next_link: str | None = None
        self.unread: str | None = None  # why the FHIR server did not give all of it, in a word to count by
        self.included: list[Resource] = []

    @property
    def wants_more(self) -> bool:
        """Whether a read could add anything: the key was not sent, not usable, or has further pages."""
        return self.next_link is not None or not (self.looked or self.failed)

    def state(self) -> State:
        """Say what is known about the key by now."""
        incomplete = self.failed or self.dropped or self.narrowed or self.next_link is not None
        if self.resources:
            return State.PARTIAL if incomplete else State.AVAILABLE
        if self.unusable and not self.looked and not self.failed:
            return State.UNUSABLE
        if self.failed or not self.looked:
            return State.UNAVAILABLE
        return State.PARTIAL if incomplete else State.NONE

    def is_missing(self, state: State) -> bool:
        """Whether a required key lacks what it is required for.

        A read lacks its instance; a search lacks its answer. An incomplete search for encounters that does not hold the
        encounter of the context cannot say that it is not open.
        """
        if not self.wanted.required:
            return False
        if self.wanted.is_read:
            return not self.resources
        anchor = f"Encounter/{self.context.encounter_id}"
        if self.wanted.types == {"Encounter"} and self.context.encounter_id is not None:
            return state not in KNOWN and all(reference(resource) != anchor for resource in self.resources)
        return state not in KNOWN and not self.resources

    def take(self, value: object) -> None:
        """Take in one prefetch value or one answer of the FHIR server."""
        self.next_link = None
        if value is None:
            self.looked = True
        elif not is_resource(value):
            self.unusable = True
        elif value["resourceType"] == "OperationOutcome":
            self.failed = True
        elif value["resourceType"] == "Bundle":
            self._take_bundle(value)
        else:
            self.looked = True
            self._take_all([value])

    def _take_bundle(self, bundle: Resource) -> None:
        entries = bundle.get("entry", [])
        if not isinstance(entries, list):
            self.unusable = True
            return
        mains: list[Resource] = []
        for entry in entries:
            resource = entry.get("resource") if isinstance(entry, dict) else None
            if not is_resource(resource):
                self.dropped = True
            elif resource["resourceType"] == "OperationOutcome":
                self.failed = self.failed or _is_failure(resource)
            elif "search" in entry and _is_included(entry["search"]):
                self.included.append(_without_false_id(resource))
            else:
                mains.append(resource)
        self.looked = True
        self._take_all(mains)
        links = bundle.get("link", [])
        for link in links if isinstance(links, list) else []:
            if isinstance(link, dict) and link.get("relation") == "next":
                self.next_link = link["url"] if isinstance(link.get("url"), str) else ""

    def _take_all(self, found: list[Resource]) -> None:
        right = [
            resource
            for resource in found
            if resource["resourceType"] in self.wanted.types and isinstance(resource.get("id", ""), str)
        ]
        self.dropped = self.dropped or len(right) < len(found)
        if self.wanted.is_user:
            mine = [resource for resource in right if self._is_user(resource)]
            self.dropped = self.dropped or len(mine) < len(right)
            self.resources += mine[:1]
        elif self.wanted.is_read:
            self._take_instance(right)
        else:
            for resource in right:
                if self._is_other_patients(resource):
                    self.dropped = True
                else:
                    self.resources.append(_without_false_id(resource))

    def _take_instance(self, found: list[Resource]) -> None:
        """Take the instance the template reads; an instance of another identity is a conflict, not missing data."""
        expected = self.wanted.query.rpartition("/")[2]
        mine = [resource for resource in found if resource.get("id", expected) == expected]
        if found and not mine:
            raise conflict()
        for resource in mine[:1]:
            if self._is_other_patients(resource):
                raise conflict()
            self.resources = [{**resource, "id": expected}]

    def resolvable(self, types: frozenset[str]) -> list[Resource]:
        """Give what the client included so that references resolve, unless a rule could take it for a result."""
        return [
            resource
            for resource in self.included
            if resource["resourceType"] not in types and not self._is_other_patients(resource)
        ]

    def _is_user(self, resource: Resource) -> bool:
        practitioner = resource.get("practitioner")
        named = practitioner.get("reference") if isinstance(practitioner, dict) else None
        return self.context.user_id in (reference(resource), named)  # no set: what was sent may be anything

    def _is_other_patients(self, resource: Resource) -> bool:
        """Tell whether a resource names another patient; for the context's own encounter that is a conflict."""
        subject, patient = resource.get("subject"), resource.get("patient")
        mine = (None, self.own_patient)
        if subject in mine and patient in mine:
            return False  # the usual case, and there are many
        if not (names_other(subject, self.context.patient_id) or names_other(patient, self.context.patient_id)):
            return False
        if self.context.encounter_id is not None and reference(resource) == f"Encounter/{self.context.encounter_id}":
            raise conflict()
        return True

    def _answers(self, body: object) -> bool:
        """Tell whether a server's answer is what was asked for: the instance of a read, the Bundle of a search."""
        if not is_resource(body):
            return False
        return reference(body) == self.wanted.query if self.wanted.is_read else body["resourceType"] == "Bundle"

    async def fetch(self, session: Session, watch: Watch) -> None:
        """Read the key, or the pages prefetch left out; a failure leaves the key as it was, without data it adds."""
        kind = re.split(r"[/?]", self.wanted.query, maxsplit=1)[0]
        reach = session.reach(kind, search=not self.wanted.is_read)
        if reach is Reach.NOTHING:
            self.unread = "scope"
            return
        self.narrowed = reach is Reach.PART and not self.wanted.is_read
        with watch(self.wanted.key) as seen:
            try:
                await self._read_pages(session)
            except ServerError as error:
                # What could not be read stays unread: the state says so, and the logic is told.
                self.unread = seen["error"] = error.cause
            seen["state"] = self.state().value

    async def _read_pages(self, session: Session) -> None:
        limits = session.client.limits
        pages = {session.url(self.wanted.query)}
        if self.next_link is None:
            answer = await session.read(self.wanted.query)
            if not self._answers(answer):
                self.unread = "answer"
                return
            self.take(answer)
        while self.next_link is not None:
            if len(pages) >= limits.pages or len(self.resources) >= limits.resources:
                self.unread = "pages"
                return
            page = await session.follow(self.next_link, pages)
            if not self._answers(page):
                self.unread = "answer"
                return
            self.take(page)


def _without_false_id(resource: Resource) -> Resource:
    """Give a record as one without id where its id is none: what it says counts, but nothing can refer to it.

    https://hl7.org/fhir/R4/datatypes.html#id
    """
    identity = resource.get("id", "none")
    if isinstance(identity, str) and _FHIR_ID.fullmatch(identity):
        return resource
    return {name: value for name, value in resource.items() if name != "id"}


def _is_included(search: object) -> bool:
    return isinstance(search, dict) and search.get("mode") == "include"


def _is_failure(outcome: Resource) -> bool:
    issues = outcome.get("issue")
    if not isinstance(issues, list):
        return True
    return any(not isinstance(issue, dict) or issue.get("severity") in _FAILED for issue in issues)


def names_other(element: object, patient_id: str) -> bool:
    """Tell whether a subject element names somebody else; a malformed one is not trusted either.

    Logical references (identifier, display), contained and urn:uuid references do not name anybody by id.
    """
    if element is None:
        return False
    if not isinstance(element, dict):
        return True
    text = element.get("reference")
    if text is None:
        return False
    if not isinstance(text, str):
        return True
    if text.startswith(("#", "urn:")):
        return False
    return split_reference(text) != ("Patient", patient_id)


def conflict() -> RequestError:
    """Make the refusal of a request that speaks of two patients or two encounters."""
    return RequestError(RequestFault.CONFLICT, spec=SPECIFICATION)
