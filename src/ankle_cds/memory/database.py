"""The database: SQLite in a file by default, PostgreSQL by URL; set so that what was committed stays.

SQLite: write-ahead log, and every commit reaches the disk before it returns (https://sqlite.org/pragma.html#pragma_synchronous);
what is deleted is overwritten. PostgreSQL: commits wait for the log (synchronous_commit) whatever the server's default.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

_SPECIFICATION = "https://docs.sqlalchemy.org/en/20/core/engines.html#database-urls"
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "secure_delete=ON",
    "trusted_schema=OFF",
    "journal_size_limit=4194304",
)
_WAIT = 2  # seconds for a lock or a connection
_OWNER_ONLY = 0o600


def read_url(text: str, *, where: str = "memory") -> URL:
    """Read the URL of a database; raises ContentError, which does not repeat it, for any but SQLite and PostgreSQL."""
    try:
        url = make_url(text)
    except ArgumentError:
        url = None
    kinds = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}
    if url is None or url.drivername not in kinds:
        raise ContentError(
            "The memory is kept at sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE, or it is `none`.",
            where=where,
            spec=_SPECIFICATION,
        )
    if url.drivername == "sqlite" and not url.database:
        raise ContentError("The memory needs a file: sqlite:///FILE.", where=where, spec=_SPECIFICATION)
    return url.set(drivername=kinds[url.drivername])


def connect(url: URL, *, where: str = "memory") -> Engine:
    """Make the engine; nothing is opened yet, but for the file of an embedded database, which only its owner can read.

    Raises ContentError when the file cannot be made or the driver is not installed.
    """
    if url.drivername == "sqlite":
        return _embedded(url, where)
    options = f"-c synchronous_commit=on -c statement_timeout={_WAIT * 1000} -c lock_timeout={_WAIT * 1000}"
    given: dict[str, Any] = {"connect_timeout": _WAIT, "options": options, "application_name": "ankle-cds"}
    try:
        return create_engine(url, connect_args=given, pool_pre_ping=True, pool_timeout=_WAIT, hide_parameters=True)
    except (ModuleNotFoundError, NoSuchModuleError):
        raise ContentError(
            "The driver for PostgreSQL is not installed: pip install 'ankle-cds[postgresql]'.", where=where
        ) from None


def _embedded(url: URL, where: str) -> Engine:
    file = str(url.database)
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, _OWNER_ONLY))
    except OSError as error:
        raise ContentError(f"The file of the memory cannot be opened: {error.strerror}.", where=where) from None
    engine = create_engine(url, connect_args={"timeout": _WAIT}, pool_timeout=_WAIT, hide_parameters=True)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins no transactions of its own
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """Take the only writer's place at once: a transaction that reads first could not be sure to write."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
