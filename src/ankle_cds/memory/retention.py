"""What has outlived its use is deleted, and what is counted is counted so that nobody can be found in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select

from ankle_cds.memory.schema import ANSWERS, CARDS, DISPLAYS, STEPS, TOKENS, version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine

SMALLEST = 11
"""Smaller groups are not told: https://resdac.org/articles/cms-cell-size-suppression-policy ."""
_TABLES = {"displays": DISPLAYS, "cards": CARDS, "answers": ANSWERS, "tokens": TOKENS}


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many rows of each table were deleted, by its name without prefix."""

    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Status:
    """The version of the tables and of this release, rows by table, and how often each card was answered how.

    `answers` are recommendation, outcome, override code (None for none) and count; a count below the smallest group
    that may be told is None. Without our tables everything is empty.
    """

    version: int
    wanted: int
    rows: Mapping[str, int]
    answers: tuple[tuple[str, str, str | None, int | None], ...]


def purge(engine: Engine, now: int, *, everything: bool = False) -> Deleted:
    """Delete what expired by `now` (microseconds since 1970), or everything there is, in one transaction."""
    with engine.begin() as connection:
        found = {}
        for name, table in _TABLES.items():
            statement = delete(table) if everything else delete(table).where(table.c.expires <= now)
            found[name] = connection.execute(statement).rowcount
    return Deleted(found)


def status(engine: Engine) -> Status:
    """Look at a memory without changing it."""
    wanted = len(STEPS) + 1
    with engine.begin() as connection:
        held = version(connection)
        if held != wanted:
            return Status(held, wanted, {}, ())
        rows = {
            name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
            for name, table in _TABLES.items()
        }
        groups = (ANSWERS.c.recommendation, ANSWERS.c.accepted, ANSWERS.c.code)
        counted = connection.execute(select(*groups, func.count()).group_by(*groups).order_by(*groups))
        told = tuple(_told(*row) for row in counted)
    return Status(held, wanted, rows, told)


def _told(recommendation: str, accepted: Any, code: str | None, count: int) -> tuple[str, str, str | None, int | None]:
    outcome = "accepted" if accepted else "overridden"
    return recommendation, outcome, code, count if count >= SMALLEST else None
