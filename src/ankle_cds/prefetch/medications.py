"""A drug that is named by reference to a Medication the client sent: it stands in the order as if it were contained.

The logic reads the drug of an order from the order itself. Clients may send it beside: among the draft orders, or
included in a search. https://hl7.org/fhir/R4/medicationrequest-definitions.html#MedicationRequest.medication_x_
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.fhir import reference, split_reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ankle_cds.fhir import Resource


def medications(resources: Iterable[tuple[Resource, object]]) -> dict[str, Resource]:
    """Give the Medications among resources by the names they can be referred to by: `Medication/id`, and a full URL.

    Each resource comes with the full URL of its entry, anything that is no text for none. A name that two different
    Medications have is not in the answer: it cannot be told which is meant.
    """
    found: dict[str, list[Resource]] = {}
    for resource, full_url in resources:
        if resource["resourceType"] == "Medication":
            names = {reference(resource), full_url if isinstance(full_url, str) else None}
            for name in names - {None}:
                found.setdefault(str(name), []).append(resource)
    return {name: same[0] for name, same in found.items() if all(one == same[0] for one in same)}


def with_medication(resource: Resource, known: Mapping[str, Resource]) -> Resource:
    """Give an order or statement with the Medication it refers to contained in it; as it is where none is known.

    The resource given is not changed.
    """
    element = resource.get("medicationReference")
    name = element.get("reference") if isinstance(element, dict) else None
    medication = known.get(_name(name, known)) if isinstance(name, str) and not name.startswith("#") else None
    if medication is None or not isinstance(element, dict):
        return resource
    earlier: Any = resource.get("contained")
    contained = list(earlier) if isinstance(earlier, list) else []
    taken = {one.get("id") for one in contained if isinstance(one, dict)}
    identity = "medication"
    while identity in taken:
        identity += "-"
    return resource | {
        "contained": [*contained, medication | {"id": identity}],
        "medicationReference": {**element, "reference": f"#{identity}"},
    }


def _name(text: str, known: Mapping[str, Resource]) -> str:
    """Give the name a reference is known by: itself, or `Type/id` of an absolute or versioned one."""
    parts = None if text in known else split_reference(text)
    return "/".join(parts) if parts else text
