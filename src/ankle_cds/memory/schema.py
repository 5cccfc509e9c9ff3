"""The tables, and how a database of an earlier release becomes one of this.

Times are microseconds since 1970 in UTC. No column holds an identifier, a name or a value of a record: hashes are those
of `keys`, codes those of the content and of the override reasons it offers, uuids those of cards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
)

from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

_HASH = String(64)
_UUID = String(36)
_CODE = String(256)
_LOCK = 0x616E6B6C  # any number, the same for every process of ours

METADATA = MetaData()
VERSION = Table("memory_schema", METADATA, Column("version", Integer, primary_key=True, autoincrement=False))
DISPLAYS = Table(
    "memory_displays",
    METADATA,
    Column("scope", _HASH, primary_key=True),
    Column("facts", _HASH, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
)
"""What was last shown in a scope; whose row it is may show it."""
CARDS = Table(
    "memory_cards",
    METADATA,
    Column("uuid", _UUID, primary_key=True),
    Column("recommendation", _CODE, nullable=False),
    Column("issuer", _HASH, nullable=False),
    Column("subject", _HASH, nullable=False),
    Column("encounter", _HASH),
    Column("user", _HASH, nullable=False),
    Column("facts", _HASH, nullable=False),
    Column("suggestions", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
)
"""Each card sent, so that feedback can be understood."""
ANSWERS = Table(
    "memory_answers",
    METADATA,
    Column("id", _HASH, primary_key=True),
    Column("card", _UUID, nullable=False),
    Column("recommendation", _CODE, nullable=False),
    Column("subject", _HASH, nullable=False, index=True),
    Column("encounter", _HASH),
    Column("user", _HASH, nullable=False),
    Column("facts", _HASH, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("suggestions", Text, nullable=False),
    Column("system", _CODE),
    Column("code", _CODE),
    Column("commented", Boolean, nullable=False),
    Column("comment", Text),
    Column("at", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
)
"""Each entry of feedback about a card that was sent."""
TOKENS = Table(
    "memory_tokens",
    METADATA,
    Column("token", _HASH, primary_key=True),
    Column("expires", BigInteger, nullable=False, index=True),
)
"""Each token that was used."""

STEPS: Sequence[Callable[[Connection], None]] = ()
"""STEPS[n] makes a database of version n + 1 one of version n + 2; a new database begins with the tables above."""


def migrate(connection: Connection) -> tuple[int, int]:
    """Bring a database to the tables of this release inside the open transaction; gives its version before and after.

    0 is a database without our tables. Several processes may do it at the same time: one does, the others wait. Raises
    ContentError when the database belongs to a later release.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    wanted = len(STEPS) + 1
    held = version(connection)
    if held > wanted:
        raise ContentError(
            f"The memory was written by a later release (version {held}, this one knows {wanted}); update the program.",
            where="memory",
        )
    if held == 0:
        METADATA.create_all(connection)
        connection.execute(insert(VERSION).values(version=wanted))
    elif held < wanted:
        for step in STEPS[held - 1 :]:
            step(connection)
        connection.execute(VERSION.update().values(version=wanted))
    return held, wanted


def version(connection: Connection) -> int:
    """Give the version of the tables in a database, 0 where there are none."""
    if not inspect(connection).has_table(VERSION.name):
        return 0
    return int(connection.execute(select(VERSION.c.version)).scalar_one())
