"""Three-valued logic, null tests and conditionals.

https://cql.hl7.org/09-b-cqlreference.html#logical-operators-3
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.elm.comparison import equal
from ankle_cds.elm.registry import Closure, Node, form, function

if TYPE_CHECKING:
    from ankle_cds.elm.compiler import Compiler


def _chain(compiler: Compiler, node: Node, name: str) -> list[Closure]:
    """Compile `(a op b) op c` as one list, so that long rules do not nest deeply."""
    closures: list[Closure] = []
    if len(node["operand"]) < 2:  # noqa: PLR2004  # two operands
        compiler.refuse(node, "a call with one operand")
    for operand in node["operand"]:
        if operand.get("type") == name:
            compiler.check(operand)
            closures.extend(_chain(compiler, operand, name))
        else:
            closures.append(compiler.compile(operand))
    return closures


@form("And", "operand")
def conjunction(compiler: Compiler, node: Node) -> Closure:
    """Give false when any operand is false, else null when any is null, else true."""
    closures = _chain(compiler, node, "And")

    def run(ev: Any, frame: list[Any]) -> bool | None:
        answer: bool | None = True
        for closure in closures:
            value = closure(ev, frame)
            if value is False:
                return False
            if value is None:
                answer = None
        return answer

    return run


@form("Or", "operand")
def disjunction(compiler: Compiler, node: Node) -> Closure:
    """Give true when any operand is true, else null when any is null, else false."""
    closures = _chain(compiler, node, "Or")

    def run(ev: Any, frame: list[Any]) -> bool | None:
        answer: bool | None = False
        for closure in closures:
            value = closure(ev, frame)
            if value is True:
                return True
            if value is None:
                answer = None
        return answer

    return run


@function("Xor")
def exclusive(a: Any, b: Any) -> bool:
    """Tell whether exactly one operand is true."""
    return a is not b


@function("Implies", nulls="passed")
def implies(a: Any, b: Any) -> bool | None:
    """Give true when the first is false or the second true, false when the first is true and the second false."""
    if a is False or b is True:
        return True
    return None if a is None or b is None else False


@form("Not", "operand")
def negation(compiler: Compiler, node: Node) -> Closure:
    """Give the opposite, null for null; `is not null` is one step, because rules ask it of nearly every element."""
    if node["operand"]["type"] == "IsNull":
        compiler.check(node["operand"])
        (tested,) = compiler.operands(node["operand"], ("operand",))
        return lambda ev, frame: tested(ev, frame) is not None
    (operand,) = compiler.operands(node, ("operand",))

    def run(ev: Any, frame: list[Any]) -> bool | None:
        value = operand(ev, frame)
        return None if value is None else not value

    return run


@form("IsNull", "operand")
def is_null(compiler: Compiler, node: Node) -> Closure:
    """Tell whether the value is null."""
    (operand,) = compiler.operands(node, ("operand",))
    return lambda ev, frame: operand(ev, frame) is None


@function("IsTrue", nulls="passed")
def is_true(a: Any) -> bool:
    """Tell whether the value is true; null is not."""
    return a is True


@function("IsFalse", nulls="passed")
def is_false(a: Any) -> bool:
    """Tell whether the value is false; null is not."""
    return a is False


@form("Coalesce", "operand")
def coalesce(compiler: Compiler, node: Node) -> Closure:
    """Give the first operand that is not null; a single list operand gives its first element that is not null."""
    closures = compiler.operands(node, ("operand",))
    if len(closures) == 1:
        (source,) = closures

        def first_of_list(ev: Any, frame: list[Any]) -> Any:
            items = source(ev, frame)
            return next((item for item in items if item is not None), None) if type(items) is list else items

        return first_of_list

    def run(ev: Any, frame: list[Any]) -> Any:
        for closure in closures:
            value = closure(ev, frame)
            if value is not None:
                return value
        return None

    return run


@form("If", "condition", "then", "else")
def conditional(compiler: Compiler, node: Node) -> Closure:
    """Give `then` when the condition is true, else `else`."""
    condition, then, otherwise = compiler.operands(node, ("condition", "then", "else"))

    def run(ev: Any, frame: list[Any]) -> Any:
        return then(ev, frame) if condition(ev, frame) is True else otherwise(ev, frame)

    return run


@form("Case", "comparand", "caseItem", "else")
def case(compiler: Compiler, node: Node) -> Closure:
    """Give the `then` of the first item whose `when` is true (or equals the comparand), else `else`."""
    items = [(compiler.compile(item["when"]), compiler.compile(item["then"])) for item in node["caseItem"]]
    otherwise = compiler.compile(node["else"])
    if "comparand" in node:
        comparand = compiler.compile(node["comparand"])

        def run_selected(ev: Any, frame: list[Any]) -> Any:
            wanted = comparand(ev, frame)
            for when, then in items:
                if equal(wanted, when(ev, frame)):
                    return then(ev, frame)
            return otherwise(ev, frame)

        return run_selected

    def run(ev: Any, frame: list[Any]) -> Any:
        for when, then in items:
            if when(ev, frame) is True:
                return then(ev, frame)
        return otherwise(ev, frame)

    return run
