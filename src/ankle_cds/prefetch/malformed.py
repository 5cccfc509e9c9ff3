"""Which records hold values that are not of their FHIR type, asked of the logic itself and only when it stumbled.

No model of FHIR is needed at run time: records are read in order, and the one with which a definition loses the answer
it had before is left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ankle_cds import elm
from ankle_cds.errors import RequestError, RequestFault
from ankle_cds.fhir import reference
from ankle_cds.prefetch.drafts import KEY
from ankle_cds.prefetch.reading import SPECIFICATION, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Resource
    from ankle_cds.hooks import Request
    from ankle_cds.prefetch.gathering import PatientData

_MOST = 16  # records left out of one call; each costs some evaluations, and a record with more of them is no record


def without_malformed(
    data: PatientData, request: Request, package: Package, parameters: Mapping[str, Any], now: datetime
) -> PatientData:
    """Leave out the records the logic cannot read, and call the keys they came with partial.

    One bad record costs what it says and not the whole call; a draft order among them counts as unreadable. Raises
    RequestError 412 naming keys when it is the patient or the encounter itself, or when there are too many.
    """
    context = (f"Patient/{request.context.patient_id}", f"Encounter/{request.context.encounter_id}")
    pairs = list(zip(data.resources, data.keys, strict=True))
    own = [pair for pair in pairs if reference(pair[0]) in context]
    others = [pair for pair in pairs if reference(pair[0]) not in context]
    probe = _Probe(package, parameters, now)
    spoilt: set[str] = set()
    for _ in range(_MOST):
        ordered = own + others
        culprit = probe.first_unreadable([resource for resource, _ in ordered])
        if culprit is None:
            break
        spoilt.add(ordered[culprit][1])
        if culprit < len(own):
            raise _refusal({ordered[culprit][1]})
        del others[culprit - len(own)]
    else:
        raise _refusal(spoilt)
    drafts = data.drafts
    if drafts is not None:
        readable = tuple(resource for resource, key in others if key == KEY)
        lost = len(drafts.resources) - len(readable)
        drafts = replace(drafts, resources=readable, unreadable=drafts.unreadable + lost)
    return replace(
        data,
        resources=tuple(resource for resource, _ in own + others),
        keys=tuple(key for _, key in own + others),
        states={key: State.PARTIAL if key in spoilt else state for key, state in data.states.items()},
        unavailable=data.unavailable | (spoilt - {KEY}),
        drafts=drafts,
    )


def _refusal(keys: set[str]) -> RequestError:
    return RequestError(RequestFault.PRECONDITION, diagnostics=tuple(sorted(keys)), spec=SPECIFICATION)


class _Probe:
    """Evaluates every definition over the first records; what has no answer without any says nothing about them."""

    def __init__(self, package: Package, parameters: Mapping[str, Any], now: datetime) -> None:
        self.program = package.program
        self.parameters = dict(parameters)
        self.now = now
        self.silent = self._stumbles([])

    def first_unreadable(self, records: Sequence[Resource]) -> int | None:
        """Find a record that cannot be read after those before it, by halving; None when all can."""
        readable, unreadable = 0, len(records)
        if self._stumbles(records) <= self.silent:
            return None
        while unreadable - readable > 1:
            middle = (readable + unreadable) // 2
            if self._stumbles(records[:middle]) <= self.silent:
                readable = middle
            else:
                unreadable = middle
        return readable

    def _stumbles(self, records: Sequence[Resource]) -> frozenset[str]:
        evaluation = self.program.evaluate(records, now=self.now, parameters=self.parameters)
        found = set()
        for name in self.program.definitions:
            try:
                evaluation[name]
            except elm.EvaluationError:
                found.add(name)
        return frozenset(found)
