"""A program: ELM libraries compiled once, to be evaluated for any number of patients."""

from __future__ import annotations

import datetime as dt
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ankle_cds.elm.compiler import Compiler
from ankle_cds.elm.evaluation import Evaluation
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.library import SPEC, Library, Linker, Unit, refusal
from ankle_cds.elm.references import constant
from ankle_cds.elm.typesystem import ANY, Named, tester
from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from ankle_cds.elm.retrieve import Retrieve

ValueSets = Mapping[str, Iterable[tuple[str | None, str | None]]]
_PUBLIC: Final = "Public"
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Definition:
    """A named expression of the primary library; `result_type` as `System.Boolean`, `List<FHIR.Condition>` ..."""

    name: str
    result_type: str
    access: str
    locator: str | None
    library: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; `default` is its value when none is passed; None also when it depends on the time."""

    name: str
    type: str
    default: Any
    has_default: bool
    library: str


class Program:
    """Compiled libraries; made by `load`. Holds no patient's data: every evaluation has its own state."""

    def __init__(self, linker: Linker, primary: Library, units: list[Unit]) -> None:
        self._linker = linker
        self._primary = primary
        self.units = units
        self._parameters = {unit.index: unit for lib in linker.libraries.values() for unit in lib.parameters.values()}
        self.definitions: Mapping[str, Definition] = MappingProxyType(
            {
                unit.name: Definition(
                    unit.name,
                    str(unit.result_type or ANY),
                    unit.node.get("accessLevel", _PUBLIC),
                    unit.locator,
                    unit.library,
                )
                for unit in primary.definitions.values()
            }
        )

        self.parameters: Mapping[str, Parameter] = MappingProxyType(self._described_parameters())

    def _described_parameters(self) -> dict[str, Parameter]:
        """Describe the parameters of all libraries by name; one name is one parameter for all of them."""
        found: dict[str, Parameter] = {}
        blank = Evaluation(self, [], _EPOCH, {})
        for index, unit in self._parameters.items():
            default = unit.node.get("default")
            value = blank.value(index) if default and not _asks_the_clock(default) else None
            kind = str(unit.result_type or ANY)
            found.setdefault(unit.name, Parameter(unit.name, kind, value, default is not None, unit.library))
        return found

    def unit(self, name: str) -> Unit:
        """Give a definition of the primary library; KeyError when there is none of that name."""
        try:
            return self._primary.definitions[name]
        except KeyError:
            raise KeyError(f"library {self._primary.name} defines no '{name}'") from None

    def is_parameter(self, index: int) -> bool:
        """Tell whether a unit is a parameter."""
        return index in self._parameters

    def label(self, unit: Unit) -> str:
        """Name a definition: plainly in the primary library, `Library.Name` in others."""
        return unit.name if unit.library == self._primary.name else unit.qualified

    def closure(self, name: str) -> frozenset[str]:
        """Give every `Library.Definition` that a definition may ask for, itself included, through functions too."""
        return frozenset(
            unit.qualified
            for unit in _reachable([self.unit(name)])
            if unit.operands is None and unit.index not in self._parameters
        )

    def retrieves(self, names: Iterable[str]) -> tuple[Retrieve, ...]:
        """Give every retrieve that definitions may make, each once, sorted by type, library and place."""
        found = {retrieve for unit in _reachable(map(self.unit, names)) for retrieve in unit.retrieves}
        return tuple(
            sorted(found, key=lambda r: (r.resource_type, r.library, r.definition, r.locator or "", str(r.value_set)))
        )

    def evaluate(
        self,
        resources: Sequence[dict[str, Any]],
        *,
        now: dt.datetime,
        parameters: Mapping[str, Any] | None = None,
    ) -> Evaluation:
        """Open an evaluation for one patient's resources at an aware moment; nothing is computed yet.

        A parameter is named plainly or as `Library.Name`; one that no library declares, or a value of another type than
        declared, raises `EvaluationError`.
        """
        return Evaluation(self, resources, now, parameters or {})

    def arguments(self, parameters: Mapping[str, Any]) -> Iterator[tuple[int, Any]]:
        """Give the index and checked value of each parameter passed."""
        for name, value in parameters.items():
            units = [unit for unit in self._parameters.values() if name in (unit.name, unit.qualified)]
            if not units:
                raise EvaluationError(f"No library declares the parameter '{name}'; remove it or correct its name.")
            for unit in units:
                yield unit.index, _argument(unit, value)


def _asks_the_clock(node: Any) -> bool:
    if isinstance(node, dict):
        return node.get("type") in ("Now", "Today", "TimeOfDay") or any(map(_asks_the_clock, node.values()))
    return isinstance(node, list) and any(map(_asks_the_clock, node))


def _argument(unit: Unit, value: Any) -> Any:
    if value is None or unit.result_type is None:
        return value
    if unit.result_type == Named("System", "Decimal") and type(value) is int:
        value = Decimal(value)
    if not tester(unit.result_type)(value):
        raise EvaluationError(f"The parameter '{unit.name}' needs a value of the type {unit.result_type}.")
    return value


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
    units = _compile(linker)
    roots = [*library.parameters.values(), *library.definitions.values(), *itertools.chain(*library.functions.values())]
    reachable = _reachable(roots)
    faults = [*linker.faults, *(fault for unit in units if unit in reachable for fault in unit.faults)]
    faults = faults or _recursion(units)
    if faults:
        raise ContentError(f"The logic cannot be executed: {len(faults)} finding(s).", spec=SPEC, causes=tuple(faults))
    return Program(linker, library, units)


def _reachable(roots: Iterable[Unit]) -> dict[Unit, None]:
    found: dict[Unit, None] = {}
    pending = list(roots)
    while pending:
        unit = pending.pop()
        if unit not in found:
            found[unit] = None
            pending.extend(unit.uses)
    return found


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
                depth[unit] = 1 + max((depth[used] for used in unit.uses), default=0)
                open_units.discard(unit)
                stack.pop()
            elif following in open_units:
                what = f"the recursion through {following.qualified}"
                return [refusal(unit.library, unit.name, unit.locator, None, what)]
            elif following not in depth:
                open_units.add(following)
                stack.append((following, iter(following.uses)))
    needed = max(depth.values(), default=0) * _FRAMES_PER_UNIT + _FRAMES_OF_CALLER
    # closures call closures: Python counts each as a frame, and its default limit is for programs that do not
    sys.setrecursionlimit(max(sys.getrecursionlimit(), needed))
    return []


_FRAMES_PER_UNIT: Final = 60
_FRAMES_OF_CALLER: Final = 500
