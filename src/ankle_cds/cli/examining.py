"""The command that examines a CDS service from outside: conformance."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ankle_cds.cli.usage import UsageError
from ankle_cds.errors import AnkleCdsError
from ankle_cds.fhir import write_json

if TYPE_CHECKING:
    import argparse

    from ankle_cds.cli.usage import Commands
    from ankle_cds.conformance import Subject


def describe(commands: Commands) -> None:
    """Describe the command that examines a CDS service."""
    examine = commands.add_parser(
        "conformance", help="examine a CDS service over HTTP against the rows of CDS Hooks 2.0 and the 3.0 ballot"
    )
    examine.add_argument(
        "--url", help="base URL of the service, without /cds-services (default: our own, started here)"
    )
    examine.add_argument(
        "--request",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="with --url: a hook request the service answers, best with cards; may be given again",
    )
    examine.add_argument("--origin", help="with --url: an origin of browser clients that the service lets in")
    examine.add_argument("--issuer", help="with --url: the registered client whose tokens the service accepts")
    examine.add_argument("--key", type=Path, metavar="FILE", help="with --issuer: its private key (PEM)")
    examine.add_argument("--kid", help="with --issuer: the name of that key")
    examine.add_argument("--audience", metavar="URL", help="with --issuer: base of aud (default: the --url)")
    examine.add_argument(
        "--report",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="what our own tests have shown, a JUnit report; may be given again",
    )
    examine.add_argument("--short", action="store_true", help="leave out the rows that pass")
    examine.add_argument(
        "--json", action="store_true", help="print plain JSON with every finding in place of the tables"
    )
    examine.set_defaults(command=_conformance)


def _conformance(options: argparse.Namespace) -> int:
    from ankle_cds import conformance, lint  # noqa: PLC0415  # each command loads only what it needs

    own = options.url is None
    if own and (options.request or options.origin or options.issuer or options.key or options.kid):
        raise UsageError("--request, --origin and --issuer go with --url; our own service brings its own.")
    client = (options.issuer, options.key, options.kid)
    if any(client) != all(client) or (options.audience and not options.issuer):
        raise UsageError("--issuer, --key and --kid go together.")
    error, out = Console(stderr=True, highlight=False), Console(highlight=False)
    reports = lint.read_reports(options.report)
    with ExitStack() as stack:
        with error.status("Starting") as status:
            subject = stack.enter_context(conformance.own()) if own else _other(options, stack)
            found = conformance.run(subject, lambda name: status.update(name.replace("_", " ")))
        results = conformance.judge(found, own=own, reports=reports)
        scores = list(conformance.score(found, results, reports))
    service = "our own service" if own else options.url
    if options.json:
        sys.stdout.write(write_json(conformance.document(service, results, scores), indent=2).decode() + "\n")
    else:
        conformance.draw(service, results, scores, out, short=options.short)
    return AnkleCdsError.exit_code if any(one.state is conformance.State.FAIL for one in results) else 0


def _other(options: argparse.Namespace, stack: ExitStack) -> Subject:
    """Give the service at another address; the FHIR servers of the examination run where it can reach them only."""
    from urllib.parse import urlsplit  # noqa: PLC0415  # needed here only

    from ankle_cds import conformance  # noqa: PLC0415  # as above
    from ankle_cds.client import RawClient  # noqa: PLC0415  # as above

    base = urlsplit(options.url)
    if base.scheme not in {"http", "https"} or not base.hostname or base.query or base.fragment:
        raise UsageError("--url is the http or https address below which /cds-services stands.")
    near = base.hostname in {"127.0.0.1", "localhost", "::1"}
    signer = None
    if options.issuer:
        signer = conformance.Signer.of_file(options.issuer, options.audience or options.url, options.kid, options.key)
    subject = conformance.Subject(
        options.url,
        stack.enter_context(RawClient()),
        signer=signer,
        origin=options.origin,
        records=stack.enter_context(conformance.Records()) if near else None,
        foreign=stack.enter_context(conformance.Records()) if near else None,
    )
    subject.connect()
    subject.given = tuple(conformance.given(options.request, subject.entries))
    return subject
