"""`python -m ankle_cds.elm cases FILE [--json]` and `python -m ankle_cds.elm operators`."""

from __future__ import annotations

import argparse
import json
import sys
from itertools import groupby
from pathlib import Path

import ankle_cds.elm  # noqa: F401 - fills the registry
from ankle_cds.elm import cases
from ankle_cds.elm.registry import OPERATORS


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code is 0 when no case is wrong, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m ankle_cds.elm", description="The ELM engine, looked at from outside."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser(
        "cases", help="evaluate a file of operator cases and count right, refused, wrong, disputed"
    )
    run.add_argument("file", type=Path)
    run.add_argument("--json", action="store_true", help="print the figures as JSON")
    commands.add_parser("operators", help="list the operators that are executed; all others are refused at load")
    options = parser.parse_args(arguments)
    if options.command == "operators":
        _operators()
        return 0
    score = cases.score(cases.read(options.file))
    if options.json:
        json.dump(score.as_json(), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        _figures(score)
    return 1 if score.wrong else 0


def _operators() -> None:
    rows = sorted(OPERATORS.values(), key=lambda operator: (operator.family, operator.name))
    for family, operators in groupby(rows, key=lambda operator: operator.family):
        sys.stdout.write(f"{family}: {', '.join(operator.name for operator in operators)}\n")


def _figures(score: cases.Score) -> None:
    line = f"right {score.right}, refused {len(score.refused)}, wrong {len(score.wrong)}"
    sys.stdout.write(line + (f", disputed {len(score.disputed)}\n" if score.disputed else "\n"))
    for title, names in (("refused", score.refused), ("wrong", score.wrong), ("disputed", score.disputed)):
        for name in names:
            sys.stdout.write(f"{title}: {name}\n")


if __name__ == "__main__":
    sys.exit(main())
