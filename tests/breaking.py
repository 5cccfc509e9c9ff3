"""Break one definition of the linked logic for as long as a test needs it broken."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ankle_cds.elm.compiler import Compiler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ankle_cds.artifacts import Package

Node = dict[str, Any]
_KEPT = ("node", "body", "frame_size", "uses", "retrieves", "depth", "pure")


@contextmanager
def broken(package: Package, name: str, change: Callable[[Node], object]) -> Iterator[None]:
    """Change the expression of `Library.Name`, a definition or a function of one form, and put it back afterwards."""
    library, _, short = name.partition(".")
    linker = package.program._linker  # noqa: SLF001 - one unit is compiled anew in the linked program
    source = linker.libraries[library]
    unit = source.definitions[short] if short in source.definitions else source.functions[short][0]
    kept = {part: copy.copy(getattr(unit, part)) for part in _KEPT}
    unit.node = copy.deepcopy(unit.node)
    before = copy.deepcopy(unit.node["expression"])
    change(unit.node["expression"])
    assert unit.node["expression"] != before, f"nothing of {name} was changed"
    unit.frame_size = len(unit.operands or ())
    unit.body = Compiler(linker, source, unit).compile(unit.node["expression"])
    assert not unit.faults
    try:
        yield
    finally:
        for part, value in kept.items():
            setattr(unit, part, value)


def become(made: Node) -> Callable[[Node], None]:
    """Replace the whole expression; its type stays."""

    def change(node: Node) -> None:
        kept = {key: node[key] for key in ("resultTypeName", "resultTypeSpecifier") if key in node}
        node.clear()
        node.update({**kept, **made})

    return change


def wherever(kind: str, made: Node) -> Callable[[Any], None]:
    """Change every node of a type below: what `made` says replaces it, or just its type."""

    def change(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == kind:
                if set(made) != {"type"}:
                    node.clear()
                node.update(made)
            for part in node.values():
                change(part)
        elif isinstance(node, list):
            for part in node:
                change(part)

    return change


def text(value: str) -> Node:
    return {"type": "Literal", "valueType": "{urn:hl7-org:elm-types:r1}String", "value": value}


def truth(value: bool) -> Node:
    name = "{urn:hl7-org:elm-types:r1}Boolean"
    return {"type": "Literal", "valueType": name, "resultTypeName": name, "value": str(value).lower()}
