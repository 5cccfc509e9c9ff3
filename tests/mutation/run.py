"""Break what is published in one place at a time, and see whether a test notices.

    python tests/mutation [--library NAME ...] [--only DEFINITION ...] [--sample N] [--json]
    python tests/mutation --plans      plans, activities and value sets in place of the logic
    python tests/mutation --all        everything; what .ci/run calls

A broken rule is killed when the recommendations, the phase or a named feature of some case of test_logic.py or
test_order_cases.py change or cannot be computed. The words of the cards are not broken here: their tests compare the
cards themselves.

Exit status 1 when one survives that `equivalent.tsv` does not explain, or when an explanation there explains nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from laboratory import Laboratory  # noqa: E402 - the tests are not a package
from plans import Plans  # noqa: E402

LIBRARIES: Final = ("PaiLogic", "PaiCommon")


def explained() -> dict[str, str]:
    """Give the reasons why a mutant changes nothing, by its key."""
    lines = (HERE / "equivalent.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {f"{definition}\t{what}": reason for definition, what, reason in rows}


class Report:
    """What became of the mutants, by the part of the content that was broken."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.reasons = explained()
        self.used: set[str] = set()
        self.tallies: dict[str, dict[str, int]] = {}
        self.survivors: list[str] = []

    def take(self, part: str, key: str, killer: str | None, where: str) -> None:
        """Count one mutant; `killer` is the case that noticed it, "refused" when it could not be run at all."""
        tally = self.tallies.setdefault(
            part, dict.fromkeys(("mutants", "killed", "refused", "equivalent", "survived"), 0)
        )
        tally["mutants"] += 1
        if killer == "refused":
            tally["refused"] += 1
        elif killer:
            tally["killed"] += 1
        elif key in self.reasons:
            tally["equivalent"] += 1
            self.used.add(key)
        else:
            tally["survived"] += 1
            self.survivors.append(f"{key}\t{where}")
        done = sum(one["mutants"] for one in self.tallies.values())
        if done % 500 == 0:
            sys.stderr.write(f"{part} {tally} {time.monotonic() - self.started:.0f} s\n")

    def unused(self) -> list[str]:
        """Give the explanations of mutants that do not survive, or that do not exist any more."""
        return sorted(set(self.reasons) - self.used)


def sampled(every: list[Any], size: int | None) -> list[Any]:
    """Give a random part, the same each time; all where no size is given."""
    return random.Random(1).sample(every, size) if size and size < len(every) else every  # noqa: S311 - no secret


def run_logic(report: Report, libraries: list[str], only: list[str], sample: int | None) -> list[str]:
    """Break the rules of some libraries; give the cases that fail before anything is broken."""
    laboratory = Laboratory()
    if laboratory.wrong:
        return laboratory.wrong
    for library in libraries:
        for mutated in sampled(list(laboratory.every(library, only)), sample):
            report.take(library, mutated.key, laboratory.killer(mutated), mutated.mutant.locator)
    return []


def run_plans(report: Report, sample: int | None) -> list[str]:
    """Break plans, activities, value sets and declarations; give what fails before anything is broken."""
    published = Plans()
    wrong = published.wrong()
    if wrong:
        return wrong
    for broken in sampled(list(published.every()), sample):
        kind = broken.url.split("/")[-2]
        report.take(kind, broken.key, published.killer(broken), published.package.where(broken.url))
    for part, found in (("ValueSet", published.members()), ("declarations", published.declarations())):
        for key, noticed in sampled(list(found), sample):
            report.take(part, key, "test_members" if noticed else None, "")
    return []


def main() -> int:
    """Run and report; see the module's words."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", nargs="*", default=["PaiLogic"], choices=LIBRARIES)
    parser.add_argument("--only", nargs="*", default=[], help="definitions")
    parser.add_argument("--sample", type=int, help="a random part of the mutants, the same each time")
    parser.add_argument("--plans", action="store_true", help="plans, activities and value sets")
    parser.add_argument("--all", action="store_true", help="all libraries, plans, activities and value sets")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = Report()
    wrong: list[str] = []
    if options.all or not options.plans:
        wrong += run_logic(report, list(LIBRARIES) if options.all else options.library, options.only, options.sample)
    if not wrong and (options.all or options.plans):
        wrong += run_plans(report, options.sample)
    if wrong:
        sys.stderr.write(f"These fail before anything is broken: {', '.join(wrong)}\n")
        return 2
    unused = report.unused() if options.all and not (options.only or options.sample) else []
    if options.json:
        result: dict[str, Any] = {**report.tallies, "survivors": report.survivors, "unused": unused}
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
    else:
        for survivor in report.survivors:
            sys.stdout.write(f"survived\t{survivor}\n")
        for key in unused:
            sys.stdout.write(f"explained, yet killed or gone\t{key}\n")
        for part, tally in report.tallies.items():
            sys.stdout.write(f"{part}: " + ", ".join(f"{name} {count}" for name, count in tally.items()) + "\n")
    return 1 if report.survivors or unused else 0


if __name__ == "__main__":
    sys.exit(main())
