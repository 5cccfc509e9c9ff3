"""The commands that write, compare and check what is published: build, diff, validate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ankle_cds.cli.usage import UsageError, now
from ankle_cds.errors import AnkleCdsError, ContentError
from ankle_cds.fhir import read_json_file, write_json

if TYPE_CHECKING:
    import argparse

    from ankle_cds.artifacts import Package
    from ankle_cds.cli.usage import Commands


def describe(commands: Commands) -> None:
    """Describe the commands that write, compare and check what is published."""
    build = commands.add_parser("build", help="write every FHIR resource, the package, Bundles and pages")
    build.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    build.add_argument("--release", action="store_true", help="status active in place of draft")
    build.set_defaults(command=_build)

    diff = commands.add_parser(
        "diff", help="compare two versions artifact by artifact, and say which version step the difference needs"
    )
    diff.add_argument("old", type=Path, metavar="OLD", help="the older version: a package.tgz or the folder of a build")
    diff.add_argument("new", type=Path, metavar="NEW", help="the newer version, likewise")
    diff.add_argument("--json", action="store_true", help="print plain JSON with every change in place of the drawing")
    diff.set_defaults(command=_diff)

    validate = commands.add_parser(
        "validate", help="check resources against the profiles; without a file, check the content itself; write nothing"
    )
    validate.add_argument("file", type=Path, nargs="?", metavar="FILE.json", help="a FHIR R4 resource or Bundle")
    validate.add_argument(
        "--profile", metavar="NAME", help="id of the profile to ask (default: those claimed, else those about its code)"
    )
    validate.add_argument("--json", action="store_true", help="print plain JSON in place of the drawing")
    validate.set_defaults(command=_validate)


def _build(options: argparse.Namespace) -> int:
    from ankle_cds import artifacts, publish, validate  # noqa: PLC0415  # each command loads only what it needs

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for package in artifacts.load_all().values():
        with console.status(f"Checking the shape of {len(package.resources)} resources"):
            validate.require(package)
        written = publish.publish(package, options.out, release=options.release)
        for notice in (*artifacts.notices(package, now().date()), *written.notices):
            console.print(Text(f"Notice: {notice}", "yellow"))
        console.print(
            f"{package.service_id} {package.version}: {written.artifacts} resources, "
            f"{len(written.files)} files in {options.out}"
        )
    return 0


def _diff(options: argparse.Namespace) -> int:
    from ankle_cds.publish import difference  # noqa: PLC0415  # as above

    for path in (options.old, options.new):
        if not path.exists():
            raise UsageError("There is nothing here; name a package.tgz or the folder of a build.", where=str(path))
    found = difference.between(options.old, options.new)
    if options.json:
        sys.stdout.write(write_json(difference.as_json(found), indent=2).decode() + "\n")
    else:
        difference.draw(found, Console(highlight=False))
    return 0 if found.enough else 1


def _validate(options: argparse.Namespace) -> int:
    from ankle_cds import artifacts, validate  # noqa: PLC0415  # as above

    console = Console(highlight=False)
    packages = artifacts.load_all()
    if options.file is not None:
        return _validate_file(options, packages, console)
    if options.profile or options.json:
        raise UsageError("--profile and --json go with a file; name one.")
    for package in packages.values():
        with console.status(f"Checking the shape of {len(package.resources)} resources"):
            validate.require(package)
            examples = validate.require_examples(package).of.values()
        valid, invalid = sum(len(one.valid) for one in examples), sum(len(one.invalid) for one in examples)
        console.print(
            f"{package.service_id} {package.version}: {len(package.resources)} resources, {len(examples)} profiles "
            f"with {valid} valid and {invalid} invalid examples, nothing to correct"
        )
    return 0


def _validate_file(options: argparse.Namespace, packages: dict[str, Package], console: Console) -> int:
    from ankle_cds import validate  # noqa: PLC0415  # as above

    if not options.file.is_file():
        raise UsageError("There is no such file; name a FHIR R4 resource or Bundle in JSON.", where=str(options.file))
    try:
        data = read_json_file(options.file)
    except ContentError as error:  # the file is the caller's, not our content
        raise AnkleCdsError(error.message, where=error.where, spec=error.spec) from None
    try:
        checked = validate.check_file(data, packages.values(), options.profile)
    except validate.UnknownProfileError as error:
        raise UsageError(error.message, where=options.profile) from None
    if options.json:
        sys.stdout.write(write_json(validate.as_json(checked), indent=2).decode() + "\n")
    else:
        validate.render(checked, console)
    return 0 if all(item.valid for item in checked) else 1
