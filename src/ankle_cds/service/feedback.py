"""Feedback: what a user did with a card, as the wire sends it.

https://cds-hooks.hl7.org/2.0/#feedback
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from ankle_cds.cards import override_reasons
from ankle_cds.errors import ContentError, RequestError, RequestFault
from ankle_cds.hooks import NotNull, Uuid, Wire, validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.artifacts import Package

_SPECIFICATION = "https://cds-hooks.hl7.org/2.0/#feedback"


class CodedReason(Wire):
    """Why a card was overridden, as a coding; `display` is optional on the wire."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    system: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class OverrideReason(Wire):
    """A coded reason, a comment of the user, or both; the comment may hold patient data and is never logged."""

    reason: Annotated[CodedReason | None, NotNull] = None
    user_comment: Annotated[str | None, NotNull] = Field(default=None, repr=False)


def _says_something(reason: OverrideReason) -> OverrideReason:
    if reason.reason is None and reason.user_comment is None:
        raise ValueError
    return reason


_SaidReason = Annotated[OverrideReason, AfterValidator(_says_something)]


class AcceptedSuggestion(Wire):
    """A suggestion the user took."""

    id: Uuid


def _utc_timestamp(value: str) -> str:
    """Accept RFC 3339 in UTC; `fromisoformat` proves that day and hour exist."""
    form = r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d{1,9})?(?:[Zz]|\+00:00)"
    match = re.fullmatch(form, value, re.ASCII)
    if match is None:
        raise ValueError
    datetime.fromisoformat(f"{match[1]}T{match[2]}+00:00")
    return value


class _Feedback(Wire):
    card: Uuid
    outcome_timestamp: Annotated[
        str, AfterValidator(_utc_timestamp), WithJsonSchema({"type": "string", "format": "date-time"})
    ]

    @property
    def at(self) -> datetime:
        """When the user acted, to the microsecond."""
        day, _, rest = self.outcome_timestamp.upper().removesuffix("+00:00").removesuffix("Z").partition("T")
        return datetime.fromisoformat(f"{day}T{rest}+00:00")


class Accepted(_Feedback):
    """The user took at least one suggestion of a card."""

    outcome: Literal["accepted"]
    accepted_suggestions: Annotated[list[AcceptedSuggestion], Field(min_length=1)]

    @property
    def reason(self) -> None:
        """Who accepts says no reason."""


class Overridden(_Feedback):
    """The user dismissed a card, with or without a reason."""

    outcome: Literal["overridden"]
    override_reason: Annotated[_SaidReason | None, NotNull] = None

    @property
    def reason(self) -> tuple[str, str] | None:
        """System and code of the reason, None where none was coded."""
        said = self.override_reason
        return (said.reason.system, said.reason.code) if said is not None and said.reason is not None else None


Feedback = Annotated[Accepted | Overridden, Field(discriminator="outcome")]


class _FeedbackBody(Wire):
    feedback: Annotated[list[Feedback], Field(max_length=1_000)]


def known_reasons(packages: Mapping[str, Package]) -> frozenset[tuple[str, str]]:
    """Give system and code of every override reason that cards offer: the only ones that are kept and counted by name.

    What is sent as any other could be anything, also something about a patient.
    """
    found: set[tuple[str, str]] = set()
    for package in packages.values():
        with suppress(ContentError):  # such content becomes no card: it is refused where cards are made
            found.update((reason["system"], reason["code"]) for reason in override_reasons(package))
    return frozenset(found)


def read_feedback(document: Any) -> tuple[Accepted | Overridden, ...]:
    """Read a decoded feedback body, all entries or none; raises RequestError naming the fields that do not fit.

    https://cds-hooks.hl7.org/2.0/#feedback
    """
    if not isinstance(document, dict):
        raise RequestError(RequestFault.NOT_OBJECT, spec=_SPECIFICATION)
    return tuple(validate(_FeedbackBody, document, spec=_SPECIFICATION).feedback)
