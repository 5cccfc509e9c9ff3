"""Text of an expression to a tree, by the operator precedence of FHIRPath; whatever does not fit is refused.

https://hl7.org/fhirpath/N1/#operator-precedence
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<text>'(?:[^'\\]|\\.)*')|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<quoted>`[^`\\]+`)"
    r"|(?P<variable>%[A-Za-z_][A-Za-z0-9_]*|\$this)|(?P<empty>\{\s*\})|(?P<operator><=|>=|!=|[=<>|&+.(),-]))"
)
_ESCAPE = re.compile(r"\\(.)")
_PLAIN_ESCAPES = "'\"\\`/"
# From the loosest to the tightest; a path binds tighter than all of them.
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"implies"}),
    frozenset({"or", "xor"}),
    frozenset({"and"}),
    frozenset({"in"}),
    frozenset({"=", "!="}),
    frozenset({"<", "<=", ">", ">="}),
    frozenset({"|"}),
    frozenset({"is", "as"}),
    frozenset({"+", "-", "&"}),
)
_PERIODS = frozenset({"year", "month", "week", "day", "hour", "minute", "second", "millisecond"})
_BOOLEANS = {"true": True, "false": False}
_WORDS = frozenset({"implies", "or", "xor", "and", "in", "is", "contains", "as", "div", "mod"})


class UnsupportedExpressionError(ValueError):
    """The expression is not FHIRPath, or outside the part that is supported; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; None is the empty collection."""

    value: str | int | Decimal | bool | None


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity: a number with a UCUM unit, or with the name of a calendar period in the singular."""

    value: int | Decimal
    unit: str
    calendar: bool


@dataclass(frozen=True, slots=True)
class Variable:
    """`$this` or `%name`; `at` is the character it begins at, counted from 1, as in the classes below."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Member:
    """The elements of a name; `source` is None where the expression begins with it."""

    source: Tree | None
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments, unevaluated."""

    source: Tree | None
    name: str
    arguments: tuple[Tree, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Operation:
    """A binary operator."""

    operator: str
    left: Tree
    right: Tree
    at: int


Tree = Literal | Amount | Variable | Member | Call | Operation


def parse(text: str) -> Tree:
    """Give the tree of the whole expression; raise UnsupportedExpressionError where a part of it is not understood."""
    parser = _Parser(text)
    tree = parser.operation(0)
    if parser.kind:
        parser.refuse()
    return tree


class _Parser:
    """One pass over the tokens; `kind` and `token` are the next one, both empty at the end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.end = 0
        self.start = 0
        self.kind = ""
        self.token = ""
        self.advance()

    def advance(self) -> str:
        """Give the current token and move to the next."""
        current = self.token
        match = _TOKEN.match(self.text, self.end)
        if match is None:
            rest = self.text[self.end :].lstrip()
            self.start = len(self.text) - len(rest)
            if rest:
                self.refuse()
            self.kind = self.token = ""
        else:
            self.kind = str(match.lastgroup)
            self.token = match[self.kind]
            self.start, self.end = match.start(self.kind), match.end()
        return current

    def refuse(self) -> NoReturn:
        """Refuse the expression at the current token."""
        raise UnsupportedExpressionError(f"not understood at character {self.start + 1}")

    def at(self, operator: str) -> bool:
        """Tell whether this operator or bracket comes next."""
        return (self.kind, self.token) == ("operator", operator)

    def expect(self, operator: str) -> None:
        """Pass over an operator or bracket that must stand here."""
        if not self.at(operator):
            self.refuse()
        self.advance()

    def operation(self, level: int) -> Tree:
        """Read operators of this level and tighter ones; all of them associate to the left."""
        if level == len(_LEVELS):
            return self.path()
        left = self.operation(level + 1)
        while self.kind in {"operator", "name"} and self.token in _LEVELS[level]:
            at, operator = self.start + 1, self.advance()
            left = Operation(operator, left, self.operation(level + 1), at)
        return left

    def path(self) -> Tree:
        """Read a term and the steps behind it."""
        tree = self.term()
        while self.at("."):
            self.advance()
            tree = self.step(tree)
        return tree

    def term(self) -> Tree:
        """Read a constant, a variable, an expression in brackets, or a first step."""
        if self.kind == "number":
            return self.number()
        if self.kind == "variable":
            at = self.start + 1
            return Variable(self.advance(), at)
        if self.kind in {"text", "empty"} or (self.kind == "name" and self.token in _BOOLEANS):
            return Literal(self.constant())
        if self.at("("):
            self.advance()
            tree = self.operation(0)
            self.expect(")")
            return tree
        return self.step(None)

    def constant(self) -> str | bool | None:
        """Read a text, a Boolean or the empty collection."""
        if self.kind == "text":
            return self.string(self.advance()[1:-1])
        return _BOOLEANS.get(self.advance())

    def number(self) -> Tree:
        """Read a number, and the unit behind it where it has one."""
        text = self.advance()
        value = Decimal(text) if "." in text else int(text)
        if self.kind == "name" and self.token.removesuffix("s") in _PERIODS:
            return Amount(value, self.advance().removesuffix("s"), calendar=True)
        if self.kind == "text":
            return Amount(value, self.string(self.advance()[1:-1]), calendar=False)
        return Literal(value)

    def string(self, text: str) -> str:
        """Resolve the escapes of a text constant."""
        if any(match[1] not in _PLAIN_ESCAPES for match in _ESCAPE.finditer(text)):
            self.refuse()
        return _ESCAPE.sub(r"\1", text)

    def step(self, source: Tree | None) -> Tree:
        """Read an element name or a function call."""
        start = self.start
        if self.kind == "quoted":
            return Member(source, self.advance()[1:-1], start + 1)
        if self.kind != "name":
            self.refuse()
        name = self.advance()
        if not self.at("("):
            if name in _WORDS:
                self.start = start
                self.refuse()
            return Member(source, name, start + 1)
        self.advance()
        arguments: list[Tree] = []
        while not self.at(")"):
            if arguments:
                self.expect(",")
            arguments.append(self.operation(0))
        self.advance()
        return Call(source, name, tuple(arguments), start + 1)
