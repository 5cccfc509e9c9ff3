"""Queries: sources, let, with and without, where, return, aggregate and sort.

https://cql.hl7.org/04-logicalspecification.html#query
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cmp_to_key
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from ankle_cds.elm.comparison import sort_key
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.lists import distinct
from ankle_cds.elm.properties import accessor
from ankle_cds.elm.registry import Closure, Node, form
from ankle_cds.elm.typesystem import ListOf, Type
from ankle_cds.elm.values import FhirResource, Uncertainty

if TYPE_CHECKING:
    from ankle_cds.elm.compiler import Compiler

_DESCENDING: Final = {"asc": False, "ascending": False, "desc": True, "descending": True}
_CLAUSES: Final = {
    "source": {"alias", "expression"},
    "let": {"identifier", "expression"},
    "relationship": {"type", "alias", "expression", "suchThat"},
    "return": {"distinct", "expression"},
    "aggregate": {"identifier", "starting", "distinct", "expression"},
    "sort": {"by"},
}
# Takes the evaluation and the frame with the row's values in it; only a row for which it is true stays.
_Filter = Callable[[Any, list[Any]], bool | None]


@form("Query", "source", "let", "relationship", "where", "return", "aggregate", "sort")
def query(compiler: Compiler, node: Node) -> Closure:
    """Compile a query; rows that are resources and survive its filters are recorded for the trace."""
    for clause, attributes in _CLAUSES.items():
        given = node.get(clause) or []
        for part in given if isinstance(given, list) else [given]:
            compiler.check_part(node, part, attributes, clause)
    with compiler.scope():
        slots, sources, plural = _sources(compiler, node)
        lets = [(compiler.introduce_let(let["identifier"], let["expression"])) for let in node.get("let") or []]
        keep = _filter(compiler, node)
        reduce, shape = _aggregate(compiler, node), _shape(compiler, node, slots)
        order = _sort(compiler, node["sort"], _row_type(compiler, node)) if node.get("sort") else None
    unique = plural and "return" in node and node["return"].get("distinct", True)
    if reduce:
        return reduce(_rows(slots, sources, lets, keep))
    if len(slots) == 1 and not lets:
        found = _simple(slots[0], sources[0], keep, shape if "return" in node else None)
    else:
        found = _shaped(_rows(slots, sources, lets, keep), shape)
    return _finished(found, order, unique=unique, plural=plural)


def _finished(
    found: Closure, order: Callable[[Any, list[Any], list[Any]], list[Any]] | None, *, unique: bool, plural: bool
) -> Closure:
    """Compile what happens to the rows together: distinct, sort, and one instead of many."""
    if plural and not unique and not order:
        return found

    def run(ev: Any, frame: list[Any]) -> Any:
        result = found(ev, frame)
        if result is None:
            return None
        if unique:
            result = distinct(result)
        if order:
            result = order(ev, frame, result)
        return result if plural else result[0] if result else None

    return run


def _simple(slot: int, source: Closure, keep: _Filter | None, shape: Closure | None) -> Closure:
    """Compile the common query, over one source: the same as `_shaped`, without its generality."""

    def run(ev: Any, frame: list[Any]) -> Any:
        rows = source(ev, frame)
        if not rows:
            return rows
        resources = ev.record.resources
        result = []
        for row in rows:
            frame[slot] = row
            if keep is not None and keep(ev, frame) is not True:
                continue
            if type(row) is FhirResource:
                resources[row.reference] = None
            result.append(row if shape is None else shape(ev, frame))
        return result

    return run


def _shaped(rows: Any, shape: Closure) -> Closure:
    def run(ev: Any, frame: list[Any]) -> Any:
        found = rows(ev, frame)
        return None if found is None else [shape(ev, frame) for _ in found]

    return run


def _sources(compiler: Compiler, node: Node) -> tuple[list[int], list[Closure], bool]:
    """Compile the sources; the query is plural unless every source is known to be a single value."""
    slots, sources, plural = [], [], False
    for source in node["source"]:
        expression = source["expression"]
        closure = compiler.source(expression)
        kind = compiler.type_of(expression)
        many = isinstance(kind, ListOf) if kind else expression.get("type") in ("List", "Retrieve", "Query")
        plural = plural or many
        sources.append(closure if many else _single(closure))
        slots.append(compiler.introduce(source["alias"], kind.element if isinstance(kind, ListOf) else kind))
    return slots, sources, plural


def _single(closure: Closure) -> Closure:
    def run(ev: Any, frame: list[Any]) -> Any:
        value = closure(ev, frame)
        if type(value) is list:
            raise EvaluationError("A query over a single value met a list.")
        return None if value is None else [value]

    return run


def _rows(
    slots: list[int], sources: list[Closure], lets: list[tuple[int, Closure]], keep: _Filter | None
) -> Callable[[Any, list[Any]], Iterator[None] | None]:
    """Compile the iteration: each step leaves the row's values in the frame; None when a source is null."""
    only = slots[0] if len(slots) == 1 else None

    def steps(ev: Any, frame: list[Any], lists: list[list[Any]]) -> Iterator[None]:
        resources = ev.record.resources
        for values in product(*lists) if only is None else lists[0]:
            if only is None:
                for slot, value in zip(slots, values, strict=True):
                    frame[slot] = value
            else:
                frame[only] = values
            for slot, let in lets:
                frame[slot] = let(ev, frame)
            if keep is not None and keep(ev, frame) is not True:
                continue
            for value in values if only is None else (values,):
                if type(value) is FhirResource:
                    resources[value.reference] = None
            yield None

    def rows(ev: Any, frame: list[Any]) -> Iterator[None] | None:
        lists = [source(ev, frame) for source in sources]
        return None if any(values is None for values in lists) else steps(ev, frame, lists)

    return rows


def _filter(compiler: Compiler, node: Node) -> _Filter | None:
    tests = [_related(compiler, relationship) for relationship in node.get("relationship") or []]
    if node.get("where"):
        tests.append(compiler.compile(node["where"]))
    if len(tests) < 2:  # noqa: PLR2004 - none or one
        return tests[0] if tests else None
    return lambda ev, frame: all(test(ev, frame) is True for test in tests)


def _related(compiler: Compiler, node: Node) -> _Filter:
    source = compiler.source(node["expression"])
    kind = compiler.type_of(node["expression"])
    wanted = node.get("type") == "With"
    if node.get("type") not in ("With", "Without"):
        compiler.refuse(node, f"the relationship {node.get('type')}")
    with compiler.scope():
        slot = compiler.introduce(node["alias"], kind.element if isinstance(kind, ListOf) else kind)
        such_that = compiler.compile(node["suchThat"])

    def test(ev: Any, frame: list[Any]) -> bool:
        rows = source(ev, frame)
        for row in rows if type(rows) is list else () if rows is None else (rows,):
            frame[slot] = row
            if such_that(ev, frame) is True:
                return wanted
        return not wanted

    return test


def _shape(compiler: Compiler, node: Node, slots: list[int]) -> Closure:
    if "return" in node:
        return compiler.compile(node["return"]["expression"])
    if len(slots) == 1:
        (only,) = slots
        return lambda _ev, frame: frame[only]
    names = [source["alias"] for source in node["source"]]
    return lambda _ev, frame: {name: frame[slot] for name, slot in zip(names, slots, strict=True)}


def _aggregate(compiler: Compiler, node: Node) -> Callable[[Any], Closure] | None:
    if not node.get("aggregate"):
        return None
    clause = node["aggregate"]
    starting = compiler.compile(clause["starting"]) if clause.get("starting") else None
    total, _ = compiler.introduce_let(clause["identifier"], None)
    step = compiler.compile(clause["expression"])
    slots = [compiler.alias(node, source["alias"])[0] for source in node["source"]]
    unique = clause.get("distinct") is True

    def reduced(rows: Any) -> Closure:
        def run(ev: Any, frame: list[Any]) -> Any:
            found = rows(ev, frame)
            if found is None:
                return None
            given = [[frame[slot] for slot in slots] for _ in found]
            result = starting(ev, frame) if starting else None
            for values in distinct(given) if unique else given:
                for slot, value in zip(slots, values, strict=True):
                    frame[slot] = value
                frame[total] = result
                result = step(ev, frame)
            return result

        return run

    return reduced


def _row_type(compiler: Compiler, node: Node) -> Type | None:
    kind = compiler.type_of(node)
    return kind.element if isinstance(kind, ListOf) else None


def _sort(compiler: Compiler, clause: Node, row_type: Type | None) -> Callable[[Any, list[Any], list[Any]], list[Any]]:
    """Compile the sort clause; nulls come first ascending and last descending."""
    keys: list[tuple[Closure, bool]] = []
    slot = compiler.introduce("$this", row_type)
    for item in clause["by"]:
        if item.get("direction") not in _DESCENDING:
            compiler.refuse(item, f"the sort direction {item.get('direction')}")
        keys.append((_key(compiler, item, slot, row_type), _DESCENDING.get(item.get("direction", ""), False)))

    def sort(ev: Any, frame: list[Any], rows: list[Any]) -> list[Any]:
        def value(key: Closure, row: Any) -> Any:
            frame[slot] = row
            found = key(ev, frame)
            if type(found) is Uncertainty:
                raise EvaluationError("An uncertain value cannot be sorted by.")
            return found

        for key, descending in reversed(keys):
            values = [value(key, row) for row in rows]
            places = sorted(range(len(rows)), key=_by(values), reverse=descending)
            rows = [rows[place] for place in places]
        return rows

    return sort


def _by(values: list[Any]) -> Callable[[int], Any]:
    compared = cmp_to_key(sort_key)
    return lambda place: compared(values[place])


def _key(compiler: Compiler, item: Node, slot: int, row_type: Type | None) -> Closure:
    def this(_ev: Any, frame: list[Any]) -> Any:
        return frame[slot]

    match item.get("type"):
        case "ByDirection":
            compiler.check_part(item, item, {"type", "direction"}, "sort")
            return this
        case "ByColumn":
            compiler.check_part(item, item, {"type", "direction", "path"}, "sort")
            return accessor(compiler, item, item["path"], slot, row_type)
        case "ByExpression":
            compiler.check_part(item, item, {"type", "direction", "expression"}, "sort")
            with compiler.sorting(slot, row_type):
                return compiler.compile(item["expression"])
        case other:
            return compiler.refuse(item, f"the sort item {other}")
