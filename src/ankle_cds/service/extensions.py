"""What answers say beyond CDS Hooks, to those who ask for it: objects under names of our own.

https://cds-hooks.hl7.org/2.0/#extensions
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from ankle_cds.fhir import canonical_json
from ankle_cds.prefetch import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.artifacts import Package
    from ankle_cds.prefetch import PatientData
    from ankle_cds.trust import Caller

CONTENT = "org.w3id.ankle-cds.content"
"""In discovery: `version` of the content, `lastReviewDate` of its source, and `sha256` over all artifacts."""
DATA = "org.w3id.ankle-cds.data"
"""In an answer: the prefetch keys that were `unavailable`, and those that were `partial`; none where all were had."""


class Extensions:
    """Makes the member `extension`; `emitted` is what the site says, a client may have it otherwise for its calls."""

    def __init__(self, packages: Mapping[str, Package], *, emitted: bool) -> None:
        self._emitted = emitted
        self._contents = {name: _content(package) for name, package in packages.items()} if emitted else {}

    def of_service(self, package: Package) -> dict[str, Any]:
        """Give what a discovery entry is added, nothing where the site sends no extensions."""
        return {"extension": {CONTENT: self._contents[package.service_id]}} if self._emitted else {}

    def of_answer(self, caller: Caller, data: PatientData) -> dict[str, Any]:
        """Give what an answer with cards, or without, is added for this caller; nothing where every key was had."""
        asked = self._emitted if caller.emit_extensions is None else caller.emit_extensions
        if not asked or not data.unavailable:
            return {}
        partial = sorted(key for key in data.unavailable if data.states.get(key) is State.PARTIAL)
        unavailable = sorted(data.unavailable.difference(partial))
        told = {"unavailable": unavailable, "partial": partial}
        return {"extension": {DATA: {name: keys for name, keys in told.items() if keys}}}


def _content(package: Package) -> dict[str, str]:
    plan = package.get(package.pathway)
    digest = hashlib.sha256()
    for url in sorted(package.resources):
        digest.update(canonical_json(package.resources[url]))
    reviewed = {"lastReviewDate": plan["lastReviewDate"]} if "lastReviewDate" in plan else {}
    return {"version": package.version, **reviewed, "sha256": digest.hexdigest()}
