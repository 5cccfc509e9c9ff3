"""The commands for what the service remembers: memory status, memory migrate, memory purge."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ankle_cds.cli.usage import Parser, now, site_settings
from ankle_cds.errors import AnkleCdsError
from ankle_cds.fhir import write_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from ankle_cds.cli.usage import Commands


def describe(commands: Commands) -> None:
    """Describe the commands for the memory."""
    memory = commands.add_parser("memory", help="look at, update or empty the memory of what was shown and answered")
    doing = memory.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    status = doing.add_parser("status", help="say how much is remembered, and how often each card was answered how")
    migrate = doing.add_parser("migrate", help="bring the tables to this release (the service does it when it starts)")
    purge = doing.add_parser("purge", help="delete what expired (the service does it every hour)")
    purge.add_argument("--all", action="store_true", help="delete everything, used tokens too")
    for parser, command in ((status, _status), (migrate, _migrate), (purge, _purge)):
        parser.add_argument("--config", type=Path, metavar="FILE", help="site configuration (YAML)")
        parser.add_argument("--json", action="store_true", help="print plain JSON in place of words")
        parser.set_defaults(command=command)


def _status(options: argparse.Namespace) -> int:
    from ankle_cds import memory  # noqa: PLC0415  # each command loads only what it needs

    with _database(options) as engine:
        found = memory.status(engine)
    counts = [
        {"recommendation": recommendation, "outcome": outcome, "code": code, "count": count}
        for recommendation, outcome, code, count in found.answers
    ]
    members = {"version": found.version, "wanted": found.wanted, "rows": dict(found.rows), "answers": counts}

    def words(console: Console) -> None:
        console.print(f"tables of version {found.version}, this release has {found.wanted}")
        for name, number in found.rows.items():
            console.print(f"{name}: {number}")
        for one in counts:
            count = f"fewer than {memory.SMALLEST}" if one["count"] is None else one["count"]
            reason = f" ({one['code']})" if one["code"] else ""
            console.print(f"{one['recommendation']} {one['outcome']}{reason}: {count}")

    return _say(options, members, words)


def _migrate(options: argparse.Namespace) -> int:
    from ankle_cds import memory  # noqa: PLC0415  # as above

    with _database(options) as engine, engine.begin() as connection:
        before, after = memory.migrate(connection)
    said = f"nothing to do, version {after}" if before == after else f"from version {before} to {after}"
    return _say(options, {"before": before, "after": after}, lambda console: console.print(said))


def _purge(options: argparse.Namespace) -> int:
    from ankle_cds import memory  # noqa: PLC0415  # as above

    with _database(options) as engine:
        if memory.status(engine).version == 0:
            deleted: dict[str, int] = {}
        else:
            deleted = dict(memory.purge(engine, memory.since_1970(now()), everything=options.all).rows)
    said = ", ".join(f"{name} {number}" for name, number in deleted.items()) or "nothing: there are no tables"
    return _say(options, {"deleted": deleted}, lambda console: console.print(f"deleted: {said}"))


def _say(options: argparse.Namespace, members: dict[str, Any], words: Callable[[Console], object]) -> int:
    if options.json:
        sys.stdout.write(write_json(members, indent=2).decode() + "\n")
    else:
        words(Console(highlight=False, soft_wrap=True))
    return 0


@contextmanager
def _database(options: argparse.Namespace) -> Iterator[Engine]:
    """Connect to the memory of the site; raises AnkleCdsError where it has none, or it cannot be asked."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  # as above

    from ankle_cds import memory  # noqa: PLC0415  # as above

    settings = site_settings(options)
    where = settings.where("memory")
    if settings.effective_memory is None:
        raise AnkleCdsError("This site has no memory; write its URL in `memory`.", where=where)
    engine = memory.connect(memory.read_url(settings.effective_memory, where=where), where=where)
    try:
        yield engine
    except SQLAlchemyError as error:
        raise AnkleCdsError(f"The memory could not be asked: {type(error).__name__}.", where=where) from None
    finally:
        engine.dispose()
