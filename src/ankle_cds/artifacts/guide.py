"""The ImplementationGuide lists every artifact of the package; what it lists is derived, like the manifest.

https://hl7.org/fhir/R4/implementationguide.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.fhir import Resource

TYPE = "ImplementationGuide"


def write_guide(guide: Resource, resources: Mapping[str, Resource]) -> None:
    """Complete the guide: the package it is, and one entry for each other artifact in the order of `resources`."""
    guide["packageId"] = guide["id"]
    guide["definition"] = {
        "resource": [
            {
                "reference": {"reference": f"{resource['resourceType']}/{resource['id']}"},
                "name": resource["title"],
                "description": resource["description"],
                "exampleBoolean": False,
            }
            for url, resource in resources.items()
            if url != guide["url"]
        ]
    }


def listed(guide: Resource) -> list[str]:
    """Give the canonicals of the artifacts a guide lists; its examples are none.

    A reference `Type/id` is relative to the base under which the guide itself is published.
    """
    base = str(guide["url"]).removesuffix(f"{TYPE}/{guide['id']}")
    entries = guide.get("definition", {}).get("resource", [])
    return [
        base + entry["reference"]["reference"]
        for entry in entries
        if not (entry.get("exampleBoolean") or entry.get("exampleCanonical"))
    ]
