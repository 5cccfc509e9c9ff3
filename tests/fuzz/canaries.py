"""Words that nobody would write, put where a record holds what identifies or describes a patient.

Every such word begins with MARK and ends with the number of its request, so that one search finds all of them and each
names the request it came from.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

MARK = "Zqcanary"
"""What every planted word begins with; letters that can stand in a FHIR id."""

_TEXTS = frozenset(
    {
        *("family", "given", "prefix", "suffix", "line", "city", "district", "state", "postalCode", "country"),
        *("text", "display", "title", "description", "comment", "userComment", "div", "note", "value", "username"),
        *(
            "valueString",
            "patientInstruction",
            "conclusion",
            "label",
            "url",
            "contentType",
            "implicitRules",
            "language",
        ),
        *("fullUrl", "scope", "subject", "patient", "data", "unit", "version", "author", "lotNumber", "authorString"),
    }
)
"""Members whose text is free, or holds what is known of a person."""
_IDS = ("patientId", "encounterId", "userId")
_SHAPES = (
    *("~", "~", "~", "~ and more", "<b>~</b>", "<script>~</script>", "<img src=x onerror=~>", "**~**", "~@~.example"),
    *(
        "[~](javascript:~)",
        "![~](http://127.0.0.1/~)",
        "# ~\n\n- ~",
        "| ~ | `~` |",
        "\u202e~\u200b",
        "https://~.example/~",
    ),
    *("~\r\nX-Injected: ~", '{"event": "request", "x": "~"}', "'; DROP TABLE ~; --", "../../~", "\x1b[31m~", "%s%n~"),
    *("${jndi:ldap://~}", "{{context.~}}", "&lt;~&gt;", "~\t~", "{~}", "<!--~-->"),
)


class Canaries:
    """The planted words of one request."""

    def __init__(self, number: int, choose: Random) -> None:
        self._number = number
        self._choose = choose
        self._given = 0

    def word(self) -> str:
        """Give a new word; it is a FHIR id."""
        self._given += 1
        return f"{MARK}{self._number}x{self._given}"

    def text(self) -> str:
        """Give a new word, mostly inside what a page, a log, a database or a terminal may take for more than text."""
        return str(self._choose.choice(_SHAPES)).replace("~", self.word())

    def plant(self, document: dict[str, Any], share: float = 0.5) -> dict[str, Any]:
        """Give a copy with new words in this share of what is free text, and for some of the ids of the context."""
        renamed = {}
        context = document.get("context")
        if isinstance(context, dict):
            for name in _IDS:
                known = context.get(name)
                if isinstance(known, str) and self._choose.random() < share:
                    renamed[known.rpartition("/")[2]] = self.word()
        planted: dict[str, Any] = self._copy(document, "", renamed, share)
        if self._choose.random() < share:
            planted[self.word()] = {self.word(): self.text()}
        return planted

    def _copy(self, value: Any, name: str, renamed: dict[str, str], share: float) -> Any:
        if isinstance(value, dict):
            return {each: self._copy(inside, each, renamed, share) for each, inside in value.items()}
        if isinstance(value, list):
            return [self._copy(inside, name, renamed, share) for inside in value]
        if isinstance(value, str):
            head, slash, last = value.rpartition("/")
            if last in renamed and name != "code":
                return f"{head}{slash}{renamed[last]}"
            if name in _TEXTS and self._choose.random() < share:
                return self.text()
            if name == "id" and self._choose.random() < share / 4:
                return self.word()
        return value


def _encodings() -> Iterator[bytes]:
    """Give the forms in which the mark may stand: as it is, in hexadecimal, and in Base64 at each offset."""
    mark = MARK.encode()
    yield mark
    yield mark.hex().encode()
    yield b"%" + mark.hex("%").encode()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + mark)
        yield encoded[(0, 2, 3)[offset] : -4]


SEARCH = re.compile(b"|".join(re.escape(form) for form in _encodings()), re.IGNORECASE)
"""Finds a planted word in what the service gives out."""


def found(data: bytes) -> list[str]:
    """Give what was found of planted words, each with a little of what stands after it."""
    return [data[hit.start() : hit.end() + 16].decode("latin-1") for hit in SEARCH.finditer(data)]
