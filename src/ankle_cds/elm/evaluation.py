"""One evaluation: one patient, one moment, one set of parameters; each definition at most once, only when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ankle_cds.elm import durations
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.retrieve import CodeKey, codes_at, indexed
from ankle_cds.elm.temporal import HOUR, Date

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from ankle_cds.elm.library import Unit
    from ankle_cds.elm.program import Program
    from ankle_cds.elm.values import FhirResource

UNSET: Final = object()


class Trace(NamedTuple):
    """How a definition came to its value.

    `uses` are the definitions it asked for, in that order; `resources` the references (`Type/id`) of the resources
    that survived its own queries and unfiltered retrieves, in the order it met them.
    """

    name: str
    value: Any
    uses: tuple[Trace, ...]
    resources: tuple[str, ...]


class Record:
    """What one definition used while it was evaluated, each in the order of its first use."""

    __slots__ = ("resources", "uses")

    def __init__(self) -> None:
        self.uses: dict[int, None] = {}
        self.resources: dict[str, None] = {}


class Evaluation:
    """Values of the definitions of a program for one record; not shared between threads while it is asked.

    `resources` are read, never changed; `now` is aware, and its offset is the one of the evaluation.
    """

    def __init__(
        self,
        program: Program,
        resources: Sequence[dict[str, Any]],
        now: dt.datetime,
        parameters: Mapping[str, Any],
    ) -> None:
        self._program = program
        self.now = durations.moment(now)
        self.offset = self.now.offset
        self.today = Date(*self.now.parts[:HOUR])
        self.parsed: dict[tuple[str, Any], Any] = {}
        self.calls: dict[tuple[int, int], Any] = {}  # by function and identity of the resource, which lives as long
        self.retrieved: dict[Any, list[FhirResource]] = {}
        self._resources = resources
        self._by_type: dict[str, list[FhirResource]] | None = None
        self._code_indexes: dict[tuple[str, str], dict[CodeKey, list[int]]] = {}
        self.values: list[Any] = [UNSET] * len(program.units)
        self._records: dict[int, Record] = {}
        self._traces: dict[int, Trace] = {}
        self.record = Record()
        for index, value in program.arguments(parameters):
            self.values[index] = value

    def __getitem__(self, name: str) -> Any:
        """Give the value of a definition of the primary library; KeyError when it has none of that name."""
        return self.value(self._program.unit(name).index)

    def value(self, index: int) -> Any:
        """Give the value of a definition or parameter by its index in the program."""
        self.record.uses[index] = None
        value = self.values[index]
        return self.compute(index) if value is UNSET else value

    def compute(self, index: int) -> Any:
        """Evaluate a definition or parameter that has no value yet."""
        unit = self._program.units[index]
        caller, self.record = self.record, Record()
        try:
            value = self.values[index] = unit.body(self, [None] * unit.frame_size)  # type: ignore[misc]  # compiled
        except EvaluationError as problem:
            problem.where = problem.where or _place(unit)
            raise
        except RecursionError:
            raise EvaluationError(
                "The logic nests too deeply; split it into smaller definitions.", where=_place(unit)
            ) from None
        except Exception as problem:  # noqa: BLE001  # a record's values must not leave in a Python message
            raise EvaluationError(
                f"An operator met a value of a type it does not take ({type(problem).__name__}).", where=_place(unit)
            ) from None
        finally:
            self._records[index] = self.record
            self.record = caller
        return value

    def trace(self, name: str) -> Trace:
        """Give the trace of a definition of the primary library, evaluated first when it was not."""
        unit = self._program.unit(name)
        self.value(unit.index)
        return self._trace(unit.index)

    def _trace(self, index: int) -> Trace:
        """Give the trace of a definition that has its value; what it used has its values too, and keeps them."""
        found = self._traces.get(index)
        if found is None:
            names, record = self._program.names, self._records.get(index) or Record()
            uses = tuple([self._trace(used) for used in record.uses if used in names])
            found = self._traces[index] = Trace(names[index], self.values[index], uses, tuple(record.resources))
        return found

    def of_type(self, name: str) -> list[FhirResource]:
        """Give the resources of one type, in the order of the record."""
        if self._by_type is None:
            self._by_type = indexed(self._resources)
        return self._by_type.get(name, [])

    def code_index(self, name: str, path: str) -> dict[CodeKey, list[int]]:
        """Give, for each (system, code) at a path, the places of the resources of a type that carry it."""
        index = self._code_indexes.get((name, path))
        if index is None:
            index = self._code_indexes[name, path] = {}
            for place, resource in enumerate(self.of_type(name)):
                for code in codes_at(resource.json, path):
                    index.setdefault(code, []).append(place)
        return index


def _place(unit: Unit) -> str:
    return f"{unit.library}{':' + unit.locator if unit.locator else ''} ({unit.name})"
