"""Walking a resource: the values at an element path, and every object inside it with its location."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Location = tuple[str | int, ...]


def values_at(node: Any, path: str, location: Location = ()) -> Iterator[tuple[Any, Location]]:
    """Yield each value at a dotted element path with its location; lists on the way are opened.

    A step that ends in `*` also goes down through elements of its own name: `action*.condition` are the conditions of
    an action and of all actions nested in it.
    """
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from values_at(item, path, (*location, index))
        return
    if not path:
        yield node, location
        return
    if not isinstance(node, dict):
        return
    step, _, rest = path.partition(".")
    name = step.removesuffix("*")
    if name in node:
        yield from values_at(node[name], rest, (*location, name))
        if step.endswith("*"):
            for inner, where in values_at(node[name], "", (*location, name)):
                yield from values_at(inner, path, where)


def objects(node: Any, location: Location = ()) -> list[tuple[dict[str, Any], Location]]:
    """List every object in a JSON value, outermost first, with its location."""
    found: list[tuple[dict[str, Any], Location]] = []
    _collect(node, location, found)
    return found


def _collect(node: Any, location: Location, found: list[tuple[dict[str, Any], Location]]) -> None:
    if isinstance(node, dict):
        found.append((node, location))
        members: Iterable[tuple[str | int, Any]] = node.items()
    else:
        members = enumerate(node)
    for step, value in members:
        if isinstance(value, (dict, list)):
            _collect(value, (*location, step), found)
