"""The commands that run the guideline: demo, serve, explain, parameters."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ankle_cds.cli.chart import hook_request, offering, read_chart
from ankle_cds.cli.usage import moment, now, site_settings
from ankle_cds.errors import AnkleCdsError
from ankle_cds.fhir import write_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ankle_cds.artifacts import Package
    from ankle_cds.cli.usage import Commands
    from ankle_cds.settings import Settings


def describe(commands: Commands) -> None:
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
        "--clock", type=moment, metavar="TIME", help="with --dev: evaluate as if it were TIME (ISO 8601)"
    )
    serve.add_argument("--config", type=Path, metavar="FILE", help="site configuration (YAML)")
    serve.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on (default 8080)")
    serve.add_argument(
        "--check-config", action="store_true", help="read configuration and content, say what would be served, and end"
    )
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
    explain.add_argument("--clock", type=moment, metavar="TIME", help="evaluate as if it were TIME (default: now)")
    explain.add_argument("--config", type=Path, metavar="FILE", help="site configuration (YAML)")
    explain.add_argument("--json", action="store_true", help="print plain JSON in place of the drawing")
    explain.set_defaults(command=_explain)

    parameters = commands.add_parser("parameters", help="list every parameter with its effective value, unit and basis")
    parameters.add_argument("--config", type=Path, metavar="FILE", help="site configuration (YAML)")
    parameters.add_argument("--json", action="store_true", help="print plain JSON in place of the drawing")
    parameters.set_defaults(command=_parameters)


def _demo(options: argparse.Namespace) -> int:
    from ankle_cds import demo  # noqa: PLC0415  # each command loads only what it needs

    return demo.run(
        names=options.story, keep=options.keep, port=options.port, as_json=options.json, update=options.update
    )


def _serve(options: argparse.Namespace) -> int:
    from ankle_cds import artifacts, service  # noqa: PLC0415  # each command loads only what it needs

    if options.clock is not None and not options.dev:
        raise AnkleCdsError("--clock works in development only; add --dev, or leave it out.")
    settings = site_settings(options, mode="development" if options.dev else None, host=options.host, port=options.port)
    settings.refuse_open_production()  # before the content is read: this is the faster answer
    clock = (lambda: options.clock) if options.clock is not None else now
    packages = artifacts.load_all()
    app = service.create_app(packages, settings, clock)
    if options.check_config:
        Console(highlight=False, soft_wrap=True).print("\n".join(_would_serve(packages, settings)), markup=False)
    else:
        service.run(app, settings)
    return 0


def _would_serve(packages: dict[str, Package], settings: Settings) -> Iterator[str]:
    from ankle_cds.service import offered_hooks  # noqa: PLC0415  # each command loads only what it needs

    for service_id, package in packages.items():
        yield f"{service_id} {package.version}: {', '.join(offered_hooks(package))}"
    clients = f", {len(settings.clients)} clients" if settings.effective_auth != "none" else ""
    yield f"auth: {settings.effective_auth}{clients}"
    memory = settings.effective_memory
    yield f"memory: {'none' if memory is None else memory.partition(':')[0]}"
    metrics = f"{settings.metrics_host}:{settings.metrics_port}" if settings.metrics_port is not None else "none"
    yield f"metrics: {metrics}"
    yield f"traces: {settings.traces or 'none'}"
    yield f"address: {settings.host}:{settings.port}, called as {settings.public_base_url or 'not said'}"
    yield "The configuration can be served; nothing was started."


def _explain(options: argparse.Namespace) -> int:
    from ankle_cds import artifacts, explain, guidance, hooks, prefetch  # noqa: PLC0415  # as above
    from ankle_cds.service import guidance_settings  # noqa: PLC0415  # as above

    chart = read_chart(options.chart)
    package = offering(artifacts.load_all(), options.hook)
    body = hook_request(chart, options, prefetch.templates(package, options.hook))
    request = hooks.read_request(body)
    data = asyncio.run(prefetch.gather(request, package, None))
    settings = guidance_settings({package.service_id: package}, site_settings(options, mode="development"))
    given = guidance.respond(package, request, data, settings, options.clock or now())
    explanation = explain.explain(given, package)
    if options.json:
        sys.stdout.write(write_json(explanation, indent=2).decode() + "\n")
    else:
        explain.render(explanation, Console(highlight=False))
    return 0


def _parameters(options: argparse.Namespace) -> int:
    from ankle_cds import artifacts, parameters  # noqa: PLC0415  # as above

    settings = site_settings(options, mode="development")
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
