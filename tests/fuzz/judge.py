"""Is an answer one that the service may give? Everything that is wrong with it, each in one line.

The answers of the service are known: cards, or an OperationOutcome that is a row of one table. The table is that of
`ankle_cds.errors`; nothing else of the service is used here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from canaries import MARK, found

from ankle_cds.errors import RequestFault, ServiceFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange import Answer
    from kinds import Case

_ROWS = {
    (row.value.status, row.value.issue, row.value.text): row.name
    for table in (RequestFault, ServiceFault)
    for row in table
}
_NAME = re.compile(r"[A-Za-z_]+(?:\.[A-Za-z_]+)*")
_FIELDS = frozenset(
    {
        *("hook", "hookInstance", "context", "prefetch", "fhirServer", "fhirAuthorization", "userId", "patientId"),
        *(
            "encounterId",
            "draftOrders",
            "selections",
            "resourceType",
            "entry",
            "access_token",
            "token_type",
            "feedback",
        ),
        *("card", "outcome", "outcomeTimestamp", "acceptedSuggestions", "id", "overrideReason", "reason", "code"),
        *("system", "userComment"),
    }
)
_CODE = re.compile(
    rb'Traceback|File "|line \d+, in|\.py\b|\bsite-packages\b|pydantic|starlette|uvicorn|httptools|0x[0-9a-f]{8}'
)
_UUID = re.compile(rb"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT[0-9:.+Z-]+|\d{4}-\d\d-\d\d")
_SIDE = re.compile(r"\((?:left|right|both)\)$")
_MARKUP = re.compile(r"<[A-Za-z/!?]")
_INDICATORS = frozenset({"info", "warning", "critical"})
_NOT_JSON = frozenset({"image/png", "text/html; charset=utf-8"})
_DESCRIPTIONS = frozenset({"openapi", "$schema"})
_MAY_BE_EMPTY = frozenset({"cards", "services"})
_SUMMARY = 139
_DETAIL = 2_000
_OK = 200
_NO_CONTENT = 204
_REFUSED = 400


class Judge:
    """Looks at one answer after the other; remembers what is counted."""

    def __init__(self, keys: frozenset[str], *, clock_runs: bool = False) -> None:
        self._names = _FIELDS | keys
        self._clock_runs = clock_runs
        self.examples: dict[str, tuple[Any, dict[Any, Any]]] = {}
        self.rows: Counter[str] = Counter()
        self.shown: Counter[str] = Counter()
        self.cards = 0

    def wrong(self, case: Case, answer: Answer) -> list[str]:
        """Give everything that is wrong with an answer; nothing where all is well."""
        return list(self._wrong(case, answer))

    def _wrong(self, case: Case, answer: Answer) -> Iterator[str]:
        allowed = case.allowed | {_REFUSED} if case.broken else case.allowed
        if answer.status not in allowed and not self._excused(answer):
            yield f"status {answer.status} is not one that may be answered here"
        yield from _headers(answer)
        if trace := _CODE.search(answer.raw()):
            yield f"the answer speaks of code: {trace[0]!r}"
        if answer.status == _NO_CONTENT or case.head_only:
            if answer.body:
                yield "a body where there is none"
        elif answer.header("content-type") not in _NOT_JSON:
            yield from self._body(case, answer)
        elif hits := found(answer.raw()):
            yield f"a planted word in what is no JSON: {hits[0]}"

    def _body(self, case: Case, answer: Answer) -> Iterator[str]:
        try:
            document = json.loads(answer.body.decode(), parse_constant=_refuse, object_pairs_hook=_once)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            yield "the body is not a JSON object"
            return
        if answer.status == _OK and "cards" in document:
            yield from self._cards(document, answer)
            if case.body is not None and not readable(case.body):
                yield "cards for what is not JSON"
        elif hits := found(answer.raw()):
            yield f"a planted word in an answer without cards: {hits[0]}"
        if document.keys() & _DESCRIPTIONS:
            return
        if answer.status >= _REFUSED:
            yield from self._outcome(document, answer.status)
        elif not document.keys() & {"cards", "services", "status", "resourceType"}:
            yield "200 without cards, services, a state or an OperationOutcome"
        yield from _empty(document, "")
        if case.example is not None and answer.status in {_OK, RequestFault.PRECONDITION.value.status}:
            yield from self._same(case.example, answer)

    def _excused(self, answer: Answer) -> bool:
        """Tell whether it is 503 for want of room or time, which any request may meet; they are counted."""
        return answer.status == ServiceFault.BUSY.value.status and b'"code":"t' in answer.body

    def _outcome(self, document: dict[str, Any], status: int) -> Iterator[str]:
        if document.get("resourceType") != "OperationOutcome" or not document.get("issue"):
            yield "a refusal that is no OperationOutcome"
            return
        for number, issue in enumerate(document["issue"]):
            row = (issue.get("code"), issue.get("details", {}).get("text"))
            names = [name for (at, *rest), name in _ROWS.items() if tuple(rest) == row and (number or at == status)]
            if not names or issue.get("severity") != "error":
                yield f"an issue that is no row of the table: {row}"
            if not number:
                self.rows["/".join(names)] += 1
                if ServiceFault.INTERNAL.name in names:
                    yield "an error of our own"
            for name in filter(None, issue.get("diagnostics", "").split(", ")):
                if not _NAME.fullmatch(name) or not set(name.split(".")) <= self._names:
                    yield "diagnostics that are no name of a field or key"

    def _cards(self, document: dict[str, Any], answer: Answer) -> Iterator[str]:
        head = answer.raw()[: -len(answer.body)]
        if hits := found(head):
            yield f"a planted word in a header: {hits[0]}"
        for card in document["cards"]:
            self.cards += 1
            yield from _card(card)
        mark = MARK.lower()
        for where, text in _texts(document, ""):
            if mark in text.lower():
                self.shown[where] += 1
                if ".resource" not in where:
                    yield f"a planted word in a card at {where}: {found(text.encode())[:1]}"

    def _same(self, example: str, answer: Answer) -> Iterator[str]:
        """Compare with earlier answers to the same example: a card may be silenced, but it never changes."""
        plain = _UUID.sub(b"uuid", answer.body)
        if self._clock_runs:
            plain = _TIME.sub(b"time", plain)
        beside, cards = _apart(plain)
        first, known = self.examples.setdefault(example, (beside, {}))
        if first != beside or any(known.setdefault(name, card) != card for name, card in cards):
            yield "another answer than the first to the same request"


def _apart(answer: bytes) -> tuple[Any, list[tuple[Any, Any]]]:
    """Give what an answer holds beside its cards, and its cards, each under its recommendation and its side."""
    document = json.loads(answer)
    cards = document.pop("cards", ())
    return document, [((_topic(card), *_SIDE.findall(str(card.get("summary")))), card) for card in cards]


def _topic(card: Any) -> str:
    return str(card.get("source", {}).get("topic", {}).get("code"))


def _headers(answer: Answer) -> Iterator[str]:
    kind = answer.header("content-type")
    if answer.status != _NO_CONTENT and kind not in {"application/json", *_NOT_JSON}:
        yield f"Content-Type {kind}"
    if answer.header("cache-control") is None or answer.header("x-content-type-options") != "nosniff":
        yield "a header that every answer has is missing"
    try:
        UUID(answer.header("x-request-id") or "")
    except ValueError:
        yield "no request id"
    if answer.header("server") is not None:
        yield "the server says what it is"


def _card(card: dict[str, Any]) -> Iterator[str]:
    summary, detail = card.get("summary", ""), card.get("detail", "")
    if not 0 < _units(summary) <= _SUMMARY or _units(detail) > _DETAIL:
        yield "a card with a summary or detail of the wrong length"
    if _MARKUP.search(summary) or _MARKUP.search(detail):
        yield "a card with HTML in it"
    if card.get("indicator") not in _INDICATORS or not card.get("source", {}).get("label"):
        yield "a card without indicator or source"
    if not re.fullmatch(_UUID, str(card.get("uuid")).encode()):
        yield "a card without an id"
    if bool(card.get("suggestions")) != ("selectionBehavior" in card):
        yield "suggestions without selectionBehavior, or the other way about"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inside in value.items():
            yield f"{where}.{{name}}", name
            # What a client sent may hold any names; below a resource they are one place.
            yield from _texts(inside, f"{where}.{'*' if MARK in name else name}")
    elif isinstance(value, list):
        for inside in value:
            yield from _texts(inside, where)
    elif isinstance(value, str):
        yield where, value


def _empty(value: Any, name: str) -> Iterator[str]:
    """Yield what has no value; a draft order is given back as it came, so resources are not looked into."""
    if value is None or (value in ("", [], {}) and name not in _MAY_BE_EMPTY):
        yield f"an empty value: {name}"
    elif isinstance(value, dict):
        for each, inside in value.items():
            if each != "resource":
                yield from _empty(inside, each)
    elif isinstance(value, list):
        for inside in value:
            yield from _empty(inside, name)


def _refuse(_name: str) -> None:
    raise ValueError


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def readable(body: bytes) -> bool:
    """Tell, by Python's own decoder, whether a body is JSON in UTF-8 without NaN and without a name given twice."""
    try:
        json.loads(body.decode(), parse_constant=_refuse, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return False
    return True


class LogReader:
    """Looks through what a process wrote: each line is one of ours, none tells of a patient, none of a mistake."""

    KNOWN = frozenset(
        {"request", "feedback", "listening", "metrics", "memory purged", "shown without memory", "not protected"}
    )
    TOKENS = re.compile(rb"eyJ[A-Za-z0-9_-]{8}")

    def __init__(self, log: bytes) -> None:
        self.lines: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.slowest = 0.0
        self.read_back = 0
        for hit in found(log):
            self.wrong[f"a planted word in the log: {hit}"] += 1
        for hit in self.TOKENS.findall(log):
            self.wrong[f"the beginning of a token in the log: {hit.decode()}"] += 1
        for line in log.splitlines():
            self._line(line)

    def _line(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            event = entry["event"]
        except (ValueError, TypeError, KeyError):
            self.wrong[f"a line that is not one of ours: {line[:100].decode('latin-1')}"] += 1
            return
        self.lines[event] += 1
        if event not in self.KNOWN:
            self.wrong[f"{entry.get('error')} at {(entry.get('trace') or ['?'])[-1]}"] += 1
        if event == "request":
            self.slowest = max(self.slowest, entry.get("ms", 0.0))  # none where it never was a request
            self.read_back += "fetched" in entry
            if "fault" in entry:
                self.faults[entry["fault"]] += 1
            if entry["status"] is None:
                self.faults["no answer, the caller was gone"] += 1


@cache
def rows() -> frozenset[str]:
    """Give the names of all rows of the table, to tell which were never seen."""
    return frozenset(_ROWS.values())
