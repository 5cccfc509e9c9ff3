"""The values of CQL in Python, but for dates and times (`temporal`).

Boolean is `bool`, Integer `int`, Long `Long`, Decimal `decimal.Decimal`, String `str`, List `list`, Tuple `dict`,
null `None`; the rest are the classes below. All of them are immutable by use.
https://cql.hl7.org/09-b-cqlreference.html#types
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from decimal import Decimal


class Long(int):
    """A 64-bit integer; a type of its own, so that it is never taken for an Integer."""

    __slots__ = ()


class Code(NamedTuple):
    """A code of a code system; `system` is the canonical of the code system."""

    code: str | None
    system: str | None = None
    version: str | None = None
    display: str | None = None


class Concept(NamedTuple):
    """Codes that mean the same thing."""

    codes: tuple[Code | None, ...]
    display: str | None = None


class CodeSystem(NamedTuple):
    """A reference to a code system, never its content."""

    id: str
    version: str | None = None
    name: str | None = None


class ValueSet(NamedTuple):
    """A reference to a value set; its codes come from the value sets given to `load`."""

    id: str
    version: str | None = None
    name: str | None = None


class Quantity(NamedTuple):
    """A number with a UCUM unit or a calendar duration (`year`, `months` ...); `1` is the default unit."""

    value: Decimal
    unit: str = "1"


class Ratio(NamedTuple):
    """Two quantities; equality does not reduce it, equivalence does."""

    numerator: Quantity
    denominator: Quantity


class Uncertainty(NamedTuple):
    """A value known only to lie between two bounds, both possible.

    https://cql.hl7.org/05-languagesemantics.html#uncertainty
    """

    low: Any
    high: Any


class Interval(NamedTuple):
    """A range of points; `point` is the name of the system type of its points, None when it is not known.

    A null boundary that is closed means the end of the type's range; a null boundary that is open is unknown.
    https://cql.hl7.org/09-b-cqlreference.html#interval-operators-3
    """

    low: Any
    high: Any
    low_closed: bool = True
    high_closed: bool = True
    point: str | None = None


class Fhir:
    """An element or resource of FHIR: `type` is its FHIR type, `json` its JSON, read-only.

    A primitive holds its JSON scalar, or None when the record holds only its `extra` (`id`, `extension`), which FHIR
    writes in a sibling whose name starts with an underscore. https://hl7.org/fhir/R4/json.html#primitive
    """

    __slots__ = ("extra", "json", "type")

    def __init__(self, type_name: str, json: Any, extra: dict[str, Any] | None = None) -> None:
        self.type = type_name
        self.json = json
        self.extra = extra

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Fhir):
            return NotImplemented
        return self.type == other.type and bool(self.json == other.json) and self.extra == other.extra

    def __hash__(self) -> int:
        return hash(self.type)

    def __repr__(self) -> str:
        return f"<FHIR {self.type}>"


class FhirResource(Fhir):
    """A resource of the record; `reference` is `Type/id`, or `Type/#n` (n-th of its type) when it has no id."""

    __slots__ = ("reference",)

    def __init__(self, type_name: str, json: dict[str, Any], reference: str) -> None:
        super().__init__(type_name, json)
        self.reference = reference
