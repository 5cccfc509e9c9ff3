"""Where a computed value goes: the simple paths of dynamicValue, resolved against the table of elements.

A path is element names joined by dots, each optionally with an index (`input[0].type.text`).
https://hl7.org/fhir/R4/plandefinition-definitions.html#PlanDefinition.action.dynamicValue.path
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ankle_cds.apply.elements import REQUIRED_WITHIN, TYPES
from ankle_cds.errors import ContentError

_SPEC = "https://hl7.org/fhir/R4/plandefinition-definitions.html#PlanDefinition.action.dynamicValue.path"
_STEP = re.compile(r"([A-Za-z]+)(?:\[([0-9]{1,2})\])?")


@dataclass(frozen=True, slots=True)
class Step:
    """One element on the way: its name, the index given with it, its type without the star, whether it repeats."""

    name: str
    index: int | None
    type: str
    repeats: bool


@dataclass(frozen=True, slots=True)
class Path:
    """A resolved path; `type` is what a value must become to stand at its end."""

    steps: tuple[Step, ...]
    where: str

    @property
    def type(self) -> str:
        """The FHIR type of the last element."""
        return self.steps[-1].type

    def put(self, target: dict[str, Any], values: list[Any]) -> None:
        """Set the element of `target` to `values`, already of the right type; parents are made where they are absent.

        One value replaces the element. Several fill a repeating element, or, where the last element holds one, give
        one entry each of the repeating element nearest above it. Raises ContentError where neither is possible.
        """
        last = self.steps[-1]
        if last.repeats:
            self._enter(target, self.steps[:-1])[last.name] = values
        elif len(values) == 1:
            self._enter(target, self.steps[:-1])[last.name] = values[0]
        else:
            self._spread(target, values)

    def _spread(self, target: dict[str, Any], values: list[Any]) -> None:
        above = [at for at, step in enumerate(self.steps[:-1]) if step.repeats and step.index is None]
        if not above:
            raise self._error(f"{len(values)} values for an element that holds one; return a single value.")
        at = above[-1]
        parent = self._enter(target, self.steps[:at])
        step = self.steps[at]
        if step.name in parent:
            raise self._error(f"Several values would overwrite '{step.name}', which is already there.")
        parent[step.name] = entries = [_made(step.type) for _ in values]
        for entry, value in zip(entries, values, strict=True):
            self._enter(entry, self.steps[at + 1 : -1])[self.steps[-1].name] = value

    def _enter(self, target: dict[str, Any], steps: tuple[Step, ...]) -> dict[str, Any]:
        """Give the parent the value goes into; what is entered is copied first, it may belong to an artifact."""
        for step in steps:
            if not step.repeats:
                target[step.name] = dict(target[step.name]) if step.name in target else _made(step.type)
                target = target[step.name]
                continue
            entries = target[step.name] = list(target.get(step.name, ()))
            index = step.index or 0
            if step.index is None and len(entries) > 1:
                raise self._error(f"'{step.name}' has {len(entries)} entries; say which with an index.")
            if index > len(entries):
                raise self._error(f"'{step.name}' has no entry before index {index}.")
            if index == len(entries):
                entries.append(_made(step.type))
            entries[index] = target = dict(entries[index])
        return target

    def _error(self, message: str) -> ContentError:
        return ContentError(message, where=self.where, spec=_SPEC)


def resolve(path: str, root: str, where: str) -> Path:
    """Resolve `path` from the type `root`; raise ContentError when the table has no such element.

    A leading type name (`Condition.code`) is accepted when it is the root's own.
    """
    steps = _steps(path, root)
    if isinstance(steps, str):
        raise ContentError(steps, where=where, spec=_SPEC)
    return Path(steps, where)


@lru_cache(maxsize=1024)  # content, not patients: as many entries as there are paths in the packages
def _steps(path: str, root: str) -> tuple[Step, ...] | str:
    """Give the steps of a path, or the sentence that says why it is none."""
    names = path.split(".")
    if names[0] == root and len(names) > 1:
        names = names[1:]
    steps: list[Step] = []
    current = root
    for name in names:
        match = _STEP.fullmatch(name)
        if match is None or match[1] not in TYPES.get(current, {}):
            return f"'{path}' is not an element of {root} that can be computed; use one of the elements of the table."
        declared = TYPES[current][match[1]]
        current = declared.rstrip("*")
        index = int(match[2]) if match[2] else None
        steps.append(Step(match[1], index, current, declared.endswith("*")))
    if steps[-1].index is not None:
        return f"'{path}' ends in an index; name the whole element."
    if any(step.index is not None and not step.repeats for step in steps):
        return f"'{path}' gives an index to an element that does not repeat."
    return tuple(steps)


def _made(type_name: str) -> dict[str, Any]:
    return dict(REQUIRED_WITHIN.get(type_name, {}))
