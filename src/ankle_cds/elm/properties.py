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
    if value is None:
        return None
    if type(value) is dict:
        if path not in value:
            raise EvaluationError(f"A tuple has no element '{path}'.")
        return value[path]
    names = _SYSTEM.get(type(value), {})
    if path not in names:
        raise EvaluationError(f"A {type(value).__name__} has no element '{path}'.")
    found = getattr(value, names[path])
    return list(found) if type(found) is tuple and path == "codes" else found


def accessor(compiler: Compiler, node: Node, path: str, source: Closure, source_type: Type | None) -> Closure:
    """Compile reading a path of a source; the node's own static type says what is read at its end."""
    *steps, last = path.split(".")
    kind = compiler.type_of(node)
    read = fhirdata.reader(last, kind) if kind and kind != ANY else None
    if read is None and _may_be_fhir(source_type):
        return compiler.refuse(node, f"the property '{path}' of FHIR data without a static type")

    def run(ev: Any, frame: list[Any]) -> Any:
        value = source(ev, frame)
        for step in steps:
            value = fhirdata.step(value, step) if isinstance(value, Fhir) else _system_property(value, step)
        if value is None:
            return None
        if isinstance(value, Fhir):
            if read is None:
                raise EvaluationError(f"The type of the property '{path}' is not known; cast its owner first.")
            return read(ev, value)
        return _system_property(value, last)

    return run


def _may_be_fhir(kind: Type | None) -> bool:
    if isinstance(kind, ChoiceOf):
        return any(map(_may_be_fhir, kind.choices))
    return kind is None or kind == ANY or (isinstance(kind, Named) and kind.space == "FHIR")


@form("Property", "path", "source", "scope")
def prop(compiler: Compiler, node: Node) -> Closure:
    """Read a property of the source expression, or of the alias named by `scope`.

    A source that is itself a property without a type is a step on the way: only its parts are read.
    """
    path, owner = node["path"], node
    while compiler.is_step(owner.get("source")):
        owner = owner["source"]
        compiler.check(owner)
        path = f"{owner['path']}.{path}"
    if "scope" in owner:
        slot, source_type = compiler.alias(owner, owner["scope"])

        def scoped(_ev: Any, frame: list[Any]) -> Any:
            return frame[slot]

        source: Closure = scoped
    elif "source" in owner:
        source, source_type = compiler.compile(owner["source"]), compiler.type_of(owner["source"])
    else:
        return compiler.refuse(node, "a property without a source")
    if isinstance(source_type, ListOf):
        return compiler.refuse(node, f"the property '{path}' of a list")
    return accessor(compiler, node, path, source, source_type)
