"""A tree to a closure that is called for each element: operators here, functions in `functions.py`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final

from ankle_cds.fhir.definitions import r4
from ankle_cds.validate.fhirpath import functions
from ankle_cds.validate.fhirpath.parsing import (
    Call,
    Literal,
    Member,
    Operation,
    Tree,
    UnsupportedExpressionError,
    Variable,
    parse,
)
from ankle_cds.validate.fhirpath.values import boolean, contained, equal, order, single, text, truth
from ankle_cds.validate.nodes import Node

if TYPE_CHECKING:
    from ankle_cds.validate.fhirpath.values import Collection, Context, Expression

_UCUM = "http://unitsofmeasure.org"
Operator = Callable[["Collection", "Collection"], "Collection"]


@cache
def compile_expression(text: str) -> Expression:
    """Give a function from context and input to result; raise UnsupportedExpressionError for what is not supported."""
    return _compile(parse(text))


def _compile(tree: Tree) -> Expression:
    match tree:
        case Literal(value):
            return lambda _context, _focus: [Node(value)]
        case Variable(name):
            return _variable(name)
        case Member(source, name):
            return _member(source, name)
        case Call(source, name, arguments):
            return _call(source, name, arguments)
        case Operation("is", left, right):
            return functions.has_type(_compile(left), type_name(right))
        case Operation(operator, left, right):
            return _operation(operator, _compile(left), _compile(right))


def _variable(name: str) -> Expression:
    match name:
        case "$this":
            return lambda _context, focus: focus
        case "%resource":
            return lambda context, _focus: [context.resource]
        case "%rootResource":
            return lambda context, _focus: [context.root]
        case "%context":
            return lambda context, _focus: [context.this]
        case "%ucum":
            return lambda _context, _focus: [Node(_UCUM)]
    raise UnsupportedExpressionError(f"the variable {name} is not supported")


def _member(source: Tree | None, name: str) -> Expression:
    if not r4().names(name):
        raise UnsupportedExpressionError(f"{name} is no element of a type that is known here")
    inner = _source(source)

    def members(context: Context, focus: Collection) -> Collection:
        found = inner(context, focus)
        if source is None and len(found) == 1 and found[0].type == name:
            return found  # a path may begin with the type it starts from
        return [child for node in found for child in node.named(name)]

    return members


def _source(source: Tree | None) -> Expression:
    return _compile(source) if source is not None else lambda _context, focus: focus


def _call(source: Tree | None, name: str, arguments: tuple[Tree, ...]) -> Expression:
    if name in functions.WITH_TYPE and len(arguments) == 1:
        return functions.WITH_TYPE[name](_source(source), type_name(arguments[0]))
    function = functions.FUNCTIONS.get(name)
    if function is None or len(arguments) not in function.arity:
        raise UnsupportedExpressionError(f"the function {name} with {len(arguments)} arguments is not supported")
    return function.make(_source(source), *(_compile(argument) for argument in arguments))


def type_name(tree: Tree) -> str:
    """Give the FHIR type that stands where a type is expected; raise UnsupportedExpressionError for anything else."""
    match tree:
        case Member(None, name) | Member(Member(None, "FHIR"), name) if r4().knows(name):
            return name
    raise UnsupportedExpressionError("a type that is not a known FHIR type")


def _operation(operator: str, left: Expression, right: Expression) -> Expression:
    apply = _OPERATORS[operator]
    return lambda context, focus: apply(left(context, focus), right(context, focus))


def _logic(combine: functions.Logic) -> Operator:
    return lambda left, right: boolean(combine(truth(left), truth(right)))


def _ordered(*wanted: int) -> Operator:
    def compare(left: Collection, right: Collection) -> Collection:
        found = order(left, right)
        return boolean(None if found is None else found in wanted)

    return compare


def _in(left: Collection, right: Collection) -> Collection:
    item = single(left)
    return [] if item is None else boolean(contained(item, right))


def _joined(left: Collection, right: Collection) -> Collection:
    before, after = text(left), text(right)
    return [] if before is None or after is None else [Node(before + after)]


_OPERATORS: Final[dict[str, Operator]] = {
    **{word: _logic(combine) for word, combine in functions.LOGIC.items()},
    "=": lambda left, right: boolean(equal(left, right)),
    "!=": lambda left, right: boolean(functions.negated(equal(left, right))),
    "<": _ordered(-1),
    "<=": _ordered(-1, 0),
    ">": _ordered(1),
    ">=": _ordered(0, 1),
    "in": _in,
    "|": lambda left, right: functions.distinct([*left, *right]),
    "+": _joined,
}
