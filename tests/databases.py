"""A database for a test: a file, or a PostgreSQL server that is started for the tests and removed again.

The server is looked for in the folder named by POSTGRESQL_BIN and where the program `postgres` of the path is.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

KINDS = ("sqlite", "postgresql")
both = pytest.mark.parametrize("kind", KINDS)
_NUMBERS = itertools.count(1)


def new_database(kind: str, folder: Path) -> str:
    """Give the URL of an empty database; skips the test where there is no PostgreSQL."""
    if kind == "sqlite":
        return f"sqlite:///{folder / 'memory.sqlite3'}"
    server = running()
    if server is None:
        pytest.skip("PostgreSQL is not installed: no program `postgres` in the path or in POSTGRESQL_BIN")
    name = f"memory_{next(_NUMBERS)}"
    engine = create_engine(_url(server, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return _url(server, name)


def _url(server: Path, database: str) -> str:
    return f"postgresql+psycopg://postgres@/{database}?host={server}"


def programs() -> Path | None:
    """Find the folder that holds postgres and initdb."""
    found = os.environ.get("POSTGRESQL_BIN") or shutil.which("postgres")
    if not found:
        return None
    place = Path(found).resolve()
    place = place if place.is_dir() else place.parent
    return place if (place / "initdb").exists() else None


@cache
def running() -> Path | None:
    """Start the server, once; gives the folder of its socket, None where it is not installed."""
    place = programs()
    if place is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="ankle-pg-"))
    data = folder / "data"
    data.mkdir()
    owner = _owner()
    if owner is not None:  # the server refuses to run as root
        for path in (folder, data):
            shutil.chown(path, owner)
    command = [place / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
    subprocess.run(command, check=True, capture_output=True, user=owner, cwd=folder)  # noqa: S603  # ours
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "max_connections=100"]
    log = (folder / "log").open("wb")
    server = subprocess.Popen(  # noqa: S603  # ours
        [place / "postgres", "-D", data, *options], stdout=log, stderr=log, user=owner, cwd=folder
    )

    def stop() -> None:
        server.send_signal(signal.SIGINT)  # ends what is still connected
        server.wait(30)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    for _ in range(300):
        if (folder / ".s.PGSQL.5432").exists() and _answers(folder):
            return folder
        time.sleep(0.1)
    raise RuntimeError((folder / "log").read_text("utf-8"))


def _answers(folder: Path) -> bool:
    engine = create_engine(_url(folder, "postgres"))
    try:
        with engine.connect():
            return True
    except Exception:  # noqa: BLE001  # not yet
        return False
    finally:
        engine.dispose()


def _owner() -> str | None:
    if os.geteuid() != 0:
        return None
    import pwd  # noqa: PLC0415  # there is none on Windows

    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
