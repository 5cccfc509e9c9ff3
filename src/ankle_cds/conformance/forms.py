"""The form of small things: addresses and Codings. https://cds-hooks.hl7.org/2.0/#coding ."""

from __future__ import annotations

import re


def is_absolute(url: object) -> bool:
    """Tell whether this is an absolute http(s) address."""
    return isinstance(url, str) and bool(re.fullmatch(r"https?://[^\s/]+[^\s]*", url))


def is_coding(value: object) -> bool:
    """Tell whether this is a Coding with code and system, the system an absolute URI."""
    if not isinstance(value, dict):
        return False
    code, system = value.get("code"), value.get("system")
    return isinstance(code, str) and bool(code) and isinstance(system, str) and ":" in system
