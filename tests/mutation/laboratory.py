"""The laboratory: the published logic, the cases of its tests, and one broken definition at a time."""

from __future__ import annotations

import copy
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from operators import Mutant, at, mutants

import cases_orders
import charts
import test_logic as tests
import test_order_cases
from ankle_cds import artifacts, elm
from ankle_cds.elm.compiler import Compiler
from ankle_cds.elm.evaluation import UNSET
from ankle_cds.elm.program import reachable

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a recommendation says; how it reads is the claim of the tests that compare the cards.
_WORDS: Final = ("title", "description", "textEquivalent", "supportingInfo")
# Named by the specification (part C.5) and read by the words alone.
_ALSO_RULES: Final = ("RedFlagsFullyRecorded",)
_FEATURE: Final = "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-featureExpression"


def every_action(node: charts.Resource) -> Iterator[charts.Resource]:
    """Walk the actions of a plan, parents first."""
    for action in node.get("action", ()):
        yield action
        yield from every_action(action)


class Run(NamedTuple):
    """One case with its resources, ready to be evaluated."""

    case: charts.Case | cases_orders.OrderCase
    resources: list[charts.Resource]


class Mutated(NamedTuple):
    """A mutant and where it stands; `key` names it, whatever stands above it in the file."""

    unit: Any
    mutant: Mutant
    key: str


def ready(case: charts.Case | cases_orders.OrderCase) -> Run:
    """Complete the facts of a case to a chart, as the tests do."""
    chart = [*tests.flattened(case.facts), *getattr(case, "drafts", ())]
    kinds = {resource["resourceType"] for resource in chart}
    chart += [] if "Patient" in kinds else [charts.patient()]
    chart += [] if "Encounter" in kinds else [charts.encounter()]
    chart += [charts.reason()] if case.reasons is None else case.reasons
    return Run(case, chart)


def opened(program: elm.Program, run: Run) -> elm.Evaluation:
    """Open the evaluation of a case."""
    drafts = [f"{draft['resourceType']}/{draft['id']}" for draft in getattr(run.case, "drafts", ())]
    given = {"EncounterId": "e1", "DraftOrderIds": drafts, **run.case.parameters}
    return program.evaluate(run.resources, now=charts.NOW, parameters=given)


def holds(ev: elm.Evaluation, run: Run, known: set[str]) -> bool:
    """Tell whether a case still gets what the specification says; `known` are the recommendations of the package."""
    case = run.case
    try:
        if isinstance(case, cases_orders.OrderCase):
            return {check for check in cases_orders.CHECKS if ev[f"{check}Applies"]} == case.fires and all(
                ev[name] == value for name, value in case.also.items()
            )
        return (
            {name for name in known if ev[f"{name}Applies"]} == case.applies & known
            and [phase for phase in tests.PHASES if ev[phase]] == [case.phase]
            and all(ev[name] == value for name, value in case.also.items())
        )
    except elm.EvaluationError:
        return False


class Laboratory:
    """The program, the cases with all they were evaluated to, and which units each case executes."""

    def __init__(self) -> None:
        package = artifacts.load_all()["posterior-ankle-impingement"]
        self.program = package.program
        self.known = set(tests.recommendations(package))
        self.linker = self.program._linker  # noqa: SLF001 - one unit is compiled anew in the linked program
        self.runs = [ready(case) for case in (*tests.ALL_CASES, *test_order_cases.ALL_ORDER_CASES)]
        self.evaluations: list[elm.Evaluation] = []
        self.reads: dict[int, list[int]] = {unit.index: [] for unit in self.program.units}
        self.likely: dict[int, list[int]] = {}
        self.users: dict[int, set[Any]] = {}
        for unit in self.program.units:
            for used in unit.uses:
                self.users.setdefault(used.index, set()).add(unit)
        self.rules = self._rules(package)
        self.wrong = self._observe()

    def _rules(self, package: artifacts.Package) -> set[Any]:
        """Give what decides something: all that is not read by the words of the cards alone."""
        features = {
            extension["valueExpression"]["expression"]
            for profile in package.of_type("StructureDefinition")
            for extension in profile.get("extension", [])
            if extension["url"] == _FEATURE
        }
        words = {
            value["expression"]["expression"]
            for plan in package.of_type("PlanDefinition")
            for action in every_action(plan)
            for value in action.get("dynamicValue", ())
            if value["path"] in _WORDS
        }
        main = self.linker.libraries[self.program.unit("GateView").library]
        roots = [
            unit
            for unit in main.definitions.values()
            if unit.name in features
            or unit.name in _ALSO_RULES
            or (unit.index not in self.users and unit.name not in words)
        ]
        return set(reachable(roots))

    def _observe(self) -> list[str]:
        """Run every case on the logic as published, noting the units it executes; give the cases that fail."""
        seen: set[int] = set()
        bodies = {unit.index: unit.body for unit in self.program.units}
        for unit in self.program.units:
            if unit.body is not None:
                unit.body = _noting(unit.body, unit.index, seen)
        wrong = []
        for place, run in enumerate(self.runs):
            seen.clear()
            ev = opened(self.program, run)
            if not holds(ev, run, self.known):
                wrong.append(run.case.id)
            self.evaluations.append(ev)
            for index in seen:
                self.reads[index].append(place)
        for unit in self.program.units:
            unit.body = bodies[unit.index]
        return wrong

    def every(self, library: str, only: list[str]) -> Iterator[Mutated]:
        """Give the mutants of a library's rules and parameters."""
        source = self.linker.libraries[library]
        units = [(unit, "default") for unit in source.parameters.values()]
        units += [(unit, "expression") for unit in source.definitions.values()]
        units += [(unit, "expression") for overloads in source.functions.values() for unit in overloads]
        alike: Counter[str] = Counter()
        for unit, part in units:
            for mutant in mutants(unit.node, part) if unit in self.rules else ():
                name = f"{unit.qualified}\t{mutant.what}"
                alike[name] += 1
                if not only or unit.name in only:
                    yield Mutated(unit, mutant, name if alike[name] == 1 else f"{name} #{alike[name]}")

    def deciding(self, unit: Any) -> list[int]:
        """Give the definitions through which a change of a unit can be seen: itself, or those that call it."""
        if unit.operands is None and "default" not in unit.node:
            return [unit.index]
        found: set[int] = set()
        pending, visited = [unit], {unit}
        while pending:
            for user in self.users.get(pending.pop().index, ()):
                if user.operands is None:
                    found.add(user.index)
                elif user not in visited:
                    visited.add(user)
                    pending.append(user)
        return sorted(found)

    def differs(self, unit: Any, deciding: list[int], place: int) -> bool:
        """Tell whether the changed unit gives one of those definitions another value in a case.

        What they build on keeps its value, so a case where none of them differs is one the mutant leaves as it is.
        """
        ev, given = self.evaluations[place], self.runs[place].case.parameters
        if "default" in unit.node and unit.name in given:
            return False
        values, calls = ev.values, ev.calls
        ev.values, ev.calls = list(values), {}
        if "default" in unit.node:
            ev.values[unit.index] = UNSET
        try:
            for index in deciding:
                if values[index] is not UNSET:
                    ev.values[index] = UNSET
                    if ev.compute(index) != values[index]:
                        return True
                    ev.values[index] = values[index]
        except elm.EvaluationError:
            return True
        finally:
            ev.values, ev.calls = values, calls
        return False

    def killer(self, mutated: Mutated) -> str | None:
        """Give the case that notices the mutant; None when none does; "refused" when it cannot be executed at all."""
        unit, library = mutated.unit, self.linker.libraries[mutated.unit.library]
        kept = unit.node, unit.body, unit.frame_size, dict(unit.uses), list(unit.retrieves), unit.depth, unit.pure
        deciding = self.deciding(unit)
        unit.node = copy.deepcopy(unit.node)
        mutated.mutant.change(at(unit.node, mutated.mutant.path))
        unit.frame_size = len(unit.operands or ())
        try:
            unit.body = Compiler(self.linker, library, unit).compile(unit.node[mutated.mutant.path[0]])
            if unit.faults:
                return "refused"
            likely = self.likely.setdefault(unit.index, [])
            for place in [*likely, *(p for p in self.reads[unit.index] if p not in likely)]:
                run = self.runs[place]
                if self.differs(unit, deciding, place) and not holds(opened(self.program, run), run, self.known):
                    self.likely[unit.index] = [place, *(p for p in likely if p != place)][:8]
                    return run.case.id
            return None
        finally:
            unit.node, unit.body, unit.frame_size, unit.uses, unit.retrieves, unit.depth, unit.pure = kept
            unit.faults.clear()


def _noting(body: Any, index: int, seen: set[int]) -> Any:
    def noted(ev: Any, frame: list[Any]) -> Any:
        seen.add(index)
        return body(ev, frame)

    return noted
