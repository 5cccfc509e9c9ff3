"""The command line: one door per user, exit codes that mean something.

0  done
1  a demonstration story answered differently from what is expected, a resource is not what its profile says, a version
   went up less than its changes need, a CDS service breaks a rule of CDS Hooks, or the command could not do its work
2  our content, the configuration or a file that was given is wrong; nothing was started or written
3  another server did not do its part
64 the command line itself is wrong
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ankle_cds import __version__
from ankle_cds.cli import checklist, examining, publishing, questions, remembering, running
from ankle_cds.cli.usage import USAGE, Parser
from ankle_cds.errors import AnkleCdsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

__all__ = ["USAGE", "main", "parser"]

_DESCRIPTION = "Computable guideline for posterior ankle impingement, and the CDS Hooks service that runs it."


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
    top = Parser(prog="ankle-cds", description=_DESCRIPTION)
    top.add_argument("--version", action="version", version=f"ankle-cds {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    for room in (running, questions, remembering, publishing, checklist, examining):
        room.describe(commands)
    return top
