"""Static types of ELM nodes, and the test of a value against one.

The translator writes the type of every node it visits (option EnableResultTypes); FHIR elements are read by those
types, so that no model of FHIR is needed at run time. https://cql.hl7.org/04-logicalspecification.html#type-specifiers
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from ankle_cds.elm.temporal import Date, DateTime, Time
from ankle_cds.elm.values import Code, CodeSystem, Concept, Fhir, Interval, Long, Quantity, Ratio, Uncertainty, ValueSet

if TYPE_CHECKING:
    from collections.abc import Callable

SYSTEM: Final = "urn:hl7-org:elm-types:r1"
FHIR: Final = "http://hl7.org/fhir"
_PREFIX: Final = {SYSTEM: "System", FHIR: "FHIR"}


@dataclass(frozen=True, slots=True)
class Named:
    """A named type; `space` is `System`, `FHIR` or another model's url."""

    space: str
    name: str

    def __str__(self) -> str:
        return f"{self.space}.{self.name}"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of elements of one type."""

    element: Type

    def __str__(self) -> str:
        return f"List<{self.element}>"


@dataclass(frozen=True, slots=True)
class IntervalOf:
    """An interval over one point type."""

    point: Type

    def __str__(self) -> str:
        return f"Interval<{self.point}>"


@dataclass(frozen=True, slots=True)
class ChoiceOf:
    """One of several types."""

    choices: tuple[Type, ...]

    def __str__(self) -> str:
        return f"Choice<{','.join(map(str, self.choices))}>"


@dataclass(frozen=True, slots=True)
class TupleOf:
    """A tuple with named elements."""

    elements: tuple[tuple[str, Type], ...]

    def __str__(self) -> str:
        return "Tuple{" + ",".join(f"{name} {kind}" for name, kind in self.elements) + "}"


Type = Named | ListOf | IntervalOf | ChoiceOf | TupleOf

ANY: Final = Named("System", "Any")
BOOLEAN: Final = Named("System", "Boolean")
SYSTEM_CLASSES: Final[dict[str, tuple[type, ...]]] = {
    "Boolean": (bool,),
    "Integer": (int,),
    "Long": (Long,),
    "Decimal": (Decimal,),
    "String": (str,),
    "Date": (Date,),
    "DateTime": (DateTime,),
    "Time": (Time,),
    "Quantity": (Quantity,),
    "Ratio": (Ratio,),
    "Code": (Code,),
    "Concept": (Concept,),
    "CodeSystem": (CodeSystem,),
    "ValueSet": (ValueSet,),
    "Vocabulary": (CodeSystem, ValueSet),
}
# https://hl7.org/fhir/R4/datatypes.html; every other element is a FHIR.Element, every other resource a DomainResource
_FHIR_BASES: Final = {
    **dict.fromkeys(("Age", "Count", "Distance", "Duration", "MoneyQuantity", "SimpleQuantity"), "Quantity"),
    **dict.fromkeys(("code", "id", "markdown"), "string"),
    **dict.fromkeys(("url", "canonical", "uuid", "oid"), "uri"),
    **dict.fromkeys(("positiveInt", "unsignedInt"), "integer"),
}
_NOT_DOMAIN: Final = frozenset({"Bundle", "Binary", "Parameters"})
_BACKBONE: Final = frozenset({"Timing", "Dosage", "ElementDefinition"})


def qualified(name: str) -> Named:
    """Read `{namespace}Name`; raise ValueError when it is not of that form."""
    if not name.startswith("{"):
        raise ValueError("a type name without a namespace")
    space, _, local = name[1:].partition("}")
    return Named(_PREFIX.get(space, space), local)


def specified(node: dict[str, Any]) -> Type:
    """Read a type specifier; raise ValueError when it is of an unknown kind."""
    match node.get("type"):
        case "NamedTypeSpecifier":
            return qualified(node["name"])
        case "ListTypeSpecifier":
            return ListOf(specified(node["elementType"]))
        case "IntervalTypeSpecifier":
            return IntervalOf(specified(node["pointType"]))
        case "ChoiceTypeSpecifier":
            return ChoiceOf(tuple(specified(choice) for choice in node.get("choice") or node.get("type_") or ()))
        case "TupleTypeSpecifier":
            elements = ((item["name"], specified(item.get("elementType") or item["type"])) for item in node["element"])
            return TupleOf(tuple(sorted(elements, key=lambda element: element[0])))
        case _:
            raise ValueError("a type specifier of an unknown kind")


def result_type(node: dict[str, Any]) -> Type | None:
    """Give the type the translator wrote on a node, None when it wrote none."""
    if node.get("resultTypeSpecifier"):
        return specified(node["resultTypeSpecifier"])
    return qualified(node["resultTypeName"]) if node.get("resultTypeName") else None


def fhir_is_a(actual: str, wanted: str, *, resource: bool) -> bool:
    """Tell whether a FHIR type is another or derives from it."""
    if actual == wanted or _FHIR_BASES.get(actual) == wanted:
        return True
    match wanted:
        case "Resource":
            return resource
        case "DomainResource":
            return resource and actual not in _NOT_DOMAIN
        case "Element":
            return not resource
        case "BackboneElement":
            return "." in actual or actual in _BACKBONE
        case _:
            return False


def tester(kind: Type) -> Callable[[Any], bool]:
    """Compile the test whether a value that is not null is of a type; raise ValueError for a type of no known model."""
    if kind == ANY:
        return lambda _: True
    if isinstance(kind, Named):
        return _named_tester(kind)
    if isinstance(kind, ListOf):
        element = tester(kind.element)
        return lambda value: type(value) is list and all(item is None or element(item) for item in value)
    if isinstance(kind, IntervalOf):
        point = tester(kind.point)
        name = kind.point.name if isinstance(kind.point, Named) else ""
        return lambda value: (
            type(value) is Interval
            and (
                point(value.low)
                if value.low is not None
                else point(value.high)
                if value.high is not None
                else value.point in (None, name)
            )
        )
    if isinstance(kind, ChoiceOf):
        choices = [tester(choice) for choice in kind.choices]
        return lambda value: any(choice(value) for choice in choices)
    elements = {name: tester(element) for name, element in kind.elements}
    return lambda value: (
        type(value) is dict
        and value.keys() == elements.keys()
        and all(value[name] is None or element(value[name]) for name, element in elements.items())
    )


def _named_tester(kind: Named) -> Callable[[Any], bool]:
    if kind.space == "System":
        classes = SYSTEM_CLASSES.get(kind.name)
        if classes is None:
            raise ValueError(f"the type {kind}")
        return lambda value: type(value) in classes or (type(value) is Uncertainty and type(value.low) in classes)
    if kind.space != "FHIR":
        raise ValueError(f"the type {kind}")
    wanted = kind.name

    def test(value: Any) -> bool:
        if not isinstance(value, Fhir):
            return False
        resource = isinstance(value.json, dict) and "resourceType" in value.json
        return fhir_is_a(value.type, wanted, resource=resource)

    return test
