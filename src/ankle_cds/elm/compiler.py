"""From an ELM expression tree to a Python closure, once; every node it cannot execute is collected, not only the first.

A closure takes the evaluation and a *frame*: the list of values of the aliases, lets and operands of one definition or
function call, each at the slot the compiler gave it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.library import Library, Linker, Unit, refusal
from ankle_cds.elm.registry import OPERATORS, Closure, Node
from ankle_cds.elm.typesystem import ANY, IntervalOf, ListOf, TupleOf, Type, qualified, result_type, specified
from ankle_cds.elm.values import Code, ValueSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ankle_cds.elm.retrieve import CodeKey, Retrieve

_MARKS: Final = frozenset(
    {"type", "localId", "locator", "annotation", "resultTypeName", "resultTypeSpecifier", "signature"}
)
_PRECISIONS: Final = frozenset({"Year", "Month", "Week", "Day", "Hour", "Minute", "Second", "Millisecond"})


class Compiler:
    """Compiles the expressions of one definition, function or parameter default (`unit`) of one library."""

    def __init__(self, linker: Linker, library: Library, unit: Unit) -> None:
        self.linker = linker
        self._library = library
        self.unit = unit
        self.library = library.name
        self.definition = unit.name
        self.locator: str | None = unit.locator
        self._names: list[dict[str, tuple[int, Type | None]]] = [{}]
        self._lets: list[dict[str, tuple[int, Type | None]]] = [{}]
        self._this: list[tuple[int, Type | None]] = []
        self._recorded = True
        self._depth = 0

    # ------------------------------------------------------------ nodes

    def compile(self, node: Any) -> Closure:
        """Compile one node and all below it."""
        recorded, self._recorded = self._recorded, True
        return self._compile(node, recorded=recorded)

    def source(self, node: Any) -> Closure:
        """Compile a query source: a retrieve there records its rows only once they survive the query."""
        self._recorded = False
        return self._compile(node, recorded=False)

    def _compile(self, node: Any, *, recorded: bool) -> Closure:
        if not isinstance(node, dict) or not isinstance(node.get("type"), str):
            return self.refuse({}, "a node without a type")
        outer, self.locator = self.locator, node.get("locator", self.locator)
        self._depth += 1
        self.unit.depth = max(self.unit.depth, self._depth)
        try:
            operator = OPERATORS.get(node["type"])
            if operator is None:
                return self.refuse(node, "the operator itself")
            self.check(node)
            self._recorded = recorded
            return operator.form(self, node)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as problem:
            return self.refuse(node, f"its form ({type(problem).__name__}: {problem})")
        finally:
            self._depth -= 1
            self.locator = outer
            self._recorded = True

    def check(self, node: Node) -> None:
        """Refuse attributes that the operator does not understand."""
        self.check_part(node, node, OPERATORS[node["type"]].attributes, "node")

    def check_part(self, node: Node, part: Node, attributes: frozenset[str] | set[str], what: str) -> None:
        """Refuse attributes of a part of a node outside those it may carry; empty ones say nothing and pass."""
        for name in part.keys() - attributes - _MARKS:
            if part[name] not in ([], {}, None, ""):
                self.refuse(node, f"the attribute '{name}' of a {what}")

    def refuse(self, node: Node, what: str) -> Closure:
        """Note that a node cannot be executed; the load fails with it."""
        place = node.get("locator") or self.locator
        self.unit.faults.append(refusal(self.library, self.definition, place, node.get("type"), what))

        def refused(_ev: Any, _frame: list[Any]) -> Any:
            raise EvaluationError("A refused node was executed.")

        return refused

    def operands(self, node: Node, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> list[Closure]:
        """Compile the operands held by attributes, in order; an absent optional one is null."""
        closures: list[Closure] = []
        for name in names:
            given = node[name]
            closures.extend(self.compile(item) for item in (given if isinstance(given, list) else [given]))
        closures.extend(self.compile(node[name]) if node.get(name) else lambda _ev, _frame: None for name in optional)
        return closures

    def precision(self, node: Node) -> str | None:
        """Give the lower-case precision of a node, None when it names none."""
        precision = node.get("precision")
        if precision is not None and precision not in _PRECISIONS:
            self.refuse(node, f"the precision {precision}")
        if precision == "Week" and node["type"] not in (
            "DurationBetween",
            "DifferenceBetween",
            "CalculateAge",
            "CalculateAgeAt",
        ):
            self.refuse(node, "the precision Week")
        if precision is None and node["type"] in ("DurationBetween", "DifferenceBetween"):
            self.refuse(node, "no precision")
        return precision.lower() if precision else None

    def is_step(self, node: Any) -> bool:
        """Tell whether a node is a property whose type the translator did not write."""
        return isinstance(node, dict) and node.get("type") == "Property" and result_type(node) is None

    def slot_of(self, node: Node) -> int | None:
        """Give the slot of the frame a node reads, None when it is not a plain alias, let or operand."""
        match node.get("type"):
            case "AliasRef":
                self.check(node)
                return self.alias(node, node["name"])[0]
            case "QueryLetRef":
                self.check(node)
                return self.let(node["name"])[0]
            case "OperandRef":
                self.check(node)
                return [name for name, _ in self.unit.operands or ()].index(node["name"])
            case _:
                return None

    def owner_type(self, node: Node) -> Type | None:
        """Give the static type of what a property is read of."""
        if "scope" in node:
            return self.alias(node, node["scope"])[1]
        return self.type_of(node["source"]) if "source" in node else None

    def is_null(self, node: Node) -> bool:
        """Tell whether a node is the null literal, cast or not."""
        return node["type"] == "Null" or (node["type"] == "As" and self.is_null(node["operand"]))

    # ------------------------------------------------------------ types

    def type_of(self, node: Node) -> Type | None:
        """Give the static type of a node: the translator's, or what the node refers to; None when neither tells."""
        found = result_type(node)
        if found is not None:
            return found
        infer = _INFERRED.get(node.get("type", ""))
        return infer(self, node) if infer else None

    def _type_of_definition(self, node: Node) -> Type | None:
        unit = self.linker.definition(self._library, node)
        return unit.result_type if unit else None

    def _type_of_function(self, node: Node) -> Type | None:
        unit = self.linker.function(self, self._library, node)
        return unit.result_type if unit else None

    def _type_of_cast(self, node: Node) -> Type | None:
        if node.get("asTypeSpecifier"):
            return specified(node["asTypeSpecifier"])
        return result_type({"resultTypeName": node.get("asType")})

    def _type_of_element(self, node: Node) -> Type | None:
        kind = self.type_of(node.get("source") or node["operand"])
        return kind.element if isinstance(kind, ListOf) else None

    # ------------------------------------------------------------ names

    def slot(self) -> int:
        """Reserve the next slot of the frame."""
        self.unit.frame_size += 1
        return self.unit.frame_size - 1

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Open a scope for aliases and lets."""
        self._names.append({})
        self._lets.append({})
        try:
            yield
        finally:
            self._names.pop()
            self._lets.pop()

    @contextmanager
    def sorting(self, slot: int, row_type: Type | None) -> Iterator[None]:
        """Open a scope in which plain identifiers are properties of the row being sorted."""
        self._this.append((slot, row_type))
        try:
            yield
        finally:
            self._this.pop()

    @property
    def this(self) -> tuple[int, Type | None] | None:
        """The slot and type of the row being sorted, None outside a sort."""
        return self._this[-1] if self._this else None

    def introduce(self, name: str, kind: Type | None) -> int:
        """Give an alias of the current scope its slot."""
        slot = self.slot()
        self._names[-1][name] = (slot, kind)
        return slot

    def introduce_let(self, name: str, expression: Node | None) -> tuple[int, Closure]:
        """Give a let of the current scope its slot, and compile its expression."""
        closure = self.compile(expression) if expression else lambda _ev, _frame: None
        slot = self.slot()
        self._lets[-1][name] = (slot, self.type_of(expression) if expression else None)
        return slot, closure

    def alias(self, _node: Node, name: str) -> tuple[int, Type | None]:
        """Find the slot and type of an alias; KeyError when there is none of that name."""
        return self._find(self._names, name)

    def let(self, name: str) -> tuple[int, Type | None]:
        """Find the slot and type of a let; KeyError when there is none of that name."""
        return self._find(self._lets, name)

    @staticmethod
    def _find(scopes: list[dict[str, tuple[int, Type | None]]], name: str) -> tuple[int, Type | None]:
        for scope in reversed(scopes):
            if name in scope:
                return scope[name]
        raise KeyError(f"no alias '{name}'")

    # ------------------------------------------------------------ what expressions refer to

    def definition_of(self, node: Node) -> Unit | None:
        """Find the definition a node refers to, and note that it is used."""
        unit = self.linker.definition(self._library, node)
        if unit is None:
            self.refuse(node, f"the unresolved reference '{node.get('name')}'")
        else:
            self.unit.uses[unit] = None
        return unit

    def parameter_of(self, node: Node) -> Unit | None:
        """Find the parameter a node refers to, and note that it is used."""
        unit = self.linker.parameter(self._library, node)
        if unit is None:
            self.refuse(node, f"the unresolved parameter '{node.get('name')}'")
        else:
            self.unit.uses[unit] = None
        return unit

    def function_of(self, node: Node) -> Unit | None:
        """Find the function a node calls, by its signature, and note that it is used."""
        unit = self.linker.function(self, self._library, node)
        if unit is None:
            self.refuse(node, f"the unresolved or ambiguous function '{node.get('name')}'")
        else:
            self.unit.uses[unit] = None
        return unit

    def declared(self, kind: str, node: Node) -> tuple[Library, Node]:
        """Find the declaration (`codes`, `valueSets` ...) a node refers to; KeyError when there is none."""
        return self.linker.declared(self._library, kind, node)

    def note_retrieve(self, requirement: Retrieve) -> bool:
        """Note a data requirement of the current unit; tell whether its rows are to be recorded unfiltered."""
        recorded, self._recorded = self._recorded, True
        self.unit.retrieves.append(requirement)
        return recorded

    def value_set(self, node: Node) -> ValueSet:
        """Give the value set a node refers to."""
        library, declaration = self.declared("valueSets", node)
        if declaration.get("codeSystem"):
            self.refuse(node, "a value set bound to code system versions")
        return ValueSet(declaration["id"], declaration.get("version"), f"{library.name}.{declaration['name']}")

    def expansion(self, node: Node, url: str) -> frozenset[CodeKey]:
        """Give the codes of a value set; refuse the node when they were not given to `load`."""
        codes = self.linker.value_sets.get(url, self.linker.value_sets.get(url.partition("|")[0]))
        if codes is None:
            self.refuse(node, f"the value set '{url}', whose codes were not given,")
            return frozenset()
        return codes

    def constant_codes(self, node: Node) -> tuple[Code, ...] | None:
        """Give the codes a node stands for without evaluating it; None when it is not constant."""
        match node.get("type"):
            case "CodeRef":
                return (self.linker.code(*self.declared("codes", node)),)
            case "ConceptRef":
                concept = self.linker.concept(*self.declared("concepts", node))
                return tuple(code for code in concept.codes if code is not None)
            case "ToList" | "ToConcept":
                return self.constant_codes(node["operand"])
            case "Property" if node.get("path") == "codes" and "source" in node:
                return self.constant_codes(node["source"])
            case "List":
                parts = [self.constant_codes(item) for item in node.get("element") or []]
                return None if None in parts else tuple(code for part in parts for code in part or ())
            case _:
                return None

    def birth(self, node: Node) -> Closure:
        """Compile a birth date; the translator writes `birthDate.value` without its type, which is a Date."""
        conversion = node.get("type") == "ToDateTime"
        inner = node["operand"] if conversion else node
        if inner.get("type") == "Property" and result_type(inner) is None and inner["path"].endswith(".value"):
            typed = {**inner, "resultTypeName": "{urn:hl7-org:elm-types:r1}Date"}
            return self.compile({**node, "operand": typed} if conversion else typed)
        return self.compile(node)


_INFERRED: Final[dict[str, Callable[[Compiler, Node], Type | None]]] = {
    "ExpressionRef": Compiler._type_of_definition,  # noqa: SLF001  # a table of the class's own methods
    "FunctionRef": Compiler._type_of_function,  # noqa: SLF001  # as above
    "As": Compiler._type_of_cast,  # noqa: SLF001  # as above
    **dict.fromkeys(("First", "Last", "SingletonFrom"), Compiler._type_of_element),  # noqa: SLF001  # as above
    "AliasRef": lambda self, node: self.alias(node, node["name"])[1],
    "QueryLetRef": lambda self, node: self.let(node["name"])[1],
    "OperandRef": lambda self, node: self.unit.operand_type(node["name"]),
    "Literal": lambda _self, node: qualified(node["valueType"]),
    "Retrieve": lambda _self, node: ListOf(qualified(node["dataType"])),
    "Instance": lambda _self, node: qualified(node["classType"]),
    "Interval": lambda _self, _node: IntervalOf(ANY),
    "Tuple": lambda _self, _node: TupleOf(()),
}
