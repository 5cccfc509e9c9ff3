"""Retrieve: which resources of the record a rule looks at, at run time and as static data requirements.

https://cql.hl7.org/04-logicalspecification.html#retrieve
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from ankle_cds.elm import fhirdata, temporal
from ankle_cds.elm.comparison import conjunction
from ankle_cds.elm.faults import EvaluationError, MalformedValue
from ankle_cds.elm.intervals import contains_point, overlaps
from ankle_cds.elm.registry import Closure, Node, form
from ankle_cds.elm.typesystem import FHIR, qualified
from ankle_cds.elm.values import Code, FhirResource, Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ankle_cds.elm.compiler import Compiler

CodeKey = tuple[str | None, str | None]
_COMPARATORS: Final = (None, "in", "~", "=")
_CHOICE_TYPES: Final = ("CodeableConcept", "Coding", "Code")
_DATE_TYPES: Final = ("DateTime", "Period", "Date", "Instant")


@dataclass(frozen=True, slots=True)
class Retrieve:
    """What one retrieve asks for: `codes` when the logic names codes, `value_set` when it names a value set."""

    resource_type: str
    code_property: str | None = None
    value_set: str | None = None
    codes: tuple[Code, ...] | None = None
    date_property: str | None = None
    locator: str | None = None
    library: str = ""
    definition: str = ""


def codes_at(json: Any, path: str) -> frozenset[CodeKey]:
    """Collect (system, code) of the codings at a path of a resource, a choice of types included."""
    values = [json]
    for keys in _members(path):
        found = [
            value[key] for value in values if isinstance(value, dict) for key in keys if value.get(key) is not None
        ]
        values = [item for value in found for item in (value if isinstance(value, list) else [value])]
    found_codes: set[CodeKey] = set()
    for value in values:
        if not isinstance(value, dict):
            raise MalformedValue(f"The record holds a value at '{path}' that is no coded concept; correct the record.")
        for coding in value.get("coding", [value]):
            if not isinstance(coding, dict):
                raise MalformedValue(f"The record holds a value at '{path}' that is no coding; correct the record.")
            found_codes.add((coding.get("system"), coding.get("code")))
    return frozenset(found_codes)


@cache  # one entry for each path that the logic names
def _members(path: str) -> tuple[tuple[str, ...], ...]:
    """Give for each step of a path the names its element may have in JSON."""
    return tuple((step, *(f"{step}{name}" for name in _CHOICE_TYPES)) for step in path.split("."))


def _within(ev: Any, resource: FhirResource, path: str, wanted: Interval) -> bool | None:
    """Tell whether the date, instant or period at a path overlaps an interval; None when that is unknown."""
    json = resource.json
    for key in (path, *(f"{path}{name}" for name in _DATE_TYPES)):
        value = json.get(key)
        if isinstance(value, str):
            moment = temporal.parse_datetime(value, ev.offset)
            if moment is None:
                raise MalformedValue(f"The record holds a value at '{key}' that is no date; correct the record.")
            return contains_point(wanted, moment)
        if isinstance(value, dict):
            read = fhirdata.scalar("DateTime", key)
            low, high = (read(ev, value[end]) if read and value.get(end) else None for end in ("start", "end"))
            return overlaps(Interval(low, high, low is not None, True, "DateTime"), wanted)
    return None


@form(
    "Retrieve",
    "dataType",
    "templateId",
    "codeProperty",
    "codeComparator",
    "codes",
    "dateProperty",
    "dateRange",
)
def retrieve(compiler: Compiler, node: Node) -> Closure:  # noqa: C901  # one line for each thing it refuses
    """Give the resources of one type whose codes and dates are asked for, in the order of the record."""
    name = qualified(node["dataType"])
    if name.space != "FHIR":
        return compiler.refuse(node, f"a retrieve of {name}")
    if node.get("templateId", f"{FHIR}/StructureDefinition/{name.name}") != f"{FHIR}/StructureDefinition/{name.name}":
        return compiler.refuse(node, "a retrieve by profile")
    if node.get("codeComparator") not in _COMPARATORS:
        return compiler.refuse(node, f"the code comparator {node['codeComparator']}")
    requirement = _required(compiler, node, name.name)
    recorded = compiler.note_retrieve(requirement)
    wanted = frozenset((code.system, code.code) for code in requirement.codes or ())
    if requirement.value_set is not None:
        wanted = compiler.expansion(node, requirement.value_set)
    filtered = "codes" in node
    path = node.get("codeProperty", "")
    if filtered and not path:
        return compiler.refuse(node, "a retrieve by code without a code property")
    key = (name.name, path, wanted) if filtered else name.name

    def rows(ev: Any) -> list[FhirResource]:
        found: list[FhirResource] | None = ev.retrieved.get(key)
        if found is None:
            found = ev.of_type(name.name)
            if filtered:
                index = ev.code_index(name.name, path)
                fewer, more = sorted((index, wanted), key=len)
                places = {place for code in fewer if code in more for place in index[code]}
                found = [found[place] for place in sorted(places)]
            ev.retrieved[key] = found
        return found

    select = _dated(compiler, node, rows)
    if not recorded:
        return select

    def run(ev: Any, frame: list[Any]) -> list[FhirResource]:
        found: list[FhirResource] = select(ev, frame)
        ev.record.resources.update((item.reference, None) for item in found)
        return found

    return run


def _dated(compiler: Compiler, node: Node, rows: Any) -> Closure:
    if "dateRange" not in node:
        return lambda ev, _frame: rows(ev)
    limits = compiler.compile(node["dateRange"])
    path = node.get("dateProperty", "")
    if not path or "." in path:
        return compiler.refuse(node, "a retrieve by date without a simple date property")

    def run(ev: Any, frame: list[Any]) -> list[FhirResource]:
        wanted = limits(ev, frame)
        if wanted is None:
            raise EvaluationError("A retrieve's date range is null.")
        return [item for item in rows(ev) if conjunction([_within(ev, item, path, wanted)])]

    return run


def _required(compiler: Compiler, node: Node, resource_type: str) -> Retrieve:
    codes: tuple[Code, ...] | None = None
    value_set: str | None = None
    if "codes" in node:
        expression = node["codes"]
        if expression.get("type") == "ExpandValueSet":
            expression = expression["operand"]
        if expression.get("type") == "ValueSetRef":
            value_set = compiler.value_set(expression).id
        else:
            codes = compiler.constant_codes(expression)
            if codes is None:
                compiler.refuse(node, "a retrieve by codes that are not constant")
    return Retrieve(
        resource_type,
        node.get("codeProperty") if "codes" in node else None,
        value_set,
        codes,
        node.get("dateProperty") if "dateRange" in node else None,
        node.get("locator"),
        compiler.library,
        compiler.definition,
    )


def indexed(resources: Sequence[dict[str, Any]]) -> dict[str, list[FhirResource]]:
    """Sort the record by resource type, each resource with its reference."""
    by_type: dict[str, list[FhirResource]] = {}
    for resource in resources:
        name = resource.get("resourceType") if isinstance(resource, dict) else None
        if not isinstance(name, str):
            raise MalformedValue("The record holds something without a resourceType; pass resources only.")
        rows = by_type.setdefault(name, [])
        given = resource.get("id")
        rows.append(FhirResource(name, resource, f"{name}/{given}" if given else f"{name}/#{len(rows) + 1}"))
    return by_type
