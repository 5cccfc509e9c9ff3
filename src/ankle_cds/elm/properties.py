"""Property access: on FHIR elements by static type, on tuples and structured system values by name.

https://cql.hl7.org/04-logicalspecification.html#property
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ankle_cds.elm import fhirdata
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.registry import Closure, Node, form
from ankle_cds.elm.typesystem import ANY, ChoiceOf, ListOf, Named, Type
from ankle_cds.elm.values import (
    Code,
    CodeSystem,
    Concept,
    Fhir,
    Interval,
    Quantity,
    Ratio,
    ValueSet,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ankle_cds.elm.compiler import Compiler

# CQL's names of the elements of its structured types, and ours
_SYSTEM: Final[dict[type, dict[str, str]]] = {
    Code: {name: name for name in ("code", "system", "version", "display")},
    Concept: {name: name for name in ("codes", "display")},
    Quantity: {name: name for name in ("value", "unit")},
    Ratio: {name: name for name in ("numerator", "denominator")},
    Interval: {"low": "low", "high": "high", "lowClosed": "low_closed", "highClosed": "high_closed"},
    ValueSet: {name: name for name in ("id", "version", "name")},
    CodeSystem: {name: name for name in ("id", "version", "name")},
}


def _system_property(value: Any, path: str) -> Any:
    if type(value) is dict:
        if path not in value:
            raise EvaluationError(f"A tuple has no element '{path}'.")
        return value[path]
    names = _SYSTEM.get(type(value), {})
    if path not in names:
        raise EvaluationError(f"A {type(value).__name__} has no element '{path}'.")
    found = getattr(value, names[path])
    return list(found) if type(found) is tuple and path == "codes" else found


def accessor(compiler: Compiler, node: Node, path: str, source: Closure | int, source_type: Type | None) -> Closure:
    """Compile reading a path of a source (an expression, or the slot of the frame where most sources stand).

    The node's own static type says what is read at the end of the path.
    """
    read = _reader(compiler, node, path)
    if read is None and _may_be_fhir(source_type):
        return compiler.refuse(node, f"the property '{path}' of FHIR data without a static type")
    walk = _walk(compiler, node, path)
    if isinstance(source, int):
        slot = source

        def run_slot(ev: Any, frame: list[Any]) -> Any:
            value = frame[slot]
            if value is None:
                return None
            return read(ev, value) if read is not None and isinstance(value, Fhir) else walk(ev, value)

        return run_slot
    closure = source

    def run(ev: Any, frame: list[Any]) -> Any:
        value = closure(ev, frame)
        if value is None:
            return None
        return read(ev, value) if read is not None and isinstance(value, Fhir) else walk(ev, value)

    return run


def _reader(compiler: Compiler, node: Node, path: str) -> fhirdata.Reader | None:
    """Compile reading the path of a FHIR element; None when the node has no type that is read from FHIR."""
    *steps, last = path.split(".")
    kind = compiler.type_of(node)
    if kind is None or kind == ANY:
        return None
    if len(steps) == 1 and last == "value" and isinstance(kind, Named) and kind.space == "System":
        return fhirdata.primitive_reader(steps[0], kind.name)
    read = fhirdata.reader(last, kind)
    if read is None or not steps:
        return read
    read_last = read

    def read_path(ev: Any, fhir: Fhir) -> Any:
        owner: Fhir | None = fhir
        for step in steps:
            owner = None if owner is None else fhirdata.step(owner, step)
        return None if owner is None else read_last(ev, owner)

    return read_path


def _walk(compiler: Compiler, node: Node, path: str) -> Callable[[Any, Any], Any]:
    """Compile a path that starts at a system value; from the first FHIR element on, the rest is read as FHIR."""
    names = path.split(".")
    readers = [_reader(compiler, node, ".".join(names[index:])) for index in range(len(names))]

    def walk(ev: Any, value: Any) -> Any:
        for name, read in zip(names, readers, strict=True):
            if value is None:
                return None
            if isinstance(value, Fhir):
                if read is None:
                    raise EvaluationError(f"The type of the property '{path}' is not known; cast its owner first.")
                return read(ev, value)
            value = _system_property(value, name)
        return value

    return walk


def _may_be_fhir(kind: Type | None) -> bool:
    if isinstance(kind, ChoiceOf):
        return any(map(_may_be_fhir, kind.choices))
    return kind is None or kind == ANY or (isinstance(kind, Named) and kind.space == "FHIR")


@form("Property", "path", "source", "scope")
def prop(compiler: Compiler, node: Node) -> Closure:
    """Read a property of the source expression, or of the alias named by `scope`.

    A source that is itself a property without a type is a step on the way: only its parts are read. So is a primitive
    of which only the value is read.
    """
    path, owner = node["path"], node
    while compiler.is_step(owner.get("source")) or _is_primitive_value(compiler, owner, path):
        owner = owner["source"]
        compiler.check(owner)
        path = f"{owner['path']}.{path}"
    slot, source_type = None, None
    if "scope" in owner:
        slot, source_type = compiler.alias(owner, owner["scope"])
    elif "source" in owner:
        slot, source_type = compiler.slot_of(owner["source"]), compiler.type_of(owner["source"])
    else:
        return compiler.refuse(node, "a property without a source")
    if isinstance(source_type, ListOf):
        return compiler.refuse(node, f"the property '{path}' of a list")
    return accessor(compiler, node, path, compiler.compile(owner["source"]) if slot is None else slot, source_type)


def _is_primitive_value(compiler: Compiler, node: Node, path: str) -> bool:
    """Tell whether a node reads the system value of a single FHIR primitive that is itself a property."""
    source = node.get("source")
    if path != "value" or not isinstance(source, dict) or source.get("type") != "Property":
        return False
    kind, inner, outer = compiler.type_of(node), compiler.type_of(source), compiler.owner_type(source)
    return (
        isinstance(kind, Named)
        and kind.space == "System"
        and isinstance(inner, Named)
        and inner.space == "FHIR"
        and isinstance(outer, Named)
        and outer.space == "FHIR"
        and "." not in source["path"]
    )
