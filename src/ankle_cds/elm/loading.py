"""Loading: from ELM documents to a program, or to the list of everything that stands in the way."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ankle_cds.elm.compiler import Compiler
from ankle_cds.elm.library import SPEC, Library, Linker, Unit, refusal
from ankle_cds.elm.program import Program, reachable
from ankle_cds.elm.references import constant
from ankle_cds.errors import ContentError

ValueSets = Mapping[str, Iterable[tuple[str | None, str | None]]]
# Python frames: of the caller, of calling a definition, of each level of its expression, of compiling a level of JSON
_CALLER: Final = 500
_UNIT: Final = 4
_LEVEL: Final = 4
_COMPILED_LEVEL: Final = 4


def load(
    libraries: Iterable[Mapping[str, Any]], *, primary: str | None = None, value_sets: ValueSets | None = None
) -> Program:
    """Compile ELM libraries (parsed JSON of the translator, with result types and locators) into a program.

    `primary` names the library whose definitions are asked for; it may be left out when there is one library only.
    `value_sets` maps the canonical of a value set to its codes as (system, code). Raises one `ContentError` whose
    `causes` name every operator, reference or declaration that this engine cannot execute, with library and locator:
    all those in the primary library and in what it can reach. Definitions and functions of other libraries that it
    cannot reach are not executed, and not judged (FHIRHelpers declares external functions).
    """
    linker = Linker(list(libraries), {url: frozenset(codes) for url, codes in (value_sets or {}).items()})
    if primary is None and len(linker.libraries) == 1:
        (primary,) = linker.libraries
    library = linker.libraries.get(primary or "")
    if library is None:
        raise ContentError(f"The primary library '{primary}' is not among the libraries given.", spec=SPEC)
    _make_room(_CALLER + _COMPILED_LEVEL * max(_nesting(library.content) for library in linker.libraries.values()))
    units = _compile(linker)
    roots = [*library.parameters.values(), *library.definitions.values(), *itertools.chain(*library.functions.values())]
    reached = reachable(roots)
    faults = [*linker.faults, *(fault for unit in units if unit in reached for fault in unit.faults)]
    faults = faults or _recursion(units)
    if faults:
        raise ContentError(f"The logic cannot be executed: {len(faults)} finding(s).", spec=SPEC, causes=tuple(faults))
    return Program(linker, library, units)


def _compile(linker: Linker) -> list[Unit]:
    """Give every unit its index, then compile every body."""
    units: list[tuple[Library, Unit]] = []
    for library in linker.libraries.values():
        functions = (unit for overloads in library.functions.values() for unit in overloads)
        for unit in (*library.parameters.values(), *library.definitions.values(), *functions):
            unit.index = len(units)
            units.append((library, unit))
    for library, unit in units:
        unit.frame_size = len(unit.operands or ())
        compiler = Compiler(linker, library, unit)
        expression = unit.node.get("default" if unit in library.parameters.values() else "expression")
        if unit.node.get("external"):
            compiler.refuse({}, "an external function")
        elif expression is None and unit.name in library.parameters:
            unit.body = constant(None)
        else:
            unit.body = compiler.compile(expression)
        if unit.retrieves and unit.node.get("context") == "Unfiltered" and unit.operands is None:
            compiler.refuse({"type": "Retrieve"}, "a retrieve outside the Patient context")
    return [unit for _, unit in units]


def _depends_on_nothing(unit: Unit) -> bool:
    return unit.pure or "default" in unit.node or "parameterTypeSpecifier" in unit.node or "parameterType" in unit.node


def _recursion(units: list[Unit]) -> list[ContentError]:
    """Find a definition that uses itself, which CQL does not allow; else make room for the deepest chain of calls."""
    depth: dict[Unit, int] = {}
    for root in units:
        stack: list[tuple[Unit, Iterator[Unit]]] = [(root, iter(root.uses))] if root not in depth else []
        open_units = {root}
        while stack:
            unit, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                unit.pure = (
                    unit.operands is not None and not unit.retrieves and all(map(_depends_on_nothing, unit.uses))
                )
                deepest = max((depth[used] for used in unit.uses), default=0)
                depth[unit] = deepest + _UNIT + _LEVEL * unit.depth
                open_units.discard(unit)
                stack.pop()
            elif following in open_units:
                what = f"the recursion through {following.qualified}"
                return [refusal(unit.library, unit.name, unit.locator, None, what)]
            elif following not in depth:
                open_units.add(following)
                stack.append((following, iter(following.uses)))
    _make_room(_CALLER + max(depth.values(), default=0))
    return []


def _make_room(frames: int) -> None:
    """Let Python call this deeply: expressions nest, and closures call closures. The limit is never lowered."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), frames))


def _nesting(document: Any) -> int:
    """Give how deeply a JSON document nests, without nesting calls."""
    deepest, level = 0, [document]
    while level:
        deepest += 1
        level = [
            part
            for item in level
            for part in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        ]
    return deepest
