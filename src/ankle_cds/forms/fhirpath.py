"""The part of FHIRPath that the forms use, compiled once; an expression with anything else is refused on loading.

Paths, `%name`, `$this`, strings, whole numbers, true, false, `{}`; `where`, `exists`, `empty`, `count`, `first`,
`skip`, `distinct`, `iif`, `today`; the operators `and`, `or`, `=`, `!=`, `<=` (days), `|`, `&`, and a day minus a
number of years. Empty is FHIRPath's unknown and stays it.
http://hl7.org/fhirpath/N1/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import ContentError
from ankle_cds.forms.operations import (
    SPEC,
    conjunction,
    disjunction,
    distinct,
    equal,
    holds,
    joined_text,
    members,
    not_after,
    unequal,
    union,
    whole_number,
    years_before,
)

if TYPE_CHECKING:
    from datetime import date

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\['\\])*')|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)|(?P<variable>%\w+)"
    r"|(?P<symbol>\$this|!=|<=|\{\}|[().,=&|-]))"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression can refer to: variables by name, each a collection, and the day that is today."""

    variables: Mapping[str, list[Any]]
    today: date


Expression = Callable[[Scope, list[Any]], list[Any]]


def compile_expression(text: str, variables: frozenset[str]) -> Expression:
    """Compile an expression that may refer to `variables`; raise ContentError for whatever cannot be executed here."""
    parser = _Parser(_tokens(text), variables)
    expression = parser.whole()
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

    def whole(self) -> Expression:
        left = self._conjunction()
        while self._take("or"):
            left = _joined(disjunction, left, self._conjunction())
        return left

    def _conjunction(self) -> Expression:
        left = self._equality()
        while self._take("and"):
            left = _joined(conjunction, left, self._equality())
        return left

    def _equality(self) -> Expression:
        left = self._inequality()
        while True:
            if self._take("="):
                left = _joined(equal, left, self._inequality())
            elif self._take("!="):
                left = _joined(unequal, left, self._inequality())
            else:
                return left

    def _inequality(self) -> Expression:
        left = self._union()
        return _joined(not_after, left, self._union()) if self._take("<=") else left

    def _union(self) -> Expression:
        left = self._sum()
        while self._take("|"):
            left = _joined(union, left, self._sum())
        return left

    def _sum(self) -> Expression:
        left = self._path()
        while True:
            if self._take("&"):
                left = _joined(joined_text, left, self._path())
            elif self._take("-"):
                left = self._earlier(left)
            else:
                return left

    def _earlier(self, left: Expression) -> Expression:
        kind, number = self._pop()
        if kind != "number" or not (self._take("years") or self._take("year")):
            raise _unsupported("-")
        return lambda scope, focus: [years_before(day, int(number)) for day in left(scope, focus)]

    def _path(self) -> Expression:
        left = self._term()
        while self._take("."):
            left = self._step(left)
        return left

    def _term(self) -> Expression:
        kind, text = self._tokens[self._next]
        if text == "(":
            self._next += 1
            inner = self.whole()
            self._expect(")")
            return inner
        if kind == "name" and text not in {"true", "false"}:
            return self._step(_focus)
        self._next += 1
        if text == "$this":
            return _focus
        if text == "{}" and kind == "symbol":
            return lambda _scope, _focus: []
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
            return lambda scope, focus: [value for node in left(scope, focus) for value in members(node, name)]
        arguments = []
        while not self._take(")"):
            arguments.append(self.whole())
            if not self._take(","):
                self._expect(")")
                break
        return self._function(name, left, arguments)

    def _function(self, name: str, left: Expression, arguments: list[Expression]) -> Expression:
        of_collection = _OF_COLLECTION.get(name)
        if of_collection is not None and not arguments:
            return lambda scope, focus: of_collection(left(scope, focus))
        match name, arguments:
            case "where", [test]:
                return lambda scope, focus: [node for node in left(scope, focus) if holds(test(scope, [node])) is True]
            case "exists", [test]:
                return lambda scope, focus: [any(holds(test(scope, [node])) is True for node in left(scope, focus))]
            case "skip", [number]:
                return lambda scope, focus: left(scope, focus)[whole_number(number(scope, focus)) :]
            case "today", [] if left is _focus:
                return lambda scope, _: [scope.today]
            case "iif", [test, then, other] if left is _focus:
                return lambda scope, focus: (then if holds(test(scope, focus)) is True else other)(scope, focus)
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


_OF_COLLECTION: dict[str, Callable[[list[Any]], list[Any]]] = {
    "exists": lambda found: [bool(found)],
    "empty": lambda found: [not found],
    "count": lambda found: [len(found)],
    "first": lambda found: found[:1],
    "distinct": distinct,
}
_CONSTANTS: dict[str, Callable[[str], Any]] = {"string": _unquoted, "number": int, "name": lambda word: word == "true"}
