"""Why an action applies or does not: the condition, its value, and the named features and resources that decided it.

Values are reduced on the way: a resource is given as `Type/id`, a code without the display its sender wrote, and text
that is more than one word is withheld, so that a reason never carries a note or a name out of the record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from ankle_cds import elm
from ankle_cds.fhir import canonical_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WITHHELD = {"withheld": True}
_DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_DEPTH = 5  # the condition, its rule, the parts of the rule, their features, what those read: what a reader can follow


@dataclass(frozen=True, slots=True)
class Feature:
    """A named definition that took part: its value as plain JSON, the `Type/id` behind it, and what it used in turn.

    `value` is None when the value is unknown. `resources` are those the definition met itself; at the depth limit,
    where `uses` is empty, those met nearest below it.
    """

    name: str
    value: Any
    resources: tuple[str, ...]
    uses: tuple[Feature, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """One condition that was evaluated: `value` is True, False, or None for unknown; only True applies.

    `recommendation` is the id of the PlanDefinition that makes the recommendation, `plan` of the one that holds the
    condition (an order set of that recommendation, or the same), `action` the id of the action in the RequestGroup,
    `title` the action's own title, `rule` the condition in words.
    """

    recommendation: str
    plan: str
    action: str
    title: str | None
    expression: str
    rule: str | None
    value: bool | None
    evaluation: elm.Evaluation = field(repr=False, compare=False)

    @property
    def trace(self) -> elm.Trace:
        """What the engine did for the condition; built when asked for, because most answers need none of it."""
        return self.evaluation.trace(self.expression)

    def feature(self, depth: int = _DEPTH) -> Feature:
        """Give the tree of features under the condition, `depth` levels of it."""
        return feature(self.trace, depth)

    @property
    def resources(self) -> tuple[str, ...]:
        """Every resource that was met on the way to the value, at any depth, as `Type/id` in order of name."""
        return tuple(sorted({name for part in walk(self.trace) for name in part.resources}))


def feature(trace: elm.Trace, depth: int = _DEPTH) -> Feature:
    """Reduce a trace of the engine to what may be shown."""
    made: dict[tuple[str, int], Feature] = {}

    def reduced(part: elm.Trace, levels: int) -> Feature:
        key = (part.name, levels)
        if key not in made:
            found = part.resources if levels > 1 else _nearest(part)
            uses = tuple(reduced(one, levels - 1) for one in part.uses) if levels > 1 else ()
            made[key] = Feature(part.name, plain(part.value), tuple(dict.fromkeys(found)), uses)
        return made[key]

    return reduced(trace, depth)


def _nearest(trace: elm.Trace) -> tuple[str, ...]:
    """Give the resources of the definitions closest below that met any; what lies deeper is how those were chosen."""
    seen = {trace.name}
    level: tuple[elm.Trace, ...] = (trace,)
    while level:
        found = tuple(name for part in level for name in part.resources)
        if found:
            return found
        below = {one.name: one for part in level for one in part.uses if one.name not in seen}
        seen |= below.keys()
        level = tuple(below.values())
    return ()


def walk(*traces: elm.Trace) -> Iterator[elm.Trace]:
    """Yield traces and everything under them, each definition once."""
    seen: set[str] = set()
    stack = list(reversed(traces))
    while stack:
        part = stack.pop()
        if part.name not in seen:
            seen.add(part.name)
            yield part
            stack.extend(reversed(part.uses))


def facts(*traces: elm.Trace) -> list[list[Any]]:
    """List what was found in the record: name and value of each definition that met any of it, in a settled order.

    Two evaluations on the same record give the same list on any day, in whatever order its entries came and whatever
    else the record holds: what is computed from the clock alone met no record and is not in it, lists are sorted, and
    a definition that found nothing, or that only gathers records for others to read, is not named. Of words only the
    days count: what else a sentence says is the value of another definition, or is counted to today.
    """
    found = [
        [part.name, _settled(part.value)]
        for part in walk(*traces)
        if part.resources and part.value is not None and part.value is not False and not _gathers(part.value)
    ]
    return sorted(found, key=canonical_json)


def _gathers(value: Any) -> bool:
    """Tell whether a value is empty or made of whole records: those are candidates, of which later parts choose."""
    return isinstance(value, elm.FhirResource) or (isinstance(value, list) and all(_gathers(item) for item in value))


def _settled(value: Any) -> Any:
    if isinstance(value, str) and len(value.split()) > 1:
        return sorted(_DAY.findall(value))
    if isinstance(value, list):
        return sorted((_settled(item) for item in value), key=canonical_json)
    if isinstance(value, dict):
        return {name: _settled(part) for name, part in value.items()}
    return plain(value)


def plain(value: Any) -> Any:
    """Give a CQL value as plain JSON with everything withheld that could be a person's words."""
    if value is None or isinstance(value, (bool, int, Decimal)):
        return value
    if isinstance(value, str):
        return value if len(value.split()) == 1 else WITHHELD
    if isinstance(value, list):
        return [plain(item) for item in value]
    return _plain_object(value)


def _plain_object(value: Any) -> Any:
    """Give the values that have parts; some are tuples in Python, so they are told apart by class."""
    reduce = _REDUCED.get(type(value))
    return reduce(value) if reduce else WITHHELD


_REDUCED: Final[dict[type, Callable[[Any], Any]]] = {
    elm.Date: str,
    elm.DateTime: str,
    elm.Time: str,
    elm.Quantity: lambda value: {"value": value.value, "unit": value.unit},
    elm.Code: lambda value: {"system": value.system, "code": value.code},
    elm.Concept: lambda value: [plain(code) for code in value.codes],
    elm.Interval: lambda value: {"low": plain(value.low), "high": plain(value.high)},
    elm.FhirResource: lambda value: value.reference,
    dict: lambda value: {name: plain(part) for name, part in value.items()},
}
