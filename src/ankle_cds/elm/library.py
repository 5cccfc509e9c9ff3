"""ELM libraries and how they refer to each other: definitions, functions, declarations, includes.

https://cql.hl7.org/04-logicalspecification.html#libraries
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ankle_cds.elm.typesystem import FHIR, SYSTEM, Type, qualified, result_type, specified
from ankle_cds.elm.values import Code, CodeSystem, Concept
from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from ankle_cds.elm.compiler import Compiler
    from ankle_cds.elm.registry import Closure, Node
    from ankle_cds.elm.retrieve import CodeKey, Retrieve

SPEC: Final = "https://cql.hl7.org/04-logicalspecification.html"
FHIR_VERSION: Final = "4.0.1"
_CONTEXTS: Final = ("Patient", "Unfiltered")


@dataclass(eq=False)
class Unit:
    """A definition, function or parameter: what it is, what it uses, and once compiled its closure."""

    library: str
    name: str
    node: Node
    index: int = -1
    locator: str | None = None
    result_type: Type | None = None
    operands: tuple[tuple[str, Type | None], ...] | None = None
    frame_size: int = 0
    depth: int = 0  # how deeply its expression nests
    pure: bool = False  # a function whose value depends on its arguments, the parameters and the evaluation time only
    body: Closure | None = None
    uses: dict[Unit, None] = field(default_factory=dict)
    retrieves: list[Retrieve] = field(default_factory=list)
    faults: list[ContentError] = field(default_factory=list)

    @property
    def qualified(self) -> str:
        """`Library.Name`."""
        return f"{self.library}.{self.name}"

    def operand_type(self, name: str) -> Type | None:
        """Give the declared type of an operand."""
        return dict(self.operands or ()).get(name)


class Library:
    """One ELM library, its declarations by kind and name."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        content = document.get("library") if isinstance(document, Mapping) else None
        if not isinstance(content, dict) or "id" not in content.get("identifier", {}):
            raise ContentError("This is no ELM library; pass the parsed JSON of the translator.", spec=SPEC)
        self.content: Node = content
        self.name: str = content["identifier"]["id"]
        self.version: str | None = content["identifier"].get("version")
        self.declarations = {
            kind: {item["name"]: item for item in (content.get(kind) or {}).get("def", [])}
            for kind in ("codeSystems", "valueSets", "codes", "concepts")
        }
        self.includes = {item["localIdentifier"]: item for item in (content.get("includes") or {}).get("def", [])}
        self.parameters: dict[str, Unit] = {}
        self.definitions: dict[str, Unit] = {}
        self.functions: dict[str, list[Unit]] = {}

    def read(self) -> None:
        """Index the statements and parameters."""
        for item in (self.content.get("parameters") or {}).get("def", []):
            self.parameters[item["name"]] = Unit(self.name, item["name"], item, locator=item.get("locator"))
            self.parameters[item["name"]].result_type = _declared_type(item, "parameterType")
        for item in (self.content.get("statements") or {}).get("def", []):
            unit = Unit(self.name, item["name"], item, locator=item.get("locator"))
            if item.get("type") == "FunctionDef":
                unit.operands = tuple((o["name"], _declared_type(o, "operandType")) for o in item.get("operand") or [])
                self.functions.setdefault(unit.name, []).append(unit)
            else:
                self.definitions[unit.name] = unit
            expression = item.get("expression") or {}
            unit.result_type = result_type(item) or result_type(expression) or _context_type(expression)


def _context_type(expression: Node) -> Type | None:
    """Give the type of the context definition, `singleton from` a retrieve, which the translator leaves untyped."""
    operand = expression["operand"] if expression.get("type") == "SingletonFrom" else {}
    return qualified(operand["dataType"]) if operand.get("type") == "Retrieve" else None


def _declared_type(item: Node, attribute: str) -> Type | None:
    if item.get(f"{attribute}Specifier"):
        return specified(item[f"{attribute}Specifier"])
    return result_type({"resultTypeName": item.get(attribute)}) or result_type(item)


def refusal(library: str, definition: str, locator: str | None, operator: str | None, what: str) -> ContentError:
    """Make the finding that something cannot be executed: what, in which operator, library, definition and place."""
    subject = f"Operator {operator} in library {library}" if operator else f"Library {library}"
    return ContentError(
        f"{subject} is refused: {what} is not supported; rewrite the CQL without it.",
        where=f"{library}{':' + locator if locator else ''}{' (' + definition + ')' if definition else ''}",
        spec=SPEC,
    )


class Linker:
    """Resolves references between libraries and collects what is refused about them as a whole."""

    def __init__(self, documents: list[Mapping[str, Any]], value_sets: Mapping[str, frozenset[CodeKey]]) -> None:
        self.value_sets = value_sets
        self.faults: list[ContentError] = []
        self.libraries: dict[str, Library] = {}
        for document in documents:
            library = Library(document)
            if library.name in self.libraries:
                self.refuse(library.name, None, "a second library of the same name")
                continue
            try:
                library.read()
            except (KeyError, TypeError, ValueError, AttributeError) as problem:
                self.refuse(library.name, None, f"its form ({type(problem).__name__}: {problem})")
            self.libraries[library.name] = library
        parameters: dict[str, Unit] = {}
        for library in self.libraries.values():
            self._check(library)
            for name, unit in library.parameters.items():
                if parameters.setdefault(name, unit).result_type != unit.result_type:
                    self.refuse(library.name, unit.locator, f"a second parameter '{name}' of another type")

    def refuse(self, library: str, locator: str | None, what: str) -> None:
        """Note one finding about a library as a whole."""
        self.faults.append(refusal(library, "", locator, None, what))

    def _check(self, library: Library) -> None:
        for using in (library.content.get("usings") or {}).get("def", []):
            uri, version = using.get("uri"), using.get("version")
            if uri != SYSTEM and (uri != FHIR or version not in (None, FHIR_VERSION)):
                self.refuse(library.name, using.get("locator"), f"the data model {uri} {version}")
        for name, include in library.includes.items():
            target = self._included(include)
            if target is None:
                self.refuse(library.name, include.get("locator"), f"the missing library {include.get('path')}")
            elif include.get("version") not in (None, target.version):
                self.refuse(
                    library.name,
                    include.get("locator"),
                    f"'{name}' in version {include['version']} (given is {target.version})",
                )
        for note in library.content.get("annotation") or []:
            if note.get("errorSeverity") == "error":
                place = f"{note.get('startLine')}:{note.get('startChar')}"
                self.refuse(library.name, place, f"the translator's error '{note.get('message')}'")
        for unit in (*library.definitions.values(), *(u for units in library.functions.values() for u in units)):
            if unit.node.get("context", "Patient") not in _CONTEXTS:
                what = f"the context {unit.node['context']}"
                unit.faults.append(refusal(library.name, unit.name, unit.locator, None, what))

    def _included(self, include: Node) -> Library | None:
        path = include.get("path", "")
        return self.libraries.get(path) or self.libraries.get(path.rpartition("/")[2])

    def target(self, library: Library, node: Node) -> Library | None:
        """Give the library a reference points into."""
        if not node.get("libraryName"):
            return library
        include = library.includes.get(node["libraryName"])
        return self._included(include) if include else None

    def definition(self, library: Library, node: Node) -> Unit | None:
        """Find the definition an ExpressionRef names."""
        target = self.target(library, node)
        return target.definitions.get(node["name"]) if target else None

    def parameter(self, library: Library, node: Node) -> Unit | None:
        """Find the parameter a ParameterRef names."""
        target = self.target(library, node)
        return target.parameters.get(node["name"]) if target else None

    def function(self, compiler: Compiler, library: Library, node: Node) -> Unit | None:
        """Find the function a FunctionRef calls: by signature, else by the static types of its operands."""
        target = self.target(library, node)
        arguments = node.get("operand") or []
        named = target.functions.get(node["name"], []) if target else []
        candidates = [unit for unit in named if len(unit.operands or ()) == len(arguments)]
        if len(candidates) <= 1:
            return candidates[0] if candidates else None
        wanted: list[Type | None] = [specified(item) for item in node.get("signature") or []]
        wanted = wanted or [compiler.type_of(item) for item in arguments]
        matching = [unit for unit in candidates if [kind for _, kind in unit.operands or ()] == wanted]
        return matching[0] if len(matching) == 1 else None

    def declared(self, library: Library, kind: str, node: Node) -> tuple[Library, Node]:
        """Find a declaration; KeyError when there is none."""
        target = self.target(library, node)
        if target is None:
            raise KeyError(f"no library '{node.get('libraryName')}'")
        return target, target.declarations[kind][node["name"]]

    def code_system(self, library: Library, declaration: Node) -> CodeSystem:
        """Give a declared code system."""
        return CodeSystem(declaration["id"], declaration.get("version"), f"{library.name}.{declaration['name']}")

    def code(self, library: Library, declaration: Node) -> Code:
        """Give a declared code."""
        owner, system = self.declared(library, "codeSystems", declaration["codeSystem"])
        found = self.code_system(owner, system)
        return Code(declaration["id"], found.id, found.version, declaration.get("display"))

    def concept(self, library: Library, declaration: Node) -> Concept:
        """Give a declared concept."""
        codes = tuple(self.code(*self.declared(library, "codes", item)) for item in declaration["code"])
        return Concept(codes, declaration.get("display"))
