#!/usr/bin/env python3
"""Make a small Java program of ours runnable: download what its pom.xml pins, compile it, keep both in a cache.

As a command, `java_tool.py FOLDER MAIN` prints the class path for FOLDER/pom.xml and FOLDER/MAIN.java.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


class ToolError(Exception):
    """A program is not there, or failed; the message holds all it said."""


def cache_folder() -> Path:
    """Return where downloaded and compiled things are kept: ankle-cds/ in $XDG_CACHE_HOME, else in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").resolve() / "ankle-cds"


def run(command: list[str]) -> str:
    """Return the standard output of a command; raise ToolError with all it said when it fails or is not there."""
    program = shutil.which(command[0])
    if program is None:
        raise ToolError(f"{command[0]} is not installed: this needs a JDK (17 or later) and Maven.")
    done = subprocess.run(  # noqa: S603 -- the arguments are ours
        [program, *command[1:]], capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        raise ToolError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def classpath(folder: Path, main: str) -> str:
    """Return the class path of the compiled program; its pom.xml and source are built once as they are."""
    sources = [folder / "pom.xml", folder / f"{main}.java"]
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    ready = cache_folder() / f"java-{main.lower()}-{key}"
    if not ready.exists():
        ready.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=ready.parent) as temporary:
            made = Path(temporary) / "made"
            (made / "classes").mkdir(parents=True)
            goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={made / 'lib'}"]
            run(["mvn", "-q", "-B", "-f", str(sources[0]), *goal])
            compiler = ["javac", "-encoding", "UTF-8", "-cp", f"{made / 'lib'}/*", "-d", str(made / "classes")]
            run([*compiler, str(sources[1])])
            try:
                made.rename(ready)
            except OSError:
                if not ready.exists():  # else another process made it meanwhile
                    raise
    return f"{ready / 'classes'}{os.pathsep}{ready / 'lib'}/*"


def main() -> int:
    """Print the class path; exit 1 with the reason when it can't be made."""
    try:
        sys.stdout.write(classpath(Path(sys.argv[1]).resolve(), sys.argv[2]) + "\n")
    except ToolError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
