"""References: to definitions, functions, parameters, operands, aliases and terminology.

https://cql.hl7.org/04-logicalspecification.html#reusing-logic
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.elm.evaluation import UNSET
from ankle_cds.elm.properties import accessor
from ankle_cds.elm.registry import Closure, Node, form
from ankle_cds.elm.typesystem import ListOf
from ankle_cds.elm.values import Code, FhirResource

if TYPE_CHECKING:
    from ankle_cds.elm.compiler import Compiler
    from ankle_cds.elm.library import Unit


def constant(value: Any) -> Closure:
    """Compile a value known at load."""
    return lambda _ev, _frame: value


@form("ExpressionRef", "name", "libraryName")
def expression_ref(compiler: Compiler, node: Node) -> Closure:
    """Give the value of a definition, evaluated at most once."""
    unit = compiler.definition_of(node)
    if unit is None:
        return constant(None)
    index = unit.index

    def run(ev: Any, _frame: list[Any]) -> Any:
        ev.record.uses[index] = None
        value = ev.values[index]
        return ev.compute(index) if value is UNSET else value

    return run


@form("FunctionRef", "name", "libraryName", "operand")
def function_ref(compiler: Compiler, node: Node) -> Closure:
    """Call a function."""
    arguments = compiler.operands(node, ("operand",)) if node.get("operand") else []
    unit = compiler.function_of(node)
    if unit is None:
        return constant(None)
    # Most arguments are names of the caller's: they are read from its frame without a call.
    slots = [compiler.slot_of(operand) for operand in node.get("operand") or []]
    if len(arguments) == 1:
        return _call_one(unit, slots[0], arguments[0])
    given = list(zip(slots, arguments, strict=True))

    def call(ev: Any, frame: list[Any]) -> Any:
        callee = [argument(ev, frame) if slot is None else frame[slot] for slot, argument in given]
        callee += [None] * (unit.frame_size - len(callee))
        return unit.body(ev, callee)  # type: ignore[misc]  # as in `_call_one`

    return call


def _call_one(unit: Unit, slot: int | None, only: Closure) -> Closure:
    """Compile a call with one argument, remembered where it is a resource: rules ask the same of it again and again."""

    def call_one(ev: Any, frame: list[Any]) -> Any:
        argument = only(ev, frame) if slot is None else frame[slot]
        key = (unit.index, id(argument)) if unit.pure and type(argument) is FhirResource else None
        if key in ev.calls:
            return ev.calls[key]
        callee = [None] * unit.frame_size
        callee[0] = argument
        value = unit.body(ev, callee)  # type: ignore[misc]  # every unit has a body once the load succeeded
        if key is not None:
            ev.calls[key] = value
        return value

    return call_one


@form("OperandRef", "name")
def operand_ref(compiler: Compiler, node: Node) -> Closure:
    """Give the value of an operand of the function."""
    slot = [name for name, _ in compiler.unit.operands or ()].index(node["name"])
    return lambda _ev, frame: frame[slot]


@form("ParameterRef", "name", "libraryName")
def parameter_ref(compiler: Compiler, node: Node) -> Closure:
    """Give the value of a parameter: what the caller passed, else its default, else null."""
    unit = compiler.parameter_of(node)
    if unit is None:
        return constant(None)
    index = unit.index

    def run(ev: Any, _frame: list[Any]) -> Any:
        ev.record.uses[index] = None
        value = ev.values[index]
        return ev.compute(index) if value is UNSET else value

    return run


@form("AliasRef", "name")
def alias_ref(compiler: Compiler, node: Node) -> Closure:
    """Give the current row of a query source."""
    slot, _ = compiler.alias(node, node["name"])
    return lambda _ev, frame: frame[slot]


@form("QueryLetRef", "name")
def query_let_ref(compiler: Compiler, node: Node) -> Closure:
    """Give the value of a let of the current row."""
    slot, _ = compiler.let(node["name"])
    return lambda _ev, frame: frame[slot]


@form("IdentifierRef", "name")
def identifier_ref(compiler: Compiler, node: Node) -> Closure:
    """Give a property of the row being sorted; anywhere else an identifier is unresolved."""
    if compiler.this is None:
        return compiler.refuse(node, f"the unresolved identifier '{node['name']}'")
    slot, row_type = compiler.this
    return accessor(compiler, node, node["name"], slot, row_type)


@form("CodeRef", "name", "libraryName")
def code_ref(compiler: Compiler, node: Node) -> Closure:
    """Give a declared code."""
    return constant(compiler.linker.code(*compiler.declared("codes", node)))


@form("ConceptRef", "name", "libraryName")
def concept_ref(compiler: Compiler, node: Node) -> Closure:
    """Give a declared concept."""
    return constant(compiler.linker.concept(*compiler.declared("concepts", node)))


@form("CodeSystemRef", "name", "libraryName")
def code_system_ref(compiler: Compiler, node: Node) -> Closure:
    """Give a declared code system."""
    return constant(compiler.linker.code_system(*compiler.declared("codeSystems", node)))


@form("ValueSetRef", "name", "libraryName", "preserve")
def value_set_ref(compiler: Compiler, node: Node) -> Closure:
    """Give a declared value set, or its codes where the translator expects a list of codes."""
    value_set = compiler.value_set(node)
    if isinstance(compiler.type_of(node), ListOf) and node.get("preserve") is not True:
        codes = [Code(code, system) for system, code in sorted(compiler.expansion(node, value_set.id), key=str)]
        return constant(codes)
    return constant(value_set)
