"""Break the published logic in one place at a time, and see whether a case of `test_logic.py` notices.

    python tests/mutation/run.py [--library PaiLogic] [--only NAME ...] [--sample N] [--json]

A mutant is killed when the recommendations, the phase or a named feature of some case change (or cannot be computed).
Exit status 1 when one survives that `equivalent.tsv` does not explain. The words of the cards are not broken here:
their tests compare the cards themselves.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from operators import Mutant, at, mutants  # noqa: E402

import charts  # noqa: E402 - the tests are not a package
import test_logic as tests  # noqa: E402
from ankle_cds import artifacts, elm  # noqa: E402
from ankle_cds.elm.compiler import Compiler  # noqa: E402
from ankle_cds.elm.evaluation import UNSET  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

# Words, titles and the facts listed under a card: how they read is another test's claim.
_WORDS: Final = ("Detail", "Title", "Facts", "Line", "Lines", "Words", "Text", "Fact", "Place", "Label", "Recorded")
_ALSO_RULES: Final = frozenset(
    {
        "NsaidLine",
        "AcuteInjuryRecorded",
        "ExamRecorded",
        "OutcomeRecorded",
        "PosteriorPainRecorded",
        "RedFlagsFullyRecorded",
    }
)
_ONLY_WORDS: Final = frozenset({"Patient", "AboutThisAdvice"})


class Run(NamedTuple):
    """One case with its resources, ready to be evaluated."""

    case: charts.Case
    resources: list[charts.Resource]


class Mutated(NamedTuple):
    """A mutant and where it stands."""

    unit: Any
    mutant: Mutant

    def key(self) -> str:
        return f"{self.unit.qualified}\t{self.mutant.what}\t{self.mutant.locator}"


def is_rule(name: str) -> bool:
    """Tell whether a definition decides something, rather than wording it."""
    return name in _ALSO_RULES or not (name.endswith(_WORDS) or name in _ONLY_WORDS)


def ready(case: charts.Case) -> Run:
    """Complete the facts of a case to a chart, as the tests do."""
    chart = tests.flattened(case.facts)
    kinds = {resource["resourceType"] for resource in chart}
    chart += [] if "Patient" in kinds else [charts.patient()]
    chart += [] if "Encounter" in kinds else [charts.encounter()]
    chart += [charts.reason()] if case.reasons is None else case.reasons
    return Run(case, chart)


def opened(program: elm.Program, run: Run) -> elm.Evaluation:
    """Open the evaluation of a case."""
    return program.evaluate(run.resources, now=charts.NOW, parameters={"EncounterId": "e1", **run.case.parameters})


def holds(ev: elm.Evaluation, run: Run) -> bool:
    """Tell whether a case still gets what the specification says."""
    case = run.case
    try:
        return (
            {name for name in tests.RECOMMENDATIONS if ev[f"{name}Applies"]} == case.applies
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
        self.linker = self.program._linker  # noqa: SLF001 - one unit is compiled anew in the linked program
        self.runs = [ready(case) for case in tests.ALL_CASES]
        self.evaluations: list[elm.Evaluation] = []
        self.reads: dict[int, list[int]] = {unit.index: [] for unit in self.program.units}
        self.likely: dict[int, list[int]] = {}
        self.users: dict[int, set[Any]] = {}
        for unit in self.program.units:
            for used in unit.uses:
                self.users.setdefault(used.index, set()).add(unit)
        self.wrong = self._observe()

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
            if not holds(ev, run):
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
        for unit, part in units:
            if is_rule(unit.name) and (not only or unit.name in only):
                for mutant in mutants(unit.node, part):
                    yield Mutated(unit, mutant)

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
                if self.differs(unit, deciding, place) and not holds(opened(self.program, run), run):
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


def explained() -> dict[str, str]:
    """Give the reasons why a mutant changes nothing, by its key."""
    lines = (HERE / "equivalent.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {f"{definition}\t{what}": reason for definition, what, reason in rows}


def main() -> int:
    """Run and report; see the module's words."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", default="PaiLogic")
    parser.add_argument("--only", nargs="*", default=[], help="definitions")
    parser.add_argument("--sample", type=int, help="a random part of the mutants, the same each time")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    started = time.monotonic()
    laboratory = Laboratory()
    if laboratory.wrong:
        sys.stderr.write(f"These cases fail before anything is broken: {', '.join(laboratory.wrong)}\n")
        return 2
    every = list(laboratory.every(options.library, options.only))
    if options.sample and options.sample < len(every):
        every = random.Random(1).sample(every, options.sample)  # noqa: S311 - a sample, not a secret
    reasons = explained()
    tally = {"mutants": 0, "killed": 0, "refused": 0, "equivalent": 0, "survived": 0}
    survivors = []
    for done, mutated in enumerate(every, 1):
        killer = laboratory.killer(mutated)
        if killer == "refused":
            tally["refused"] += 1
            continue
        tally["mutants"] += 1
        if killer:
            tally["killed"] += 1
        elif f"{mutated.unit.qualified}\t{mutated.mutant.what}" in reasons or mutated.unit.qualified + "\t*" in reasons:
            tally["equivalent"] += 1
        else:
            tally["survived"] += 1
            survivors.append(mutated.key())
            if not options.json:
                sys.stdout.write(f"survived\t{mutated.key()}\n")
                sys.stdout.flush()
        if done % 250 == 0:
            sys.stderr.write(f"{done}/{len(every)} {tally} {time.monotonic() - started:.0f} s\n")
    if options.json:
        sys.stdout.write(json.dumps({**tally, "survivors": survivors}, indent=1) + "\n")
    else:
        sys.stdout.write(" ".join(f"{name} {count}" for name, count in tally.items()) + "\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
