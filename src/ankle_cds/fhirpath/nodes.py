"""A resource as a tree of typed elements: what a FHIRPath expression and a profile walk over.

The types come from FHIR's own definitions. Inside a contained resource of a type that is not at hand, elements have no
type: they can be named, but are of no type that is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ankle_cds.fhir.definitions import r4

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource
    from ankle_cds.fhir.definitions import Element

_OWN_ELEMENTS = frozenset({"BackboneElement", "Element"})


class Node(NamedTuple):
    """One element: its JSON value, its type where known, and the `_name` object beside a primitive."""

    value: Any
    type: str | None = None
    element: Element | None = None
    beside: Any = None

    @property
    def primitive(self) -> bool:
        """Whether the value is text, a number or a Boolean."""
        return not isinstance(self.value, (dict, list)) and self.value is not None

    def children(self) -> Iterator[tuple[str, Node]]:
        """Yield the elements below by element name: `value` for `valueQuantity`; lists opened."""
        names = self.value if self.element is None and isinstance(self.value, dict) else self._here().named()
        for name in names:
            for node in self.named(name):
                yield name, node

    def named(self, name: str) -> list[Node]:
        """List the elements below with this name."""
        if self.element is None and isinstance(self.value, dict):
            value = self.value.get(name, [])
            return [Node(item) for item in (value if isinstance(value, list) else [value])]
        inside = self.value if isinstance(self.value, dict) else self.beside if isinstance(self.beside, dict) else {}
        return [
            typed(value, beside, child, kind)
            for written, child, kind in self._here().named().get(name, ())
            for value, beside in pairs(inside, written)
        ]

    def _here(self) -> Element:
        """Give the element that says what stands below: of a primitive, only what any element has."""
        return self.element if self.element is not None and isinstance(self.value, dict) else r4().tree("string")


def root(resource: Resource) -> Node:
    """Give a resource as the root of its tree."""
    kind = resource.get("resourceType")
    if isinstance(kind, str) and r4().knows(kind):
        return Node(resource, kind, r4().tree(kind))
    return Node(resource, kind if isinstance(kind, str) else None)


def pairs(parent: dict[str, Any], name: str) -> list[tuple[Any, Any]]:
    """List the values of a property, each with what stands beside it under `_name`; a value may then be None."""
    value, beside = parent.get(name), parent.get(f"_{name}")
    if beside is None and isinstance(value, list):
        return [(item, None) for item in value]
    if not isinstance(value, list) and not isinstance(beside, list):
        return [(value, beside)] if value is not None or beside is not None else []
    values = value if isinstance(value, list) else []
    besides = beside if isinstance(beside, list) else []
    length = max(len(values), len(besides))
    return [
        (values[index] if index < len(values) else None, besides[index] if index < len(besides) else None)
        for index in range(length)
    ]


def typed(value: Any, beside: Any, child: Element, kind: str | None) -> Node:
    """Give the node of a value that stands under an element of a type or profile."""
    if kind == "Resource" and isinstance(value, dict):
        return root(value)
    if child.children and kind in _OWN_ELEMENTS | {None}:
        return Node(value, kind, child, beside)
    reference = child.definition.get("contentReference")
    if reference:
        name = str(reference).rpartition("#")[2]
        return Node(value, "BackboneElement", _follow(name), beside)
    return Node(value, kind, r4().tree(kind) if kind and r4().knows(kind) else None, beside)


def _follow(identity: str) -> Element:
    """Give the element a content reference names: `Observation.referenceRange`."""
    kind, *steps = identity.split(".")
    element = r4().tree(kind)
    for step in steps:
        element = element.children[step]
    return element
