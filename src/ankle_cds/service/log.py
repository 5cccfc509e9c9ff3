"""One line of JSON per request: what was asked and answered and how long it took, never whose record it was about."""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path
from typing import Any

from ankle_cds.errors import AnkleCdsError

LOGGER = logging.getLogger("ankle_cds.service")


def write(event: str, **members: Any) -> None:
    """Write one line; members that are None are left out."""
    line = {"event": event} | {name: value for name, value in members.items() if value is not None}
    LOGGER.info(json.dumps(line, ensure_ascii=True, default=str))


def write_warning(event: str, **members: Any) -> None:
    """Write one line about what the service can do without, but not well."""
    LOGGER.warning(json.dumps({"event": event} | members, ensure_ascii=True, default=str))


def write_failure(request_id: str, error: BaseException) -> None:
    """Write where our own code failed: the kind of error and the lines of code, not its message.

    A message may quote the value it stumbled over; only our own errors promise that theirs does not.
    """
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    ours = str(error) if isinstance(error, AnkleCdsError) else None
    members = {"request": request_id, "error": type(error).__name__, "message": ours, "trace": lines}
    LOGGER.error(json.dumps({"event": "failure"} | members, ensure_ascii=True))


def to_standard_error() -> None:
    """Send the lines to standard error, where nothing else has been configured."""
    if not LOGGER.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        LOGGER.addHandler(handler)
        LOGGER.setLevel(logging.INFO)
        LOGGER.propagate = False
