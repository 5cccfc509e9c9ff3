"""The command line: one door per user, exit codes that mean something.

0  done
1  a demonstration story answered differently from what is expected, a resource is not what its profile says, or the
   command could not do its work
2  our content or the configuration is wrong; nothing was started or written
3  another server did not do its part
64 the command line itself is wrong
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.text import Text

from ankle_cds import __version__
from ankle_cds.errors import AnkleCdsError, ContentError
from ankle_cds.fhir import bundle_entries, read_json_file, reference, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ankle_cds.artifacts import Package
    from ankle_cds.settings import Settings

USAGE = 64
_DESCRIPTION = "Computable guideline for posterior ankle impingement, and the CDS Hooks service that runs it."


class _UsageError(AnkleCdsError):
    """The command line cannot be followed, which only became clear after it was read."""

    exit_code = USAGE


class _Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes have an exit code of their own: 2 says that content is wrong."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code; an error of ours is printed as what, where and which rule."""
    options = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except AnkleCdsError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(Text(str(error)))
        return error.exit_code
    except KeyboardInterrupt:
        return 130  # what shells give for an interrupted program


def parser() -> argparse.ArgumentParser:
    """Describe every command and option; the documentation is checked against it."""
    top = _Parser(prog="ankle-cds", description=_DESCRIPTION)
    top.add_argument("--version", action="version", version=f"ankle-cds {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    demo = commands.add_parser("demo", help="open an encounter for each example story and draw the cards")
    demo.add_argument("--story", action="append", default=[], metavar="NAME", help="only this story; may be repeated")
    demo.add_argument("--keep", action="store_true", help="leave the service running and print the curl line to try")
    demo.add_argument("--port", type=int, default=0, help="port of the service (default: a free one)")
    demo.add_argument("--json", action="store_true", help="print plain JSON in place of the drawing")
    demo.add_argument(
        "--update", action="store_true", help="write request.json and expected.json of the stories played"
    )
    demo.set_defaults(command=_demo)

    serve = commands.add_parser("serve", help="answer CDS Hooks requests")
    serve.add_argument("--dev", action="store_true", help="development: no authentication, http on this machine only")
    serve.add_argument(
        "--clock", type=_moment, metavar="TIME", help="with --dev: evaluate as if it were TIME (ISO 8601)"
    )
    serve.add_argument("--config", type=Path, metavar="FILE", help="site configuration (YAML)")
    serve.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on (default 8080)")
    serve.set_defaults(command=_serve)

    explain = commands.add_parser("explain", help="say which recommendations apply to a chart, which do not, and why")
    explain.add_argument("chart", type=Path, metavar="CHART.json", help="a FHIR R4 Bundle of one patient")
    explain.add_argument("--hook", default="encounter-start", help="hook that is fired (default encounter-start)")
    explain.add_argument(
        "--encounter",
        metavar="ID",
        help="the encounter that is opened (default: the only one, or the only one in progress)",
    )
    explain.add_argument("--clock", type=_moment, metavar="TIME", help="evaluate as if it were TIME (default: now)")
    explain.add_argument("--config", type=Path, metavar="FILE", help="site configuration (YAML)")
    explain.add_argument("--json", action="store_true", help="print plain JSON in place of the drawing")
    explain.set_defaults(command=_explain)

    build = commands.add_parser("build", help="write every FHIR resource of the guideline, one JSON file each")
    build.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    build.add_argument("--release", action="store_true", help="status active in place of draft")
    build.set_defaults(command=_build)

    validate = commands.add_parser(
        "validate", help="check resources against the profiles; without a file, check the content itself; write nothing"
    )
    validate.add_argument("file", type=Path, nargs="?", metavar="FILE.json", help="a FHIR R4 resource or Bundle")
    validate.add_argument(
        "--profile", metavar="NAME", help="id of the profile to ask (default: those claimed, else those about its code)"
    )
    validate.add_argument("--json", action="store_true", help="print plain JSON in place of the drawing")
    validate.set_defaults(command=_validate)
    return top


def _demo(options: argparse.Namespace) -> int:
    from ankle_cds import demo  # noqa: PLC0415  # each command loads only what it needs

    return demo.run(
        names=options.story, keep=options.keep, port=options.port, as_json=options.json, update=options.update
    )


def _serve(options: argparse.Namespace) -> int:
    from ankle_cds import artifacts, service  # noqa: PLC0415  # each command loads only what it needs

    if options.clock is not None and not options.dev:
        raise AnkleCdsError("--clock works in development only; add --dev, or leave it out.")
    settings = _settings(options, mode="development" if options.dev else None, host=options.host, port=options.port)
    settings.refuse_open_production()  # before the content is read: this is the faster answer
    clock = (lambda: options.clock) if options.clock is not None else _now
    service.run(service.create_app(artifacts.load_all(), settings, clock), settings)
    return 0


def _explain(options: argparse.Namespace) -> int:
    from ankle_cds import artifacts, explain, guidance, hooks, prefetch  # noqa: PLC0415  # as above
    from ankle_cds.service import guidance_settings  # noqa: PLC0415  # as above

    chart = read_json_file(options.chart)
    package = _offering(artifacts.load_all(), options.hook)
    body = _request(chart, options, prefetch.templates(package, options.hook))
    request = hooks.read_request(body)
    data = asyncio.run(prefetch.gather(request, package, None))
    settings = guidance_settings({package.service_id: package}, _settings(options, mode="development"))
    given = guidance.respond(package, request, data, settings, options.clock or _now())
    explanation = explain.explain(given, package)
    if options.json:
        sys.stdout.write(write_json(explanation, indent=2).decode() + "\n")
    else:
        explain.render(explanation, Console(highlight=False))
    return 0


def _build(options: argparse.Namespace) -> int:
    from ankle_cds import artifacts, validate  # noqa: PLC0415  # as above

    console = Console(stderr=True, highlight=False)
    for package in artifacts.load_all().values():
        with console.status(f"Checking the shape of {len(package.resources)} resources"):
            validate.require(package)
        written = artifacts.write(package, options.out, release=options.release)
        console.print(f"{package.service_id} {package.version}: {len(written)} resources in {options.out}")
    return 0


def _validate(options: argparse.Namespace) -> int:
    from ankle_cds import artifacts, validate  # noqa: PLC0415  # as above

    console = Console(highlight=False)
    packages = artifacts.load_all()
    if options.file is not None:
        return _validate_file(options, packages, console)
    if options.profile or options.json:
        raise _UsageError("--profile and --json go with a file; name one.")
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
        raise _UsageError("There is no such file; name a FHIR R4 resource or Bundle in JSON.", where=str(options.file))
    try:
        data = read_json_file(options.file)
    except ContentError as error:  # the file is the caller's, not our content
        raise AnkleCdsError(error.message, where=error.where, spec=error.spec) from None
    try:
        checked = validate.check_file(data, packages.values(), options.profile)
    except validate.UnknownProfileError as error:
        raise _UsageError(error.message, where=options.profile) from None
    if options.json:
        sys.stdout.write(write_json(validate.as_json(checked), indent=2).decode() + "\n")
    else:
        validate.render(checked, console)
    return 0 if all(item.valid for item in checked) else 1


def _settings(options: argparse.Namespace, **given: Any) -> Settings:
    from ankle_cds import settings  # noqa: PLC0415  # as above

    return settings.load(options.config, **given)


def _offering(packages: dict[str, Package], hook: str) -> Package:
    from ankle_cds.service import offered_hooks  # noqa: PLC0415  # as above

    for package in packages.values():
        if hook in offered_hooks(package):
            return package
    known = sorted({name for package in packages.values() for name in offered_hooks(package)})
    raise AnkleCdsError(f"No guideline answers this hook; use one of {', '.join(known)}.", where=hook)


def _request(chart: Any, options: argparse.Namespace, templates: dict[str, str]) -> dict[str, Any]:
    """Make the hook request an EHR would post for the chart, opened by a practitioner."""
    from ankle_cds.stories import Ehr  # noqa: PLC0415  # as above

    resources = [entry.resource for entry in bundle_entries(chart) if entry.resource is not None]
    patients = [one for one in resources if one.get("resourceType") == "Patient"]
    encounters = [one for one in resources if one.get("resourceType") == "Encounter"]
    if options.encounter:
        encounters = [one for one in encounters if options.encounter in {one.get("id"), reference(one)}]
    elif len(encounters) > 1:
        encounters = [one for one in encounters if one.get("status") == "in-progress"]
    context = {
        "userId": "Practitioner/reader",
        "patientId": _only(patients, "Patient", options.chart),
        "encounterId": _only(encounters, "Encounter", options.chart),
    }
    return {
        "hook": options.hook,
        "hookInstance": "00000000-0000-4000-8000-000000000000",
        "context": context,
        "prefetch": Ehr(chart).prefetch(templates, context),
    }


def _only(found: list[Any], kind: str, chart: Path) -> str:
    if len(found) != 1:
        advice = "Name it with --encounter." if kind == "Encounter" else "Put one patient into one chart."
        raise AnkleCdsError(
            f"One {kind} is needed, and the chart holds {len(found)} that could be meant. {advice}", where=str(chart)
        )
    return str(found[0].get("id"))


def _moment(text: str) -> datetime:
    """Read a time with its offset; a time without one would mean another moment on another machine."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901  # has no offset: refused below
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("a time such as 2026-03-12T09:30:00-07:00 is needed")
    return moment


def _now() -> datetime:
    """Ask the clock; below this door time is an argument."""
    return datetime.now(UTC).astimezone()


if __name__ == "__main__":
    sys.exit(main())
