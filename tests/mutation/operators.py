"""What may go wrong in one node of a rule: every way in which the runner breaks it, one at a time."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Node = dict[str, Any]
Path = tuple[str | int, ...]
BOOLEAN: Final = "{urn:hl7-org:elm-types:r1}Boolean"
_STRING: Final = "{urn:hl7-org:elm-types:r1}String"
_SHIFTED: Final = {
    "And": "Or",
    "Or": "And",
    "Greater": "GreaterOrEqual",
    "GreaterOrEqual": "Greater",
    "Less": "LessOrEqual",
    "LessOrEqual": "Less",
    "Before": "SameOrBefore",
    "SameOrBefore": "Before",
    "After": "SameOrAfter",
    "SameOrAfter": "After",
    "Add": "Subtract",
    "Subtract": "Add",
    "Min": "Max",
    "Max": "Min",
    "First": "Last",
    "Last": "First",
}
_TURNED: Final = {
    "Greater": "Less",
    "Less": "Greater",
    "GreaterOrEqual": "LessOrEqual",
    "LessOrEqual": "GreaterOrEqual",
}
_NEGATED: Final = frozenset({"Equal", "Equivalent", "IsNull", "Exists", "In", "InValueSet", "AnyInValueSet", "Is"})
_DROPPED: Final = frozenset({"Not", "IsTrue", "IsFalse"})
_NOT_RULES: Final = frozenset({"resultTypeSpecifier", "signature", "annotation", "operandTypeSpecifier"})


class Mutant(NamedTuple):
    """One change of one node: `what` names it, `change` makes it in a copy of the node."""

    path: Path
    what: str
    locator: str
    change: Callable[[Node], None]


def at(root: Any, path: Path) -> Any:
    """Give the node at a path."""
    for step in path:
        root = root[step]
    return root


def _nodes(node: Any, path: Path, locator: str) -> Iterator[tuple[Path, Node, str]]:
    if isinstance(node, dict):
        locator = node.get("locator", locator)
        if "type" in node:
            yield path, node, locator
        for key, value in node.items():
            if key not in _NOT_RULES:
                yield from _nodes(value, (*path, key), locator)
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from _nodes(value, (*path, place), locator)


def _become(node: Node, other: Node) -> None:
    kept = {key: node[key] for key in ("resultTypeName", "resultTypeSpecifier", "locator") if key in node}
    node.clear()
    node.update({**kept, **copy.deepcopy(other)})


def _replaced_by(*path: str | int) -> Callable[[Node], None]:
    return lambda node: _become(node, at(node, path))


def _typed(name: str) -> Callable[[Node], None]:
    return lambda node: node.__setitem__("type", name)


def _negate(node: Node) -> None:
    inner = copy.deepcopy(node)
    node.clear()
    node.update({"type": "Not", "resultTypeName": BOOLEAN, "operand": inner})


def _shift(step: str) -> Callable[[Node], None]:
    def change(node: Node) -> None:
        if node["valueType"].endswith("Integer"):
            node["value"] = str(int(node["value"]) + int(step + "1"))
        else:
            node["value"] = str(round(float(node["value"]) + float(step + "0.1"), 6))

    return change


def _without(key: str, place: int) -> Callable[[Node], None]:
    return lambda node: node[key].pop(place)


def _misspell(node: Node) -> None:
    node["value"] += "?"


def _empty(node: Node) -> None:
    _become(node, {"type": "List", "element": []})


def _no_filter(node: Node) -> None:
    del node["where"]


def _null(node: Node) -> None:
    _become(node, {"type": "Null"})


def _flip(node: Node) -> None:
    node["value"] = "false" if node["value"] == "true" else "true"


def _changes(node: Node, path: Path) -> Iterator[tuple[str, Callable[[Node], None]]]:
    kind = node["type"]
    if kind in _SHIFTED:
        yield f"{kind} -> {_SHIFTED[kind]}", _typed(_SHIFTED[kind])
    if kind in _TURNED:
        yield f"{kind} -> {_TURNED[kind]}", _typed(_TURNED[kind])
    if kind in _NEGATED:
        yield f"negate {kind}", _negate
    if kind in _DROPPED:
        yield f"drop {kind}", _replaced_by("operand")
    if kind == "Query" and node.get("where"):
        yield "drop where", _no_filter
    if kind == "Retrieve" and "codes" in node:
        yield "retrieve nothing", _empty
    if kind == "CodeRef" and "codes" not in path:
        yield f"drop code {node['name']}", _null
    yield from _part_changes(node)
    yield from _literal_changes(node)


def _part_changes(node: Node) -> Iterator[tuple[str, Callable[[Node], None]]]:
    """Give the changes that keep or drop one part of a node."""
    kind = node["type"]
    if kind in ("And", "Or"):
        yield from ((f"keep operand {place + 1} of {kind}", _replaced_by("operand", place)) for place in (0, 1))
    if kind == "If":
        yield "always then", _replaced_by("then")
        yield "always else", _replaced_by("else")
    droppable = (
        ("Coalesce", "operand", "operand {} of Coalesce", 2),
        ("Case", "caseItem", "case {}", 2),
        ("List", "element", "element {}", 1),
    )
    for of, key, word, least in droppable:
        parts = node.get(key) or [] if kind == of else []
        if len(parts) >= least:
            yield from ((f"drop {word.format(place + 1)}", _without(key, place)) for place in range(len(parts)))


def _literal_changes(node: Node) -> Iterator[tuple[str, Callable[[Node], None]]]:
    if node["type"] != "Literal":
        return
    value_type = node.get("valueType", "")
    if value_type.endswith(("Integer", "Decimal")):
        yield f"{node['value']} shifted up", _shift("+")
        yield f"{node['value']} shifted down", _shift("-")
    elif value_type.endswith("Boolean"):
        yield f"{node['value']} flipped", _flip
    elif value_type.endswith("String"):
        yield f"misspell '{node['value'][:40]}'", _misspell


def mutants(definition: Node, part: str) -> Iterator[Mutant]:
    """Give every mutant of a definition (`part` "expression") or of a parameter (`part` "default")."""
    if part not in definition:
        return
    for path, node, locator in _nodes(definition[part], (part,), definition.get("locator", "")):
        for what, change in _changes(node, path):
            yield Mutant(path, what, locator, change)
