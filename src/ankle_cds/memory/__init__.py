"""What was shown and what was answered, so that a card is not repeated while nothing has changed.

    keys       patients, encounters and users as keyed hashes: nothing here says who they are
    rules      the table of suppressions: what silences a card, in which scope, for how long
    reasons    which override reason comes under which rule: read from the content
    schema     the tables, and how a database of an earlier release becomes one of this
    database   SQLite or PostgreSQL, set so that what was acknowledged is not lost
    store      one transaction each: show, answer, use a token
    retention  what has outlived its use is deleted; counts in which nobody can be found
    recall     the same for an event loop: threads, a time limit, and what to do when the database is gone

A card whose facts changed is always shown, and so is every card while the memory cannot be asked: what is forgotten is
repeated, never hidden.
"""

from ankle_cds.memory.database import connect, read_url
from ankle_cds.memory.keys import Keys
from ankle_cds.memory.reasons import read_reasons
from ankle_cds.memory.recall import Memory, MemoryUnavailableError, SharedReplay, since_1970
from ankle_cds.memory.retention import SMALLEST, Deleted, Status, purge, status
from ankle_cds.memory.rules import RULES, Durations, Offer, Said, rule_for_answer, rule_for_display, silences
from ankle_cds.memory.schema import migrate
from ankle_cds.memory.store import Answer, Recorded, Store

__all__ = [
    "RULES",
    "SMALLEST",
    "Answer",
    "Deleted",
    "Durations",
    "Keys",
    "Memory",
    "MemoryUnavailableError",
    "Offer",
    "Recorded",
    "Said",
    "SharedReplay",
    "Status",
    "Store",
    "connect",
    "migrate",
    "purge",
    "read_reasons",
    "read_url",
    "rule_for_answer",
    "rule_for_display",
    "silences",
    "since_1970",
    "status",
]
