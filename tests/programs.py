"""Programs that a test asks for an opinion: where they are, and what they say."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def needs(program: str) -> pytest.MarkDecorator:
    """Skip a test, with the reason, where a program is not there."""
    return pytest.mark.skipif(found(program) is None, reason=f"{program} is not installed")


def found(program: str) -> str | None:
    """Find a program that pip installed beside Python, or one of the path."""
    beside = Path(sys.executable).parent / program
    return str(beside) if beside.exists() else shutil.which(program)


def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(found(program)), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)  # noqa: S603 -- ours
