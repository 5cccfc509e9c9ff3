"""The one table of ELM operators this engine executes; what is not in it is refused at load.

Two kinds of entry: a *function* takes the values of its operands; a *form* compiles its node itself, because it does
not evaluate every operand, or because it introduces names.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

if TYPE_CHECKING:
    from ankle_cds.elm.compiler import Compiler

Node = dict[str, Any]
# Takes the evaluation and the frame (values of aliases, lets and operands), gives a CQL value.
Closure = Callable[[Any, list[Any]], Any]
Former = Callable[["Compiler", Node], Closure]
_F = TypeVar("_F", bound=Callable[..., Any])
_C = TypeVar("_C", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Operator:
    """One row of the table: the node type, the attributes it may carry, and how it is compiled."""

    name: str
    attributes: frozenset[str]
    form: Former
    family: str


OPERATORS: Final[dict[str, Operator]] = {}


def form(name: str, *attributes: str) -> Callable[[_C], _C]:
    """Register a special form: `(compiler, node) -> closure`; `attributes` are all those it understands."""

    def register(former: _C) -> _C:
        OPERATORS[name] = Operator(name, frozenset(attributes), former, former.__module__.rpartition(".")[2])
        return former

    return register


def function(
    name: str,
    *,
    operands: tuple[str, ...] = ("operand",),
    optional: tuple[str, ...] = (),
    nulls: Literal["propagate", "passed"] = "propagate",
    precision: bool = False,
    clock: bool = False,
) -> Callable[[_F], _F]:
    """Register a function of operand values.

    `operands` are the attributes that hold them in order (a list counts as several), `optional` those that may be
    absent; with `nulls` "propagate" any null operand makes the result null without a call; with `precision` the
    lower-case precision (or None) comes last; with `clock` the evaluation comes first.
    """

    def register(implementation: _F) -> _F:
        fewest, most = _arity(implementation, precision=precision, clock=clock)

        def former(compiler: Compiler, node: Node) -> Closure:
            closures = compiler.operands(node, operands, optional)
            if not fewest <= len(closures) <= most:
                return compiler.refuse(node, f"a call with {len(closures)} operand(s)")
            call: Callable[..., Any] = implementation
            if precision:
                unit = compiler.precision(node)

                def call(*values: Any) -> Any:
                    return implementation(*values, unit)

            return _applied(call, closures, propagate=nulls == "propagate", clock=clock)

        attributes = frozenset((*operands, *optional, *(("precision",) if precision else ())))
        OPERATORS[name] = Operator(name, attributes, former, implementation.__module__.rpartition(".")[2])
        return implementation

    return register


def _arity(implementation: Callable[..., Any], *, precision: bool, clock: bool) -> tuple[int, float]:
    """Give the fewest and most operands of an implementation; what the engine itself passes is no operand."""
    parameters = list(inspect.signature(implementation).parameters.values())
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return 1, math.inf
    passed = parameters[int(clock) : len(parameters) - int(precision)]
    return sum(parameter.default is parameter.empty for parameter in passed), len(passed)


def _applied(  # noqa: C901  # a closure for each number of operands, for speed
    call: Callable[..., Any], closures: list[Closure], *, propagate: bool, clock: bool
) -> Closure:
    if clock:
        return _applied_with_clock(call, closures, propagate=propagate)
    if len(closures) == 1:
        (only,) = closures
        if not propagate:
            return lambda ev, frame: call(only(ev, frame))

        def unary(ev: Any, frame: list[Any]) -> Any:
            value = only(ev, frame)
            return None if value is None else call(value)

        return unary
    if len(closures) == 2:  # noqa: PLR2004 - two operands
        left, right = closures
        if not propagate:
            return lambda ev, frame: call(left(ev, frame), right(ev, frame))

        def binary(ev: Any, frame: list[Any]) -> Any:
            a = left(ev, frame)
            if a is None:
                return None
            b = right(ev, frame)
            return None if b is None else call(a, b)

        return binary

    def nary(ev: Any, frame: list[Any]) -> Any:
        values = [closure(ev, frame) for closure in closures]
        if propagate and any(value is None for value in values):
            return None
        return call(*values)

    return nary


def _applied_with_clock(call: Callable[..., Any], closures: list[Closure], *, propagate: bool) -> Closure:
    def nary(ev: Any, frame: list[Any]) -> Any:
        values = [closure(ev, frame) for closure in closures]
        if propagate and any(value is None for value in values):
            return None
        return call(ev, *values)

    return nary
