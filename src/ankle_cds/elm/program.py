"""A program: ELM libraries compiled once, to be evaluated for any number of patients."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ankle_cds.elm.evaluation import Evaluation
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.typesystem import ANY, Named, tester

if TYPE_CHECKING:
    from ankle_cds.elm.library import Library, Linker, Unit
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
        self._by_name: dict[str, list[Unit]] = {}
        for unit in self._parameters.values():
            for name in (unit.name, unit.qualified):
                self._by_name.setdefault(name, []).append(unit)
        # Definitions and functions by index: plainly in the primary library, `Library.Name` in others.
        self.names: Mapping[int, str] = {
            unit.index: unit.name if unit.library == primary.name else unit.qualified
            for unit in units
            if unit.index not in self._parameters
        }
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

    def closure(self, name: str) -> frozenset[str]:
        """Give every `Library.Definition` that a definition may ask for, itself included, through functions too."""
        return frozenset(
            unit.qualified
            for unit in reachable([self.unit(name)])
            if unit.operands is None and unit.index not in self._parameters
        )

    def parameters_of(self, names: Iterable[str]) -> frozenset[str]:
        """Name the parameters that definitions may read, through functions too."""
        return frozenset(unit.name for unit in reachable(map(self.unit, names)) if unit.index in self._parameters)

    def retrieves(self, names: Iterable[str]) -> tuple[Retrieve, ...]:
        """Give every retrieve that definitions may make, each once, sorted by type, library and place."""
        found = {retrieve for unit in reachable(map(self.unit, names)) for retrieve in unit.retrieves}
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
            units = self._by_name.get(name)
            if units is None:
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


def reachable(roots: Iterable[Unit]) -> dict[Unit, None]:
    """Give the units that some units may ask for, themselves included."""
    found: dict[Unit, None] = {}
    pending = list(roots)
    while pending:
        unit = pending.pop()
        if unit not in found:
            found[unit] = None
            pending.extend(unit.uses)
    return found
