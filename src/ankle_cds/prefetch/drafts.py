"""The draft orders of an order hook: which are judged, which the client can find again, which cannot be read.

A draft is data of the call and of nothing else. What stands on record under the name of a judged draft is that draft,
saved earlier, and counts once. https://cds-hooks.org/hooks/order-sign/ · https://cds-hooks.org/hooks/order-select/
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import RequestError, RequestFault
from ankle_cds.fhir import Resource, canonical_json, is_resource, reference
from ankle_cds.prefetch.medications import medications, with_medication
from ankle_cds.prefetch.reading import names_other

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.hooks import Request

KEY = "draftOrders"
"""The name under which drafts stand among the keys of the patient's data: that of their field."""

# What the hooks call orders; anything else in the Bundle is neither a draft nor evidence of anything.
_ORDERS = frozenset({"DeviceRequest", "MedicationRequest", "NutritionOrder", "ServiceRequest", "VisionPrescription"})
_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_SPEC = "https://cds-hooks.org/hooks/order-sign/"


@dataclass(frozen=True, slots=True)
class Drafts:
    """The drafts to judge: every one with an id, its own or one made for this call.

    `unnamed` are those whose id was made here, as `Type/id`: the client does not know it. `unreadable` counts entries
    that could not be read; `foreign` those of another patient, which are nobody's business here. `medications` are the
    drugs that came beside the drafts, by the names a reference may use.
    """

    resources: tuple[Resource, ...] = field(default=(), repr=False)
    unnamed: frozenset[str] = frozenset()
    unreadable: int = 0
    foreign: int = 0
    medications: Mapping[str, Resource] = field(default_factory=dict, repr=False)

    @property
    def judged(self) -> tuple[str, ...]:
        """The drafts as `Type/id`, each once, in the order of the request."""
        return tuple(dict.fromkeys(_named(resource) for resource in self.resources))

    @property
    def known_to_client(self) -> dict[str, bool]:
        """For every draft, as `Type/id`, whether the client can find it under that name."""
        return {name: name not in self.unnamed for name in self.judged}

    @property
    def codes(self) -> list[list[str]]:
        """What is drafted for which side: the codes of each draft, in an order that does not follow the request's."""
        return sorted(sorted(set(_codes(resource))) for resource in self.resources)

    def require_readable(self) -> None:
        """Refuse with 400 when a draft was not read; asked where there is no card, which would say that all is well."""
        if self.unreadable:
            raise RequestError(RequestFault.BAD_VALUE, diagnostics=(f"context.{KEY}",), spec=_SPEC)


def read_drafts(request: Request) -> Drafts | None:
    """Give the drafts a request asks to judge; None at a hook that has none.

    Those selected, all when none is; a selected name that is no draft is passed over.
    """
    orders = getattr(request.context, "draft_orders", None)
    if orders is None:
        return None
    selected = frozenset(getattr(request.context, "selections", ()))
    found: dict[str, list[Resource]] = {}
    unnamed: set[str] = set()
    seen: Counter[str] = Counter()
    unreadable = foreign = 0
    for entry in orders.entry:
        draft = entry.get("resource") if isinstance(entry, dict) else None
        if not is_resource(draft):
            unreadable += not selected
            continue
        if draft["resourceType"] not in _ORDERS or (selected and reference(draft) not in selected):
            continue
        other = _is_other_patients(draft, request.context.patient_id)
        unreadable += other is None
        foreign += other is True
        if other is not False:
            continue
        given = draft.get("id")
        if not (isinstance(given, str) and _FHIR_ID.fullmatch(given)):
            # Made from what the draft says: it has the same id in every call, and no record has it by chance.
            made = sha256(canonical_json(draft)).hexdigest()[:32]
            seen[made] += 1
            draft = draft | {"id": f"{made}-{seen[made]}"}
            unnamed.add(_named(draft))
        found.setdefault(_named(draft), []).append(draft)
    beside = medications(
        (entry["resource"], entry.get("fullUrl"))
        for entry in orders.entry
        if isinstance(entry, dict) and is_resource(entry.get("resource"))
    )
    different = (with_medication(one, beside) for same in found.values() for one in _different(same))
    return Drafts(tuple(different), frozenset(unnamed), unreadable, foreign, beside)


def _different(drafts: list[Resource]) -> list[Resource]:
    """Keep each version of a draft once."""
    return drafts if len(drafts) == 1 else list({canonical_json(draft): draft for draft in drafts}.values())


def _is_other_patients(draft: Resource, patient: str) -> bool | None:
    """Tell whether a draft names another patient; None where it names its patient in no readable way."""
    for name in ("subject", "patient"):
        element: Any = draft.get(name)
        if element is not None and not (isinstance(element, dict) and isinstance(element.get("reference", ""), str)):
            return None
        if names_other(element, patient):
            return True
    return False


def _codes(element: Any) -> Iterator[str]:
    """Find every code at any depth, and the name of a drug that is referred to."""
    for part in element if isinstance(element, list) else ():
        yield from _codes(part)
    if isinstance(element, dict):
        if isinstance(element.get("code"), str):
            yield f"{element.get('system', '')}|{element['code']}"
        for name, part in element.items():
            yield from _codes(part)
            if name == "medicationReference" and isinstance(part, dict):
                yield str(part.get("reference", ""))


def _named(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
