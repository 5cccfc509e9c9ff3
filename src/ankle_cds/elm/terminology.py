"""Membership in value sets, and their expansion.

https://cql.hl7.org/09-b-cqlreference.html#in-valueset
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.registry import Closure, Node, form
from ankle_cds.elm.values import Code, Concept

if TYPE_CHECKING:
    from ankle_cds.elm.compiler import Compiler
    from ankle_cds.elm.retrieve import CodeKey

_SPEC = "https://cql.hl7.org/09-b-cqlreference.html#in-valueset"


def _member(value: Any, codes: frozenset[CodeKey], systems: int) -> bool:
    if value is None:
        return False
    if type(value) is Code:
        return (value.system, value.code) in codes
    if type(value) is Concept:
        return any(_member(code, codes, systems) for code in value.codes)
    if type(value) is list:
        return any(_member(item, codes, systems) for item in value)
    if type(value) is str:
        if systems > 1:
            raise EvaluationError("A code without a system is ambiguous in a value set of several systems.", spec=_SPEC)
        return any(code == value for _, code in codes)
    raise EvaluationError(f"A {type(value).__name__} is no code.", spec=_SPEC)


def _membership(compiler: Compiler, node: Node, attribute: str) -> Closure:
    (operand,) = compiler.operands(node, (attribute,))
    reference = node.get("valueset") or node.get("valuesetExpression") or {}
    # as an expression the reference is a node with a type; as an attribute it is a bare reference
    if reference.get("type", "ValueSetRef") != "ValueSetRef":
        return compiler.refuse(node, "a value set that is not a declared one")
    codes = compiler.expansion(node, compiler.value_set(reference).id)
    systems = len({system for system, _ in codes})
    return lambda ev, frame: _member(operand(ev, frame), codes, systems)


@form("InValueSet", "code", "valueset", "valuesetExpression")
def in_value_set(compiler: Compiler, node: Node) -> Closure:
    """Tell whether a code or concept is in a value set; null is not."""
    return _membership(compiler, node, "code")


@form("AnyInValueSet", "codes", "valueset", "valuesetExpression")
def any_in_value_set(compiler: Compiler, node: Node) -> Closure:
    """Tell whether any of the codes or concepts is in a value set; null is not."""
    return _membership(compiler, node, "codes")


@form("ExpandValueSet", "operand")
def expand_value_set(compiler: Compiler, node: Node) -> Closure:
    """Give the codes of a declared value set, in a fixed order."""
    reference = node["operand"]
    if reference.get("type") != "ValueSetRef":
        return compiler.refuse(node, "a value set that is not a declared one")
    expansion = compiler.expansion(node, compiler.value_set(reference).id)
    codes = [Code(code, system) for system, code in sorted(expansion, key=str)]
    return lambda _ev, _frame: codes
