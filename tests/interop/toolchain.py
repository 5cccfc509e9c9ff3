"""What the second opinions run on: a JDK with Maven, or Node with npm; everything else they fetch into a cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]


def cache_folder() -> Path:
    """Return where downloaded and compiled things are kept: ankle-cds/ in $XDG_CACHE_HOME, else in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").resolve() / "ankle-cds"


def needs(*programs: str, files: Sequence[Path] = ()) -> pytest.MarkDecorator:
    """Return the mark of a test that is skipped, with the reason, where a program or file is absent.

    Under continuous integration (CI=true) it is not skipped: there the test fails for what is not there.
    """
    absent = [f"{program} is not installed" for program in programs if shutil.which(program) is None]
    absent += [f"{path.name} is not in {path.parent}" for path in files if not path.is_file()]
    skipped = bool(absent) and os.environ.get("CI") != "true"
    return pytest.mark.skipif(skipped, reason=f"second opinion not run: {'; '.join(absent)}")


def run(
    command: Sequence[str | Path], *, stdin: str | None = None, folder: Path | None = None, timeout: float = 1200
) -> str:
    """Return the standard output of a command; fail the test with all it said when the command fails."""
    program = shutil.which(command[0])
    assert program is not None, f"{command[0]} is not installed"
    done = subprocess.run(  # noqa: S603 -- the arguments are ours
        [program, *(str(part) for part in command[1:])],
        input=stdin,
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        said = f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        pytest.fail(f"{command[0]} ended with {done.returncode}:\n{said}", pytrace=False)
    return done.stdout


def java_classpath(folder: Path, main: str) -> str:
    """Return the class path of a Java program of ours, built once into the cache."""
    return run([sys.executable, PROJECT / ".ci" / "translator" / "java_tool.py", folder, main]).strip()


def node_folder(folder: Path) -> Path:
    """Return a copy of a Node folder with its locked packages installed, made once into the cache."""
    sources = sorted(path for path in folder.iterdir() if path.suffix in {".json", ".mjs"})
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    ready = cache_folder() / f"node-{folder.name}-{key}"
    if not ready.exists():
        ready.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=ready.parent) as temporary:
            made = Path(temporary) / "made"
            made.mkdir()
            for path in sources:
                shutil.copy(path, made)
            run(["npm", "ci", "--prefix", made, "--ignore-scripts", "--no-audit", "--no-fund"])
            made.rename(ready)
    return ready
