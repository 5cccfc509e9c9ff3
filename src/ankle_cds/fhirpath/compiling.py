"""A tree to a closure that is called for each element: names, types and operators here, functions in `functions.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ankle_cds.fhir import in_value_set
from ankle_cds.fhir.definitions import r4
from ankle_cds.fhirpath import arithmetic, parsing
from ankle_cds.fhirpath.comparing import UCUM, contained, distinct, equal, order
from ankle_cds.fhirpath.functions import FUNCTIONS, has_type, of_type
from ankle_cds.fhirpath.logic import LOGIC, Logic, negated
from ankle_cds.fhirpath.nodes import Node
from ankle_cds.fhirpath.parsing import (
    Amount,
    Call,
    Literal,
    Member,
    Operation,
    Tree,
    UnsupportedExpressionError,
    Variable,
)
from ankle_cds.fhirpath.values import boolean, truth, value_of

if TYPE_CHECKING:
    from ankle_cds.fhirpath.values import Collection, Context, Expression

Operator = Callable[["Collection", "Collection"], "Collection"]


@dataclass(frozen=True, slots=True)
class Given:
    """What an expression may rest on: variables by name, whether it may ask for today, value sets by url."""

    variables: frozenset[str] = frozenset()
    today: bool = False
    value_sets: frozenset[str] = frozenset()


@lru_cache(maxsize=8192)  # content, not patients: as many entries as there are expressions in the packages
def compile_expression(text: str, given: Given) -> Expression:
    """Give a function from context and input to result; the context holds all that `given` names.

    Raises UnsupportedExpressionError, with name and place, for what is not FHIRPath or is not supported here. The
    function raises UndecidedError where the specification has an evaluator signal an error.
    """
    return _Compiler(given).of(parsing.parse(text))


class _Compiler:
    """One expression after the other, of one kind: those that rest on the same."""

    def __init__(self, given: Given) -> None:
        self._given = given

    def of(self, tree: Tree) -> Expression:
        """Compile a tree."""
        match tree:
            case Literal() | Amount():
                constant = _constant(tree)
                return lambda _context, _focus: constant
            case Variable(name, at):
                return self._variable(name, at)
            case Member(source, name, at):
                return self._member(source, name, at)
            case Call(source, name, arguments, at):
                return self._call(source, name, arguments, at)
            case Operation(operator, left, right, at) if operator in _WITH_TYPE:
                return _WITH_TYPE[operator](self.of(left), _type_name(right, at))
            case Operation(operator, left, right):
                return _operation(_OPERATORS[operator], self.of(left), self.of(right))

    def _source(self, tree: Tree | None) -> Expression:
        return _focus if tree is None else self.of(tree)

    def _variable(self, name: str, at: int) -> Expression:
        if name == "$this":
            return _focus
        if name == "%ucum":
            return lambda _context, _focus: [Node(UCUM)]
        key = name.removeprefix("%")
        if key not in self._given.variables:
            raise UnsupportedExpressionError(f"the variable {name} is not known here{_place(at)}")
        return lambda context, _focus: context.variables[key]

    def _member(self, source: Tree | None, name: str, at: int) -> Expression:
        if not r4().names(name):
            raise UnsupportedExpressionError(f"{name} is no element of a type that is known here{_place(at)}")
        inner = self._source(source)

        def members(context: Context, focus: Collection) -> Collection:
            found = inner(context, focus)
            if source is None and len(found) == 1 and found[0].type == name:
                return found  # a path may begin with the type it starts from
            return [child for node in found for child in node.named(name)]

        return members

    def _call(self, source: Tree | None, name: str, arguments: tuple[Tree, ...], at: int) -> Expression:
        if name in _WITH_TYPE and len(arguments) == 1:
            return _WITH_TYPE[name](self._source(source), _type_name(arguments[0], at))
        if name == "today" and source is None and not arguments and self._given.today:
            return _today
        if name == "memberOf" and len(arguments) == 1:
            return self._member_of(source, arguments[0], at)
        function = FUNCTIONS.get(name)
        if function is None or len(arguments) not in function.arity:
            raise UnsupportedExpressionError(
                f"the function {name} with {len(arguments)} arguments is not supported{_place(at)}"
            )
        return function.make(self._source(source), *(self.of(argument) for argument in arguments))

    def _member_of(self, source: Tree | None, argument: Tree, at: int) -> Expression:
        """Compile `memberOf`: empty for none or several. https://hl7.org/fhir/R4/fhirpath.html#functions."""
        url = argument.value if isinstance(argument, Literal) else None
        if not isinstance(url, str) or url not in self._given.value_sets:
            raise UnsupportedExpressionError(f"memberOf names no value set that is known here{_place(at)}")
        inner = self._source(source)

        def test(context: Context, focus: Collection) -> Collection:
            found = inner(context, focus)
            if len(found) != 1 or found[0].value is None:
                return []
            return boolean(in_value_set(found[0].value, found[0].type or "", context.value_sets[url]))

        return test


def _focus(_context: Context, focus: Collection) -> Collection:
    return focus


def _today(context: Context, _focus: Collection) -> Collection:
    if context.today is None:
        raise ValueError("no day was given to an expression that asks for it")
    return [Node(context.today.isoformat(), "date")]


def _constant(tree: Literal | Amount) -> Collection:
    if isinstance(tree, Literal):
        return [] if tree.value is None else [Node(tree.value)]
    if tree.calendar:
        return [Node({"value": tree.value, "unit": tree.unit}, arithmetic.PERIOD)]
    written = {"value": tree.value, "system": UCUM, "code": tree.unit}
    return [Node(written, "Quantity", r4().tree("Quantity"))]


def _place(at: int) -> str:
    return f" (at character {at})"


def _type_name(tree: Tree, at: int) -> str:
    """Give the FHIR type that stands where a type is expected; raise UnsupportedExpressionError for anything else."""
    match tree:
        case Member(None, name) | Member(Member(None, "FHIR"), name) if r4().knows(name):
            return name
    raise UnsupportedExpressionError(f"a type that is not a known FHIR type{_place(at)}")


def _operation(apply: Operator, left: Expression, right: Expression) -> Expression:
    return lambda context, focus: apply(left(context, focus), right(context, focus))


def _logic(combine: Logic) -> Operator:
    return lambda left, right: boolean(combine(truth(left), truth(right)))


def _ordered(*wanted: int) -> Operator:
    def compare(left: Collection, right: Collection) -> Collection:
        found = order(left, right)
        return boolean(None if found is None else found in wanted)

    return compare


def _in(left: Collection, right: Collection) -> Collection:
    item = value_of(left)
    return [] if item is None else boolean(contained(item, right))


_WITH_TYPE: Final[dict[str, Callable[[Expression, str], Expression]]] = {
    "as": of_type,
    "is": has_type,
    "ofType": of_type,
}
_OPERATORS: Final[dict[str, Operator]] = {
    **{word: _logic(combine) for word, combine in LOGIC.items()},
    "=": lambda left, right: boolean(equal(left, right)),
    "!=": lambda left, right: boolean(negated(equal(left, right))),
    "<": _ordered(-1),
    "<=": _ordered(-1, 0),
    ">": _ordered(1),
    ">=": _ordered(0, 1),
    "in": _in,
    "|": lambda left, right: distinct([*left, *right]),
    "+": arithmetic.plus,
    "-": arithmetic.minus,
    "&": arithmetic.joined,
}
