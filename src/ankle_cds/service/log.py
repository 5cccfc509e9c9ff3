"""One line of JSON per request: what was asked and answered and how long it took, never whose record it was about.

What other libraries have to say in the process becomes a line of the same form.
"""

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
    ours = str(error) if isinstance(error, AnkleCdsError) else None
    members = {"request": request_id, "error": type(error).__name__, "message": ours, "trace": _trace(error)}
    LOGGER.error(json.dumps({"event": "failure"} | members, ensure_ascii=True))


def _trace(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


def to_standard_error() -> None:
    """Send the lines of the whole process to standard error, where nothing else has been configured.

    Of others, warnings and errors; of the HTTP server only errors: what it warns of is a request, which has its line.
    """
    everything = logging.getLogger()
    if not everything.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(_OneLine())
        everything.addHandler(handler)
        LOGGER.setLevel(logging.INFO)
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        logging.captureWarnings(True)


class _OneLine(logging.Formatter):
    """Makes a line of JSON of whatever is logged; ours are that already."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line: of a message its first line, of an exception its class and the lines of code.

        What else they hold may quote a value; our own errors are told by `write_failure`.
        """
        if record.name == LOGGER.name:
            return record.getMessage()
        first = (record.getMessage().splitlines() or [""])[0]
        line: dict[str, Any] = {
            "event": "log",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": first,
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line |= {"error": type(error).__name__, "trace": _trace(error)}
        return json.dumps(line, ensure_ascii=True)
