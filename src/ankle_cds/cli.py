"""The command line: one door per user, exit codes that mean something.

0  done
1  a demonstration story answered differently from what is expected, a resource is not what its profile says, a version
   went up less than its changes need, or the command could not do its work
2  our content, the configuration or a file that was given is wrong; nothing was started or written
3  another server did not do its part
64 the command line itself is wrong
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
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
    from ankle_cds.lint import Built
    from ankle_cds.settings import Settings

CONTENT = 2
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
    _run_commands(commands)
    _package_commands(commands)
    return top


def _run_commands(commands: argparse._SubParsersAction[_Parser]) -> None:
    """Describe the commands that run the guideline."""
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
    explain.add_argument(
        "--draft",
        type=Path,
        metavar="DRAFTS.json",
        help="the draft orders of a hook that asks about orders: a FHIR R4 Bundle, or one order",
    )
    explain.add_argument("--clock", type=_moment, metavar="TIME", help="evaluate as if it were TIME (default: now)")
    explain.add_argument("--config", type=Path, metavar="FILE", help="site configuration (YAML)")
    explain.add_argument("--json", action="store_true", help="print plain JSON in place of the drawing")
    explain.set_defaults(command=_explain)

    extract = commands.add_parser("extract", help="turn the response to a form into the Observations the rules read")
    extract.add_argument("response", type=Path, metavar="RESPONSE.json", help="a FHIR R4 QuestionnaireResponse")
    extract.add_argument(
        "--patient",
        type=Path,
        metavar="FILE",
        help="the Patient: decides about questions that depend on age or sex (default: they count as shown)",
    )
    extract.add_argument("--out", type=Path, metavar="FILE", help="file to write the Bundle to (default: print it)")
    extract.set_defaults(command=_extract)

    parameters = commands.add_parser("parameters", help="list every parameter with its effective value, unit and basis")
    parameters.add_argument("--config", type=Path, metavar="FILE", help="site configuration (YAML)")
    parameters.add_argument("--json", action="store_true", help="print plain JSON in place of the drawing")
    parameters.set_defaults(command=_parameters)


def _package_commands(commands: argparse._SubParsersAction[_Parser]) -> None:
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


def _extract(options: argparse.Namespace) -> int:
    from ankle_cds import artifacts, forms  # noqa: PLC0415  # as above

    response = read_json_file(options.response)
    patient = read_json_file(options.patient) if options.patient else None
    known = {url: form for package in artifacts.load_all().values() for url, form in forms.load(package).items()}
    extracted = forms.extract(response, known, patient=patient, where=str(options.response))
    written = write_json(extracted.bundle, indent=2) + b"\n"
    if options.out:
        options.out.write_bytes(written)
    else:
        sys.stdout.write(written.decode())
    counts = {
        "observations": extracted.count("PUT"),
        "to take back if recorded earlier": extracted.count("DELETE"),
        "answers left out because the question was hidden": extracted.hidden,
    }
    said = ", ".join(f"{words}: {number}" for words, number in counts.items() if number or words == "observations")
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"{extracted.form.id} {extracted.form.version}: {said}")
    return 0


def _parameters(options: argparse.Namespace) -> int:
    from ankle_cds import artifacts, parameters  # noqa: PLC0415  # as above

    settings = _settings(options, mode="development")
    packages = list(artifacts.load_all().values())
    parameters.decided(packages, settings)
    found = [(package, parameters.effective(package, settings)) for package in packages]
    if options.json:
        listed = [parameters.as_json(package, held) for package, held in found]
        sys.stdout.write(write_json(listed, indent=2).decode() + "\n")
    else:
        for package, held in found:
            parameters.render(package, held, Console(highlight=False))
    return 0


def _build(options: argparse.Namespace) -> int:
    from ankle_cds import artifacts, publish, validate  # noqa: PLC0415  # as above

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for package in artifacts.load_all().values():
        with console.status(f"Checking the shape of {len(package.resources)} resources"):
            validate.require(package)
        written = publish.publish(package, options.out, release=options.release)
        for notice in (*artifacts.notices(package, _now().date()), *written.notices):
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
            raise _UsageError("There is nothing here; name a package.tgz or the folder of a build.", where=str(path))
    found = difference.between(options.old, options.new)
    if options.json:
        sys.stdout.write(write_json(difference.as_json(found), indent=2).decode() + "\n")
    else:
        difference.draw(found, Console(highlight=False))
    return 0 if found.enough else 1


def _lint(options: argparse.Namespace) -> int:
    from ankle_cds import artifacts, lint  # noqa: PLC0415  # as above

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
    return 0 if green else CONTENT


def _read_again(package: Package, expected: dict[str, Any]) -> Built:
    """Build the package three times into a folder of its own, and read what was written as a stranger would."""
    from ankle_cds import lint, publish, settings, stories  # noqa: PLC0415  # as above
    from ankle_cds.service import discovery_entries  # noqa: PLC0415  # as above

    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, name) for name in ("build", "again", "release")]
        for folder in folders:
            publish.publish(package, folder, release=folder.name == "release")
        files, again, released = map(lint.read_folder, folders)
    checkout = Path(__file__).resolve().parents[2]
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
        if story.condition == package.folder.name
    )
    return lint.Built(
        files=files,
        again=again,
        released=released,
        expected=expected,
        content=package.folder,
        today=_now().date(),
        root=checkout if (checkout / "pyproject.toml").is_file() else None,
        discovery=tuple(discovery_entries(package, settings.load(environment={}, mode="development"))),
        cases=cases,
    )


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
    orders = _draft_orders(options)
    if options.encounter:
        encounters = [one for one in encounters if options.encounter in {one.get("id"), reference(one)}]
    elif len(encounters) > 1:
        encounters = [one for one in encounters if one.get("status") == "in-progress"]
    context = {"userId": "Practitioner/reader", "patientId": _only(patients, "Patient", options.chart), **orders}
    if encounters or options.encounter or not orders:  # an order may be written outside a visit
        context["encounterId"] = _only(encounters, "Encounter", options.chart)
    return {
        "hook": options.hook,
        "hookInstance": "00000000-0000-4000-8000-000000000000",
        "context": context,
        "prefetch": Ehr(chart).prefetch(templates, context),
    }


def _draft_orders(options: argparse.Namespace) -> dict[str, Any]:
    """Give the part of the context that holds draft orders, all of them to be judged; nothing at other hooks."""
    from ankle_cds.hooks import HOOKS  # noqa: PLC0415  # as above

    if HOOKS[options.hook].is_about_orders != (options.draft is not None):
        advice = "Name them with --draft." if options.draft is None else "Leave --draft out, or choose another --hook."
        raise AnkleCdsError(f"Draft orders belong to a hook that asks about orders. {advice}", where=options.hook)
    if options.draft is None:
        return {}
    orders = read_json_file(options.draft)
    if isinstance(orders, dict) and orders.get("resourceType") != "Bundle":
        orders = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": orders}]}
    return {"draftOrders": orders}


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
