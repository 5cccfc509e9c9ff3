"""One story: what its folder holds, and the hook request an EHR would post for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from ankle_cds.errors import ContentError
from ankle_cds.fhir import Resource, read_json_file, write_json
from ankle_cds.stories.ehr import Ehr, as_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

_BASE = "https://w3id.org/ankle-cds/examples"
OK = 200


@dataclass(frozen=True, slots=True)
class ExpectedCard:
    """What a reviewer expects of one card before the service has run.

    `side` is left, right, both, or None where the title names none; `buttons` are the labels of the suggestions in
    order.
    """

    recommendation: str
    indicator: str
    side: str | None = None
    buttons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """What a user did with a card: `outcome` accepted (its first button) or overridden, `reason` a code or None."""

    recommendation: str
    outcome: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier visit of the same journey that the service remembers, by the name of its folder, and its answers."""

    visit: str
    answers: tuple[Answered, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """One story folder.

    `clock` is the time of the evaluation, with its offset. At a hook that asks about orders the drafts stand in
    `drafts.json`, and `selections` names those being selected, as `Type/id`. `parameters` are what the site of this
    story has configured. Of the prefetch keys, `unavailable` come as an OperationOutcome, `omit` are left out, `empty`
    are sent as null.
    `after` are the visits that the service remembers, in order; a story without any is played on an empty memory.
    `expect` are the cards in order, none where the service stays silent; `status` is the HTTP status of the answer.
    `says` and `never_says` are words that the cards must and must not contain. `tags` name test cases of the clinical
    specification, `statements` and `evidence` what the story leans on. `text` is the story itself, Markdown.
    """

    folder: Path
    id: str
    title: str
    clock: datetime
    hook: str
    patient: str
    user: str
    encounter: str | None = None
    selections: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    unavailable: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    after: tuple[Earlier, ...] = ()
    tags: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    status: int = OK
    expect: tuple[ExpectedCard, ...] = ()
    says: tuple[str, ...] = ()
    never_says: tuple[str, ...] = ()
    text: str = ""

    @property
    def condition(self) -> str:
        """Name of the condition the story belongs to, which is the id of its CDS service."""
        return (self.folder.parent if self.is_visit else self.folder).parent.name

    @property
    def is_visit(self) -> bool:
        """Whether this is one visit of a journey, whose chart stands beside all of its visits."""
        return (self.folder.parent / "chart.json").exists()

    @property
    def request_file(self) -> Path:
        """Where the derived request stands."""
        return self.folder / "request.json"

    @property
    def expected_file(self) -> Path:
        """Where the expected answer stands."""
        return self.folder / "expected.json"

    def record(self) -> Resource:
        """Read the patient's whole record, a collection Bundle; the visits of a journey have one."""
        record: Resource = read_json_file((self.folder.parent if self.is_visit else self.folder) / "chart.json")
        return record

    def chart(self) -> Resource:
        """Read the patient's record as it stood at the time of the story."""
        return as_of(self.record(), self.clock)

    @property
    def drafts_file(self) -> Path:
        """Where the draft orders stand, a Bundle; only a story of a hook that asks about orders has the file."""
        return self.folder / "drafts.json"

    def context(self) -> dict[str, Any]:
        """Give the hook's context as the EHR sends it."""
        context: dict[str, Any] = {"userId": self.user, "patientId": self.patient}
        if self.encounter is not None:
            context["encounterId"] = self.encounter
        if self.selections:
            context["selections"] = list(self.selections)
        if self.drafts_file.exists():
            context["draftOrders"] = read_json_file(self.drafts_file)
        return context

    def request(self, templates: Mapping[str, str], chart: Resource | None = None) -> dict[str, Any]:
        """Derive the hook request an EHR would post: prefetch `templates` filled from the chart, or from another one.

        https://cds-hooks.hl7.org/2.0/#http-request_1
        """
        context = self.context()
        prefetch: dict[str, Any] = Ehr(chart or self.chart()).prefetch(templates, context)
        prefetch |= dict.fromkeys(self.unavailable, _FAILED) | dict.fromkeys(self.empty)
        for key in self.omit:
            prefetch.pop(key, None)
        unknown = {*self.omit, *self.unavailable, *self.empty} - set(templates)
        if unknown:
            keys = ", ".join(sorted(unknown))
            raise ContentError(
                f"The story changes prefetch keys the service does not ask for ({keys}); take them out of its head.",
                where=str(self.folder / "story.md"),
            )
        return {
            "hook": self.hook,
            "hookInstance": str(uuid5(NAMESPACE_URL, f"{_BASE}/{self.condition}/{self.id}")),
            "context": context,
            "prefetch": prefetch,
        }


_FAILED: Resource = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}


def write(path: Path, document: Any) -> bool:
    """Write a JSON file as people review it: indented, one final line break; tell whether anything changed."""
    data = write_json(document, indent=2) + b"\n"
    if path.exists() and path.read_bytes() == data:
        return False
    path.write_bytes(data)
    return True
