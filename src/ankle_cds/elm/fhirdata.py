"""How FHIR JSON becomes CQL values: elements by path and static type, primitives by the system type asked for.

https://hl7.org/fhir/R4/json.html and https://cql.hl7.org/02-authorsguide.html#data-models
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from ankle_cds.elm import temporal
from ankle_cds.elm.faults import EvaluationError, MalformedValue
from ankle_cds.elm.typesystem import ChoiceOf, ListOf, Named, Type
from ankle_cds.elm.values import Fhir

# Takes the evaluation and a FHIR element, gives a CQL value.
Reader = Callable[[Any, Fhir], Any]
# https://hl7.org/fhir/R4/datatypes.html#open
_CHOICE_NAMES: Final = frozenset(
    {
        "Base64Binary",
        "Boolean",
        "Canonical",
        "Code",
        "Date",
        "DateTime",
        "Decimal",
        "Id",
        "Instant",
        "Integer",
        "Markdown",
        "Oid",
        "PositiveInt",
        "String",
        "Time",
        "UnsignedInt",
        "Uri",
        "Url",
        "Uuid",
        "Address",
        "Age",
        "Annotation",
        "Attachment",
        "CodeableConcept",
        "Coding",
        "ContactPoint",
        "Count",
        "Distance",
        "Duration",
        "HumanName",
        "Identifier",
        "Money",
        "Period",
        "Quantity",
        "Range",
        "Ratio",
        "Reference",
        "SampledData",
        "Signature",
        "Timing",
        "ContactDetail",
        "Contributor",
        "DataRequirement",
        "Expression",
        "ParameterDefinition",
        "RelatedArtifact",
        "TriggerDefinition",
        "UsageContext",
        "Dosage",
        "Meta",
    }
)


def _malformed(path: str, expected: str) -> MalformedValue:
    return MalformedValue(
        f"The record holds a value at '{path}' that is no {expected}; correct the record.",
        spec="https://hl7.org/fhir/R4/datatypes.html",
    )


def _whole(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, (float, Decimal)) and value == int(value):
        return int(value)
    return None


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        found = Decimal(repr(value) if isinstance(value, float) else value)
        return found if found.is_finite() else None
    return None


def _date(_ev: Any, value: str) -> temporal.Date | None:
    return None if "T" in value else temporal.parse_date(value)


def _datetime(ev: Any, value: str) -> temporal.DateTime | None:
    return temporal.parse_datetime(value, ev.offset)


_SCALARS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "Boolean": lambda _ev, value: value if isinstance(value, bool) else None,
    "Integer": lambda _ev, value: _whole(value),
    "Decimal": lambda _ev, value: _decimal(value),
    "String": lambda _ev, value: value if isinstance(value, str) else None,
    "Date": _date,
    "DateTime": _datetime,
    "Time": lambda _ev, value: temporal.parse_time(value),
}
_PARSED: Final = frozenset({"Date", "DateTime", "Time"})


def scalar(kind: str, path: str) -> Callable[[Any, Any], Any] | None:
    """Compile the reading of a JSON scalar as a system type; None when the type is not read from a scalar.

    The reading raises `MalformedValue` when the scalar is not of that type; dates are parsed once per evaluation.
    """
    read = _SCALARS.get(kind)
    if read is None:
        return None
    if kind not in _PARSED:

        def plain(ev: Any, value: Any) -> Any:
            found = read(ev, value)
            if found is None:
                raise _malformed(path, kind)
            return found

        return plain

    def parsed(ev: Any, value: Any) -> Any:
        if not isinstance(value, str):
            raise _malformed(path, kind)
        found = ev.parsed.get((kind, value))
        if found is None:
            found = ev.parsed[kind, value] = read(ev, value)
        if found is None:
            raise _malformed(path, kind)
        return found

    return parsed


def element(type_name: str, json: Any, extra: Any = None) -> Fhir:
    """Wrap a JSON value as an element; a resource inside another names its own type."""
    if isinstance(json, dict) and "resourceType" in json:
        return Fhir(json["resourceType"], json)
    return Fhir(type_name, json, extra)


def reader(path: str, kind: Type) -> Reader | None:
    """Compile the reading of `path` of an element as a static type; None when that type is not read from FHIR."""
    if isinstance(kind, ListOf):
        return _list_reader(path, kind.element)
    if isinstance(kind, ChoiceOf):
        return _choice_reader(path, kind)
    if not isinstance(kind, Named):
        return None
    return _system_reader(path, kind.name) if kind.space == "System" else _element_reader(path, kind.name)


def _element_reader(path: str, name: str) -> Reader:
    sibling = f"_{path}"
    any_resource = name in ("Resource", "DomainResource")

    def read(_ev: Any, fhir: Fhir) -> Any:
        json = fhir.json
        if type(json) is dict:
            value = json.get(path)
            if type(value) is dict and not any_resource:
                return Fhir(name, value)
            extra = json.get(sibling)
        else:
            value, extra = (fhir.extra or {}).get(path), None
        if value is None and extra is None:
            return None
        if isinstance(value, list):
            raise _malformed(path, "single value")
        return element(name, value, extra)

    return read


def _list_reader(path: str, kind: Type) -> Reader | None:
    if not isinstance(kind, Named) or kind.space == "System":
        return None
    name, sibling = kind.name, f"_{path}"
    any_resource = name in ("Resource", "DomainResource")

    def read(_ev: Any, fhir: Fhir) -> Any:
        json = fhir.json
        if type(json) is dict:
            values, extras = json.get(path), json.get(sibling)
        else:
            values, extras = (fhir.extra or {}).get(path), None
        if values is None and extras is None:
            return None
        if values is None:
            values = [None] * len(extras or ())
        if not isinstance(values, list):
            raise _malformed(path, "list")
        if extras is None:
            return (
                [element(name, value) for value in values] if any_resource else [Fhir(name, value) for value in values]
            )
        if len(extras) != len(values):
            raise _malformed(sibling, "list as long as its values")
        return [element(name, value, extra) for value, extra in zip(values, extras, strict=True)]

    return read


def _choice_reader(path: str, kind: ChoiceOf) -> Reader | None:
    """Read `value[x]`: the JSON name carries the type.

    https://hl7.org/fhir/R4/formats.html#choice
    """
    names = [choice.name for choice in kind.choices if isinstance(choice, Named) and choice.space == "FHIR"]
    if len(names) != len(kind.choices):
        return None
    keys = [(f"{path}{name[0].upper()}{name[1:]}", name) for name in names]

    def read(_ev: Any, fhir: Fhir) -> Any:
        json = fhir.json
        if not isinstance(json, dict):
            raise EvaluationError(f"A primitive has no '{path}'.")
        for key, name in keys:
            value, extra = json.get(key), json.get(f"_{key}")
            if value is not None or extra is not None:
                return element(name, value, extra)
        if path in json:
            raise EvaluationError(f"The type of '{path}' is not known from the record; cast its owner first.")
        return None

    return read


def _system_reader(path: str, name: str) -> Reader | None:
    """Read a system value: the value of a primitive, or a plain string such as `Element.id`."""
    convert = scalar(name, path)
    if convert is None:
        return None

    def read_value(ev: Any, fhir: Fhir) -> Any:
        json = fhir.json
        if isinstance(json, (dict, list)):
            raise _malformed(path, name)
        return None if json is None else convert(ev, json)

    def read(ev: Any, fhir: Fhir) -> Any:
        json = fhir.json
        found = json.get(path) if isinstance(json, dict) else (fhir.extra or {}).get(path)
        return None if found is None else convert(ev, found)

    return read_value if path == "value" else read


def primitive_reader(path: str, name: str) -> Reader | None:
    """Read the value of a primitive at a path of one step, as rules mostly do, without wrapping the primitive."""
    convert, is_text = scalar(name, path), name == "String"
    if convert is None:
        return None

    def read(ev: Any, fhir: Fhir) -> Any:
        json = fhir.json
        found = json.get(path) if type(json) is dict else (fhir.extra or {}).get(path)
        if found is None or (is_text and type(found) is str):
            return found
        return convert(ev, found)

    return read


def step(fhir: Fhir, path: str) -> Fhir | None:
    """Walk to an element whose type the translator did not write, because only its parts are read.

    Raise when it is a list, or when its name carries a type that the path does not name.
    """
    json = fhir.json
    if isinstance(json, dict):
        value, extra = json.get(path), json.get(f"_{path}")
        if value is None and any(key.startswith(path) and key[len(path) :] in _CHOICE_NAMES for key in json):
            raise EvaluationError(f"The type of '{path}' is not known from the logic; cast it first.")
    else:
        value, extra = (fhir.extra or {}).get(path), None
    if isinstance(value, list) or isinstance(extra, list):
        raise EvaluationError(f"'{path}' is a list; take one of its elements first.")
    return None if value is None and extra is None else element("Element", value, extra)
