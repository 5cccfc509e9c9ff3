"""Two JSON documents, element by element. Members of a list are matched by what names them, not by their place."""

from __future__ import annotations

from collections import Counter
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ankle_cds.fhir import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    Path = tuple[tuple[str, str], ...]  # name of an element, and which member of it (empty where it is no list)
    Found = tuple[Path, str, Any, Any]  # what became of it (added, removed, changed, moved), the old and the new value

_NAMES = (
    "id",
    "linkId",
    "url",
    "key",
    "resource",
    "name",
    "nameUrl",
    "path",
    "code",
    "definitionCanonical",
    "label",
    "language",
    "system",
    "type",
    "display",
)
_ABSENT: Any = object()


class Named(dict[str, Any]):
    """Members by a name that is data (a code, a definition), where a plain dict has the names of elements."""


def compare(old: Any, new: Any, path: Path = ()) -> Iterator[Found]:
    """Give each element that differs: the outermost that is added or removed, the innermost that is changed."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            below = (*path[:-1], (path[-1][0], name)) if isinstance(old, Named) else (*path, (name, ""))
            yield from _pair(old.get(name, _ABSENT), new.get(name, _ABSENT), below)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _lists(old, new, path)
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield path, "changed", old, new


def _pair(old: Any, new: Any, path: Path) -> Iterator[Found]:
    if old is _ABSENT:
        yield path, "added", None, new
    elif new is _ABSENT:
        yield path, "removed", old, None
    else:
        yield from compare(old, new, path)


def _lists(old: list[Any], new: list[Any], path: Path) -> Iterator[Found]:
    before, after = _grouped(old), _grouped(new)
    for name in [*before, *(name for name in after if name not in before)]:
        was, now = _unequal(before.get(name, []), after.get(name, []))
        for number, (one, other) in enumerate(zip_longest(was, now, fillvalue=_ABSENT), 1):
            member = name if number == 1 else f"{name} {number}"
            yield from _pair(one, other, (*path[:-1], (path[-1][0], member)))
    stayed = {name for name in before.keys() & after.keys() if len(before[name]) == len(after[name])}
    orders = [[name for name in map(_name, part) if name in stayed] for part in (old, new)]
    if orders[0] != orders[1]:
        yield path, "moved", None, None


def _grouped(members: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in members:
        found.setdefault(_name(one), []).append(one)
    return found


def _unequal(old: list[Any], new: list[Any]) -> tuple[list[Any], list[Any]]:
    """Leave out what stands on both sides, as often as it stands on both."""
    both = Counter(map(canonical_json, old)) & Counter(map(canonical_json, new))
    return _without(old, both.copy()), _without(new, both.copy())


def _without(members: list[Any], left_out: Counter[bytes]) -> list[Any]:
    found = []
    for one in members:
        key = canonical_json(one)
        if left_out[key]:
            left_out[key] -= 1
        else:
            found.append(one)
    return found


def _name(one: Any) -> str:
    """Name a member by the first element that names one, down to the first that holds one."""
    if not isinstance(one, dict):
        return str(one)
    for name in _NAMES:
        value = one.get(name)
        if isinstance(value, str):
            return value.rpartition("/")[2]
    inner = next((value for value in one.values() if isinstance(value, (dict, list, str))), "")
    if isinstance(inner, list):
        inner = next(iter(inner), "")
    return _name(inner)
