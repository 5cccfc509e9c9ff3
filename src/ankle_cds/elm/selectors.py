"""Literals and selectors: how values are written in ELM, and messages.

https://cql.hl7.org/04-logicalspecification.html#simple-values
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from ankle_cds.elm import quantity
from ankle_cds.elm.arithmetic import MAX_INTEGER, MAX_LONG, extreme
from ankle_cds.elm.comparison import ordered
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.references import constant
from ankle_cds.elm.registry import OPERATORS, Closure, Node, Operator, form
from ankle_cds.elm.typesystem import IntervalOf, Named, qualified
from ankle_cds.elm.values import Code, CodeSystem, Concept, Interval, Long, Quantity, Ratio, ValueSet

if TYPE_CHECKING:
    from ankle_cds.elm.compiler import Compiler


def _decimal(text: Any) -> Decimal:
    """Read a number of the ELM; raise ValueError when it is none, or more than 8 decimal places or 28 digits."""
    try:
        value = Decimal(str(text))
    except InvalidOperation:
        raise ValueError("not a Decimal") from None
    fitted = quantity.fit(value)
    # a JSON number may carry the noise of a float behind its 8 places; a literal is text, and exact
    if fitted is None or (fitted != value and isinstance(text, str)):
        raise ValueError("not within the limits of Decimal")
    return fitted


@form("Null", "valueType")
def null(_compiler: Compiler, _node: Node) -> Closure:
    """Give null."""
    return constant(None)


@form("Literal", "valueType", "value")
def literal(compiler: Compiler, node: Node) -> Closure:
    """Give a Boolean, Integer, Long, Decimal or String."""
    kind, text = qualified(node["valueType"]), node.get("value", "")
    match kind.name if kind.space == "System" else "":
        case "Boolean" if text in ("true", "false"):
            return constant(text == "true")
        case "Integer" if abs(int(text)) <= MAX_INTEGER:
            return constant(int(text))
        case "Long" if abs(int(text)) <= MAX_LONG:
            return constant(Long(text))
        case "Decimal":
            return constant(_decimal(text))
        case "String":
            return constant(text)
        case _:
            return compiler.refuse(node, f"a literal of {kind} with this value")


_NEGATE = OPERATORS["Negate"]


def _negate(compiler: Compiler, node: Node) -> Closure:
    """Compile a negation; the smallest Integer and Long are written as a literal outside their range, negated."""
    operand = node["operand"]
    if operand.get("type") == "Literal" and str(operand.get("value", "")).isdigit():
        kind = qualified(operand["valueType"]).name
        if kind in ("Integer", "Long") and int(operand["value"]) == (MAX_LONG if kind == "Long" else MAX_INTEGER) + 1:
            return constant(extreme(kind, highest=False, home=0))
    return _NEGATE.form(compiler, node)


OPERATORS["Negate"] = Operator("Negate", _NEGATE.attributes, _negate, _NEGATE.family)


@form("Quantity", "value", "unit")
def quantity_selector(_compiler: Compiler, node: Node) -> Closure:
    """Give a quantity."""
    return constant(Quantity(_decimal(node["value"]), node.get("unit") or "1"))


@form("Ratio", "numerator", "denominator")
def ratio(_compiler: Compiler, node: Node) -> Closure:
    """Give a ratio of two quantities."""
    parts = (node["numerator"], node["denominator"])
    numerator, denominator = (Quantity(_decimal(part["value"]), part.get("unit") or "1") for part in parts)
    return constant(Ratio(numerator, denominator))


@form("Interval", "low", "high", "lowClosed", "highClosed", "lowClosedExpression", "highClosedExpression")
def interval(compiler: Compiler, node: Node) -> Closure:
    """Give an interval; raise when its low boundary is above its high one."""
    low, high = compiler.operands(node, (), ("low", "high"))
    low_closed, high_closed = (_closed(compiler, node, name) for name in ("lowClosed", "highClosed"))
    point = _point(compiler, node)

    def run(ev: Any, frame: list[Any]) -> Interval:
        first, last = low(ev, frame), high(ev, frame)
        closed = (low_closed(ev, frame) is True, high_closed(ev, frame) is True)
        less, less_or_equal = ordered(first, last)
        if less_or_equal is False or (less is False and less_or_equal and not all(closed)):
            raise EvaluationError(
                "An interval starts after its end.", spec="https://cql.hl7.org/04-logicalspecification.html#interval"
            )
        return Interval(first, last, *closed, point)

    return run


def _point(compiler: Compiler, node: Node) -> str | None:
    """Name the static point type, from the node or else from its boundaries."""
    kind = compiler.type_of(node)
    candidates = [kind.point if isinstance(kind, IntervalOf) else None]
    candidates += [compiler.type_of(node[name]) for name in ("low", "high") if node.get(name)]
    names = [found.name for found in candidates if isinstance(found, Named) and found.name != "Any"]
    return names[0] if names else None


def _closed(compiler: Compiler, node: Node, name: str) -> Closure:
    if node.get(f"{name}Expression"):
        return compiler.compile(node[f"{name}Expression"])
    return constant(node.get(name, True))


@form("List", "typeSpecifier", "element")
def list_selector(compiler: Compiler, node: Node) -> Closure:
    """Give a list."""
    elements = [compiler.compile(element) for element in node.get("element") or []]
    return lambda ev, frame: [element(ev, frame) for element in elements]


@form("Tuple", "element")
def tuple_selector(compiler: Compiler, node: Node) -> Closure:
    """Give a tuple."""
    elements = [(item["name"], compiler.compile(item["value"])) for item in node.get("element") or []]
    return lambda ev, frame: {name: value(ev, frame) for name, value in elements}


def _quantity(value: Any = None, unit: Any = None) -> Quantity | None:
    return None if value is None else Quantity(value, unit or "1")


def _concept(codes: Any = None, display: Any = None) -> Concept:
    return Concept(tuple(codes or ()), display)


_CLASSES: dict[str, tuple[Any, frozenset[str]]] = {
    "Code": (lambda code=None, **rest: Code(code, **rest), frozenset({"code", "system", "version", "display"})),
    "Concept": (_concept, frozenset({"codes", "display"})),
    "Quantity": (_quantity, frozenset({"value", "unit"})),
    "Ratio": (Ratio, frozenset({"numerator", "denominator"})),
    "ValueSet": (ValueSet, frozenset({"id", "version", "name"})),
    "CodeSystem": (CodeSystem, frozenset({"id", "version", "name"})),
}


@form("Instance", "classType", "element")
def instance(compiler: Compiler, node: Node) -> Closure:
    """Give an instance of a structured system type; instances of FHIR types are refused."""
    kind = qualified(node["classType"])
    make, names = _CLASSES.get(kind.name, (None, frozenset())) if kind.space == "System" else (None, frozenset())
    given = [item["name"] for item in node.get("element") or []]
    if make is None or not names.issuperset(given):
        return compiler.refuse(node, f"an instance of {kind} with these elements")
    elements = [(item["name"], compiler.compile(item["value"])) for item in node.get("element") or []]
    if kind.name == "Code":
        return _code(dict(elements))
    return lambda ev, frame: make(**{name: value(ev, frame) for name, value in elements})


def _code(elements: dict[str, Closure]) -> Closure:
    """Compile the making of a code, which rules do for every coding of the record."""
    absent = constant(None)
    code, system, version, display = (elements.get(name, absent) for name in ("code", "system", "version", "display"))
    if version is absent and display is absent:
        return lambda ev, frame: Code(code(ev, frame), system(ev, frame))
    return lambda ev, frame: Code(code(ev, frame), system(ev, frame), version(ev, frame), display(ev, frame))


@form("MinValue", "valueType")
def min_value(compiler: Compiler, node: Node) -> Closure:
    """Give the smallest value of a type."""
    return _extreme(compiler, node, highest=False)


@form("MaxValue", "valueType")
def max_value(compiler: Compiler, node: Node) -> Closure:
    """Give the greatest value of a type."""
    return _extreme(compiler, node, highest=True)


def _extreme(compiler: Compiler, node: Node, *, highest: bool) -> Closure:
    name = qualified(node["valueType"]).name
    if extreme(name, highest=highest, home=0) is None:
        return compiler.refuse(node, f"the type {name}")
    return lambda ev, _frame: extreme(name, highest=highest, home=ev.offset)


@form("Message", "source", "condition", "code", "severity", "message")
def message(compiler: Compiler, node: Node) -> Closure:
    """Give the source; raise when the condition is true and the severity `Error`.

    Other messages are not kept: they may hold data of the record.
    """
    source, condition, _code_given, severity, _text = compiler.operands(
        node, ("source",), ("condition", "code", "severity", "message")
    )
    label = node["code"].get("value") if (node.get("code") or {}).get("type") == "Literal" else None

    def run(ev: Any, frame: list[Any]) -> Any:
        if condition(ev, frame) is True and severity(ev, frame) == "Error":
            raise EvaluationError(
                f"The logic stopped with its error '{label}'."
                if label
                else "The logic stopped with an error of its own.",
                spec="https://cql.hl7.org/09-b-cqlreference.html#message",
            )
        return source(ev, frame)

    return run
