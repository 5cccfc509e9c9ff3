"""What all commands share: mistakes in the command line, the site's settings, and the clock."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from ankle_cds.errors import AnkleCdsError

if TYPE_CHECKING:
    from ankle_cds.settings import Settings

USAGE = 64


class UsageError(AnkleCdsError):
    """The command line cannot be followed, which only became clear after it was read."""

    exit_code = USAGE


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes have an exit code of their own: 2 says that content is wrong."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the mistake, and end with the exit code of the command line."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Parser]  # noqa: SLF001  # argparse has no public name for it


def site_settings(options: argparse.Namespace, **given: Any) -> Settings:
    """Give the settings of the `--config` file, or the defaults; raises ContentError where they are wrong."""
    from ankle_cds import settings  # noqa: PLC0415  # each command loads only what it needs

    return settings.load(options.config, **given)


def moment(text: str) -> datetime:
    """Read a time with its offset; a time without one would mean another moment on another machine."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        read = datetime.min  # noqa: DTZ901  # has no offset: refused below
    if read.tzinfo is None:
        raise argparse.ArgumentTypeError("a time such as 2026-03-12T09:30:00-07:00 is needed")
    return read


def now() -> datetime:
    """Ask the clock; below this door time is an argument."""
    return datetime.now(UTC).astimezone()
