"""What a check is: a function that looks at one thing after another and says of each whether it is as it should be.

A check is a public function `ac_<line>_<name>` of a module of this room, `f_<number>_<name>` where only a scored
feature asks for it; being defined there is all it takes to be run. Its docstring is the claim. It yields a `Look` for
everything it looks at, so that the figure is counted, and a check that found nothing to look at is red: it would prove
nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built

_NAME = re.compile(r"(ac|f)_(\d\d)_\w+")


@dataclass(frozen=True, slots=True)
class Look:
    """One thing looked at: where it stands, and what is wrong with it (None when nothing is)."""

    where: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """A named check of one line of the checklist."""

    line: str
    name: str
    what: str
    function: Callable[[Built], Iterable[Look]]


def look(resource: Resource, path: str, ok: object, problem: str) -> Look:
    """Say of an element of a resource whether it is as it should be; `problem` is what to tell when it is not."""
    name = f"{resource.get('resourceType', '?')}/{resource.get('id', '?')}"
    return Look(f"{name}.{path}" if path else name, None if ok else problem)


def same(resource: Resource, path: str, found: Any, expected: Any) -> Look:
    """Say whether an element has the expected value; sets are told by what is missing and what is too much."""
    if isinstance(found, (set, frozenset)) and isinstance(expected, (set, frozenset)):
        missing, more = sorted(map(str, expected - found)), sorted(map(str, found - expected))
        parts = [f"missing {_few(missing)}"] * bool(missing) + [f"not expected {_few(more)}"] * bool(more)
        return look(resource, path, found == expected, "; ".join(parts))
    return look(resource, path, found == expected, f"is {_short(found)}; expected {_short(expected)}")


def thing(where: str, ok: object, problem: str) -> Look:
    """Say of something that is no element of a resource (a file, a count) whether it is as it should be."""
    return Look(where, None if ok else problem)


def checks() -> tuple[Check, ...]:
    """Find every check of this room, in order of line and name."""
    package = importlib.import_module("ankle_cds.lint")
    modules = [
        importlib.import_module(f"ankle_cds.lint.{item.name}") for item in pkgutil.iter_modules(package.__path__)
    ]
    return tuple(sorted((check for module in modules for check in _of_module(module)), key=lambda one: one.name))


def _of_module(module: Any) -> Iterator[Check]:
    for name, function in vars(module).items():
        match = _NAME.fullmatch(name)
        if match and getattr(function, "__module__", None) == module.__name__:
            what = (function.__doc__ or "").strip().split("\n", 1)[0]
            yield Check(f"{match[1].upper()}-{match[2]}", name, what, function)


def _few(items: list[str], limit: int = 6) -> str:
    return ", ".join(items[:limit]) + (f" and {len(items) - limit} more" if len(items) > limit else "")


def _short(value: Any, limit: int = 120) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return text if len(text) <= limit else text[:limit] + "..."
