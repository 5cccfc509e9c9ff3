"""The part of FHIRPath that the forms use, compiled once; an expression with anything else is refused on loading.

Paths, `%name`, `$this`, strings, whole numbers, true, false; `where`, `exists`, `empty`, `iif`, `today`; the operators
`and`, `=`, `!=`, `<=` (days), `&`, and a day minus a number of years. Empty is FHIRPath's unknown and stays it.
http://hl7.org/fhirpath/N1/
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ankle_cds.errors import ContentError

SPEC = "http://hl7.org/fhirpath/N1/"
_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\['\\])*')|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)|(?P<variable>%\w+)"
    r"|(?P<symbol>\$this|!=|<=|[().,=&-]))"
)
_DAY = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d).*)?)?", re.DOTALL)
_CHOICE = re.compile(r"value[A-Z]\w*")  # value[x] is written value in a path and valueCoding ... in JSON
_ONE, _BOTH = 1, 2


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression can refer to: variables by name, each a collection, and the day that is today."""

    variables: Mapping[str, list[Any]]
    today: date


Expression = Callable[[Scope, list[Any]], list[Any]]


def compile_expression(text: str, variables: frozenset[str]) -> Expression:
    """Compile an expression that may refer to `variables`; raise ContentError for whatever cannot be executed here."""
    parser = _Parser(_tokens(text), variables)
    expression = parser.conjunction()
    parser.end()
    return expression


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise _unsupported(text[position:].strip()[:1])
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return [*tokens, ("end", "")]


def _unsupported(part: str) -> ContentError:
    return ContentError(
        f"`{part or 'the end'}` is not of the part of FHIRPath that is executed here; write the expression without it.",
        spec=SPEC,
    )


class _Parser:
    """Recursive descent in the precedence of the specification, tightest last."""

    def __init__(self, tokens: list[tuple[str, str]], variables: frozenset[str]) -> None:
        self._tokens = tokens
        self._variables = variables
        self._next = 0

    def end(self) -> None:
        if self._tokens[self._next][0] != "end":
            raise _unsupported(self._tokens[self._next][1])

    def conjunction(self) -> Expression:
        left = self._equality()
        while self._take("and"):
            left = _joined(_and, left, self._equality())
        return left

    def _equality(self) -> Expression:
        left = self._inequality()
        while True:
            if self._take("="):
                left = _joined(_equal, left, self._inequality())
            elif self._take("!="):
                left = _joined(_unequal, left, self._inequality())
            else:
                return left

    def _inequality(self) -> Expression:
        left = self._sum()
        return _joined(_not_after, left, self._sum()) if self._take("<=") else left

    def _sum(self) -> Expression:
        left = self._path()
        while True:
            if self._take("&"):
                left = _joined(_text, left, self._path())
            elif self._take("-"):
                left = self._earlier(left)
            else:
                return left

    def _earlier(self, left: Expression) -> Expression:
        kind, number = self._pop()
        if kind != "number" or not (self._take("years") or self._take("year")):
            raise _unsupported("-")
        return lambda scope, focus: [_years_before(day, int(number)) for day in left(scope, focus)]

    def _path(self) -> Expression:
        left = self._term()
        while self._take("."):
            left = self._step(left)
        return left

    def _term(self) -> Expression:
        kind, text = self._tokens[self._next]
        if text == "(":
            self._next += 1
            inner = self.conjunction()
            self._expect(")")
            return inner
        if kind == "name" and text not in {"true", "false"}:
            return self._step(_focus)
        self._next += 1
        if text == "$this":
            return _focus
        if kind == "variable":
            name = text[1:]
            if name not in self._variables:
                raise _unsupported(text)
            return lambda scope, _: scope.variables[name]
        if kind not in _CONSTANTS:
            raise _unsupported(text)
        constant = [_CONSTANTS[kind](text)]
        return lambda _scope, _focus: constant

    def _step(self, left: Expression) -> Expression:
        kind, name = self._pop()
        if kind != "name":
            raise _unsupported(name)
        if not self._take("("):
            return lambda scope, focus: [value for node in left(scope, focus) for value in _members(node, name)]
        arguments = []
        while not self._take(")"):
            arguments.append(self.conjunction())
            if not self._take(","):
                self._expect(")")
                break
        return self._function(name, left, arguments)

    def _function(self, name: str, left: Expression, arguments: list[Expression]) -> Expression:
        match name, arguments:
            case "where", [test]:
                return lambda scope, focus: [node for node in left(scope, focus) if _holds(test(scope, [node])) is True]
            case "exists", []:
                return lambda scope, focus: [bool(left(scope, focus))]
            case "empty", []:
                return lambda scope, focus: [not left(scope, focus)]
            case "today", [] if left is _focus:
                return lambda scope, _: [scope.today]
            case "iif", [test, then, other] if left is _focus:
                return lambda scope, focus: (then if _holds(test(scope, focus)) is True else other)(scope, focus)
        raise _unsupported(f"{name}()")

    def _pop(self) -> tuple[str, str]:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _take(self, text: str) -> bool:
        kind, found = self._tokens[self._next]
        if found != text or kind in {"string", "end"}:
            return False
        self._next += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise _unsupported(self._tokens[self._next][1])


def _focus(_scope: Scope, focus: list[Any]) -> list[Any]:
    return focus


def _joined(operator: Callable[[list[Any], list[Any]], list[Any]], left: Expression, right: Expression) -> Expression:
    return lambda scope, focus: operator(left(scope, focus), right(scope, focus))


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


_CONSTANTS: dict[str, Callable[[str], Any]] = {"string": _unquoted, "number": int, "name": lambda word: word == "true"}


def _members(node: Any, name: str) -> list[Any]:
    if not isinstance(node, dict):
        return []
    keys = [name] if name in node else [key for key in node if name == "value" and _CHOICE.fullmatch(key)]
    found = [node[key] for key in keys]
    return [one for value in found for one in (value if isinstance(value, list) else [value])]


def _holds(found: list[Any]) -> bool | None:
    """Read a criterion: true, false, or unknown when empty."""
    if not found:
        return None
    if len(found) > _ONE or not isinstance(found[0], bool):
        raise ContentError("A criterion gives something other than one Boolean; correct the expression.", spec=SPEC)
    return found[0]


def _and(left: list[Any], right: list[Any]) -> list[Any]:
    sides = (_holds(left), _holds(right))
    if False in sides:
        return [False]
    return [] if None in sides else [True]


def _equal(left: list[Any], right: list[Any]) -> list[Any]:
    if not left or not right:
        return []
    same = len(left) == len(right) and all(
        isinstance(one, bool) == isinstance(other, bool) and one == other
        for one, other in zip(left, right, strict=True)
    )
    return [same]


def _unequal(left: list[Any], right: list[Any]) -> list[Any]:
    return [not same for same in _equal(left, right)]


def _not_after(left: list[Any], right: list[Any]) -> list[Any]:
    """Compare two days; where one is less precise and the rest is the same, which comes first is unknown."""
    if not left or not right:
        return []
    if len(left) + len(right) > _BOTH:
        raise ContentError("`<=` compares one day with one day; correct the expression.", spec=SPEC)
    one, other = _parts(left[0]), _parts(right[0])
    for part, against in zip(one, other, strict=False):
        if part != against:
            return [part < against]
    return [True] if len(one) == len(other) else []


def _parts(value: Any) -> list[int]:
    if isinstance(value, date):
        return [value.year, value.month, value.day]
    match = _DAY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ContentError("A value that is compared as a day is no date; correct the record.", spec=SPEC)
    return [int(part) for part in match.groups() if part is not None]


def _years_before(value: Any, years: int) -> date:
    """Go back whole years; the 29th of February becomes the 28th where that year has none."""
    year, month, day = _parts(value)
    return date(year - years, month, min(day, calendar.monthrange(year - years, month)[1]))


def _text(left: list[Any], right: list[Any]) -> list[Any]:
    """Join two texts; empty counts as the empty text."""
    if len(left) > _ONE or len(right) > _ONE:
        raise ContentError("`&` joins one text with one text; correct the expression.", spec=SPEC)
    return ["".join(str(part) for part in (*left, *right))]
