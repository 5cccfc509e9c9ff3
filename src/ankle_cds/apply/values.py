"""From CQL values to FHIR elements: the one conversion table, by the type the target element has.

| element          | from CQL                                                                          |
|------------------|-----------------------------------------------------------------------------------|
| boolean          | Boolean                                                                           |
| string, markdown | String                                                                            |
| code             | String, Code (its code)                                                           |
| uri, canonical   | String                                                                            |
| dateTime         | DateTime, Date                                                                    |
| Coding           | Code                                                                              |
| CodeableConcept  | Concept (its display is the text), Code                                           |
| Reference        | String `Type/id`, a resource of the record                                        |
| Period           | Interval of DateTime or Date                                                      |

A FHIR element of the record goes as it is into an element of its own type.

Null and the empty list leave the element out; nulls inside a list are dropped, FHIR has no empty values.
Anything else is a ContentError: a type the author did not mean must not become an order.

https://cql.hl7.org/09-b-cqlreference.html#types-2 · https://hl7.org/fhir/R4/datatypes.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ankle_cds import elm
from ankle_cds.errors import ContentError
from ankle_cds.fhir import split_reference

if TYPE_CHECKING:
    from collections.abc import Callable

_SPEC = "https://hl7.org/fhir/R4/datatypes.html"
_CODE = re.compile(r"[^\s]+(?: [^\s]+)*")
_URI = re.compile(r"\S+")
_DAY, _SECONDS = 3, 6  # how many parts a value known to the day, and to the second, has


def convert(value: Any, fhir_type: str, where: str) -> list[Any]:
    """Give the FHIR values for a CQL value, none when the element is to be left out.

    Raises ContentError when the value has no meaning in an element of `fhir_type`; the error never holds the value.
    """
    if value is None:
        return []
    if isinstance(value, list):
        return [_one(item, fhir_type, where) for item in value if item is not None]
    return [_one(value, fhir_type, where)]


def _one(value: Any, fhir_type: str, where: str) -> Any:
    rule = _RULES.get(fhir_type)
    same = isinstance(value, elm.Fhir) and value.type == fhir_type
    converted = value.json if same else rule(value) if rule else None
    if converted in (None, "", {}, []):
        raise ContentError(
            f"A CQL {type(value).__name__} does not fit an element of type {fhir_type}; "
            "change the expression or the path.",
            where=where,
            spec=_SPEC,
        )
    return converted


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _code(value: Any) -> str | None:
    text = value.code if isinstance(value, elm.Code) else value
    return text if isinstance(text, str) and _CODE.fullmatch(text) else None


def _uri(value: Any) -> str | None:
    return value if isinstance(value, str) and _URI.fullmatch(value) else None


def _date_time(value: Any) -> str | None:
    """FHIR has no time without seconds. https://hl7.org/fhir/R4/datatypes.html#dateTime ."""
    if isinstance(value, elm.DateTime):
        return str(value) if len(value.parts) <= _DAY or len(value.parts) >= _SECONDS else None
    return str(value) if isinstance(value, elm.Date) else None


def _coding(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, elm.Code):
        return None
    parts = {"system": value.system, "version": value.version, "code": value.code, "display": value.display}
    return {name: part for name, part in parts.items() if part}


def _codeable_concept(value: Any) -> dict[str, Any] | None:
    if isinstance(value, elm.Code):
        return {"coding": [_coding(value)]}
    if not isinstance(value, elm.Concept):
        return None
    concept: dict[str, Any] = {}
    codings = [_coding(code) for code in value.codes if code is not None]
    if codings:
        concept["coding"] = codings
    if value.display:
        concept["text"] = value.display
    return concept


def _reference(value: Any) -> dict[str, Any] | None:
    target = value.reference if isinstance(value, elm.FhirResource) else value
    return {"reference": target} if isinstance(target, str) and split_reference(target) else None


def _period(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, elm.Interval):
        return None
    ends = {"start": _date_time(value.low), "end": _date_time(value.high)}
    return {name: end for name, end in ends.items() if end}


_RULES: Final[dict[str, Callable[[Any], Any]]] = {
    "boolean": _boolean,
    "string": _string,
    "markdown": _string,
    "code": _code,
    "uri": _uri,
    "canonical": _uri,
    "dateTime": _date_time,
    "Coding": _coding,
    "CodeableConcept": _codeable_concept,
    "Reference": _reference,
    "Period": _period,
}
