"""What other steps have shown: reports of test runs, and lists of the steps of a build that were passed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_NOT_PASSED = {"failure", "error", "skipped"}


@dataclass(frozen=True, slots=True)
class Reports:
    """Tests by the dotted name of their file, with name and whether each passed; and the steps that were passed.

    `skipped` are file and name of those that did not run; they count as not passed.
    """

    tests: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)
    steps: frozenset[str] = frozenset()
    skipped: frozenset[tuple[str, str]] = frozenset()

    def shown(self, proof: str, step: str) -> tuple[int, int]:
        """Give how many runs of a proof are reported, and how many of them passed; (0, 0) when nothing is said of it.

        `proof` is a file of the checkout, `step` a test of it (all its cases count) or a step of that program; without
        a step all tests of the file count.
        """
        path = PurePosixPath(proof)
        if path.suffix != ".py":
            return (1, 1) if step in self.steps else (0, 0)
        found = self.tests.get(".".join(path.with_suffix("").parts), [])
        ran = [passed for name, passed in found if not step or name.partition("[")[0] == step]
        return len(ran), sum(ran)


def read_reports(files: Iterable[Path]) -> Reports:
    """Read JUnit reports (`*.xml`, as `pytest --junitxml` writes them) and lists of passed steps, one a line.

    Raises ContentError when a file is not there or not what its name says.
    """
    tests: dict[str, list[tuple[str, bool]]] = {}
    steps: set[str] = set()
    skipped: set[tuple[str, str]] = set()
    for given in files:
        try:
            if given.suffix != ".xml":
                steps |= {line.strip() for line in given.read_text("utf-8").splitlines() if line.strip()}
                continue
            suite = ET.parse(given)  # noqa: S314  # a report this checkout's own run wrote
        except (OSError, UnicodeDecodeError, ET.ParseError) as error:
            message = f"{given.name} is no report of a test run and no list of steps; write it with pytest --junitxml."
            raise ContentError(message, where=str(given)) from error
        for case in suite.iter("testcase"):
            passed = not any(part.tag in _NOT_PASSED for part in case)
            # A file that could not be imported is reported without a class, by its own name.
            name = case.get("name", "")
            file = case.get("classname") or name
            tests.setdefault(file, []).append((name, passed))
            if case.find("skipped") is not None:
                skipped.add((file, name))
    return Reports(tests, frozenset(steps), frozenset(skipped))
