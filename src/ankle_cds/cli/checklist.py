"""The command that measures the built package: lint."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ankle_cds.cli.usage import now
from ankle_cds.errors import ContentError
from ankle_cds.fhir import read_json_file, write_json

if TYPE_CHECKING:
    import argparse

    from ankle_cds.artifacts import Package
    from ankle_cds.cli.usage import Commands
    from ankle_cds.lint import Built


def describe(commands: Commands) -> None:
    """Describe the command that measures what is published."""
    lint = commands.add_parser("lint", help="measure the built package against the acceptance checklist, line by line")
    lint.add_argument("--json", action="store_true", help="print plain JSON with every finding in place of the tables")
    lint.add_argument("--short", action="store_true", help="leave out the lines of the checklist that are green")
    lint.add_argument(
        "--report",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="what other steps have shown: a JUnit report (.xml), or a list of passed steps; may be given again",
    )
    lint.add_argument(
        "--open",
        action="append",
        default=[],
        metavar="CHECK",
        help="a check that is known to be red: shown, but not in the exit status; may be given again",
    )
    lint.set_defaults(command=_lint)


def _lint(options: argparse.Namespace) -> int:
    from ankle_cds import artifacts, lint  # noqa: PLC0415  # each command loads only what it needs

    error, out = Console(stderr=True, highlight=False), Console(highlight=False)
    green, documents = True, []
    reports = lint.read_reports(options.report)
    for package in artifacts.load_all().values():
        expected = lint.read_acceptance(package.folder)
        with error.status(f"Building {package.service_id}") as status:
            built = _read_again(package, expected.data)
            results = []
            for result in lint.run(built, reports):
                results.append(result)
                status.update(f"{result.line} {result.name} ({len(results)} done)")
        scores = list(lint.score(results, expected.data))
        if options.json:
            documents.append(lint.document(results, scores, expected.data, package.locate))
        else:
            lint.draw(results, scores, expected.data, package.locate, out, short=options.short)
        green = green and not any(one.state is lint.State.FAIL and one.name not in options.open for one in results)
    if options.json:
        sys.stdout.write(write_json(documents[0] if len(documents) == 1 else documents, indent=2).decode() + "\n")
    return 0 if green else ContentError.exit_code


def _read_again(package: Package, expected: dict[str, Any]) -> Built:
    """Build the package three times into a folder of its own, and read what was written as a stranger would."""
    from ankle_cds import lint, publish, settings, stories  # noqa: PLC0415  # as above
    from ankle_cds.service import discovery_entries  # noqa: PLC0415  # as above

    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, name) for name in ("build", "again", "release")]
        for folder in folders:
            publish.publish(package, folder, release=folder.name == "release")
        files, again, released = map(lint.read_folder, folders)
    checkout = Path(__file__).resolve().parents[3]
    cases = tuple(
        lint.Case(
            id=story.id,
            tags=story.tags,
            statements=story.statements,
            evidence=story.evidence,
            parameters=story.parameters,
            today=story.clock.date(),
            recommendations=tuple(card.recommendation for card in story.expect),
            chart=story.chart(),
            body=read_json_file(story.expected_file),
        )
        for story in stories.read_all()
        if story.condition == package.folder.name and not story.after
    )
    return lint.Built(
        files=files,
        again=again,
        released=released,
        expected=expected,
        content=package.folder,
        today=now().date(),
        root=checkout if (checkout / "pyproject.toml").is_file() else None,
        discovery=tuple(discovery_entries(package, settings.load(environment={}, mode="development"))),
        cases=cases,
    )
